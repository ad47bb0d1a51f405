"""The process of one reader's queries: it opens DuckDB, gives up everything else, and answers.

Put here: the messages that a worker answers. Keep out: starting, timing and ending it
(worker_process.py), which files it may read (sandbox.py sends the statements that attach them).

A worker serves one tenant, and ends with the process that started it. It has no
environment, no other tenant's data in memory, and imports as little as possible: its start is part
of every `finops query`.
"""

from __future__ import annotations

import socket
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from finops_pipeline.errors import QueryRefused
from finops_pipeline.lake.duck import (
    Connection,
    DuckDBError,
    Limits,
    OutOfMemory,
    open_in_memory,
    read_settings,
)
from finops_pipeline.serve import confinement
from finops_pipeline.serve.answer_portions import ArrowPortions, RowPortions
from finops_pipeline.serve.frames import Opening, receive_trusted, send
from finops_pipeline.serve.guard import guard
from finops_pipeline.serve.spelled_values import spelling

Reply = tuple[Any, ...]

_ENGINE_FAILURES = (RuntimeError, SystemError, RecursionError)
"""What DuckDB's C++ raises in Python when it fails, for example when no thread can be started."""


def main(descriptor: int) -> None:
    """Answer messages from the process that started this one until it closes the channel."""
    confinement.end_with_parent()
    channel = socket.socket(fileno=descriptor)
    opening: Opening = receive_trusted(channel)
    is_confined = confinement.confine(opening.readable)
    # Half of the memory is left for what DuckDB does not count: single functions and answers.
    limits = Limits(f"{opening.memory_bytes // 2}B", opening.threads)
    with open_in_memory(read_settings(limits)) as connection:
        (threads,) = connection.execute("select current_setting('threads')").fetchall()[0]
        confinement.limit_memory(opening.memory_bytes, int(threads))
        send(channel, ("ok", is_confined))
        _Worker(connection, opening).serve(channel)


class _Worker:
    """Answers the messages about one connection."""

    def __init__(self, connection: Connection, opening: Opening) -> None:
        self._connection = connection
        self._opening = opening
        self._rows = RowPortions(connection)
        self._arrow: ArrowPortions | None = None
        self._operations: Mapping[str, Callable[..., object]] = {
            "guard": self._guard,
            "execute": self._execute,
            "fetch": self._fetch,
            "forget": self._forget,
            "open_arrow": self._open_arrow,
            "read_arrow": self._read_arrow,
        }

    def serve(self, channel: socket.socket) -> None:
        """Answer messages until the channel is closed."""
        while True:
            try:
                seconds, operation, *arguments = receive_trusted(channel)
            except EOFError:
                return
            # The parent ends this process at its limit; this holds if it cannot.
            confinement.limit_duration(seconds + 1)
            reply = self._reply(operation, arguments)
            confinement.limit_duration(0)  # no time limit while the reader takes the reply
            try:
                send(channel, reply)
            except MemoryError:
                send(channel, ("memory",))

    def _reply(self, operation: str, arguments: list[Any]) -> Reply:
        try:
            return "ok", self._operations[operation](*arguments)
        except QueryRefused as error:
            return "refused", error.found, error.expected, error.cure
        except (OutOfMemory, MemoryError):
            return ("memory",)
        except DuckDBError as error:
            return "duckdb", type(error).__name__, str(error)
        except _ENGINE_FAILURES as error:
            return ("memory",) if "bad_alloc" in str(error) else ("failed", type(error).__name__)
        except Exception as error:
            return "defect", type(error).__name__, "".join(traceback.format_tb(error.__traceback__))

    def _guard(self, sql: str) -> tuple[str, list[tuple[str, str]]]:
        self._arrow = None  # DuckDB runs no statement while an Arrow answer is partly read
        confinement.limit_processor_time(self._opening.processor_seconds)
        statement = guard(self._connection, sql)
        return statement.sql, [(part.schema, part.name) for part in statement.relations]

    def _execute(self, sql: str, values: object) -> tuple[list[tuple[str, str]], bytes, bool]:
        """Run a statement; return its columns and first rows, to save a message."""
        self._arrow = None
        confinement.limit_processor_time(self._opening.processor_seconds)
        self._connection.execute(sql, values)
        described = self._connection.description or []
        columns = [(column[0], str(column[1])) for column in described]
        if spelled := spelling(sql, [column[1] for column in described]):
            self._connection.execute(spelled, values)
        self._rows.begin(has_rows=bool(columns))
        return columns, *self._rows.fetch()

    def _fetch(self) -> tuple[bytes, bool]:
        return self._rows.fetch()

    def _forget(self) -> None:
        self._arrow = None
        self._rows.begin(has_rows=False)
        self._connection.execute("select null where false")

    def _open_arrow(self, sql: str, values: object) -> None:
        self._arrow = None
        self._rows.begin(has_rows=False)
        confinement.limit_processor_time(self._opening.processor_seconds)
        self._arrow = ArrowPortions(self._connection.sql(sql, params=values))

    def _read_arrow(self) -> tuple[int, bytes]:
        return (0, b"") if self._arrow is None else self._arrow.fetch()
