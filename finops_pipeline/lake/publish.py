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

from finops_pipeline.errors import IntegrityCheckFailed, TenantBusy
from finops_pipeline.lake import files
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.ledger.bill_totals import BillTotal, Slice, bill_totalled, bill_totals_of
from finops_pipeline.ledger.ledger import (
    Ledger,
    PartitionRecord,
    ProjectTotal,
    Write,
    built,
    intend_move,
    moved,
    totalled,
)


class Writer:
    """The one process that may change a tenant's folder, while it holds the lock."""

    def __init__(self, folder: TenantFolder) -> None:
        self.folder = folder
        self.ledger = Ledger(folder.ledger)

    @contextmanager
    def publication(self) -> Iterator[Publication]:
        """A publication with its own staging folder, cleared at the end whatever happens.

        Except when it was committed and interrupted before all was moved: the ledger already
        speaks of those files, and the next publication or writer moves them first.
        """
        recover(self.folder, self.ledger)
        publication = Publication(self)
        try:
            yield publication
        finally:
            if not self.ledger.moves():
                files.clear_folder(publication.work)


class Publication:
    """Files and records that become visible together by `commit`."""

    def __init__(self, writer: Writer) -> None:
        self.folder = writer.folder
        self.ledger = writer.ledger
        self._moves: dict[Path, Path | None] = {}
        self._built: dict[tuple[str, str, str], PartitionRecord] = {}
        self._totals: dict[tuple[str, str], tuple[ProjectTotal, ...]] = {}
        self._bills: dict[Slice, tuple[BillTotal, ...]] = {}
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
        staged = self.work / "publish" / self.folder.relative(final)
        staged.parent.mkdir(parents=True, exist_ok=True)
        self._moves[final] = staged
        return staged

    def drop(self, final: Path) -> None:
        """Let `commit` remove the file at `final`, if there is one."""
        if final.exists() or final in self._moves:
            self._moves[final] = None

    def current(self, final: Path) -> Path | None:
        """Where the bytes are that will stand at `final`; None when there will be no file."""
        if final in self._moves:
            return self._moves[final]
        return final if final.exists() else None

    def build(self, record: PartitionRecord) -> None:
        """Let `commit` write a partition's record to the ledger."""
        self._built[record.table_name, record.key, record.billing_period] = record

    def partitions(
        self, table: str, month: str | None = None
    ) -> dict[tuple[str, str], PartitionRecord]:
        """Partitions of a table (of one month) as they will be, by (key, billing period)."""
        pending = {
            (key, period): record
            for (name, key, period), record in self._built.items()
            if name == table and month in (None, period)
        }
        return self.ledger.partitions(table, month) | pending

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """What is put on the publication inside goes off it again when that fails halfway."""
        before = (dict(self._moves), dict(self._built), dict(self._totals), list(self._writes))
        bills = dict(self._bills)
        try:
            yield
        except BaseException:
            self._moves, self._built, self._totals, self._writes = before
            self._bills = bills
            raise

    def total(self, delivery_id: str, project: str, totals: tuple[ProjectTotal, ...]) -> None:
        """Let `commit` write what a delivery came to in a project, over what stood there."""
        self._totals[delivery_id, project] = totals

    def delivery_totals(self) -> list[ProjectTotal]:
        """Totals of all deliveries per project as they will be."""
        kept = [
            total
            for total in self.ledger.delivery_totals()
            if (total.delivery_id, total.project) not in self._totals
        ]
        return [*kept, *(total for totals in self._totals.values() for total in totals)]

    def bill(self, project: str, month: str, totals: tuple[BillTotal, ...]) -> None:
        """Let `commit` write what a project's landed rows come to, over what stood there."""
        self._bills[project, month] = totals

    def bill_totals(self, slices: list[Slice]) -> list[BillTotal]:
        """What the landed rows of these slices come to, as it will be."""
        asked = set(slices)
        months = sorted({month for _, month in asked - self._bills.keys()})
        kept = [
            total
            for total in bill_totals_of(self.ledger, months)
            if (total.project, total.billing_period) in asked - self._bills.keys()
        ]
        pending = (totals for key, totals in self._bills.items() if key in asked)
        return [*kept, *(total for totals in pending for total in totals)]

    def record(self, *writes: Write) -> None:
        """Let `commit` write these to the ledger."""
        self._writes.extend(writes)

    def commit(self) -> None:
        """Make everything visible. Does nothing when nothing was staged or recorded."""
        writes = [*self._writes, *(built(record) for record in self._built.values())]
        writes += [totalled(*key, totals) for key, totals in self._totals.items()]
        writes += [bill_totalled(key, totals) for key, totals in self._bills.items()]
        if not (self._moves or writes):
            return
        for final, staged in self._moves.items():
            if staged is not None:
                files.sync(staged)
                for folder in staged.relative_to(self.work).parents:
                    files.sync(self.work / folder)
            source = None if staged is None else self.folder.relative(staged)
            writes.append(intend_move(source, self.folder.relative(final)))
        self.ledger.write(*writes)
        recover(self.folder, self.ledger)
        self._moves, self._built, self._totals, self._writes = {}, {}, {}, []
        self._bills = {}


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
    """Make the moves that are committed and not yet made. The caller holds the lock.

    Raises:
        IntegrityCheckFailed: staged files that the ledger speaks of were removed by a foreign hand.
    """
    moves = ledger.moves()
    _check_staged(folder, [(staged, final) for _, staged, final in moves if staged is not None])
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


def _check_staged(folder: TenantFolder, moves: list[tuple[str, str]]) -> None:
    """A staged file that is gone was moved, unless its publication's whole folder is gone too.

    The folder is cleared only after its moves are forgotten. Where nothing stands at the end of
    the move either, nothing false is shown, and the next run builds the partition again.
    """
    lost = [
        final
        for staged, final in moves
        if not (folder.root / staged).exists()
        and not (folder.staging / Path(staged).parts[1]).exists()
        and (folder.root / final).exists()
    ]
    if lost:
        raise IntegrityCheckFailed(
            f"{len(lost)} files that tenant {folder.tenant}'s ledger speaks of were removed from"
            f" {folder.staging} before they were put in place, so these may be older than it says:"
            f" {', '.join(sorted(lost)[:20])}",
            "the folder .staging left to finops",
            "Put .staging back, or remove the files named; then run `finops ingest` again",
        )


def settle(folder: TenantFolder) -> None:
    """Before reading: finish what a killed writer committed, unless a writer is alive to do so."""
    if not folder.ledger.exists() or not Ledger(folder.ledger).moves():
        return
    try:
        with tenant_writer(folder, wait_seconds=0):
            pass
    except TenantBusy:
        return
