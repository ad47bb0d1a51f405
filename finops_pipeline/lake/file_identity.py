"""What a tenant's DuckDB file says about itself: whose it is, its generation, its partition files.

Put here: writing and reading the two tables with this. Keep out: comparing them with the ledger
(warehouse_access.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from finops_pipeline.contracts.column import Table
from finops_pipeline.contracts.file_tables import (
    FILE_IDENTITY,
    PARTITION_FILES,
    PROJECT_IDENTITIES,
)
from finops_pipeline.lake.comments import comments_of, write_comments
from finops_pipeline.lake.duck import Connection, Reader, ident
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.ledger.stored_files import Place, StoredFile

SCHEMA_VERSION = 1
"""The version of a tenant's file, raised when older code could misread its tables or views."""


@dataclass(frozen=True)
class FileIdentity:
    """The row of the table `file_identity`."""

    tenant: str
    installation_id: str
    schema_version: int
    generation: int
    root: str


def write_partition_files(
    connection: Connection, catalog: str, folder: TenantFolder, current: Sequence[StoredFile]
) -> None:
    """Write into an attached file which partition files its views read."""
    _create(connection, catalog, PARTITION_FILES)
    if current:
        rows = [_row(folder, file) for file in sorted(current)]
        values = ", ".join(f"unnest(?::{column.type}[])" for column in PARTITION_FILES.columns)
        connection.execute(
            f"insert into {ident(catalog)}.{PARTITION_FILES.name} select {values}",
            [list(column) for column in zip(*rows, strict=True)],
        )


def write_identity(connection: Connection, catalog: str, identity: FileIdentity) -> None:
    """Write into an attached file which tenant it belongs to, and its generation."""
    _create(connection, catalog, FILE_IDENTITY)
    connection.execute(
        f"insert into {ident(catalog)}.{FILE_IDENTITY.name} values (?, ?, ?, ?, ?)",
        [
            identity.tenant,
            identity.installation_id,
            identity.schema_version,
            identity.generation,
            identity.root,
        ],
    )


def read_identity(connection: Reader, catalog: str) -> FileIdentity | None:
    """Read what an attached file says about itself; None if it says nothing."""
    names = ", ".join(column.name for column in FILE_IDENTITY.columns)
    exists = connection.execute(
        "select 1 from duckdb_tables() where database_name = ? and table_name = ?",
        [catalog, FILE_IDENTITY.name],
    ).fetchone()
    if exists is None:
        return None
    row = connection.execute(
        f"select {names} from {ident(catalog)}.main.{FILE_IDENTITY.name}"
    ).fetchone()
    return None if row is None else FileIdentity(*row)


def read_project_ids(connection: Reader, catalog: str) -> dict[str, str] | None:
    """Read the ids of the projects whose charges an attached file has, by name.

    None: a version without ids wrote the file.
    """
    exists = connection.execute(
        "select 1 from duckdb_tables() where database_name = ? and table_name = ?",
        [catalog, PROJECT_IDENTITIES.name],
    ).fetchone()
    if exists is None:
        return None
    rows = connection.execute(
        f"select project, project_id from {ident(catalog)}.main.{PROJECT_IDENTITIES.name}"
    ).fetchall()
    return dict(rows)


def read_partition_files(
    connection: Reader, catalog: str, tables: Sequence[str]
) -> list[StoredFile]:
    """Read the files of these tables that an attached file was built from."""
    rows = connection.execute(
        "select table_name, key, billing_period, sha256, size_bytes"
        f" from {ident(catalog)}.main.{PARTITION_FILES.name} where table_name in"
        " (select unnest(?::varchar[])) order by all",
        [list(tables)],
    ).fetchall()
    return [StoredFile(Place(*row[:3]), row[3], row[4]) for row in rows]


def _create(connection: Connection, catalog: str, table: Table) -> None:
    columns = ", ".join(f"{ident(c.name)} {c.type} not null" for c in table.columns)
    connection.execute(f"create or replace table {ident(catalog)}.{table.name} ({columns})")
    write_comments(connection, catalog, {table.name: comments_of(table)})


def _row(folder: TenantFolder, file: StoredFile) -> tuple[str | int, ...]:
    place, path = file.place, folder.relative(folder.stored(file))
    return (place.table_name, place.key, place.billing_period, path, file.sha256, file.size_bytes)
