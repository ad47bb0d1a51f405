"""Paths of the lake, which no other module builds.

Put here: the layout of a tenant's folder. Keep out: reading and writing files.

    <data>/lake/tenant=acme/
      landing/source=payer/billing_period=2026-10/delivery.parquet
      costs/project=prod/billing_period=2026-10/charges.parquet
      quarantine/source=payer/billing_period=2026-10/rows.parquet
      cost_explorer_daily/project=prod/billing_period=2026-10/daily.parquet
      acme.duckdb        the file that analysts open
      ledger.sqlite      deliveries that landed, and the inputs of each partition
      .lock  .staging/   the writer's lock; files that are not published yet
"""

from __future__ import annotations

from pathlib import Path

from finops_pipeline.tenants.model import check_name
from finops_pipeline.tenants.months import check_month

LANDING, COSTS, QUARANTINE = "landing", "costs", "quarantine"
COST_EXPLORER_DAYS = "cost_explorer_daily"

_FILE = {
    LANDING: "delivery.parquet",
    COSTS: "charges.parquet",
    QUARANTINE: "rows.parquet",
    COST_EXPLORER_DAYS: "daily.parquet",
}
_KEY = {LANDING: "source", COSTS: "project", QUARANTINE: "source", COST_EXPLORER_DAYS: "project"}


class TenantFolder:
    """Paths of one tenant. Every segment is checked, so none can lead out of the folder.

    Args:
        data: the data folder of the installation (absolute).
        tenant: a tenant's name.
    """

    def __init__(self, data: Path, tenant: str) -> None:
        self.tenant = check_name("tenant", tenant)
        self.root = data / "lake" / f"tenant={self.tenant}"

    @property
    def warehouse(self) -> Path:
        """The tenant's DuckDB file."""
        return self.root / f"{self.tenant}.duckdb"

    @property
    def ledger(self) -> Path:
        """The tenant's ledger."""
        return self.root / "ledger.sqlite"

    @property
    def lock(self) -> Path:
        """The file whose lock admits one writing process."""
        return self.root / ".lock"

    @property
    def staging(self) -> Path:
        """The folder of files that are not published yet."""
        return self.root / ".staging"

    def partition(self, table: str, key: str, month: str) -> Path:
        """Return the path of a partition's file.

        Args:
            key: a source for landing and quarantine, otherwise a project.
        """
        kind = _KEY[table]
        folder = self.root / table / f"{kind}={check_name(kind, key)}"
        return folder / f"billing_period={check_month(month)}" / _FILE[table]

    def relative(self, path: Path) -> str:
        """Return a path of this tenant as POSIX text relative to its folder."""
        return path.relative_to(self.root).as_posix()


def partition_glob(table: str, key: str = "*", month: str = "*") -> str:
    """Return a glob over the files of a table, relative to the tenant's folder."""
    if key != "*":
        check_name(_KEY[table], key)
    if month != "*":
        check_month(month)
    return f"{table}/{_KEY[table]}={key}/billing_period={month}/{_FILE[table]}"
