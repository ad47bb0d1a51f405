"""Landing inventories: what AWS lists today, and files that a customer hands over.

Put here: which snapshot a run makes and of what, and its coverage. Keep out: asking AWS (sources),
merging and storing (inventory_snapshot.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date
from pathlib import Path

from finops_pipeline import clock
from finops_pipeline.errors import FileProblem, RegistryError
from finops_pipeline.lake import files
from finops_pipeline.landing.inventory_snapshot import LandedSnapshot, SnapshotLanding
from finops_pipeline.landing.landing_task import LandingTask
from finops_pipeline.sources.aws import make_access
from finops_pipeline.sources.inventory_api import Covered, InventoryApi
from finops_pipeline.sources.inventory_files import InventoryFile, Record, read_inventory_file
from finops_pipeline.sources.inventory_records import ResourceRecord
from finops_pipeline.tenants.collected_source import InventoryApiSource

_ENDINGS = (".json", ".json.gz", ".csv", ".csv.gz")


def land_listed_resources(task: LandingTask, foreign: Collection[str]) -> LandedSnapshot:
    """Ask AWS for every resource of a source's account, and land today's snapshot.

    Args:
        foreign: accounts that belong to other tenants, and not to this one.

    Raises:
        RegistryError: the account of the credentials belongs to another tenant.
        AccessRefused: the role may not be assumed, or there are no credentials.
        Unreachable: AWS did not answer.
    """
    source = task.source
    assert isinstance(source, InventoryApiSource)
    api = InventoryApi(make_access(task.tenant, source), source.regions)
    account = api.find_account()
    if account in foreign:
        raise RegistryError(
            f"{task.name} reads account {account}, which belongs to another tenant",
            "credentials of an account of this tenant",
            "Correct the role or profile of the source; nothing was stored",
        )
    landing = SnapshotLanding(task, clock.now().date(), foreign)

    def list_records() -> Iterator[ResourceRecord]:
        for listing in api.list_resources(account):
            landing.findings.coverage.append((account, listing.covered))
            yield from listing.records
        landing.findings.coverage += [(account, gap) for gap in api.gaps]

    return landing.land(list_records())


def land_inventory_files(
    task: LandingTask, paths: list[Path], foreign: Collection[str]
) -> LandedSnapshot:
    """Land files that together are the complete inventory of their accounts.

    Raises:
        FileProblem: a file cannot be read, has a resource of another tenant's account, or is older
            than what has landed; nothing was stored.
    """
    given = _read_files(task, paths)
    today = clock.now().date()
    day = max((file.day for file in given if file.day), default=today)
    if day > today:
        raise FileProblem(f"the snapshot is of {day}", f"a day up to today, {today}")
    landing = SnapshotLanding(task, day, foreign)
    kinds: set[tuple[str, str, str]] = set()

    def list_records() -> Iterator[Record]:
        for file in given:
            for record in file.records:
                if isinstance(record, ResourceRecord):
                    kinds.add((record.account_id, record.region_id, record.resource_type))
                yield record
        landing.findings.coverage += [
            (account, Covered(region, kind, "collected")) for account, region, kind in sorted(kinds)
        ]

    return landing.land(list_records())


def _read_files(task: LandingTask, paths: list[Path]) -> list[InventoryFile]:
    given = []
    with task.writer.publication() as publication:
        for number, path in enumerate(paths):
            if not path.is_file() or not path.name.lower().endswith(_ENDINGS):
                raise FileProblem(f"{path} is no inventory", f"files that end in {_ENDINGS}")
            flat = publication.scratch(f"{number}.text")
            files.inflate(path, flat, path.name)
            given.append(read_inventory_file(path, flat.read_bytes()))
    return given


def is_due(newest: date | None) -> bool:
    """Return whether an inventory is asked for again: once a day."""
    return newest is None or newest < clock.now().date()
