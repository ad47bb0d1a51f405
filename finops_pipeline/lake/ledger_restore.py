"""Restoration of a lost ledger, from its copy and from the files in the store.

Put here: what a restored ledger contains. Keep out: the copy itself (ledger_copy.py), records of
landings (landing_records.py), landing again what neither has (application/rebuild.py).

The copy may be outdated or missing. So landings that it lacks are registered from the records
beside their files, and so are files of business metrics. All other files of the store become
superseded: readers of an earlier generation may still need them, and they are collected after the
usual time.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from finops_pipeline.lake.files import fingerprint
from finops_pipeline.lake.landing_records import LandingRecord, read_landing_records
from finops_pipeline.lake.layout import QUARANTINE, STATEMENTS, TenantFolder, parse_stored
from finops_pipeline.lake.ledger_copy import restore_copy
from finops_pipeline.lake.metric_values import newest_metric_files
from finops_pipeline.lake.own_files import protect_file
from finops_pipeline.lake.shown_folders import shown_publication
from finops_pipeline.lake.statement_files import read_entry
from finops_pipeline.lake.store import PartitionStore
from finops_pipeline.ledger.cost_explorer_days import record_days
from finops_pipeline.ledger.ledger import Ledger, Write, record_delivery
from finops_pipeline.ledger.ownership import Owner, store_owner
from finops_pipeline.ledger.statement_entries import record_statement
from finops_pipeline.ledger.stored_files import (
    Place,
    StoredFile,
    read_stored_files,
    read_superseded_files,
    record_file,
)


class LedgerOrigin(StrEnum):
    """Where a ledger comes from: it was there, its copy was used, or the files in the store."""

    INTACT = "intact"
    COPY = "copy"
    FILES = "files"


def restore_ledger(folder: TenantFolder) -> LedgerOrigin:
    """Write the ledger of a folder that has lost it. The caller must hold the lock."""
    origin = LedgerOrigin.COPY if restore_copy(folder) else LedgerOrigin.FILES
    ledger = Ledger(folder.ledger, folder.identity)
    owner = ledger.owner()
    if owner is None and origin is LedgerOrigin.COPY:
        return origin  # the copy has an older layout, which is upgraded next
    # Publication numbers continue from the highest, so that none stands for two contents.
    commits = max(owner.commits if owner else 0, shown_publication(folder) or 0) + 1
    identity, root = folder.identity, str(folder.root)
    new = Owner(identity.tenant, identity.installation_id, owner.root if owner else root, commits)
    landings = _missing_landings(folder, ledger)
    writes = [write for landed in landings for write in _register(landed)]
    metrics = newest_metric_files(folder, read_stored_files(ledger))
    writes += [record_file(file.place, file) for file in metrics]
    ledger.write(*_supersede_unrecorded(folder, ledger), *writes, lambda db: store_owner(db, new))
    protect_file(folder, folder.ledger)
    return origin


def _missing_landings(folder: TenantFolder, ledger: Ledger) -> list[LandingRecord]:
    """List the landings that the ledger has in an older version or not at all, oldest first."""
    current = read_stored_files(ledger)
    known = {*current.values(), *(item.file for item in read_superseded_files(ledger))}
    return [landed for landed in read_landing_records(folder) if landed.landing not in known]


def _register(landed: LandingRecord) -> list[Write]:
    source, month = landed.delivery.source, landed.delivery.billing_period
    return [
        record_delivery(landed.delivery),
        record_file(landed.landing.place, landed.landing),
        record_file(Place(QUARANTINE, source, month), landed.quarantine),
        record_days(source, landed.days or {}),
    ]


def _supersede_unrecorded(folder: TenantFolder, ledger: Ledger) -> list[Write]:
    """Record files of the store that the ledger does not name as superseded ones.

    Each file becomes current and is superseded when its partition changes back. Files of statements
    stay current: there is one of each version, and it never changes.
    """
    current = read_stored_files(ledger)
    known = {*current.values(), *(item.file for item in read_superseded_files(ledger))}
    named = {folder.stored(file) for file in known}
    writes = list[Write]()
    for path in sorted(PartitionStore(folder).list_paths() - named):
        place = parse_stored(path.relative_to(folder.store), folder.tenant)
        if place is None or path.is_symlink():
            continue
        file = StoredFile(place, fingerprint(path), path.stat().st_size)
        if folder.stored(file) != path:
            continue
        if place.table_name == STATEMENTS:
            writes += _register_statement(path, file)
        else:
            writes += [record_file(place, file), record_file(place, current.get(place))]
    return writes


def _register_statement(path: Path, file: StoredFile) -> list[Write]:
    entry = read_entry(path, file)
    return [] if entry is None else [record_file(file.place, file), record_statement(entry)]
