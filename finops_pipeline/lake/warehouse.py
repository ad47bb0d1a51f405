"""A tenant's DuckDB file: building its next generation, and opening it for reading.

Put here: copying, attaching, views over partition files, read-only connections for the pipeline.
Keep out: the marts and their contents (marts), SQL from users (serve/sandbox.py).

The file holds aggregated tables, which work wherever the file is copied, and views that name
exactly the partition files of its generation by absolute path. The file is never changed in place:
a writer would lock readers out, and a reader would see a half-finished state.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from finops_pipeline.contracts.column import Column
from finops_pipeline.lake.duck import (
    Connection,
    Limits,
    ident,
    open_in_memory,
    read_settings,
    scratch_connection,
    text,
    texts,
)
from finops_pipeline.lake.file_identity import (
    SCHEMA_VERSION,
    FileIdentity,
    write_identity,
    write_partition_files,
)
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.moved_notice import write_notice
from finops_pipeline.lake.publish import Publication
from finops_pipeline.lake.warehouse_access import attach_own

STORAGE_VERSION = "v1.4.0"
"""DuckDB 1.4 (long-term support) and later can open the file, and refuse a WAL of another file."""

WAREHOUSE = "warehouse"
"""The name under which a build connection attaches the file being built."""


def attach_for_writing(connection: Connection, file: Path, catalog: str) -> None:
    """Attach a file that is being built; it is created if it is missing.

    A crash leaves nothing to recover: the file is thrown away unless it is complete.
    """
    connection.execute(
        f"attach {text(str(file))} as {ident(catalog)}"
        f" (storage_version {text(STORAGE_VERSION)}, recovery_mode no_wal_writes)"
    )


def write_blank_file(fill: Callable[[Connection], None]) -> bytes:
    """Return the content of a new file that `fill` has filled, attached as `warehouse`."""
    with TemporaryDirectory() as folder, open_in_memory({}) as connection:
        file = Path(folder) / "blank.duckdb"
        attach_for_writing(connection, file, WAREHOUSE)
        fill(connection)
        connection.execute(f"checkpoint {WAREHOUSE}")
        connection.execute(f"detach {WAREHOUSE}")
        return file.read_bytes()


def _copy_blank(connection: Connection, scratch: Path, blank: bytes) -> None:
    """Copy the tables, views and comments of a blank file into the file that is being built.

    A copy of its bytes would also have its id, by which DuckDB knows whether a WAL is of a file:
    the files of two tenants must not share it.
    """
    scratch.write_bytes(blank)
    connection.execute(f"attach {text(str(scratch))} as blank (read_only)")
    connection.execute(f"copy from database blank to {WAREHOUSE}")
    connection.execute("detach blank")
    scratch.unlink()


@contextmanager
def building(
    publication: Publication, limits: Limits, blank: bytes | None = None
) -> Iterator[Connection]:
    """Open a connection with the next generation of the tenant's file attached as `warehouse`.

    If the block ends without an error, the file is complete and becomes part of the publication.

    Args:
        publication: the publication that will carry the file.
        limits: memory and threads.
        blank: the content of the file to begin with, instead of a copy of the current one.
    """
    folder = publication.folder
    target = publication.scratch("next.duckdb")
    if blank is None:
        shutil.copyfile(folder.warehouse, target)
    with scratch_connection(publication.spill, limits) as connection:
        attach_for_writing(connection, target, WAREHOUSE)
        if blank is not None:
            _copy_blank(connection, publication.scratch("blank.duckdb"), blank)
        # Every mart and check reads the footers of the same files, which never change.
        connection.execute("set parquet_metadata_cache = true")
        yield connection
        write_identity(connection, WAREHOUSE, _identity_of(publication))
        write_partition_files(connection, WAREHOUSE, folder, publication.current_files())
        connection.execute(f"checkpoint {WAREHOUSE}")
        connection.execute(f"detach {WAREHOUSE}")
    publication.put_warehouse(target)


def _identity_of(publication: Publication) -> FileIdentity:
    own = publication.folder.identity
    return FileIdentity(
        own.tenant,
        own.installation_id,
        SCHEMA_VERSION,
        publication.number,
        str(publication.folder.root),
    )


def files_relation(paths: Sequence[Path], columns: Sequence[Column]) -> str:
    """Return SQL over exactly these files, some of which may be older and lack new columns.

    Args:
        paths: files of one table.
        columns: the columns of the contract, including the partition keys.
    """
    names = ", ".join(ident(column.name) for column in columns)
    nulls = ", ".join(f"null::{column.type} as {ident(column.name)}" for column in columns)
    read = f"from {read_files(paths)}"
    return f"select {names} from (select {nulls} where false union all by name {read})"


def read_files(paths: Sequence[Path]) -> str:
    """Return a call of read_parquet over partition files with their keys as columns.

    Keys are text, because 2026-10 is not a date. An absolute path also adds a column `tenant`, so
    callers have to name the columns that they need.
    """
    key = "project" if any("/project=" in str(path) for path in paths) else "source"
    return (
        f"read_parquet({texts([str(path) for path in paths])}, hive_partitioning = true,"
        f" hive_types = {{'{key}': varchar, 'billing_period': varchar}}, union_by_name = true)"
    )


def published_paths(
    connection: Connection, publication: Publication, table: str, key: str = ""
) -> list[Path]:
    """List the files of a table (of one key) after the publication, for a view over them.

    The first path is that of an empty file. If the folder is no longer where the view says, DuckDB
    cannot find this file and prints its name, which explains what to do.
    """
    folder = publication.folder
    paths = [
        folder.stored(file)
        for file in publication.current_files(table)
        if key in ("", file.place.key)
    ]
    if not paths:
        return []
    return [write_notice(connection, folder, table), *paths]


@contextmanager
def reading(folder: TenantFolder) -> Iterator[Connection]:
    """Open the tenant's file read-only for the pipeline's own queries.

    Its views can read only files of this tenant. Users' SQL goes through serve/sandbox.py.

    Raises:
        Unknown: nothing has been built for this tenant yet.
        ForeignFile, DamagedFile: the file is not the one that was published for this tenant.
    """
    with open_in_memory(read_settings(Limits())) as connection:
        attach_own(connection, folder, "w")
        connection.execute("use w")
        yield connection
