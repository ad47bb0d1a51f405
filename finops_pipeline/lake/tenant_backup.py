"""Backing up a tenant while another process may publish, collect and rename.

Put here: choosing one publication and copying exactly its files. Keep out: the form of a backup
(backup_folder.py, backup_manifest.py), putting it back (tenant_restore.py).

The writer's lock is not needed. A copy of the ledger names one publication; its partition files
never change, and the tenant's file is found by its checksum. If one of them is gone, there is a
newer publication, and the copy of the ledger is taken again; what was copied already is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finops_pipeline import __version__, clock
from finops_pipeline.database.sqlite_copy import SQLiteError, copy_database
from finops_pipeline.errors import DamagedFile, TenantBusy
from finops_pipeline.lake.backup_folder import BackupFolder, content_name
from finops_pipeline.lake.backup_manifest import BackedUpFile, Manifest, require_own_backup
from finops_pipeline.lake.file_marks import damaged_partition
from finops_pipeline.lake.layout import TenantFolder, file_name, place_path
from finops_pipeline.lake.own_files import require_own
from finops_pipeline.lake.upgrade import refuse_lost_ledger
from finops_pipeline.lake.warehouse_access import damaged_warehouse
from finops_pipeline.lake.writing import settle
from finops_pipeline.ledger.generations import Generation, read_generations
from finops_pipeline.ledger.ledger import Ledger
from finops_pipeline.ledger.ownership import Owner
from finops_pipeline.ledger.stored_files import StoredFile, read_needed_files

_PATIENCE, _PAUSE_SECONDS = 200, 0.05
"""The most copies of the ledger that a backup takes, and the pause before a further one."""
_UNCHANGED = 5
"""Copies of the ledger with the same publication after which a missing file counts as lost."""


@dataclass(frozen=True)
class TenantBackup:
    """A finished backup of a tenant; `copied_bytes` were new, the rest was there already."""

    tenant: str
    publication: int
    generation: int
    files: int
    size_bytes: int
    copied_bytes: int


@dataclass(frozen=True)
class _Snapshot:
    """One publication as a copy of the ledger describes it; no ledger: nothing was published."""

    ledger: BackedUpFile | None
    owner: Owner
    generation: Generation | None
    partitions: tuple[StoredFile, ...]


class _Vanished(Exception):
    """A file of the snapshot is not there (any more)."""

    def __init__(self, cause: Exception) -> None:
        self.cause = cause


def warehouse_entry(tenant: str, generation: Generation) -> BackedUpFile:
    """Return the tenant's file of a generation as an entry of a manifest."""
    name = content_name(tenant, generation.sha256, ".duckdb")
    return BackedUpFile(name, generation.sha256, generation.size_bytes)


def partition_entry(tenant: str, file: StoredFile) -> BackedUpFile:
    """Return a partition's file as an entry of a manifest."""
    path = Path("store") / place_path(file.place, tenant) / file_name(file, tenant)
    name = path.as_posix()
    return BackedUpFile(name, file.sha256, file.size_bytes)


def back_up(
    folder: TenantFolder, target: BackupFolder, declaration: Mapping[str, Any]
) -> TenantBackup:
    """Back up a tenant's newest publication.

    Raises:
        DamagedFile: a file that it needs is lost or damaged; an earlier backup stays as it was.
        ForeignFile: the folder, or the folder of the backup, holds another's files or links.
        TenantBusy: publications followed each other so fast that none could be copied.
    """
    require_own_backup(target.path, folder.tenant, folder.identity.installation_id)
    settle(folder)
    require_own(folder, folder.ledger)
    if not folder.ledger.exists():
        refuse_lost_ledger(folder)
        nothing = Owner(folder.tenant, folder.identity.installation_id, "", 0)
        return _finish(target, _Snapshot(None, nothing, None, ()), (), declaration)
    unchanged, last = 0, -1
    for _ in range(_PATIENCE):
        snapshot = _take_snapshot(folder, target)
        unchanged = unchanged + 1 if snapshot.owner.commits == last else 0
        last = snapshot.owner.commits
        try:
            backed_up = tuple(_copy(folder, target, snapshot))
        except _Vanished as vanished:
            if unchanged >= _UNCHANGED:
                raise vanished.cause from None
            clock.pause(_PAUSE_SECONDS)
            continue
        return _finish(target, snapshot, backed_up, declaration)
    raise TenantBusy(
        f"tenant {folder.tenant} was published again each time before a copy was complete",
        cure="Back it up when fewer ingests run, or raise FINOPS_READER_GRACE_HOURS",
    )


def _take_snapshot(folder: TenantFolder, target: BackupFolder) -> _Snapshot:
    scratch = target.scratch()
    try:
        copy_database(folder.ledger, scratch, folder.permissions)
    except SQLiteError as error:
        raise DamagedFile(
            f"{folder.ledger} cannot be read ({error})",
            f"the ledger of tenant {folder.tenant}",
            f"Rebuild it: finops rebuild {folder.tenant}",
        ) from error
    ledger = Ledger(scratch, folder.identity)
    owner = ledger.owner()
    if owner is None:
        raise TenantBusy(
            f"the folder of tenant {folder.tenant} still has the layout of an older version",
            cure="Back it up when the process that is upgrading it has finished",
        )
    newest = read_generations(ledger)[:1]
    partitions = tuple(read_needed_files(ledger))
    return _Snapshot(
        target.add_scratch("ledger", scratch), owner, newest[0] if newest else None, partitions
    )


def _copy(
    folder: TenantFolder, target: BackupFolder, snapshot: _Snapshot
) -> Iterator[BackedUpFile]:
    """Copy the files of a publication; the tenant's file, which is replaced soonest, is first."""
    if snapshot.ledger is not None:
        yield snapshot.ledger
    if snapshot.generation is not None:
        yield _copy_warehouse(folder, target, snapshot.generation)
    for file in snapshot.partitions:
        path = folder.stored(file)
        require_own(folder, path)
        entry = partition_entry(folder.tenant, file)
        try:
            is_right = target.add(entry, path)
        except FileNotFoundError as error:
            raise _Vanished(damaged_partition(folder, file, "is missing")) from error
        if not is_right:
            raise damaged_partition(folder, file, "is not the file that was published")
        yield entry


def _copy_warehouse(
    folder: TenantFolder, target: BackupFolder, generation: Generation
) -> BackedUpFile:
    """Copy the tenant's file of a generation: it is still staged, or in its place."""
    entry = warehouse_entry(folder.tenant, generation)
    for path in (folder.staged_generation(generation.generation), folder.warehouse):
        require_own(folder, path)
        try:
            if target.add(entry, path):
                return entry
        except FileNotFoundError:
            continue
    state = "is not the file that was published last" if folder.warehouse.exists() else "is missing"
    raise _Vanished(damaged_warehouse(folder, state))


def _finish(
    target: BackupFolder,
    snapshot: _Snapshot,
    backed_up: tuple[BackedUpFile, ...],
    declaration: Mapping[str, Any],
) -> TenantBackup:
    owner, generation = snapshot.owner, snapshot.generation
    manifest = Manifest(
        tenant=owner.tenant,
        installation_id=owner.installation_id,
        publication=owner.commits,
        generation=generation.generation if generation else 0,
        finops_version=__version__,
        created_at=clock.now().isoformat(),
        declaration=declaration,
        files=backed_up,
    )
    target.finish(manifest)
    return TenantBackup(
        manifest.tenant,
        manifest.publication,
        manifest.generation,
        len(backed_up),
        manifest.size_bytes,
        target.copied_bytes,
    )
