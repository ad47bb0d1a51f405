"""Publication: many files and the ledger change together, or not at all.

Put here: staging and commit. Keep out: the writer's lock (writing.py), what follows from a commit
(commit.py), the contents of files.

A partition's file goes into the store under the name of its content, where nobody sees it yet. The
commit is one transaction of the ledger, which names the current files and the new generation of the
tenant's DuckDB file. Then that file is renamed to its path and the folders show the new links. Both
steps follow from the ledger's numbers alone. If the process is killed before the commit, nothing
has changed; if it is killed later, the next process that opens the tenant repeats the two steps.
"""

from __future__ import annotations

import uuid
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

from finops_pipeline import clock
from finops_pipeline.errors import DamagedFile, ForeignFile
from finops_pipeline.lake import files
from finops_pipeline.lake.changes import (
    BillTotalsChange,
    Change,
    DeliveryTotalsChange,
    FileChange,
    LedgerChange,
    RecordChange,
    write_of,
)
from finops_pipeline.lake.collection import Retention, collect_superseded
from finops_pipeline.lake.commit import finish_commit
from finops_pipeline.lake.file_marks import FileChecker, mark_of
from finops_pipeline.lake.file_owners import write_owner_record
from finops_pipeline.lake.landing_records import LandingRecord, write_landing_record
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.own_files import make_folder, protect_file
from finops_pipeline.lake.store import PartitionStore
from finops_pipeline.lake.tenant_ledger import open_ledger, require_owner
from finops_pipeline.ledger.bill_totals import (
    BillTotal,
    ProjectMonth,
    read_bill_totals,
)
from finops_pipeline.ledger.generations import Generation, record_generation
from finops_pipeline.ledger.ledger import (
    PartitionRecord,
    ProjectTotal,
    Write,
)
from finops_pipeline.ledger.ownership import store_owner
from finops_pipeline.ledger.stored_files import (
    FileMark,
    Place,
    StoredFile,
    read_stored_files,
    read_superseded_files,
    record_marks,
    release_superseded,
)


class Writer:
    """The only process that may change a tenant's folder, as long as it holds the lock."""

    def __init__(self, folder: TenantFolder, retention: Retention) -> None:
        self.folder = folder
        self.ledger = open_ledger(folder)
        self.retention = retention

    @contextmanager
    def publication(self, is_fresh: bool = False) -> Iterator[Publication]:
        """Begin a publication with its own staging folder, which is removed at the end.

        Args:
            is_fresh: the tenant's file is built from scratch, not from a copy of the present one.
        """
        publication = Publication(self, is_fresh)
        try:
            yield publication
        finally:
            publication.close()


_Typed = TypeVar("_Typed", bound=Change)


