"""Restoration of a lost ledger, from its copy and from the files in the store.

Put here: what a restored ledger contains. Keep out: the copy itself (ledger_copy.py), records of
landings (landing_records.py), landing again what neither has (application/rebuild.py).

The copy may be outdated or missing. So landings that it lacks are registered from the records
beside their files, and so are files of business metrics, statements and collected
files, which say whose they are.
All other files of the store become superseded: readers of an earlier generation may still need
them, and they are collected after the usual time.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from finops_pipeline.lake.files import fingerprint
from finops_pipeline.lake.landing_records import LandingRecord, read_landing_records
from finops_pipeline.lake.layout import QUARANTINE, STATEMENTS, TenantFolder, parse_stored
from finops_pipeline.lake.ledger_copy import restore_copy
from finops_pipeline.lake.metric_values import newest_owned_files
from finops_pipeline.lake.own_files import protect_file
from finops_pipeline.lake.shown_folders import shown_publication
from finops_pipeline.lake.statement_files import read_entry, statement_place
from finops_pipeline.lake.store import PartitionStore
from finops_pipeline.ledger.cost_explorer_days import record_days
from finops_pipeline.ledger.ledger import Ledger, Write, record_delivery
from finops_pipeline.ledger.ownership import Owner, store_owner
from finops_pipeline.ledger.statement_entries import (
    StatementEntry,
    read_statement_entries,
    record_statement,
)
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
    owned = newest_owned_files(folder, read_stored_files(ledger))
    writes += [record_file(file.place, file) for file in owned]
    unrecorded = _unrecorded_files(folder, ledger)
    writes += _register_statements(folder, ledger, unrecorded)
    ledger.write(*_supersede(ledger, unrecorded), *writes, lambda db: store_owner(db, new))
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


def _unrecorded_files(folder: TenantFolder, ledger: Ledger) -> list[StoredFile]:
    """List the intact files of the store that the ledger does not name."""
    current = read_stored_files(ledger)
    known = {*current.values(), *(item.file for item in read_superseded_files(ledger))}
    named = {folder.stored(file) for file in known}
    unrecorded = []
    for path in sorted(PartitionStore(folder).list_paths() - named):
        place = parse_stored(path.relative_to(folder.store), folder.tenant)
        if place is None or path.is_symlink():
            continue
        file = StoredFile(place, fingerprint(path), path.stat().st_size)
        if folder.stored(file) == path:
            unrecorded.append(file)
    return unrecorded


def _supersede(ledger: Ledger, unrecorded: Iterable[StoredFile]) -> list[Write]:
    """Record files as superseded ones, except statements, which are never superseded.

    Each file becomes current and is superseded when its partition changes back.
    """
    current = read_stored_files(ledger)
    return [
        record_file(file.place, version)
        for file in unrecorded
        if file.place.table_name != STATEMENTS
        for version in (file, current.get(file.place))
    ]


def _register_statements(
    folder: TenantFolder, ledger: Ledger, unrecorded: Iterable[StoredFile]
) -> list[Write]:
    """Record the versions of statements that the ledger lacks, each with one file.

    If a version has several files, the one that was closed first counts: no month closes twice.
    Files that are left over are moved away (repair.py).
    """
    recorded = {statement_place(entry) for entry in read_statement_entries(ledger)}
    missing = dict[Place, tuple[StatementEntry, StoredFile]]()
    for file in unrecorded:
        if file.place.table_name != STATEMENTS or file.place in recorded:
            continue
        entry = read_entry(folder, file)
        if entry is None:
            continue
        known = missing.get(file.place)
        if known is None or entry.closed_at < known[0].closed_at:
            missing[file.place] = (entry, file)
    return [
        write
        for place, (entry, file) in missing.items()
        for write in (record_file(place, file), record_statement(entry))
    ]
