"""A connection to DuckDB in another process: the part of DuckDB's own interface that readers use.

Put here: executing a statement there and fetching its rows, within the limits of an answer. Keep
out: the process (worker_process.py), which statements are allowed (guard.py, sandbox.py).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from finops_pipeline.errors import QueryRefused
from finops_pipeline.lake.duck import DuckDBError
from finops_pipeline.serve.guard import Reference, Statement
from finops_pipeline.serve.query_stops import rows_stop
from finops_pipeline.serve.worker_process import WorkerProcess


class WorkerConnection:
    """Statements in a worker, and the rows of the last one; see DuckDB's own connections."""

    def __init__(self, worker: WorkerProcess) -> None:
        self.worker = worker
        self.description: list[tuple[str, str]] | None = None
        self._pending = 0
        self._statements = 0
        self._rows_received = 0
        self._rows: list[Any] = []
        self._is_at_end = True
        self._checked_sql: str | None = None
        self._is_checked = False

    def guard(self, sql: str) -> Statement:
        """Check a statement in the worker, see guard.py.

        Raises:
            QueryRefused: it is not SQL, several statements, or does anything but read.
            QueryStopped: checking it took too long or needed too much memory.
        """
        self.worker.allow_time()
        statement, relations = self._request("guard", sql)
        self._checked_sql = statement
        return Statement(statement, frozenset(Reference(*names) for names in relations))

    def guarded(self, statement: Statement) -> Statement:
        """Take a statement that was checked before as checked now: its time begins."""
        self.worker.allow_time()
        self._checked_sql = statement.sql
        return statement

    def execute(self, query: str, parameters: object = None) -> WorkerConnection:
        """Run a statement and return this connection, from which its rows can be fetched."""
        self._begin(query)
        self.description, packed, is_last = self._request("execute", query, parameters)
        self._rows, self._is_at_end = self.worker.read_rows(packed), is_last
        self._count(len(self._rows))
        return self

    def portions(self) -> Iterator[list[Any]]:
        """Yield the rows of the statement as they arrive.

        While one portion is used, the worker computes the next; but not the second one, which an
        answer that is shown in part, as a table, does not need.

        Raises:
            QueryRefused: another statement was run before all rows were read.
        """
        return self._portions_of(self._statements)

    def _portions_of(self, statement: int) -> Iterator[list[Any]]:
        self._require_current(statement)
        if self._rows:
            taken, self._rows = self._rows, []
            yield taken
            self._require_current(statement)
        while not self._is_at_end:
            if not self._pending:
                self._send("fetch")
            packed, self._is_at_end = self._receive()
            rows = self.worker.read_rows(packed)
            self._count(len(rows))
            if not self._is_at_end:
                self._send("fetch")
            if rows:
                yield rows
                self._require_current(statement)

    def fetchall(self) -> list[Any]:
        """Return all remaining rows."""
        return [row for portion in self.portions() for row in portion]

    def fetchmany(self, size: int = 1) -> list[Any]:
        """Return the next rows, at most `size`."""
        portions = self.portions()
        taken: list[Any] = []
        while len(taken) < size and (portion := next(portions, None)):
            taken += portion
        taken, self._rows = taken[:size], taken[size:]
        return taken

    def fetchone(self) -> Any:
        """Return the next row, or None."""
        return next(iter(self.fetchmany(1)), None)

    def arrow_stream(self, query: str, parameters: object = None) -> io.BufferedReader:
        """Run a statement and return its answer as a file with an Arrow IPC stream."""
        self._begin(query)
        self._request("open_arrow", query, parameters)
        self._is_at_end = False
        portions = self._arrow_portions(self._statements)
        return io.BufferedReader(_ArrowFile(portions), io.DEFAULT_BUFFER_SIZE)

    def release(self) -> bool:
        """Drop what is left of the last answer, for good; return whether another can follow.

        A worker that still computes an answer that nobody waits for is ended.
        """
        self._statements += 1  # whoever still holds an iterator over the rows gets no more of them
        has_rest, self._rows, self._is_at_end = not self._is_at_end, [], True
        if self._pending or not self.worker.is_running:
            self.close()
            return False
        if has_rest:
            self.worker.allow_time()
            self._request("forget")
        return True

    def close(self) -> None:
        """End the worker."""
        self.worker.close()

    def _arrow_portions(self, statement: int) -> Iterator[bytes]:
        while True:
            self._require_current(statement)
            count, portion = self._request("read_arrow")
            self._count(count)
            if not portion:
                self._is_at_end = True
                return
            yield portion

    def _require_current(self, statement: int) -> None:
        """Refuse to answer one statement with the rows of a later one."""
        if statement != self._statements:
            raise QueryRefused(
                "another query was run before this answer was read to the end",
                "one answer at a time",
                "Read each answer to the end before the next query, or open a sandbox for each",
            )

    def _begin(self, query: str) -> None:
        self._statements += 1
        self._rows, self._is_at_end, self._rows_received = [], True, 0
        # A statement's time begins with its check; our own statements in between use some of it.
        self._is_checked = query == self._checked_sql

    def _count(self, rows: int) -> None:
        if self._is_checked:
            self.worker.allow_time()
        self._rows_received += rows
        if self._rows_received > self.worker.limits.answer_rows:
            self.worker.close()
            raise rows_stop(self.worker.limits)

    def _request(self, operation: str, *arguments: object) -> Any:
        while self._pending:
            with suppress(DuckDBError):  # of a statement whose further rows nobody needs
                self._receive()
        if operation != "read_arrow":
            self.worker.received_bytes = 0
        self._send(operation, *arguments)
        return self._receive()

    def _send(self, operation: str, *arguments: object) -> None:
        self.worker.send(operation, *arguments)
        self._pending += 1

    def _receive(self) -> Any:
        self._pending -= 1
        return self.worker.receive()


class _ArrowFile(io.RawIOBase):
    """A file whose bytes arrive in portions."""

    def __init__(self, portions: Iterator[bytes]) -> None:
        self._portions = portions
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """See io.RawIOBase."""
        return True

    def readinto(self, buffer: Any) -> int:
        """See io.RawIOBase."""
        while not self._rest:
            portion = next(self._portions, None)
            if portion is None:
                return 0
            self._rest = memoryview(portion)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
