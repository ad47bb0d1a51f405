"""Comments on the tables, views and columns of a tenant's file, which every SQL client shows.

Put here: writing comments that are missing, and reading them, so that a rewritten view keeps its
comments. Keep out: their text (contracts).

A statement takes a fifth of a millisecond, and a file has a thousand columns, so only comments
that differ are written. A table keeps its comments from one generation to the next; a replaced view
loses its comments.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from finops_pipeline.contracts.column import Table
from finops_pipeline.lake.duck import Connection, Reader, ident, text


@dataclass(frozen=True)
class Comments:
    """The comments of a table or view: its own, and by column."""

    own: str
    columns: Mapping[str, str] = field(default_factory=dict)


def comments_of(table: Table) -> Comments:
    """Return the comments of a table or view with a contract."""
    return Comments(
        f"{table.meaning} One row per {', '.join(table.grain)}.",
        {
            column.name: column.meaning
            + (f" One of: {', '.join(column.allowed)}." if column.allowed else "")
            for column in table.columns
        },
    )


def read_comments(connection: Reader, catalog: str) -> dict[str, Comments]:
    """Read the comments of all tables and views of an attached file, by name."""
    columns: dict[str, dict[str, str]] = {}
    for name, column, comment in connection.execute(
        "select table_name, column_name, coalesce(comment, '') from duckdb_columns()"
        " where database_name = ? and not internal",
        [catalog],
    ).fetchall():
        columns.setdefault(name, {})[column] = comment
    own = connection.execute(
        "select table_name, coalesce(comment, '') from duckdb_tables() where database_name = ?"
        " union all select view_name, coalesce(comment, '') from duckdb_views()"
        " where database_name = ? and not internal",
        [catalog, catalog],
    ).fetchall()
    return {name: Comments(comment, columns.get(name, {})) for name, comment in own}


def write_comments(connection: Connection, catalog: str, after: Mapping[str, Comments]) -> None:
    """Write the missing comments on tables and views of an attached file.

    Tables and views that the file does not have are skipped.
    """
    views = {
        name
        for (name,) in connection.execute(
            "select view_name from duckdb_views() where database_name = ? and not internal",
            [catalog],
        ).fetchall()
    }
    present = read_comments(connection, catalog)
    statements = [
        statement
        for name in sorted(after.keys() & present.keys())
        for statement in _statements(
            f"{ident(catalog)}.{ident(name)}",
            "view" if name in views else "table",
            (present[name], after[name]),
        )
    ]
    if statements:
        connection.execute("; ".join(["begin", *statements, "commit"]))


def _statements(name: str, kind: str, change: tuple[Comments, Comments]) -> Iterable[str]:
    before, after = change
    if before.own != after.own:
        yield f"comment on {kind} {name} is {text(after.own)}"
    for column, comment in after.columns.items():
        if column in before.columns and before.columns[column] != comment:
            yield f"comment on column {name}.{ident(column)} is {text(comment)}"
