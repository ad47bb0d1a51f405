"""Replacement of a tenant's folder with a complete new one; the old one stays until that works.

Put here: both renames, and cleaning up after a killed process. Keep out: filling the new folder
(tenant_restore.py).

    lake/.restoring/acme.lock      held while one is restored
    lake/.restoring/acme/new/      the new folder, until it is complete
    lake/.restoring/acme/old/      the folder that was replaced, until the new one has been opened

If the process is killed between the renames, there is no tenant's folder, and the next command
puts the old one back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from finops_pipeline.errors import TenantBusy
from finops_pipeline.lake import files
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.own_files import require_own

_BETWEEN_RENAMES_SECONDS = 10


def new_folder(folder: TenantFolder) -> TenantFolder:
    """Return the folder that is being filled; its path has the layout of a tenant's folder."""
    identity, is_shared = folder.identity, folder.permissions.group_readable
    return TenantFolder(
        folder.restoring / "new", folder.tenant, identity.installation_id, is_shared
    )


def old_folder(folder: TenantFolder) -> Path:
    """Return where the replaced folder stays."""
    return folder.restoring / "old"


@contextmanager
def restoring(folder: TenantFolder, wait_seconds: float = 0) -> Iterator[None]:
    """Become the only process that restores the tenant.

    Raises:
        TenantBusy: another process is restoring it.
    """
    require_own(folder, folder.restoring)
    folder.permissions.make_folder(folder.restoring.parent)
    path = folder.restoring.with_suffix(".lock")
    lock = FileLock(path, timeout=wait_seconds, mode=folder.permissions.file)
    try:
        lock.acquire()
    except Timeout as error:
        raise TenantBusy(
            f"tenant {folder.tenant} is being restored by another process",
            cure="Try again when it has finished",
        ) from error
    try:
        yield
    finally:
        lock.release()


def swap(folder: TenantFolder) -> None:
    """Set the tenant's folder aside and put the new one in its place. The caller holds both locks.

    After each rename the folders are forced to disk, so that a power failure keeps their order.
    """
    old, new = old_folder(folder), new_folder(folder).root
    if folder.root.exists():
        folder.root.rename(old)
        _sync(folder)
    new.rename(folder.root)
    _sync(folder)


def swap_back(folder: TenantFolder) -> None:
    """Undo a swap whose new folder cannot be used."""
    folder.root.rename(folder.restoring / "unusable")
    if old_folder(folder).exists():
        old_folder(folder).rename(folder.root)
    _sync(folder)


def settle_swap(folder: TenantFolder) -> None:
    """Put the old folder back if a process was killed between the renames.

    Raises:
        TenantBusy: a process is restoring the tenant, and its folder is not in its place.
    """
    if folder.root.exists() or not folder.restoring.exists():
        return
    with restoring(folder, _BETWEEN_RENAMES_SECONDS):
        if not folder.root.exists() and old_folder(folder).exists():
            old_folder(folder).rename(folder.root)
            _sync(folder)


def clear_swap(folder: TenantFolder) -> None:
    """Remove what a killed process left. The tenant's folder has to be in place and usable."""
    if not folder.restoring.exists():
        return
    try:
        with restoring(folder):
            files.clear_folder(folder.restoring)
    except TenantBusy:
        return


def _sync(folder: TenantFolder) -> None:
    files.sync(folder.lake)
    files.sync(folder.restoring)
