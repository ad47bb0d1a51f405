"""Tables of the file being built: created by their contract, filled from rows.

Put here: creating a table, rows into it. Keep out: which rows (build.py, history.py, results.py).

Reads: nothing   Writes: <tenant>.duckdb
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from finops_pipeline.contracts.column import Table
from finops_pipeline.lake.duck import Connection, ident, text
from finops_pipeline.lake.warehouse import WAREHOUSE


def create(connection: Connection, table: Table) -> None:
    """Create a contract's table in the file, or anew when its columns have changed."""
    there = connection.execute(
        "select column_name, data_type from duckdb_columns() where database_name ="
        f" {text(WAREHOUSE)} and table_name = {text(table.name)} order by column_index"
    ).fetchall()
    if there != [(column.name, column.type) for column in table.columns]:
        connection.execute(f"drop table if exists {WAREHOUSE}.{table.name}")
        columns = ", ".join(
            f"{ident(c.name)} {c.type}{'' if c.nullable else ' not null'}" for c in table.columns
        )
        connection.execute(f"create table {WAREHOUSE}.{table.name} ({columns})")


def fill(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write a small table anew; rows in the order of the contract's columns."""
    create(connection, table)
    connection.execute(f"delete from {WAREHOUSE}.{table.name}")
    append(connection, table, rows)


def append(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Put rows into a table that is there, column by column: row by row costs a millisecond."""
    if rows:
        texts = [[_text(value) for value in column] for column in zip(*rows, strict=True)]
        casts = ", ".join(f"unnest(?::varchar[])::{c.type}" for c in table.columns)
        connection.execute(f"insert into {WAREHOUSE}.{table.name} select {casts}", texts)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return format(value, "f") if isinstance(value, Decimal) else str(value)
