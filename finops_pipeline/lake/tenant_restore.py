"""Restoring a tenant from a backup: everything is checked before the new folder is put in place.

Put here: checking a backup of a tenant, filling a new folder from it, putting it in place. Keep
out: the form of a backup (backup_folder.py), the registry (application/restore.py).

The ledger of the backup names the files that it needs. Their paths are computed from it and then
looked up in the manifest; a manifest that lists anything else is refused.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from finops_pipeline.errors import DiskFull, ForeignFile, StorageFailure, counted
from finops_pipeline.lake import files
from finops_pipeline.lake.backup_folder import content_name, damaged_backup, read_back
from finops_pipeline.lake.backup_manifest import MANIFEST, BackedUpFile, Manifest
from finops_pipeline.lake.file_owners import OWNED_TABLES, write_owner_record
from finops_pipeline.lake.folder_swap import new_folder, restoring, settle_swap, swap, swap_back
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.moved_notice import write_notices
from finops_pipeline.lake.own_files import require_own
from finops_pipeline.lake.store import PartitionStore
from finops_pipeline.lake.tenant_backup import partition_entry, warehouse_entry
from finops_pipeline.lake.warehouse import reading
from finops_pipeline.lake.writing import tenant_writer, writer_lock
from finops_pipeline.ledger.generations import read_generations
from finops_pipeline.ledger.ledger import Ledger
from finops_pipeline.ledger.ownership import Identity, Owner, store_owner
from finops_pipeline.ledger.stored_files import (
    forget_all_marks,
    forget_superseded,
    read_needed_files,
    read_stored_files,
    read_superseded_files,
)


@dataclass(frozen=True)
class Backup:
    """A tenant's part of a backup: the folder of its manifest, and the manifest."""

    path: Path
    manifest: Manifest


def is_taken(folder: TenantFolder) -> bool:
    """Return whether the tenant has a folder that holds more than a lock and a staging folder."""
    if not folder.root.exists() and not folder.root.is_symlink():
        return False
    ignored = {folder.lock.name, folder.staging.name}
    return not folder.root.is_dir() or any(p.name not in ignored for p in folder.root.iterdir())


def require_free(folder: TenantFolder, is_replacing: bool) -> None:
    """Check that a restore may put the tenant's folder in place.

    Raises:
        StorageFailure: the tenant has data, and it is not to be replaced.
        ForeignFile: its folder is a link.
    """
    require_own(folder, folder.root)
    if not is_replacing and is_taken(folder):
        raise StorageFailure(
            f"tenant {folder.tenant} has data in {folder.root}",
            "no data of this tenant, or the option --replace",
            "Add --replace to put the backup in its place",
        )


@contextmanager
def filled_folder(folder: TenantFolder, backup: Backup) -> Iterator[None]:
    """Fill a new folder from a backup and check every file; `replace_folder` puts it in place.

    Raises:
        DamagedFile: a file is missing or was changed, or the manifest does not list exactly
            the files that the ledger needs.
        ForeignFile: a file is a link, or another tenant's.
        SchemaTooNew: a newer version of finops_pipeline wrote the ledger.
        TenantBusy: another process is restoring the tenant.
        DiskFull: the disk has no room for the files beside the present ones.
    """
    with restoring(folder):
        settle_swap(folder)
        files.clear_folder(folder.restoring)
        try:
            _fill(folder, backup)
        except BaseException:
            files.clear_folder(folder.restoring)
            raise
        yield


def _require_room(folder: TenantFolder, manifest: Manifest) -> None:
    free = shutil.disk_usage(folder.restoring.parent).free
    if free < manifest.size_bytes:
        raise DiskFull(
            f"the backup of tenant {folder.tenant} has {counted(manifest.size_bytes, 'byte')}, but"
            f" the disk of {folder.lake} has {free} free",
            "room for the backup beside the present data, which stays until it is restored",
            "Free space on this disk and restore again; nothing was changed",
        )


