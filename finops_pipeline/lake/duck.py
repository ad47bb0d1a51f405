"""DuckDB: opening connections, and quoting names and text.

Put here: the settings that every connection shares, connections for the pipeline's own work, small
SQL fragments. Keep out: the SQL of the stages, the tenant's file (warehouse.py).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import duckdb

from finops_pipeline.errors import QueryStopped

Connection = duckdb.DuckDBPyConnection
DuckDBError = duckdb.Error
OutOfMemory = duckdb.OutOfMemoryException
DuckDBInputOutputError = duckdb.IOException
DuckDBConversionError = duckdb.ConversionException

_AGAIN_SECONDS = 0.05
Setting = str | bool | int | float | list[str]

_PARQUET_FORMAT = "format parquet, compression zstd, compression_level 1"

PARQUET = _PARQUET_FORMAT + ", row_group_size 61440"
"""COPY options of every Parquet file of the lake. Each thread builds a row group of 90 text columns
in memory: with twice as many rows the writer spills to disk and takes four times as long."""


PARQUET_PARTS = _PARQUET_FORMAT + ", row_group_size 30720"
"""COPY options when several files are written at once: each holds a row group in memory."""

_SHARED_SETTINGS: Mapping[str, Setting] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_unsigned_extensions": "false",
    "allow_persistent_secrets": "false",
    # Otherwise SQL could read the variables of the Python code that runs it.
    "python_enable_replacements": "false",
    "secret_directory": "/nonexistent",
    # The default is a folder in the process's current one, which SQL could read and write.
    "temp_directory": "",
}


@dataclass(frozen=True)
class Limits:
    """Resources that one piece of work may use.

    `memory_limit`: of DuckDB. `threads`: 0: all cores. `seconds`: for somebody who waits for an
    answer; 0: as long as it takes.
    """

    memory_limit: str = "1GB"
    threads: int = 0
    seconds: float = 0.0

    def apply(self, connection: Connection) -> None:
        """Apply these limits to a connection that is already open."""
        connection.execute(f"set memory_limit = {text(self.memory_limit)}")
        if self.threads:
            connection.execute(f"set threads = {self.threads}")

    @contextmanager
    def holding_for(self, connection: Connection) -> Iterator[None]:
        """Apply these limits to a connection while something is calculated with it.

        Raises:
            QueryStopped: it took too long.
        """
        self.apply(connection)
        if not self.seconds:
            yield
            return
        ended = threading.Event()
        watch = threading.Thread(target=self._interrupt, args=(connection, ended), daemon=True)
        watch.start()
        try:
            yield
        except duckdb.InterruptException as error:
            raise QueryStopped(
                f"the calculation was stopped after {self.seconds:g} s without an answer",
                f"an answer within FINOPS_QUERY_SECONDS ({self.seconds:g})",
                f"Try less at a time, or set FINOPS_QUERY_SECONDS={2 * self.seconds:g}",
            ) from error
        finally:
            ended.set()
            watch.join()  # so that it never interrupts what another one does afterwards

    def _interrupt(self, connection: Connection, ended: threading.Event) -> None:
        """Interrupt a connection again and again: between two statements, it has no effect."""
        wait = self.seconds
        while not ended.wait(wait):
            connection.interrupt()
            wait = _AGAIN_SECONDS


_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS_OF_1024 = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


def bytes_of(size: str) -> int:
    """Return the number of bytes of a size with a unit, such as 1.5GB or 512MiB."""
    text = size.replace(" ", "")
    for unit, factor in {**_UNITS_OF_1024, **_UNITS}.items():
        if text.endswith(unit):
            return int(Decimal(text.removesuffix(unit)) * factor)
    return int(text)


@dataclass(frozen=True)
class QueryLimits:
    """Resources that one query of a reader may use; settings.py describes each."""

    seconds: float
    processor_seconds: int
    memory: str
    threads: int
    answer_rows: int
    answer_bytes: int
    is_landlock_required: bool = False

    @property
    def memory_bytes(self) -> int:
        """The memory that the process of a query may use, in bytes."""
        return bytes_of(self.memory)


class Rows(Protocol):
    """The rows of an executed statement."""

    def fetchall(self) -> list[Any]:
        """Return all remaining rows."""

    def fetchone(self) -> Any:
        """Return the next row, or None."""


class Reader(Protocol):
    """What runs SQL: a connection, or one in another process."""

    def execute(self, query: str, parameters: object = None) -> Rows:
        """Run a statement."""


def error_class(name: str) -> type[duckdb.Error]:
    """Return DuckDB's error class with this name, or the base class of all."""
    kind: object = getattr(duckdb, name, None)
    if isinstance(kind, type) and issubclass(kind, duckdb.Error):
        return kind
    return duckdb.Error


