"""The door to DuckDB: how a connection is opened, and how names and texts are quoted.

Put here: connections for the pipeline's own work. Keep out: which SQL is run; the tenant's
file (warehouse.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

Connection = duckdb.DuckDBPyConnection
DuckDBError = duckdb.Error
OutOfMemory = duckdb.OutOfMemoryException
DuckDBInputOutputError = duckdb.IOException

_FORM = "format parquet, compression zstd, compression_level 1"

PARQUET = _FORM + ", row_group_size 61440"
"""How every Parquet file of the lake is written. A row group of 90 text columns is built in memory
once per thread: twice as many rows and the writer spills, at four times the price."""


PARQUET_PARTS = _FORM + ", row_group_size 30720"
"""How several files are written at once: each keeps a row group in memory."""


@dataclass(frozen=True)
class Limits:
    """What one piece of work may use: DuckDB memory limit, and threads (0: every core)."""

    memory_limit: str = "1GB"
    threads: int = 0

    def apply(self, connection: Connection) -> None:
        """Hold a connection that is open already to these limits."""
        connection.execute(f"set memory_limit = {text(self.memory_limit)}")
        if self.threads:
            connection.execute(f"set threads = {self.threads}")


@contextmanager
def scratch_connection(spill: Path, limits: Limits) -> Iterator[Connection]:
    """An in-memory DuckDB for one tenant's piece of work, closed at the end.

    Args:
        spill: a private folder of this tenant for what does not fit in memory; a shared one
            would mix tenants' rows on disk.
        limits: memory and threads.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": limits.memory_limit,
        "temp_directory": str(spill),
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_community_extensions": "false",
        "allow_persistent_secrets": "false",
        "python_enable_replacements": "false",
        "preserve_insertion_order": "false",
        # Rows held per thread before they go to the files of a partitioned copy; more of our
        # wide rows (40,000 where 10,000 do) and it spills, at three times the price.
        "partitioned_write_flush_threshold": 10000,
    }
    if limits.threads:
        config["threads"] = limits.threads
    connection = duckdb.connect(":memory:", config=config)
    try:
        # Bills are UTC; the machine's own zone must not shift a day.
        connection.execute("set TimeZone = 'UTC'")
        yield connection
    finally:
        connection.close()


def ident(name: str) -> str:
    """A column or table name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A value as a quoted SQL string."""
    return "'" + value.replace("'", "''") + "'"


def texts(values: list[str]) -> str:
    """Values as a SQL list of strings."""
    return "[" + ", ".join(text(value) for value in values) + "]"


def utc_time(raw: str) -> str:
    """SQL: a text as UTC timestamp, null where it is none.

    A bill's times begin with a date; DuckDB also reads `epoch`, `infinity` and `(BC)`. It drops an
    offset such as +09:00 when it casts text to TIMESTAMP, so texts with one (few) take the
    slower way by way of TIMESTAMPTZ; connections are in UTC.
    """
    offset = rf"regexp_matches({raw}, ':\d\d(\.\d+)?\s?[+-]\d\d(:?\d\d)?$')"
    zoned = f"try_cast({raw} as timestamptz) at time zone 'UTC'"
    plain = f"try_cast({raw} as timestamp)"
    is_date = f"{raw} like '____-__-__%' and {raw} not like '%(%'"
    utc = f"{raw} like '%Z'"  # AWS's own form, and cheaper to ask than the pattern
    return (
        f"case when {is_date} then"
        f" case when {utc} then {plain} when {offset} then {zoned} else {plain} end end"
    )


def columns_of(connection: Connection, relation: str) -> dict[str, str]:
    """Column names and DuckDB types of a relation, in order."""
    rows = connection.execute(f"describe select * from {relation}").fetchall()
    return {row[0]: row[1] for row in rows}


def parquet_columns(path: Path) -> dict[str, str]:
    """Column names and DuckDB types of one Parquet file, in order."""
    with duckdb.connect(":memory:") as connection:
        return columns_of(connection, f"read_parquet({text(str(path))}, hive_partitioning = false)")


def empty_columns(connection: Connection, path: Path) -> frozenset[str]:
    """Flat columns of a Parquet file in which every value is null, by its footer alone."""
    rows = connection.execute(
        f"select path_in_schema from parquet_metadata({text(str(path))})"
        " group by all having sum(num_values) = sum(stats_null_count) and count(*) ="
        " count(stats_null_count)"
    ).fetchall()
    return frozenset(row[0] for row in rows)