def _fill(folder: TenantFolder, backup: Backup) -> None:
    _require_room(folder, backup.manifest)
    new = new_folder(folder)
    folder.permissions.make_folder(new.root)
    listed = {file.path: file for file in backup.manifest.files}
    entry = _ledger_entry(backup)
    read_back(backup.path, entry, new.ledger, folder.permissions)
    needed = {entry.path: new.ledger, **_needed_files(new, backup)}
    if listed.keys() != needed.keys():
        raise damaged_backup(backup.path / MANIFEST, "lists files that the ledger does not need")
    for name, path in needed.items():
        if path == new.ledger:
            continue
        folder.permissions.make_folder(path.parent)
        read_back(backup.path, listed[name], path, folder.permissions)
        files.sync(path)
    write_notices(new)
    _take_over(folder, new)
    for path in sorted(new.root.rglob("*")):
        if path.is_dir():
            files.sync(path)
    files.sync(new.root)


def _ledger_entry(backup: Backup) -> BackedUpFile:
    for file in backup.manifest.files:
        if file.path == content_name("ledger", file.sha256, ".sqlite"):
            return file
    raise damaged_backup(backup.path / MANIFEST, "lists no ledger")


def _needed_files(new: TenantFolder, backup: Backup) -> dict[str, Path]:
    """Return the files that the ledger names: path in the backup -> path in the new folder."""
    ledger = Ledger(new.ledger, Identity(new.tenant))
    owner = _owner(ledger, new)
    if (owner.installation_id, owner.commits) != (
        backup.manifest.installation_id,
        backup.manifest.publication,
    ):
        raise damaged_backup(backup.path / MANIFEST, "and the ledger belong to different backups")
    paths = {}
    for generation in read_generations(ledger)[:1]:
        paths[warehouse_entry(new.tenant, generation)] = new.warehouse
    for file in read_needed_files(ledger):
        paths[partition_entry(new.tenant, file)] = new.stored(file)
    listed = set(backup.manifest.files)
    missing = sorted(entry.path for entry in paths if entry not in listed)
    if missing:
        raise damaged_backup(backup.path / MANIFEST, f"does not list {missing[0]}")
    return {entry.path: path for entry, path in paths.items()}


def _owner(ledger: Ledger, folder: TenantFolder) -> Owner:
    owner = ledger.owner()
    if owner is None:
        raise ForeignFile(
            "the ledger in the backup does not say whose it is",
            f"the ledger of tenant {folder.tenant}",
            "Restore another backup; nothing was changed",
        )
    return owner


def _take_over(folder: TenantFolder, new: TenantFolder) -> None:
    """Make the ledger that of this installation, and forget what is not in the backup."""
    ledger = Ledger(new.ledger, Identity(new.tenant))
    owner = _owner(ledger, folder)
    own_id = folder.identity.installation_id
    root = owner.root
    if own_id != owner.installation_id and root == str(folder.root):
        # The views already name this folder, but the tenant's file has to be rewritten with the
        # id of this installation. upgrade.py does that when the root is another.
        root = ""
    if own_id != owner.installation_id:
        _take_over_files(new, ledger, owner.commits)
    released = [s.file for s in read_superseded_files(ledger) if s.released_at]
    taken_over = replace(owner, installation_id=own_id, root=root)
    ledger.write(
        forget_superseded(released),
        forget_all_marks,
        lambda db: store_owner(db, taken_over),
    )
    files.sync(new.ledger)


def _take_over_files(new: TenantFolder, ledger: Ledger, publication: int) -> None:
    """Record that files which name another installation are now files of this installation."""
    store = PartitionStore(new)
    for place, file in read_stored_files(ledger).items():
        if place.table_name in OWNED_TABLES:
            write_owner_record(new, store, file, publication)


def replace_folder(folder: TenantFolder, wait_seconds: float) -> None:
    """Put the filled folder in place and open it; if it cannot be used, put the old one back.

    Raises:
        TenantBusy: another process is writing the tenant.
        DamagedFile: the new folder cannot be used.
    """
    with _locked(folder, wait_seconds):
        swap(folder)
    try:
        with tenant_writer(folder, wait_seconds) as writer:
            has_generation = bool(read_generations(writer.ledger))
        if has_generation:
            with reading(folder):
                pass
    except BaseException:
        with _locked(folder, wait_seconds):
            swap_back(folder)
        raise
    files.clear_folder(folder.restoring)


@contextmanager
def _locked(folder: TenantFolder, wait_seconds: float) -> Iterator[None]:
    """Hold the writer's lock of the present folder, with which the lock is set aside."""
    folder.permissions.make_folder(folder.root)
    require_own(folder, folder.lock)
    with writer_lock(folder, wait_seconds):
        yield
