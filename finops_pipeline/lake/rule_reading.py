"""A read-only connection for rules, which may meet a tenant without a file, or with an older one.

Put here: opening it, and tables in it that are not in the file. Keep out: the rules (marts).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from finops_pipeline.contracts.column import Column, Table
from finops_pipeline.errors import Unknown
from finops_pipeline.lake.duck import Connection, Limits, ident, open_in_memory, read_settings
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.warehouse import reading


@contextmanager
def reading_for_rules(folder: TenantFolder, tables: Iterable[Table]) -> Iterator[Connection]:
    """Open the tenant's file read-only; tables that it lacks are there, but empty.

    Raises:
        ForeignFile, DamagedFile: the file is not the one that was published for this tenant.
    """
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(reading(folder))
        except Unknown:
            connection = stack.enter_context(open_in_memory(read_settings(Limits())))
            connection.execute("set global enable_external_access = false")
        present = {name for (name,) in connection.execute("select table_name from "
                   "information_schema.tables").fetchall()}  # fmt: skip
        for table in tables:
            if table.name not in present:
                put_table(connection, table.name, table.columns, ())
        yield connection


def put_table(
    connection: Connection, name: str, columns: Sequence[Column], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Put a table in front of the one of the same name that the file may have."""
    described = ", ".join(f"{ident(column.name)} {column.type}" for column in columns)
    connection.execute(f"create or replace temp table {ident(name)} ({described})")
    for row in rows:
        marks = ", ".join("?" for _ in row)
        connection.execute(f"insert into temp.{ident(name)} values ({marks})", list(row))
