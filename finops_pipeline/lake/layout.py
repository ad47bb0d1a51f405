"""Paths of the lake, which no other module builds.

Put here: the layout of a tenant's folder. Keep out: reading and writing files.

    <data>/lake/tenant=acme/
      acme.duckdb        the file that analysts open: one generation
      ledger.sqlite      deliveries that landed, and the inputs of each partition
      landing/source=payer/billing_period=2026-10/delivery-3f…a1.parquet
      costs/project=prod/billing_period=2026-10/charges-90…7c.parquet
      quarantine/source=payer/billing_period=2026-10/rows-c4…02.parquet
      cost_explorer_daily/project=prod/billing_period=2026-10/daily-5b…e9.parquet
      business_metrics/metric=orders/billing_period=2026-10/values-07…3d.parquet
      statements/version=v1/billing_period=2026-10/statement-07…d4.parquet
      inventory/source=aws/snapshot_date=2026-10-31/snapshot-1f…9c.parquet
      inventory_coverage/source=aws/snapshot_date=2026-10-31/coverage-88…01.parquet
      resources/project=prod/snapshot_date=2026-10-31/resources-6a…27.parquet
      cloudwatch/source=usage/billing_period=2026-10/datapoints-02…bb.parquet
      cloudwatch_coverage/source=usage/billing_period=2026-10/coverage-c9…12.parquet
      resource_metrics/project=prod/billing_period=2026-10/metrics-4e…f0.parquet
      .store/            the files themselves, named by their content and never changed
      .scoped/           files limited to some projects, made when needed and removed again
      .folders/          one tree of links per publication; the newest is shown as costs, landing, …
      .ledger-copy.sqlite, .set-aside/   the ledger as of the last commit; what finops rebuild moved
      .lock  .staging/   the writer's lock; files that are not published yet
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from finops_pipeline.database.private_files import Permissions
from finops_pipeline.errors import DamagedFile, RegistryError
from finops_pipeline.ledger.ownership import Identity
from finops_pipeline.ledger.stored_files import Place, StoredFile
from finops_pipeline.tenants.model import check_name
from finops_pipeline.tenants.months import check_month

LANDING, COSTS, QUARANTINE = "landing", "costs", "quarantine"
COST_EXPLORER_DAYS, BUSINESS_METRICS = "cost_explorer_daily", "business_metrics"
STATEMENTS = "statements"
INVENTORY, INVENTORY_COVERAGE, RESOURCES = "inventory", "inventory_coverage", "resources"
CLOUDWATCH, CLOUDWATCH_COVERAGE = "cloudwatch", "cloudwatch_coverage"
RESOURCE_METRICS = "resource_metrics"
TABLES = (
    *(LANDING, COSTS, QUARANTINE, COST_EXPLORER_DAYS, BUSINESS_METRICS, STATEMENTS),
    *(INVENTORY, INVENTORY_COVERAGE, RESOURCES),
    *(CLOUDWATCH, CLOUDWATCH_COVERAGE, RESOURCE_METRICS),
)

_STEM = {
    LANDING: "delivery",
    COSTS: "charges",
    QUARANTINE: "rows",
    COST_EXPLORER_DAYS: "daily",
    BUSINESS_METRICS: "values",
    STATEMENTS: "statement",
    INVENTORY: "snapshot",
    INVENTORY_COVERAGE: "coverage",
    RESOURCES: "resources",
    CLOUDWATCH: "datapoints",
    CLOUDWATCH_COVERAGE: "coverage",
    RESOURCE_METRICS: "metrics",
}
_KEY = {
    LANDING: "source",
    COSTS: "project",
    QUARANTINE: "source",
    COST_EXPLORER_DAYS: "project",
    BUSINESS_METRICS: "metric",
    STATEMENTS: "version",
    INVENTORY: "source",
    INVENTORY_COVERAGE: "source",
    RESOURCES: "project",
    CLOUDWATCH: "source",
    CLOUDWATCH_COVERAGE: "source",
    RESOURCE_METRICS: "project",
}
SNAPSHOTS = (INVENTORY, INVENTORY_COVERAGE, RESOURCES)
"""The tables whose partitions are of a day, not of a month: `billing_period` of a place is then
that day, YYYY-MM-DD."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_FILE_NAME = re.compile(r"[a-z]+-[0-9a-f]{24}\.parquet")
_NAMED_DIGITS = 24
"""Digits of a file's SHA-256 in its name: 96 bits, so no two files of a partition share a name."""


