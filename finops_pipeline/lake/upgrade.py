"""Bringing a tenant's folder into the present layout: new, older, or moved from elsewhere.

Put here: what has to be done once before a folder is used. Keep out: the ledger's own tables
(ledger/migrations), what a publication does (publish.py).

A folder of an older version has its files under fixed names, and views with patterns relative to
the folder. The files are linked into the store, the views name them there, and one commit of the
ledger makes both current. If the process is killed before, the older folder is as it was.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

from finops_pipeline import clock
from finops_pipeline.errors import DamagedFile, ForeignFile
from finops_pipeline.lake import files
from finops_pipeline.lake.commit import finish_commit
from finops_pipeline.lake.duck import Limits, scratch_connection, text
from finops_pipeline.lake.file_identity import (
    SCHEMA_VERSION,
    FileIdentity,
    write_identity,
    write_partition_files,
)
from finops_pipeline.lake.landing_records import LandingRecord, write_landing_record
from finops_pipeline.lake.layout import COSTS, LANDING, QUARANTINE, TABLES, TenantFolder, key_of
from finops_pipeline.lake.ledger_faults import find_ledger_fault
from finops_pipeline.lake.moved_notice import write_notice
from finops_pipeline.lake.old_layout import OLD_NAMES, is_old_move
from finops_pipeline.lake.own_files import make_folder, protect_file, require_own
from finops_pipeline.lake.store import PartitionStore
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.lake.view_paths import Replacement, move_root, resolve_globs, rewrite_views
from finops_pipeline.ledger.cost_explorer_days import read_days
from finops_pipeline.ledger.generations import Generation, read_generations, record_generation
from finops_pipeline.ledger.ledger import Ledger, Write, clear_moves
from finops_pipeline.ledger.ownership import Owner, store_owner
from finops_pipeline.ledger.stored_files import (
    Place,
    StoredFile,
    record_file,
)
from finops_pipeline.tenants.months import month_of

_UPGRADED = "upgraded.duckdb"


def is_prepared(folder: TenantFolder, ledger: Ledger) -> bool:
    """Return whether the folder has the present layout and has not been moved."""
    owner = ledger.owner()
    if owner is None or owner.root != str(folder.root):
        return False
    return bool(owner.installation_id) or not folder.identity.installation_id


def prepare_folder(folder: TenantFolder) -> Ledger:
    """Bring a folder into the present layout, and return its ledger. The caller holds the lock.

    Raises:
        ForeignFile: the folder or its ledger is another's, or leads out of the folder.
        DamagedFile: the ledger of a folder with published data is missing.
    """
    for path in (folder.staging, folder.store, folder.trees, folder.warehouse):
        require_own(folder, path)
    ledger = open_ledger(folder)
    owner = ledger.owner()
    if owner is None and folder.ledger.exists():
        refuse_ownerless(folder)
    if owner is None and not folder.ledger.exists():
        refuse_lost_ledger(folder)
        ledger.write(_own(folder, 0))
        protect_file(folder, folder.ledger)
    elif owner is None:
        _upgrade(folder, ledger)
    elif owner.root != str(folder.root):
        _relocate(folder, ledger, owner)
    elif not owner.installation_id and folder.identity.installation_id:
        ledger.write(_own(folder, owner.commits))
    return ledger


def _own(folder: TenantFolder, commits: int) -> Write:
    identity = folder.identity
    owner = Owner(identity.tenant, identity.installation_id, str(folder.root), commits)
    return lambda db: store_owner(db, owner)


def refuse_ownerless(folder: TenantFolder) -> None:
    """Refuse a ledger without an owner, unless an older version wrote it with its deliveries.

    Raises:
        DamagedFile: it is empty, or belongs to no folder of the present layout.
    """
    if fault := find_ledger_fault(folder, folder.ledger):
        raise DamagedFile(
            f"{folder.ledger} {fault}",
            f"the ledger of tenant {folder.tenant}, which has published files",
            f"Rebuild it: finops rebuild {folder.tenant}",
        )


def refuse_lost_ledger(folder: TenantFolder) -> None:
    """Check that a folder without a ledger has published nothing.

    Raises:
        DamagedFile: it has, so the ledger is lost.
    """
    if folder.warehouse.exists() or folder.store.exists():
        raise DamagedFile(
            f"{folder.ledger} is missing",
            f"the ledger of tenant {folder.tenant}, which has published files",
            f"Rebuild it: finops rebuild {folder.tenant}",
        )


def _upgrade(folder: TenantFolder, ledger: Ledger) -> None:
    """Take over the files of a folder from before files were named by their content."""
    _finish_old_moves(folder, ledger)
    make_folder(folder, folder.staging)
    for path in (folder.root, folder.lake):
        path.chmod(folder.permissions.folder)
    protect_file(folder, folder.ledger)
    paths, new_files = {}, []
    for path in _old_files(folder):
        file = _link_into_store(folder, path)
        paths[folder.relative(path)] = str(folder.stored(file))
        new_files.append(file)
    for lost in _recorded_charges(ledger) - paths.keys():
        # This path does not exist, so a view that needs the file is left out.
        paths[lost] = str(folder.store / lost)
    _write_landing_records(folder, ledger, new_files)
    writes = [record_file(file.place, file) for file in new_files]
    if folder.warehouse.exists():
        generation = _rewrite(folder, new_files, 1, resolve_globs(paths))
        writes.append(record_generation(generation))
    ledger.write(*writes, clear_moves, _own(folder, 1))


def _write_landing_records(
    folder: TenantFolder, ledger: Ledger, new_files: list[StoredFile]
) -> None:
    """Write beside each landing file the record of its delivery, see landing_records.py."""
    store, by_place = PartitionStore(folder), {file.place: file for file in new_files}
    for delivery in ledger.deliveries():
        month = (delivery.source, delivery.billing_period)
        landing = by_place.get(Place(LANDING, *month))
        if landing is not None:
            answered = read_days(ledger, delivery.source)
            days = {day: flag for day, flag in answered.items() if month_of(day) == month[1]}
            quarantine = by_place.get(Place(QUARANTINE, *month))
            record = LandingRecord(delivery, landing, quarantine, publication=1, days=days)
            write_landing_record(folder, store, record)


def _old_files(folder: TenantFolder) -> list[Path]:
    found = []
    for table, name in OLD_NAMES.items():
        pattern = f"{table}/{key_of(table)}=*/billing_period=*/{name}"
        found += [path for path in folder.root.glob(pattern)]
    return sorted(found)


def _recorded_charges(ledger: Ledger) -> set[str]:
    """Return the paths that the older version gave its files of charges."""
    return {
        f"{COSTS}/{key_of(COSTS)}={key}/billing_period={month}/{OLD_NAMES[COSTS]}"
        for (key, month), record in ledger.partitions(COSTS).items()
        if record.rows
    }


def _link_into_store(folder: TenantFolder, path: Path) -> StoredFile:
    """Give a file its place in the store, without moving it: an older program may still read it."""
    require_own(folder, path)
    table, key, month, _ = folder.relative(path).split("/")
    place = Place(table, key.partition("=")[2], month.partition("=")[2])
    file = StoredFile(place, files.fingerprint(path), path.stat().st_size)
    final = folder.stored(file)
    make_folder(folder, final.parent)
    if not final.exists():
        os.link(path, final)
    protect_file(folder, final)
    files.sync(final)
    files.sync(final.parent)
    return file


def _rewrite(
    folder: TenantFolder, current: list[StoredFile] | None, generation: int, paths: Replacement
) -> Generation:
    """Stage the tenant's file with new paths in its views, as a generation of its own.

    Args:
        folder: the tenant's folder.
        current: the files that the views will read; None: the same as before.
        generation: the number of the new generation.
        paths: the new paths.
    """
    make_folder(folder, folder.staging)
    target = folder.staging / _UPGRADED
    shutil.copyfile(folder.warehouse, target)
    identity = folder.identity
    with scratch_connection(folder.staging / "spill", Limits()) as connection:
        for table in TABLES:
            write_notice(connection, folder, table)
        connection.execute(f"attach {text(str(target))} as upgraded")
        rewrite_views(connection, "upgraded", paths)
        row = FileIdentity(
            identity.tenant,
            identity.installation_id,
            SCHEMA_VERSION,
            generation,
            str(folder.root),
        )
        write_identity(connection, "upgraded", row)
        if current is not None:
            write_partition_files(connection, "upgraded", folder, current)
        connection.execute("checkpoint upgraded")
        connection.execute("detach upgraded")
    protect_file(folder, target)
    files.sync(target)
    staged = folder.staged_generation(generation)
    target.replace(staged)
    files.sync(folder.staging)
    at, size = clock.now().isoformat(), staged.stat().st_size
    return Generation(generation, files.fingerprint(staged), size, at)


def _relocate(folder: TenantFolder, ledger: Ledger, owner: Owner) -> None:
    """Rewrite the views of a folder that was moved or restored to another place.

    Raises:
        DamagedFile: the tenant's file is not the one that was published last.
    """
    # A publication that was interrupted comes first: its file is the one whose views are rewritten.
    finish_commit(folder, ledger)
    number, writes = owner.commits + 1, list[Write]()
    newest = read_generations(ledger)[:1]
    if newest and folder.warehouse.exists():
        _require_published(folder, newest[0])
        # The views keep naming files that are superseded but not released: nothing is released.
        generation = _rewrite(folder, None, number, move_root(owner.root, folder))
        writes.append(record_generation(generation))
    moved = replace(owner, root=str(folder.root), commits=number)
    ledger.write(*writes, lambda db: store_owner(db, moved))


def _require_published(folder: TenantFolder, newest: Generation) -> None:
    """Check the content of the tenant's file, which becomes a generation with a new checksum."""
    if files.fingerprint(folder.warehouse) != newest.sha256:
        raise DamagedFile(
            f"{folder.warehouse} is not the file that was published last",
            f"the file that finops published last for tenant {folder.tenant}",
            f"Build it again: finops rebuild {folder.tenant}",
        )


def _finish_old_moves(folder: TenantFolder, ledger: Ledger) -> None:
    """Carry out the moves of files that an older version committed and did not finish.

    Raises:
        ForeignFile: a move leads out of the folder.
    """
    for _, staged, final in ledger.moves():
        if not is_old_move(folder, staged, final):
            raise ForeignFile(
                f"the ledger of tenant {folder.tenant} moves {staged} to {final}",
                "moves of the tenant's own files",
                f"Rebuild the tenant, which sets the ledger aside: finops rebuild {folder.tenant}",
            )
        target = folder.root / final
        require_own(folder, target)
        if staged is None:
            target.unlink(missing_ok=True)
        elif (folder.root / staged).exists():
            require_own(folder, folder.root / staged)
            make_folder(folder, target.parent)
            (folder.root / staged).replace(target)
