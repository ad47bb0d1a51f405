"""Publication: many files and the ledger change together, or not at all.

Put here: the writer's lock, staging, commit and recovery. Keep out: the contents of files.

Files are built in `.staging` of the tenant's folder and forced to disk. The commit is one
transaction of the ledger, which writes the new records and the moves that remain to be made. Then
the moves are carried out (renames, microseconds each) and deleted from the ledger. If the process
is killed before the commit, nothing has changed; if it is killed later, the next process that opens
the tenant carries out the moves first.
"""

from __future__ import annotations

import uuid
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

from finops_pipeline.errors import IntegrityCheckFailed, TenantBusy, counted
from finops_pipeline.lake import files
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.ledger.bill_totals import (
    BillTotal,
    ProjectMonth,
    read_bill_totals,
    record_bill_totals,
)
from finops_pipeline.ledger.ledger import (
    Ledger,
    PartitionRecord,
    ProjectTotal,
    Write,
    clear_moves,
    record_move,
    record_partition,
    record_project_totals,
)


class Writer:
    """The only process that may change a tenant's folder, as long as it holds the lock."""

    def __init__(self, folder: TenantFolder) -> None:
        self.folder = folder
        self.ledger = Ledger(folder.ledger)

    @contextmanager
    def publication(self) -> Iterator[Publication]:
        """Begin a publication with its own staging folder, which is removed at the end.

        The folder stays only if the publication was committed but not all files have been moved:
        the ledger already refers to them, and the next publication or writer moves them first.
        """
        recover(self.folder, self.ledger)
        publication = Publication(self)
        try:
            yield publication
        finally:
            if not self.ledger.moves():
                files.clear_folder(publication.work)


@dataclass(frozen=True)
class _FileChange:
    """A staged file that moves to `final`; if it is None, the file at `final` is removed."""

    final: Path
    staged: Path | None


@dataclass(frozen=True)
class _RecordChange:
    """The record of a partition."""

    record: PartitionRecord


@dataclass(frozen=True)
class _DeliveryTotalsChange:
    """The totals of a delivery in a project."""

    delivery_id: str
    project: str
    totals: tuple[ProjectTotal, ...]


@dataclass(frozen=True)
class _BillTotalsChange:
    """The totals of a project's landed rows of a month."""

    slice: ProjectMonth
    totals: tuple[BillTotal, ...]


@dataclass(frozen=True)
class _LedgerChange:
    """Any other write to the ledger."""

    write: Write


_Change = _FileChange | _RecordChange | _DeliveryTotalsChange | _BillTotalsChange | _LedgerChange
_Typed = TypeVar("_Typed", bound=_Change)