class TenantFolder:
    """Paths of one tenant. Every segment is checked, so none can lead out of the folder.

    Args:
        data: the data folder of the installation (absolute).
        tenant: a tenant's name.
        installation_id: the id that the tenant's files must carry; empty: it is not checked.
        group_readable: whether the group of the folder may read it.
    """

    def __init__(
        self, data: Path, tenant: str, installation_id: str = "", group_readable: bool = False
    ) -> None:
        self.tenant = check_name("tenant", tenant)
        self.lake = data / "lake"
        self.root = self.lake / f"tenant={self.tenant}"
        self.identity = Identity(self.tenant, installation_id)
        self.permissions = Permissions(group_readable)

    @property
    def warehouse(self) -> Path:
        """The tenant's DuckDB file."""
        return self.root / f"{self.tenant}.duckdb"

    @property
    def ledger(self) -> Path:
        """The tenant's ledger."""
        return self.root / "ledger.sqlite"

    @property
    def ledger_copy(self) -> Path:
        """The copy of the ledger as of the last commit."""
        return self.root / ".ledger-copy.sqlite"

    @property
    def new_ledger_copy(self) -> Path:
        """The copy of the ledger while it is written."""
        return self.root / ".ledger-copy.new"

    @property
    def set_aside(self) -> Path:
        """The folder for what was moved away because it could not be used."""
        return self.root / ".set-aside"

    @property
    def lock(self) -> Path:
        """The file that the only writing process keeps locked."""
        return self.root / ".lock"

    @property
    def staging(self) -> Path:
        """The folder of files that are not published yet."""
        return self.root / ".staging"

    @property
    def store(self) -> Path:
        """The folder of all partition files."""
        return self.root / ".store"

    @property
    def scoped(self) -> Path:
        """The folder of the files that are limited to some projects (scoped_folder.py)."""
        return self.root / ".scoped"

    @property
    def trees(self) -> Path:
        """The folder of the trees of links, one per publication."""
        return self.root / ".folders"

    @property
    def restoring(self) -> Path:
        """The folder in which a backup becomes the tenant's folder (folder_swap.py)."""
        return self.lake / ".restoring" / self.tenant

    @property
    def purging(self) -> Path:
        """Where the tenant's folder is moved to before it is deleted (tenant_purge.py)."""
        return self.lake / ".purging" / self.tenant

    def staged_generation(self, generation: int) -> Path:
        """Return where a generation of the tenant's file waits for its commit."""
        return self.staging / f"generation-{int(generation)}.duckdb"

    def list_staged_generations(self) -> list[Path]:
        """List the generations that wait for their commit or were not put in place yet."""
        return sorted(self.staging.glob("generation-*.duckdb"))

    def stored(self, file: StoredFile) -> Path:
        """Return the path of a partition's file."""
        return self.store / place_path(file.place, self.tenant) / file_name(file, self.tenant)

    def stored_key(self, table: str, key: str) -> Path:
        """Return the folder of all partitions of a table with one key, such as a project."""
        return self.store / table / f"{_KEY[table]}={check_name(_KEY[table], key)}"

    def relative(self, path: Path) -> str:
        """Return a path of this tenant as POSIX text relative to its folder."""
        return path.relative_to(self.root).as_posix()


def list_undeclared(data: Path, declared: Iterable[str]) -> list[str]:
    """List the tenants that have a folder and are not among the declared ones."""
    folders = {path.name.removeprefix("tenant=") for path in (data / "lake").glob("tenant=*")}
    return sorted(folders - set(declared))


def place_path(place: Place, tenant: str) -> Path:
    """Return the folder of a partition relative to the store or to a tree of links.

    Raises:
        DamagedFile: the place, perhaps read from a ledger, does not exist in this layout.
    """
    kind = _KEY.get(place.table_name, "")
    try:
        key, period = check_name(kind, place.key), _check_period(place)
    except RegistryError as error:
        raise _impossible(place, tenant) from error
    if not kind:
        raise _impossible(place, tenant)
    return Path(place.table_name, f"{kind}={key}", f"{period_of(place.table_name)}={period}")


def period_of(table: str) -> str:
    """Return the partition key of a table's periods: billing_period or snapshot_date."""
    return "snapshot_date" if table in SNAPSHOTS else "billing_period"


def _check_period(place: Place) -> str:
    if place.table_name not in SNAPSHOTS:
        return check_month(place.billing_period)
    try:
        return date.fromisoformat(place.billing_period).isoformat()
    except ValueError as error:
        raise RegistryError(f"{place.billing_period!r} is not a day", "YYYY-MM-DD") from error


def file_name(file: StoredFile, tenant: str) -> str:
    """Return the name of a partition's file, made from its table and its checksum.

    Raises:
        DamagedFile: the checksum, perhaps read from a ledger, is not a SHA-256.
    """
    if not _SHA256.fullmatch(file.sha256):
        raise _impossible(file.place, tenant)
    return f"{_STEM[file.place.table_name]}-{file.sha256[:_NAMED_DIGITS]}.parquet"


def parse_stored(path: Path, tenant: str) -> Place | None:
    """Return the partition of a path relative to the store; None if it is not such a path.

    The name's digits are not compared with the content.
    """
    if len(path.parts) != 4 or not _FILE_NAME.fullmatch(path.name):
        return None
    table, key, period = path.parts[:3]
    place = Place(table, key.partition("=")[2], period.partition("=")[2])
    try:
        is_same = place_path(place, tenant) == path.parent
    except DamagedFile:
        return None
    return place if is_same and path.name.startswith(f"{_STEM[table]}-") else None


def _impossible(place: Place, tenant: str) -> DamagedFile:
    return DamagedFile(
        f"the ledger of tenant {tenant} names the partition"
        f" {place.table_name}/{place.key}/{place.billing_period}, which cannot exist",
        "a table, a name, a billing period and a checksum as finops writes them",
        f"The ledger was changed by another program. Rebuild it: finops rebuild {tenant}",
    )


def key_of(table: str) -> str:
    """Return what a table's partitions are keyed by: source, project, metric or version."""
    return _KEY[table]
