"""A tenant's DuckDB file: building and staging its next version, and opening it for reading.

Put here: copying, attaching, views over the folders, read-only connections for the pipeline. Keep
out: the marts and their contents (marts), SQL from users (serve/sandbox.py).

The file holds aggregated tables, which work wherever the file is copied, and views whose globs are
relative to the tenant's folder, so that the whole folder can be moved. The file is never changed in
place: a writer would lock readers out, and a reader would see a half-finished state.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from finops_pipeline.contracts.column import Column, Table
from finops_pipeline.errors import Unknown
from finops_pipeline.lake.duck import (
    PARQUET,
    Connection,
    Limits,
    columns_of,
    ident,
    open_in_memory,
    scratch_connection,
    text,
)
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.publish import Publication, settle

STORAGE_VERSION = "v1.4.0"
"""DuckDB 1.4 (long-term support) and later can open the file, and refuse a WAL of another file."""

WAREHOUSE = "warehouse"
"""The name under which a build connection attaches the file being built."""


def _hive(path: str) -> str:
    """Return read_parquet options for the partition keys of a path: text, as 2026-10 is no date."""
    key = "project" if "project=" in path else "source"
    return f"hive_partitioning = true, hive_types = {{'{key}': varchar, 'billing_period': varchar}}"


@contextmanager
def building(publication: Publication, limits: Limits, fresh: bool) -> Iterator[Connection]:
    """Open a connection with the next version of the tenant's file attached as `warehouse`.

    If the block ends without an error, the file is complete and staged on the publication.

    Args:
        publication: the publication that will carry the file.
        limits: memory and threads.
        fresh: start with an empty file instead of a copy of the current one.
    """
    folder = publication.folder
    target = publication.scratch("next.duckdb")
    if not fresh and folder.warehouse.exists():
        shutil.copyfile(folder.warehouse, target)
    with scratch_connection(publication.spill, limits) as connection:
        connection.execute(f"set file_search_path = {text(str(folder.root))}")
        connection.execute(
            f"attach {text(str(target))} as {WAREHOUSE} (storage_version {text(STORAGE_VERSION)})"
        )
        yield connection
        connection.execute(f"checkpoint {WAREHOUSE}")
        connection.execute(f"detach {WAREHOUSE}")
    target.rename(publication.stage(folder.warehouse))


@contextmanager
def shaped(
    connection: Connection, publication: Publication, table: Table, final: Path
) -> Iterator[None]:
    """Provide an empty file with the contract's columns while a view is created.

    A view takes its columns from a file, and the first files of a table only move into place with
    the publication that also carries the view.

    Args:
        connection: the connection that creates the view.
        publication: the publication that carries the view.
        table: the contract of the table.
        final: the final path of any partition file of the table.
    """
    shape = publication.scratch("shape")
    path = shape / publication.folder.relative(final)
    path.parent.mkdir(parents=True, exist_ok=True)
    hive = {part.partition("=")[0] for part in path.parts if "=" in part}
    columns = [column for column in table.columns if column.name not in hive]
    nulls = ", ".join(f"null::{column.type} as {ident(column.name)}" for column in columns)
    connection.execute(f"copy (select {nulls} where false) to {text(str(path))} ({PARQUET})")
    connection.execute(f"set file_search_path = {text(str(shape))}")
    try:
        yield
    finally:
        connection.execute(f"set file_search_path = {text(str(publication.folder.root))}")


def files_relation(paths: list[Path], columns: Sequence[Column]) -> str:
    """Return SQL over exactly these partition files; `columns` include their partition keys."""
    path_list = ", ".join(text(str(path)) for path in paths)
    return _relation(f"[{path_list}]", path_list, columns)


def glob_relation(glob: str, columns: list[str]) -> str:
    """Return SQL over a glob relative to the tenant's folder.

    Columns are named one by one: an absolute path contains `tenant=…`, which would otherwise
    appear as an additional column.
    """
    names = ", ".join(ident(column) for column in columns)
    return f"select {names} from read_parquet({text(glob)}, {_hive(glob)}, union_by_name = true)"


def table_relation(glob: str, columns: Sequence[Column]) -> str:
    """Return SQL over the files of a contract's table, by a glob relative to the folder."""
    return _relation(text(glob), glob, columns)


def _relation(files: str, paths: str, columns: Sequence[Column]) -> str:
    """Return SQL over files, some of which may be older and lack the newest columns."""
    names = ", ".join(ident(column.name) for column in columns)
    nulls = ", ".join(f"null::{column.type} as {ident(column.name)}" for column in columns)
    read = f"from read_parquet({files}, {_hive(paths)}, union_by_name = true)"
    return f"select {names} from (select {nulls} where false union all by name {read})"


def glob_columns(connection: Connection, folder: TenantFolder, glob: str) -> list[str]:
    """Return the columns that any file of a glob has, in order; empty if there is no file."""
    if not any(folder.root.glob(glob)):
        return []
    relation = f"read_parquet({text(glob)}, {_hive(glob)}, union_by_name = true)"
    return [name for name in columns_of(connection, relation) if name != "tenant"]


def require_warehouse(folder: TenantFolder) -> None:
    """Finish an interrupted publication, and check that the tenant's file exists.

    Raises:
        Unknown: nothing has been built for this tenant yet.
    """
    settle(folder)
    if not folder.warehouse.exists():
        raise Unknown(
            f"tenant {folder.tenant} has no warehouse yet",
            cure=f"Build it with finops ingest {folder.tenant}",
        )


@contextmanager
def reading(folder: TenantFolder) -> Iterator[Connection]:
    """Open the tenant's file read-only; its views work whatever the process's current folder is.

    For the pipeline's own queries; users' SQL goes through serve/sandbox.py.

    Raises:
        Unknown: nothing has been built for this tenant yet.
    """
    require_warehouse(folder)
    with open_in_memory({"async_threads": 1}) as connection:
        connection.execute(f"set file_search_path = {text(str(folder.root))}")
        connection.execute(f"attach {text(str(folder.warehouse))} as w (read_only)")
        connection.execute("use w")
        yield connection