class Publication:
    """Files and records that become visible together by `commit`."""

    def __init__(self, writer: Writer) -> None:
        self.folder = writer.folder
        self.ledger = writer.ledger
        # By what each change replaces: a later change of the same object replaces the earlier one.
        self._changes: dict[Hashable, _Change] = {}
        self.work = writer.folder.staging / uuid.uuid4().hex[:12]
        self.work.mkdir(parents=True)

    @property
    def spill(self) -> Path:
        """The folder into which DuckDB may spill: this tenant's own, for this publication."""
        return self.work / "spill"

    def scratch(self, name: str) -> Path:
        """Return a path in the staging folder for work that is not published."""
        return self.work / name

    def stage(self, final: Path) -> Path:
        """Return the path at which to write the file that `commit` will move to `final`."""
        staged = self.work / "publish" / self.folder.relative(final)
        staged.parent.mkdir(parents=True, exist_ok=True)
        self._changes[final] = _FileChange(final, staged)
        return staged

    def drop(self, final: Path) -> None:
        """Make `commit` remove the file at `final`, if there is one."""
        if final.exists() or final in self._changes:
            self._changes[final] = _FileChange(final, None)

    def current(self, final: Path) -> Path | None:
        """Return where the file that will be at `final` is now; None if there will be none."""
        change = self._changes.get(final)
        if isinstance(change, _FileChange):
            return change.staged
        return final if final.exists() else None

    def build(self, record: PartitionRecord) -> None:
        """Make `commit` write a partition's record to the ledger."""
        key = (_RecordChange, record.table_name, record.key, record.billing_period)
        self._changes[key] = _RecordChange(record)

    def partitions(
        self, table: str, month: str | None = None
    ) -> dict[tuple[str, str], PartitionRecord]:
        """Return a table's partitions (of one month) after the commit, by (key, billing period)."""
        pending = {
            (change.record.key, change.record.billing_period): change.record
            for change in self._pending(_RecordChange)
            if change.record.table_name == table and month in (None, change.record.billing_period)
        }
        return self.ledger.partitions(table, month) | pending

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Undo the changes to the publication made in the block if the block fails."""
        before = dict(self._changes)
        try:
            yield
        except BaseException:
            self._changes = before
            raise

    def set_delivery_totals(
        self, delivery_id: str, project: str, totals: tuple[ProjectTotal, ...]
    ) -> None:
        """Make `commit` replace the totals of a delivery in a project."""
        key = (_DeliveryTotalsChange, delivery_id, project)
        self._changes[key] = _DeliveryTotalsChange(delivery_id, project, totals)

    def delivery_totals(self) -> list[ProjectTotal]:
        """Return the totals of all deliveries per project after the commit."""
        pending = self._pending(_DeliveryTotalsChange)
        replaced = {(change.delivery_id, change.project) for change in pending}
        stored = [
            total
            for total in self.ledger.delivery_totals()
            if (total.delivery_id, total.project) not in replaced
        ]
        return [*stored, *(total for change in pending for total in change.totals)]

    def set_bill_totals(self, project: str, month: str, totals: tuple[BillTotal, ...]) -> None:
        """Make `commit` replace the totals of a project's landed rows."""
        key = (_BillTotalsChange, project, month)
        self._changes[key] = _BillTotalsChange((project, month), totals)

    def bill_totals(self, slices: list[ProjectMonth]) -> list[BillTotal]:
        """Return the totals of the landed rows of these slices after the commit."""
        pending = {c.slice: c.totals for c in self._pending(_BillTotalsChange)}
        covered = set(slices)
        unchanged = covered - pending.keys()
        stored = [
            total
            for total in read_bill_totals(self.ledger, sorted({month for _, month in unchanged}))
            if (total.project, total.billing_period) in unchanged
        ]
        changed = (totals for key, totals in pending.items() if key in covered)
        return [*stored, *(total for totals in changed for total in totals)]

    def record(self, *writes: Write) -> None:
        """Make `commit` write these to the ledger."""
        for write in writes:
            self._changes[_LedgerChange, len(self._changes)] = _LedgerChange(write)

    def commit(self) -> None:
        """Publish everything. Does nothing if nothing was staged or recorded."""
        if not self._changes:
            return
        for change in self._pending(_FileChange):
            if change.staged is not None:
                files.sync(change.staged)
                for folder in change.staged.relative_to(self.work).parents:
                    files.sync(self.work / folder)
        self.ledger.write(*(self._write_of(change) for change in self._changes.values()))
        recover(self.folder, self.ledger)
        self._changes = {}

    def _pending(self, kind: type[_Typed]) -> list[_Typed]:
        return [change for change in self._changes.values() if isinstance(change, kind)]

    def _write_of(self, change: _Change) -> Write:
        match change:
            case _FileChange(final, staged):
                source = None if staged is None else self.folder.relative(staged)
                return record_move(source, self.folder.relative(final))
            case _RecordChange(record):
                return record_partition(record)
            case _DeliveryTotalsChange(delivery_id, project, totals):
                return record_project_totals(delivery_id, project, totals)
            case _BillTotalsChange(key, bill_totals):
                return record_bill_totals(key, bill_totals)
            case _LedgerChange(write):
                return write


@contextmanager
def tenant_writer(folder: TenantFolder, wait_seconds: float) -> Iterator[Writer]:
    """Lock the tenant for writing, finish what a killed process committed, and clean up.

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
            cure="Try again when it has finished",
        ) from error
    try:
        writer = Writer(folder)
        recover(folder, writer.ledger)
        files.clear_folder(folder.staging)
        yield writer
    finally:
        lock.release()


def recover(folder: TenantFolder, ledger: Ledger) -> None:
    """Carry out the moves that are committed but not yet made. The caller must hold the lock.

    Raises:
        IntegrityCheckFailed: another program removed staged files that the ledger refers to.
    """
    moves = ledger.moves()
    _check_staged(folder, [(staged, final) for _, staged, final in moves if staged is not None])
    for _, staged, final in moves:
        target = folder.root / final
        if target == folder.warehouse:
            # Older versions of DuckDB would replay a left-over WAL into the new file.
            target.with_name(target.name + ".wal").unlink(missing_ok=True)
        if staged is None:
            files.remove(target)
        else:
            files.move_into_place(folder.root / staged, target)
    if moves:
        ledger.write(clear_moves)


def _check_staged(folder: TenantFolder, moves: list[tuple[str, str]]) -> None:
    """Check that no staged file was removed before it was moved.

    A staged file that is gone was moved, unless its publication's entire folder is gone too: the
    folder is removed only after its moves have been deleted from the ledger. Where there is no file
    at the end of the move either, nothing wrong is shown, and the next run builds the partition.
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
            f"another program removed {counted(len(lost), 'file')} of tenant {folder.tenant} from"
            f" {folder.staging} before finops could move them into place, so these published files"
            f" may be outdated: {', '.join(sorted(lost)[:20])}",
            "only finops to change the folder .staging",
            "Restore .staging, or remove the published files listed here; then run finops ingest"
            f" {folder.tenant}",
        )


def settle(folder: TenantFolder) -> None:
    """Finish, before reading, what a killed writer committed, unless a writer is running."""
    if not folder.ledger.exists() or not Ledger(folder.ledger).moves():
        return
    try:
        with tenant_writer(folder, wait_seconds=0):
            pass
    except TenantBusy:
        return
