"""A tenant's DuckDB file: how it is built beside and swapped in, and how it is opened to read.

Put here: copying, attaching, views over the folders, read-only connections. Keep out: which
marts there are and what they say (marts).

The file holds aggregated tables (they work wherever it is copied) and views whose globs are
relative to the tenant's folder (so the folder can be moved whole). It is never changed in
place: a writer would lock readers out, and a reader would see half.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from finops_pipeline.contracts.column import Column, Table
from finops_pipeline.errors import Unknown
from finops_pipeline.lake.duck import (
    PARQUET,
    Connection,
    Limits,
    columns_of,
    ident,
    scratch_connection,
    text,
)
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.publish import Publication, settle

STORAGE_VERSION = "v1.4.0"
"""DuckDB 1.4 (long-term support) and later open the file, and refuse a WAL that is not its own."""

WAREHOUSE = "warehouse"
"""The name under which a build connection attaches the file being built."""


def _hive(path: str) -> str:
    """How the partition keys in a path are read: as text, 2026-10 is no date."""
    key = "project" if "project=" in path else "source"
    return f"hive_partitioning = true, hive_types = {{'{key}': varchar, 'billing_period': varchar}}"


@contextmanager
def building(publication: Publication, limits: Limits, fresh: bool) -> Iterator[Connection]:
    """A connection with the next version of the tenant's file attached as `warehouse`.

    Left without an error, the file is complete and staged on the publication.

    Args:
        fresh: begin with an empty file instead of a copy of the current one.
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
    """Let a view bind against an empty file in the contract's shape.

    A view needs a file to learn its columns from, and the first ones of a table only come into
    place with the very publication that carries the view.

    Args:
        final: any partition file of the table.
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
    """SQL over exactly these partition files, with their partition keys among `columns`."""
    listed = ", ".join(text(str(path)) for path in paths)
    return _relation(f"[{listed}]", listed, columns)


def glob_relation(glob: str, columns: list[str]) -> str:
    """SQL over a glob relative to the tenant's folder.

    Columns are named one by one: opened from elsewhere, paths contain `tenant=…`, which would
    otherwise appear as one more column.
    """
    names = ", ".join(ident(column) for column in columns)
    return f"select {names} from read_parquet({text(glob)}, {_hive(glob)}, union_by_name = true)"


def table_relation(glob: str, columns: Sequence[Column]) -> str:
    """SQL over the files of a table of ours, by a glob relative to the tenant's folder."""
    return _relation(text(glob), glob, columns)


def _relation(files: str, paths: str, columns: Sequence[Column]) -> str:
    """SQL over files, of which some may be of an earlier version and lack the newest columns."""
    names = ", ".join(ident(column.name) for column in columns)
    nulls = ", ".join(f"null::{column.type} as {ident(column.name)}" for column in columns)
    read = f"from read_parquet({files}, {_hive(paths)}, union_by_name = true)"
    return f"select {names} from (select {nulls} where false union all by name {read})"


def glob_columns(connection: Connection, folder: TenantFolder, glob: str) -> list[str]:
    """Columns that the files of a glob have together, in order; none when there is no file."""
    if not any(folder.root.glob(glob)):
        return []
    relation = f"read_parquet({text(glob)}, {_hive(glob)}, union_by_name = true)"
    return [name for name in columns_of(connection, relation) if name != "tenant"]


@contextmanager
def reading(folder: TenantFolder) -> Iterator[Connection]:
    """The tenant's file, read-only, its views working wherever this process stands.

    For the pipeline's own queries; somebody else's SQL goes through jail.py.

    Raises:
        Unknown: nothing has been built for this tenant yet.
    """
    settle(folder)
    if not folder.warehouse.exists():
        raise Unknown(
            f"tenant {folder.tenant} has no warehouse yet",
            cure=f"Build it with finops ingest {folder.tenant}",
        )
    connection = duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "allow_persistent_secrets": "false",
            "python_enable_replacements": "false",
            "temp_directory": "",
        },
    )
    try:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"set file_search_path = {text(str(folder.root))}")
        connection.execute(f"attach {text(str(folder.warehouse))} as w (read_only)")
        connection.execute("use w")
        yield connection
    finally:
        connection.close()
