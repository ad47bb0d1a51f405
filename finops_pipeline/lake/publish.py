"""Publication: many files and the ledger change together, or not at all.

Put here: the writer's lock, staging, commit and recovery. Keep out: what is written.

Files are built in `.staging` of the tenant's folder and forced to disk. The commit point is
one transaction of the ledger, which holds the new records and the moves still to be made.
Then the moves are made (renames, microseconds each) and forgotten. Killed before the commit,
nothing has happened; killed after it, whoever opens the tenant next makes the moves first.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from finops_pipeline.errors import TenantBusy
from finops_pipeline.lake import files
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.ledger import Ledger, Write, intend_move, moved


class Writer:
    """The one process that may change a tenant's folder, while it holds the lock."""

    def __init__(self, folder: TenantFolder) -> None:
        self.folder = folder
        self.ledger = Ledger(folder.ledger)

    @contextmanager
    def publication(self) -> Iterator[Publication]:
        """A publication with its own staging folder, cleared at the end whatever happens."""
        publication = Publication(self)
        try:
            yield publication
        finally:
            files.clear_folder(publication.work)


class Publication:
    """Files and records that become visible together by `commit`."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._moves: list[tuple[Path | None, Path]] = []
        self._writes: list[Write] = []
        self.work = writer.folder.staging / uuid.uuid4().hex[:12]
        self.work.mkdir(parents=True)

    @property
    def spill(self) -> Path:
        """Where this publication's DuckDB work may spill: this tenant's own disk space."""
        return self.work / "spill"

    def scratch(self, name: str) -> Path:
        """A path in the staging folder for work that is not published."""
        return self.work / name

    def stage(self, final: Path) -> Path:
        """Where to write what `commit` will put at `final`."""
        staged = self.work / f"{len(self._moves):04d}-{final.name}"
        self._moves.append((staged, final))
        return staged

    def drop(self, final: Path) -> None:
        """Let `commit` remove the file at `final`, if there is one."""
        if final.exists():
            self._moves.append((None, final))

    def record(self, *writes: Write) -> None:
        """Let `commit` write these to the ledger."""
        self._writes.extend(writes)

    def commit(self) -> None:
        """Make everything visible. Does nothing when nothing was staged or recorded."""
        folder = self._writer.folder
        if not (self._moves or self._writes):
            return
        intents = []
        for staged, final in self._moves:
            if staged is not None:
                files.sync(staged)
            source = None if staged is None else folder.relative(staged)
            intents.append(intend_move(source, folder.relative(final)))
        files.sync(self.work)
        self._writer.ledger.write(*self._writes, *intents)
        recover(folder, self._writer.ledger)
        self._moves, self._writes = [], []


@contextmanager
def tenant_writer(folder: TenantFolder, wait_seconds: float) -> Iterator[Writer]:
    """Become the tenant's one writer: lock, finish what a killed process committed, clear up.

    Raises:
        TenantBusy: another process kept the lock for `wait_seconds`.
    """
    folder.root.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.lock, timeout=wait_seconds)
    try:
        lock.acquire()
    except Timeout as error:
        raise TenantBusy(
            f"tenant {folder.tenant} is being written by another process"
            f" (waited {wait_seconds:g} s)",
            cure="Try again when that has ended",
        ) from error
    try:
        writer = Writer(folder)
        recover(folder, writer.ledger)
        files.clear_folder(folder.staging)
        yield writer
    finally:
        lock.release()


def recover(folder: TenantFolder, ledger: Ledger) -> None:
    """Make the moves that are committed and not yet made. The caller holds the lock."""
    moves = ledger.moves()
    for _, staged, final in moves:
        target = folder.root / final
        if target == folder.warehouse:
            # A left-over WAL beside a fresh file would be replayed into it by older DuckDBs.
            target.with_name(target.name + ".wal").unlink(missing_ok=True)
        if staged is None:
            files.remove(target)
        else:
            files.move_into_place(folder.root / staged, target)
    if moves:
        ledger.write(moved)


def settle(folder: TenantFolder) -> None:
    """Before reading: finish what a killed writer committed, unless a writer is alive to do so."""
    if not folder.ledger.exists() or not Ledger(folder.ledger).moves():
        return
    try:
        with tenant_writer(folder, wait_seconds=0):
            pass
    except TenantBusy:
        return
