"""Deleting data for good: a tenant's folder, or the superseded files of a tenant.

Put here: deleting, and counting what was deleted. Keep out: whether it may be deleted
(application/purge.py), what the ledger forgets (ledger/forgetting.py).

The folder is renamed first, so that no command finds half of it; a process that is killed while it
deletes is finished by running the purge again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from finops_pipeline.errors import StorageFailure
from finops_pipeline.lake import files
from finops_pipeline.lake.collection import Retention, collect_superseded
from finops_pipeline.lake.folder_swap import restoring
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.ledger_copy import keep_copy
from finops_pipeline.lake.own_files import require_own
from finops_pipeline.lake.publish import Writer
from finops_pipeline.lake.writing import locked


@dataclass(frozen=True)
class Deleted:
    """The number and the bytes of deleted files."""

    files: int
    size_bytes: int


def delete_folder(folder: TenantFolder, wait_seconds: float) -> Deleted:
    """Delete everything of a tenant below the data folder.

    Raises:
        TenantBusy: another process is writing or restoring the tenant.
        ForeignFile: the folder is a link.
        StorageFailure: something could not be deleted.
    """
    require_own(folder, folder.purging)
    left_over = _measure(folder.purging)
    _delete(folder.purging)
    with locked(folder, wait_seconds):
        folder.permissions.make_folder(folder.purging.parent)
        folder.root.rename(folder.purging)
        files.sync(folder.lake)
    deleted = _measure(folder.purging)
    _delete(folder.purging)
    with suppress(OSError):  # another tenant is being purged
        folder.purging.parent.rmdir()
    with restoring(folder):
        deleted = _add(deleted, _measure(folder.restoring))
        _delete(folder.restoring)
        folder.restoring.with_suffix(".lock").unlink(missing_ok=True)
    files.sync(folder.lake)
    return _add(deleted, left_over)


@contextmanager
def closing_folder(
    folder: TenantFolder, wait_seconds: float, is_purging: bool = False
) -> Iterator[None]:
    """Lock a folder without data while the caller changes the registry; then delete the folder.

    The caller deletes the tenant, or a source of it. A command that waited for the lock then no
    longer finds it. Without the lock, that command could write files for a deleted tenant, and the
    next tenant of that name would get them.

    Args:
        is_purging: delete what such a command has written since the folder was purged.

    Raises:
        TenantBusy: another process is writing to the tenant's folder.
        StorageFailure: the folder has data and is not being purged.
    """
    with locked(folder, wait_seconds):
        for path in folder.root.iterdir():
            if path == folder.lock:
                continue
            if not is_purging:
                raise StorageFailure(
                    f"tenant {folder.tenant} now has data in {folder.root}",
                    "a tenant without data",
                    "Run the command again",
                )
            if path.is_dir() and not path.is_symlink():
                _delete(path)
            else:
                path.unlink()
        yield
        files.clear_folder(folder.root)
    files.sync(folder.lake)


def delete_superseded(writer: Writer) -> Deleted:
    """Delete the files that no publication needs now, and the bytes of removed records."""
    before = _measure(writer.folder.store)
    collect_superseded(writer.folder, writer.ledger, Retention(timedelta(0), 0))
    writer.ledger.compact()
    keep_copy(writer.folder, writer.ledger)
    after = _measure(writer.folder.store)
    return Deleted(before.files - after.files, before.size_bytes - after.size_bytes)


def _measure(folder: Path) -> Deleted:
    sizes = [path.lstat().st_size for path in folder.rglob("*") if not path.is_dir()]
    return Deleted(len(sizes), sum(sizes))


def _add(first: Deleted, second: Deleted) -> Deleted:
    return Deleted(first.files + second.files, first.size_bytes + second.size_bytes)


def _delete(folder: Path) -> None:
    files.clear_folder(folder)
    if folder.exists():
        raise StorageFailure(
            f"{folder} could not be deleted completely",
            "files that this user may delete",
            "Correct their permissions and run the command again",
        )
