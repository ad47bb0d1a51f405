"""Untrusted SQL on one tenant's file: read-only, limited, and confined to that tenant's folder.

Put here: opening the file in a process of its own, and checks of the files that a statement reads.
Keep out: the pipeline's own connections (lake/duck.py, lake/warehouse.py), the process and its
limits (worker_process.py, confinement.py), streaming answers (queries.py).

Four barriers. Each of the first two alone keeps other tenants' data out of reach:

1. The connection is in memory, the tenant's file is attached read-only, and DuckDB may open files
   in this tenant's store of partition files only (of an access limited to projects: a file with
   their rows, and their folders in the store). Nothing relative is allowed, so neither the
   process's current folder nor a file in it matters, and many sandboxes can be open in threads.
2. DuckDB runs in a process that has no environment and may only read these files (on Linux,
   landlock.py). It can write no file, start no program and reach no network.
3. The guard refuses everything but a SELECT before it runs (guard.py).
4. The process is ended when a query reaches a limit of time, memory or size. The next query starts
   another one. A process never serves another tenant.

The views of the file name partition files by absolute path. Before a statement that names a view is
run, these files are compared with their checksums (lake/file_marks.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from finops_pipeline.application.tenant_export import INTERNAL_TABLES
from finops_pipeline.errors import DamagedFile, ForeignFile, QueryRefused, ReadingEnded
from finops_pipeline.lake.duck import DuckDBError, QueryLimits, ident
from finops_pipeline.lake.file_identity import read_partition_files
from finops_pipeline.lake.file_marks import FileChecker
from finops_pipeline.lake.layout import (
    COST_EXPLORER_DAYS,
    COSTS,
    LANDING,
    QUARANTINE,
    STATEMENTS,
    TenantFolder,
)
from finops_pipeline.lake.own_files import HeldFolder
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.ledger.stored_files import read_stored_files
from finops_pipeline.marts.views import landing_view
from finops_pipeline.serve.guard import Statement
from finops_pipeline.serve.sandboxed_files import SandboxedFile, WholeFile
from finops_pipeline.serve.worker_connection import WorkerConnection
from finops_pipeline.serve.worker_process import BlankWorker, WorkerProcess

_OPENING_ATTEMPTS = 3
_REMEMBERED_STATEMENTS, _REMEMBERED_LENGTH = 64, 20_000
"""How many statements that were checked are remembered, and their longest length."""
_OF_STATEMENTS = "statement"
"""The beginning of the names of all tables and views of statements."""


class Sandbox:
    """A tenant's file, open in a process of its own, for one thread at a time.

    Args:
        file: the file; a folder stands for the file of the whole tenant.
        limits: of each query.
        is_pinned: stay with one generation: never start a second process.
        start: starts a process.
    """

    def __init__(
        self,
        file: SandboxedFile | TenantFolder,
        limits: QueryLimits,
        is_pinned: bool = False,
        start: Callable[[], BlankWorker] = BlankWorker,
    ) -> None:
        self._file = WholeFile(file) if isinstance(file, TenantFolder) else file
        folder = self._folder = self._file.folder
        self._limits = limits
        self._is_pinned = is_pinned
        self._start = start
        self._checked: dict[str, Statement] = {}
        self._catalog = _catalog_of(folder)
        self._root = HeldFolder(folder.root)
        self._connection = self._open()

    @property
    def connection(self) -> WorkerConnection:
        """The connection; after a stopped query it is a new one, on the newest generation.

        Raises:
            ReadingEnded: the sandbox is pinned, and its process has ended.
        """
        if not self._connection.worker.is_open:
            if self._is_pinned:
                raise ReadingEnded(
                    "the data was replaced, or the process that reads it has ended",
                    cure="Ask again; the newest data is read then",
                )
            self._connection = self._open()
        return self._connection

    @property
    def mark(self) -> str:
        """The mark of the file that is open, see `read_mark`."""
        return self._mark

    def is_current(self, mark: str) -> bool:
        """Return whether the process can answer from the file that has this mark now."""
        is_running = self._connection.worker.is_running
        return is_running and mark == self._mark and self._root.is_at(self._folder.root)

    def refresh(self) -> str:
        """Leave a folder that was purged or restored: the name may be another tenant's.

        Returns:
            The mark of the file that answers now.

        Raises:
            ReadingEnded: the sandbox is pinned, and its folder was replaced.
        """
        if not self._root.is_at(self._folder.root):
            self._connection.close()
        _ = self.connection
        return self._mark

    def execute(self, sql: str, values: Mapping[str, Any] | None = None) -> WorkerConnection:
        """Run one SELECT and return the connection, from which its rows can be fetched.

        Args:
            sql: the statement, from a source that is not trusted.
            values: the values of its parameters (`$name`).

        Raises:
            QueryRefused: the statement does more than read, or reads files.
            QueryStopped: it reached a limit.
            DamagedFile: a file that the statement reads is missing or was changed.
            DuckDBError: DuckDB cannot answer it.
        """
        query = self.prepare(sql)
        return self.connection.execute(query, values or None)

    def prepare(self, sql: str) -> str:
        """Check a statement with the guard, and the partition files of the views that it names.

        Raises:
            QueryRefused: the statement does more than read, or reads files.
            QueryStopped: checking it reached a limit.
            ReadingEnded: the sandbox is pinned, and the folder was replaced.
            DamagedFile: a file that the statement reads is missing or was changed.
        """
        self.refresh()
        connection = self.connection
        statement = self._guard(connection, sql)
        named = {reference.name for reference in statement.relations}
        if self._is_pinned and named & INTERNAL_TABLES:
            raise QueryRefused(
                f"{min(named & INTERNAL_TABLES)} is about the files of the installation",
                "tables of the tenant's data",
                "List them: SHOW TABLES",
            )
        views = {n for n in named if n in self._known_views or n.startswith("landing_")}
        left_out = named & self._left_out
        if views:
            tables = sorted({table for name in views for table in _tables_of(name)})
            files = read_partition_files(connection, self._catalog, tables)
            FileChecker(self._folder, open_ledger(self._folder)).check(files)
            landed = {landing_view(f.place.key) for f in files if f.place.table_name == LANDING}
            left_out |= named & landed - self._known_views
        for name in sorted(left_out):
            raise self._lost(name)
        return statement.sql

    def _guard(self, connection: WorkerConnection, sql: str) -> Statement:
        """Check a statement; the syntax tree of one that was checked before is the same."""
        if (known := self._checked.get(sql)) is not None:
            return connection.guarded(known)
        statement = connection.guard(sql)
        if len(sql) <= _REMEMBERED_LENGTH:
            while len(self._checked) >= _REMEMBERED_STATEMENTS:
                self._checked.pop(next(iter(self._checked)))
            self._checked[sql] = statement
        return statement

    def _lost(self, name: str) -> DamagedFile | ForeignFile:
        """Return the error for a view that was left out; no rebuild restores closed statements."""
        tenant = self._folder.tenant
        cure = f"Build it again: finops rebuild {tenant}"
        if name.startswith(_OF_STATEMENTS):
            ledger = open_ledger(self._folder)
            stored = sorted(read_stored_files(ledger).values())
            closed = [file for file in stored if file.place.table_name == STATEMENTS]
            for error in FileChecker(self._folder, ledger).find_damage(closed):
                return error
            cure = f"Bring it up to date: finops ingest {tenant}"
        return DamagedFile(
            f"tenant {tenant} has no {name}, because a file of it was lost",
            "every file of it that was published",
            cure,
        )

    def release(self) -> bool:
        """Drop what is left of the last answer; return whether the process can answer again."""
        return self._connection.release()

    @property
    def private_bytes(self) -> int:
        """The memory that the process holds."""
        return self._connection.worker.private_bytes

    @property
    def folder(self) -> TenantFolder:
        """The folder of the tenant's file, for errors that must not name its path."""
        return self._folder

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        self._root.close()

    def _open(self) -> WorkerConnection:
        for attempt in range(1, _OPENING_ATTEMPTS + 1):
            self._root.close()
            self._root = HeldFolder(self._folder.root)
            try:
                readable = self._file.prepare()
            except BaseException:
                self._root.close()
                raise
            worker = WorkerProcess(readable, self._limits, self._start())
            connection = WorkerConnection(worker)
            try:
                self._attach(connection)
            except BaseException as error:
                connection.close()
                # The worker may have been started on a folder that has been replaced since.
                is_replaced = not self._root.is_at(self._folder.root) or self._file.was_replaced()
                if (
                    attempt < _OPENING_ATTEMPTS
                    and is_replaced
                    and isinstance(error, DamagedFile | DuckDBError)
                ):
                    continue
                self._root.close()
                raise
            if attempt == _OPENING_ATTEMPTS or self._root.is_at(self._folder.root):
                return connection
            connection.close()
        raise AssertionError("the last attempt returns or raises")

    def _attach(self, connection: WorkerConnection) -> None:
        self._mark = self._file.attach(connection, self._catalog)
        connection.execute(f"use {ident(self._catalog)}")
        rows = connection.execute(
            "select view_name from duckdb_views() where database_name = ? and not internal",
            [self._catalog],
        ).fetchall()
        present = {name.lower() for (name,) in rows}
        self._left_out = self._file.view_names - present
        if any(name.startswith(_OF_STATEMENTS) for name in self._left_out):
            self._left_out.add(STATEMENTS)  # a table, which is left out with its views
        self._known_views = present | self._left_out
        connection.execute("set global lock_configuration = true")
        connection.worker.allow_time()


