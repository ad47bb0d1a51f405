"""Becoming the only process that writes a tenant's folder.

Put here: the lock, and what its holder does first: upgrading, finishing a commit, cleaning up. Keep
out: publishing (publish.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from finops_pipeline.errors import TenantBusy
from finops_pipeline.lake import files
from finops_pipeline.lake.collection import Retention, collect_superseded, sweep_unrecorded
from finops_pipeline.lake.commit import finish_commit, is_unfinished
from finops_pipeline.lake.folder_swap import clear_swap, settle_swap
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.own_files import make_folder, require_own
from finops_pipeline.lake.publish import Writer
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.lake.upgrade import is_prepared, prepare_folder, refuse_ownerless


@contextmanager
def locked(folder: TenantFolder, wait_seconds: float) -> Iterator[None]:
    """Hold the lock that only one writing process of a tenant's folder can have.

    Raises:
        TenantBusy: another process kept the lock for `wait_seconds`.
        ForeignFile: the folder or its lock is a link.
    """
    settle_swap(folder)
    require_own(folder, folder.root)
    make_folder(folder, folder.root)
    require_own(folder, folder.lock)
    with writer_lock(folder, wait_seconds):
        yield


@contextmanager
def writer_lock(folder: TenantFolder, wait_seconds: float) -> Iterator[None]:
    """Hold the lock of a tenant's folder, which has to exist.

    Raises:
        TenantBusy: another process kept the lock for `wait_seconds`.
    """
    lock = FileLock(folder.lock, timeout=wait_seconds, mode=folder.permissions.file)
    try:
        lock.acquire()
    except Timeout as error:
        raise TenantBusy(
            f"tenant {folder.tenant} is being written by another process"
            f" (waited {wait_seconds:g} s)",
            cure="Try again when it has finished",
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def tenant_writer(
    folder: TenantFolder, wait_seconds: float, retention: Retention | None = None
) -> Iterator[Writer]:
    """Lock the tenant for writing, finish what a killed process committed, and clean up.

    Args:
        retention: what to keep for readers of earlier generations; None: collect nothing now.

    Raises:
        TenantBusy: another process kept the lock for `wait_seconds`.
        ForeignFile: the folder or its ledger is another's, or a link.
    """
    with locked(folder, wait_seconds):
        writer = begin_writing(folder, retention)
        yield writer
        finish_commit(folder, writer.ledger)


def begin_writing(folder: TenantFolder, retention: Retention | None = None) -> Writer:
    """Prepare a folder for its only writer, which holds the lock.

    Raises:
        ForeignFile, DamagedFile: see upgrade.py and commit.py.
    """
    ledger = prepare_folder(folder)
    finish_commit(folder, ledger)
    clear_swap(folder)
    if folder.staging.exists() and any(folder.staging.iterdir()):
        sweep_unrecorded(folder, ledger)
        files.clear_folder(folder.staging)
    if retention is not None:
        collect_superseded(folder, ledger, retention)
    return Writer(folder, retention or Retention())


def settle(folder: TenantFolder) -> None:
    """Finish, before reading, what a killed writer committed, unless a writer is running.

    Raises:
        ForeignFile, DamagedFile: the ledger cannot be used; see upgrade.py and commit.py.
    """
    settle_swap(folder)
    if not folder.ledger.exists():
        return
    ledger = open_ledger(folder)
    if is_prepared(folder, ledger) and not is_unfinished(folder, ledger):
        return
    if ledger.owner() is None:
        refuse_ownerless(folder)  # otherwise it would read as empty while a writer is running
    try:
        with tenant_writer(folder, wait_seconds=0):
            pass
    except TenantBusy:
        return
