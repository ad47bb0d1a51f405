"""A tenant's file without rows: every table of the contracts, with its comments.

Put here: the definition of a table, making the blank file, and copying it. Keep out: views, which
name the files of a generation (lake/warehouse.py), rows.

A thousand comments took a fifth of the first ingest of a small tenant, the same for every tenant.
A process therefore makes the blank file once; nothing of a tenant is in it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from finops_pipeline.contracts.column import Table
from finops_pipeline.contracts.file_tables import FILE_IDENTITY, PARTITION_FILES
from finops_pipeline.contracts.statement_tables import STATEMENTS
from finops_pipeline.contracts.tables import TABLES
from finops_pipeline.lake.comments import comments_of, write_comments
from finops_pipeline.lake.duck import Connection, ident, open_in_memory, text

STORAGE_VERSION = "v1.4.0"
"""DuckDB 1.4 (long-term support) and later can open the file, and refuse a WAL of another file."""

_CREATED_LATER = (FILE_IDENTITY, PARTITION_FILES, STATEMENTS)
"""Tables whose presence says something: that the file is complete, that statements are intact."""

_BLANK = "blank"


def create_blank_file(target: Path) -> None:
    """Write a file with every table of the contracts and no rows."""
    target.write_bytes(_blank_file())


def attach_for_writing(connection: Connection, file: Path, catalog: str) -> None:
    """Attach a file that is being built; it is created if it is missing.

    A crash leaves nothing to recover: the file is thrown away unless it is complete.
    """
    connection.execute(
        f"attach {text(str(file))} as {ident(catalog)}"
        f" (storage_version {text(STORAGE_VERSION)}, recovery_mode no_wal_writes)"
    )


def define_table(catalog: str, table: Table) -> str:
    """Return the statement that creates a contract's table in an attached file."""
    columns = ", ".join(
        f"{ident(c.name)} {c.type}{'' if c.nullable else ' not null'}" for c in table.columns
    )
    return f"create table {ident(catalog)}.{ident(table.name)} ({columns})"


@cache
def _blank_file() -> bytes:
    with TemporaryDirectory() as folder, open_in_memory({}) as connection:
        file = Path(folder) / "blank.duckdb"
        attach_for_writing(connection, file, _BLANK)
        tables = [t for t in TABLES if t.kind != "view" and t not in _CREATED_LATER]
        definitions = [define_table(_BLANK, table) for table in tables]
        connection.execute("; ".join(["begin", *definitions, "commit"]))
        write_comments(connection, _BLANK, {table.name: comments_of(table) for table in tables})
        connection.execute(f"checkpoint {_BLANK}")
        connection.execute(f"detach {_BLANK}")
        return file.read_bytes()