def _tables_of(view: str) -> tuple[str, ...]:
    """Return the tables of partitions that a view of the tenant's file reads."""
    name = view.lower()
    if name in (QUARANTINE, COST_EXPLORER_DAYS):
        return (name,)
    if name.startswith(_OF_STATEMENTS):
        return ()  # it reads tables of the file itself
    return (LANDING,) if name.startswith("landing_") else (COSTS,)


_RESERVED_CATALOGS = {"main", "memory", "system", "temp"}
"""Names that DuckDB gives to its own catalogs and schemas; a tenant may be called so, too."""


def _catalog_of(folder: TenantFolder) -> str:
    is_reserved = folder.tenant in _RESERVED_CATALOGS
    return f"{folder.tenant}-file" if is_reserved else folder.tenant


@contextmanager
def open_sandbox(folder: TenantFolder, limits: QueryLimits) -> Iterator[Sandbox]:
    """Open a tenant's file for untrusted SQL; close it at the end.

    Opening starts a process, which takes 0.1 s of CPU, so a server keeps one per tenant and thread.

    Raises:
        Unknown: nothing has been built for this tenant yet.
        ForeignFile, DamagedFile: the file is not the one that was published for this tenant.
    """
    sandbox = Sandbox(folder, limits)
    try:
        yield sandbox
    finally:
        sandbox.close()