class Publication:
    """Files and records that become visible together by `commit`."""

    def __init__(self, writer: Writer, is_fresh: bool) -> None:
        self.is_fresh = is_fresh
        self.folder = writer.folder
        self.ledger = writer.ledger
        self._retention = writer.retention
        self._store = PartitionStore(writer.folder)
        # Keyed by what a change applies to: a later change of the same thing replaces it.
        self._changes: dict[Hashable, Change] = {}
        self._put: set[StoredFile] = set()
        self._generation: Generation | None = None
        self.is_committed = False
        self._owner = require_owner(writer.folder, writer.ledger)
        self._files = read_stored_files(writer.ledger)
        self.work = writer.folder.staging / uuid.uuid4().hex[:12]
        make_folder(writer.folder, self.work)

    @property
    def number(self) -> int:
        """The number of this publication, which is that of its generation of the tenant's file."""
        return self._owner.commits + 1

    @property
    def spill(self) -> Path:
        """The folder into which DuckDB may spill: this tenant's own, for this publication."""
        return self.work / "spill"

    def scratch(self, name: str) -> Path:
        """Return a path in the staging folder for work that is not published."""
        return self.work / name

    def put(self, place: Place, staged: Path) -> StoredFile:
        """Move a finished file to the store now, and make `commit` publish it for a partition."""
        file = self._store.put(place, staged)
        self._put.add(file)
        self._changes[place] = FileChange(place, file)
        return file

    def put_values(self, place: Place, staged: Path) -> None:
        """Put a file of values that nothing computes, with a record that outlasts a lost ledger."""
        file = self.put(place, staged)
        write_owner_record(self.folder, self._store, file, self.number)

    def record_landing(self, landed: LandingRecord) -> None:
        """Write a delivery's record beside its landing file, which has been put before."""
        landed = replace(landed, publication=self.number)
        write_landing_record(self.folder, self._store, landed)

    def drop(self, place: Place) -> None:
        """Make `commit` publish a partition without a file."""
        self._changes[place] = FileChange(place, None)

    def put_warehouse(self, staged: Path) -> None:
        """Make `commit` publish a finished DuckDB file as the tenant's file."""
        protect_file(self.folder, staged)
        files.sync(staged)
        final = self.folder.staged_generation(self.number)
        staged.replace(final)
        files.sync(final.parent)
        at = clock.now().isoformat()
        size = final.stat().st_size
        self._generation = Generation(self.number, files.fingerprint(final), size, at)

    @property
    def warehouse_bytes(self) -> int:
        """The size of the DuckDB file that was put; 0 if none was."""
        return self._generation.size_bytes if self._generation else 0

    def current_files(self, table: str | None = None) -> list[StoredFile]:
        """List the files (of one table) that are current after the commit, in order."""
        current = dict(self._files)
        for change in self._pending(FileChange):
            if change.file is None:
                current.pop(change.place, None)
            else:
                current[change.place] = change.file
        return sorted(f for f in current.values() if table in (None, f.place.table_name))

    def current(self, table: str, key: str, month: str) -> Path | None:
        """Return the file that a partition has after the commit; None if it has none."""
        place = Place(table, key, month)
        change = self._changes.get(place)
        file = change.file if isinstance(change, FileChange) else self._files.get(place)
        return None if file is None else self.folder.stored(file)

    def checked(self, table: str, key: str, month: str) -> Path | None:
        """Return the same as `current`, after checking the file's content.

        Raises:
            DamagedFile: the published file is missing or was changed.
            ForeignFile: it is a link.
        """
        place = Place(table, key, month)
        path = self.current(table, key, month)
        file = self._files.get(place)
        if path is not None and file is not None and place not in self._changes:
            self._checker.check([file])
        return path

    def find_damage(self, table: str, key: str = "") -> list[DamagedFile | ForeignFile]:
        """Return the errors of a table's files (of one key) that stay and cannot be used."""
        staying = [f for f in self.current_files(table) if f.place not in self._changes]
        return self._checker.find_damage(f for f in staying if key in ("", f.place.key))

    @cached_property
    def _checker(self) -> FileChecker:
        """The checker, which has read the marks once: there may be thousands."""
        return FileChecker(self.folder, self.ledger)

    def build(self, record: PartitionRecord) -> None:
        """Make `commit` write a partition's record to the ledger."""
        key = (RecordChange, record.table_name, record.key, record.billing_period)
        self._changes[key] = RecordChange(record)

    def partitions(
        self, table: str, month: str | None = None
    ) -> dict[tuple[str, str], PartitionRecord]:
        """Return a table's partitions (of one month) after the commit, by (key, billing period)."""
        pending = {
            (change.record.key, change.record.billing_period): change.record
            for change in self._pending(RecordChange)
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
        key = (DeliveryTotalsChange, delivery_id, project)
        self._changes[key] = DeliveryTotalsChange(delivery_id, project, totals)

    def delivery_totals(self) -> list[ProjectTotal]:
        """Return the totals of all deliveries per project after the commit."""
        pending = self._pending(DeliveryTotalsChange)
        replaced = {(change.delivery_id, change.project) for change in pending}
        stored = [
            total
            for total in self.ledger.delivery_totals()
            if (total.delivery_id, total.project) not in replaced
        ]
        return [*stored, *(total for change in pending for total in change.totals)]

    def set_bill_totals(self, project: str, month: str, totals: tuple[BillTotal, ...]) -> None:
        """Make `commit` replace the totals of a project's landed rows."""
        key = (BillTotalsChange, project, month)
        self._changes[key] = BillTotalsChange((project, month), totals)

    def bill_totals(self, slices: list[ProjectMonth]) -> list[BillTotal]:
        """Return the totals of the landed rows of these slices after the commit."""
        pending = {c.slice: c.totals for c in self._pending(BillTotalsChange)}
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
            self._changes[LedgerChange, len(self._changes)] = LedgerChange(write)

    def commit(self) -> None:
        """Publish everything, if anything was staged or recorded, and collect superseded files."""
        if self._changes or self._generation is not None:
            self._commit_changes()
        collect_superseded(self.folder, self.ledger, self._retention)

    def _commit_changes(self) -> None:
        self._store.sync()
        self.ledger.write(
            *(write_of(change) for change in self._changes.values()),
            record_marks(self._marks()),
            self._record_commit,
        )
        self.is_committed = True
        self._owner = require_owner(self.folder, self.ledger)
        self._files = read_stored_files(self.ledger)
        is_generation = self._generation is not None
        self._changes, self._put, self._generation = {}, set(), None
        if is_generation:
            # Otherwise the folders wait for the next generation or the end of the run: a tree of
            # links for each of many landings would take longer than the landings.
            finish_commit(self.folder, self.ledger)

    def close(self) -> None:
        """Remove the staging folder, and files in the store that were put but not committed."""
        if self._put or self._generation is not None:
            self._remove_uncommitted()
        files.clear_folder(self.work)

    def _remove_uncommitted(self) -> None:
        """Remove what no commit names, according to the ledger: `commit` may have failed late."""
        named = {
            *read_stored_files(self.ledger).values(),
            *(superseded.file for superseded in read_superseded_files(self.ledger)),
        }
        for file in self._put - named:
            self._store.delete(self.folder.stored(file))
        if require_owner(self.folder, self.ledger).commits < self.number:
            self.folder.staged_generation(self.number).unlink(missing_ok=True)

    def _marks(self) -> list[FileMark]:
        changed = [c.file for c in self._pending(FileChange) if c.file is not None]
        paths = [(file.sha256, self.folder.stored(file)) for file in changed]
        return [
            FileMark(self.folder.relative(path), sha256, mark_of(path)) for sha256, path in paths
        ]

    def _record_commit(self, db: sa.Connection) -> None:
        """Count the publication; with a new generation, release what only older ones need."""
        store_owner(db, replace(self._owner, commits=self.number, root=str(self.folder.root)))
        if self._generation is not None:
            record_generation(self._generation)(db)
            release_superseded(self._generation.published_at)(db)

    def _pending(self, kind: type[_Typed]) -> list[_Typed]:
        return [change for change in self._changes.values() if isinstance(change, kind)]