@contextmanager
def open_in_memory(settings: Mapping[str, Setting]) -> Iterator[Connection]:
    """Open an in-memory DuckDB with the settings that all connections share; close it at the end.

    Args:
        settings: further settings, or other values for the shared ones.
    """
    connection = duckdb.connect(":memory:", config={**_SHARED_SETTINGS, **settings})
    try:
        # Bills are in UTC; the machine's own time zone must not shift a day. GLOBAL: a cursor of
        # the connection does not take over plain settings.
        connection.execute("set global TimeZone = 'UTC'")
        yield connection
    finally:
        connection.close()


@contextmanager
def scratch_connection(spill: Path, limits: Limits) -> Iterator[Connection]:
    """Open an in-memory DuckDB for one tenant's piece of work; close it at the end.

    Args:
        spill: a private folder of this tenant for data that does not fit in memory; a shared one
            would mix tenants' rows on disk.
        limits: memory and threads.
    """
    settings: dict[str, Setting] = {
        "memory_limit": limits.memory_limit,
        "temp_directory": str(spill),
        "preserve_insertion_order": "false",
        # Rows held per thread before they go to the files of a partitioned copy. With 40,000 of
        # our wide rows instead of 10,000 it spills to disk and takes three times as long.
        "partitioned_write_flush_threshold": 10000,
    }
    if limits.threads:
        settings["threads"] = limits.threads
    with open_in_memory(settings) as connection:
        yield connection


def read_settings(limits: Limits) -> dict[str, Setting]:
    """Return the settings of a connection that only reads a tenant's file."""
    # DuckDB starts eight threads for asynchronous reads per instance, whatever `threads` says.
    settings: dict[str, Setting] = {"memory_limit": limits.memory_limit, "async_threads": 1}
    if limits.threads:
        settings["threads"] = limits.threads
    return settings


def ident(name: str) -> str:
    """Return a column or table name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """Return a value as a quoted SQL string."""
    return "'" + value.replace("'", "''") + "'"


def texts(values: list[str]) -> str:
    """Return values as a SQL list of quoted strings."""
    return "[" + ", ".join(text(value) for value in values) + "]"


def utc_time(raw: str) -> str:
    """Return SQL that reads a text as a UTC timestamp, or null if it is not one.

    A bill's times begin with a date; DuckDB would also accept `epoch`, `infinity` and `(BC)`. It
    ignores an offset such as +09:00 when it casts text to TIMESTAMP, so the few texts that have an
    offset are cast to TIMESTAMPTZ first, which is slower; connections are in UTC.
    """
    offset = rf"regexp_matches({raw}, ':\d\d(\.\d+)?\s?[+-]\d\d(:?\d\d)?$')"
    zoned = f"try_cast({raw} as timestamptz) at time zone 'UTC'"
    plain = f"try_cast({raw} as timestamp)"
    is_date = f"{raw} like '____-__-__%' and {raw} not like '%(%'"
    utc = f"{raw} like '%Z'"  # the form that AWS writes; cheaper to test than the pattern
    return (
        f"case when {is_date} then"
        f" case when {utc} then {plain} when {offset} then {zoned} else {plain} end end"
    )


def columns_of(connection: Connection, relation: str) -> dict[str, str]:
    """Return the column names and DuckDB types of a relation, in order."""
    rows = connection.execute(f"describe select * from {relation}").fetchall()
    return {row[0]: row[1] for row in rows}


def fetch_dicts(query: Connection) -> list[dict[str, Any]]:
    """Fetch all rows of an executed query, each as column name -> value."""
    names = [column[0] for column in query.description or []]
    return [dict(zip(names, row, strict=True)) for row in query.fetchall()]


def parquet_columns(path: Path) -> dict[str, str]:
    """Return the column names and DuckDB types of one Parquet file, in order."""
    with open_in_memory({}) as connection:
        return columns_of(connection, f"read_parquet({text(str(path))}, hive_partitioning = false)")


def empty_columns(connection: Connection, path: Path) -> frozenset[str]:
    """Return the flat columns of a Parquet file that hold only nulls, according to its footer."""
    rows = connection.execute(
        f"select path_in_schema from parquet_metadata({text(str(path))})"
        " group by all having sum(num_values) = sum(stats_null_count) and count(*) ="
        " count(stats_null_count)"
    ).fetchall()
    return frozenset(row[0] for row in rows)
