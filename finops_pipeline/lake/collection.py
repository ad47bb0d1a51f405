"""Collection (deletion) of superseded files, after a grace period for open connections.

Put here: what is kept for readers, how long and how much of it. Keep out: superseding files
(publish.py, ledger/stored_files.py).

A file that the current publication or the tenant's present DuckDB file needs is never collected.
Other superseded files stay for a grace period, because a connection may still read the generation
that names them. If together they exceed a limit, the oldest are deleted earlier.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from finops_pipeline import clock
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.store import PartitionStore
from finops_pipeline.ledger.ledger import Ledger
from finops_pipeline.ledger.stored_files import (
    StoredFile,
    SupersededFile,
    forget_marks,
    forget_superseded,
    limit_releases,
    read_stored_files,
    read_superseded_files,
)


@dataclass(frozen=True)
class Retention:
    """How long superseded files stay after their release, and how many bytes of them at most."""

    grace: timedelta = timedelta(hours=24)
    limit_bytes: int = 10 * 1000**3


@dataclass(frozen=True)
class Space:
    """The bytes of a tenant's files.

    `current_bytes`: of the partitions and the tenant's DuckDB file; `superseded_bytes`: of files
    that are kept for open connections; `set_aside_bytes`: of what a rebuild moved away.
    """

    current_bytes: int
    superseded_bytes: int
    superseded_files: int
    set_aside_bytes: int


def measure_space(folder: TenantFolder, ledger: Ledger) -> Space:
    """Add up the sizes of a tenant's files."""
    current = sum(file.size_bytes for file in read_stored_files(ledger).values())
    current += folder.warehouse.stat().st_size if folder.warehouse.is_file() else 0
    superseded = read_superseded_files(ledger)
    aside = sum(path.lstat().st_size for path in folder.set_aside.rglob("*") if path.is_file())
    return Space(current, sum(s.file.size_bytes for s in superseded), len(superseded), aside)


def collect_superseded(folder: TenantFolder, ledger: Ledger, retention: Retention) -> int:
    """Delete released files that are past the grace period or the limit; return their number.

    The caller must hold the tenant's lock. Files are deleted before their records: if the process
    is killed in between, the next collection finds no file and removes the record.
    """
    now = clock.now()
    released = [s for s in read_superseded_files(ledger) if s.released_at]
    if any(datetime.fromisoformat(s.released_at) > now for s in released):
        # The clock has been set back since then; otherwise these files would stay longer.
        ledger.write(limit_releases(now.isoformat()))
    due = _choose_due(released, retention, now)
    _delete(folder, ledger, due)
    return len(due)


def _choose_due(
    released: list[SupersededFile], retention: Retention, now: datetime
) -> list[StoredFile]:
    kept_bytes, due = 0, []
    for superseded in sorted(released, key=lambda s: s.released_at, reverse=True):
        age = now - datetime.fromisoformat(superseded.released_at)
        kept_bytes += superseded.file.size_bytes
        if age >= retention.grace or kept_bytes > retention.limit_bytes:
            due.append(superseded.file)
    return due


def _delete(folder: TenantFolder, ledger: Ledger, due: list[StoredFile]) -> None:
    if not due:
        return
    store = PartitionStore(folder)
    current = {folder.stored(file) for file in read_stored_files(ledger).values()}
    paths = [path for path in map(folder.stored, due) if path not in current]
    for path in paths:
        store.delete(path)
    ledger.write(forget_superseded(due), forget_marks(map(folder.relative, paths)))


def sweep_unrecorded(folder: TenantFolder, ledger: Ledger) -> None:
    """Delete files of the store that no record names: a publication was killed before its commit.

    The caller must hold the tenant's lock, with no publication in progress.
    """
    named = [*read_stored_files(ledger).values(), *(s.file for s in read_superseded_files(ledger))]
    store = PartitionStore(folder)
    for path in store.list_paths() - {folder.stored(file) for file in named}:
        store.delete(path)
