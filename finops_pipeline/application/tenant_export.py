"""Exporting a tenant to a self-contained DuckDB file, for people without an installation.

Put here: which tables and views the file gets, when an existing file may be replaced. Keep out:
opening and writing files (lake/exported_file.py), one table as CSV or Parquet (cli/export.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from finops_pipeline import clock
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.path_free_text import path_free_columns
from finops_pipeline.contracts.file_tables import (
    ABOUT,
    FILE_IDENTITY,
    PARTITION_FILES,
    PROJECT_IDENTITIES,
)
from finops_pipeline.contracts.focus_versions import focus_views
from finops_pipeline.contracts.statement_tables import STATEMENT_DIFFERENCES, STATEMENT_PREVIEW
from finops_pipeline.contracts.tables import COST_EXPLORER_DAILY, QUARANTINE, SLICES, TABLES
from finops_pipeline.errors import DamagedFile, FileProblem
from finops_pipeline.lake.comments import read_comments, write_comments
from finops_pipeline.lake.duck import Connection, ident
from finops_pipeline.lake.exported_file import EXPORT, SOURCE, exporting, read_exported_fact
from finops_pipeline.lake.file_identity import read_partition_files
from finops_pipeline.lake.file_marks import FileChecker
from finops_pipeline.lake.layout import COST_EXPLORER_DAYS, LANDING, STATEMENTS, TenantFolder
from finops_pipeline.lake.layout import TABLES as TABLES_OF_FILES
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.marts.waste_findings import create_macros

INTERNAL_TABLES = frozenset(
    {FILE_IDENTITY.name, PROJECT_IDENTITIES.name, PARTITION_FILES.name, SLICES.name}
)
"""Tables about the installation's own files, which mean nothing elsewhere and name its folders."""


@dataclass(frozen=True)
class ExportRequest:
    """What to export, and where to write it.

    `has_charges`: whether to export every charge, too. `is_forced`: whether to replace any file.
    """

    tenant: str
    path: Path
    has_charges: bool = False
    is_forced: bool = False


@dataclass(frozen=True)
class ExportedFile:
    """An export: its tables, its size, and whether its months are reconciled."""

    path: Path
    tables: int
    size_bytes: int
    trust: str
    is_trusted: bool


def export_tenant(installation: Installation, request: ExportRequest) -> ExportedFile:
    """Write a tenant's tables, and if requested its charges, to a DuckDB file of their own.

    Raises:
        Unknown: there is no such tenant, or nothing has been built for it yet.
        FileProblem: the file cannot be written, or it exists and is not an export of the tenant.
        ForeignFile, DamagedFile: the tenant's own files are not those that were published.
    """
    name = installation.registry.tenant(request.tenant).name
    folder = installation.folder(name)
    target = request.path.resolve()
    _check_target(installation, name, target, request)
    with exporting(folder, target, installation.limits) as connection:
        _check_charges(connection, folder, request.has_charges)
        tables = _copy_tables(connection, request.has_charges)
        create_macros(connection, f"{EXPORT}.")
        _fill_about(connection, name)
        comments = read_comments(connection, SOURCE)
        write_comments(connection, EXPORT, comments)
        ((trust, unsettled),) = connection.execute(
            f"select what, what like 'not reconciled%' from {EXPORT}.{ABOUT.name}"
            " where name = 'trust'"
        ).fetchall()
    return ExportedFile(request.path, tables, target.stat().st_size, trust, not unsettled)


def check_outside(installation: Installation, path: Path) -> None:
    """Refuse to write a file among the installation's own files.

    Raises:
        FileProblem: it lies in the data folder, or is a link to a file there.
    """
    data = installation.settings.data_folder.resolve()
    if path.resolve().is_relative_to(data):
        raise FileProblem(
            f"{path} is in {data}, which contains the installation's own files",
            "a file outside the data folder",
            "Choose another folder with -o",
        )


def _check_target(
    installation: Installation, tenant: str, target: Path, request: ExportRequest
) -> None:
    check_outside(installation, request.path)
    if not target.exists() or (request.is_forced and target.is_file()):
        return
    if not target.is_file():
        raise FileProblem(f"{request.path} is not a file", "the name of a file to write")
    if not read_exported_fact(target).startswith(f"finops export {tenant} "):
        raise FileProblem(
            f"{request.path} exists and is not an export of tenant {tenant}",
            "a new file, or an earlier export of this tenant",
            "Choose another name, or add --force to replace the file",
        )


def _check_charges(connection: Connection, folder: TenantFolder, has_charges: bool) -> None:
    """Check the Parquet files that the export reads."""
    tables = TABLES_OF_FILES if has_charges else (COST_EXPLORER_DAYS,)
    left_out = (LANDING, QUARANTINE.name, STATEMENTS)
    own = [table for table in tables if table not in left_out]
    files = read_partition_files(connection, SOURCE, own)
    FileChecker(folder, open_ledger(folder)).check(files)


def _copy_tables(connection: Connection, has_charges: bool) -> int:
    """Copy every table, and if requested the charges and their views; return how many there are."""
    rows = connection.execute(
        "select table_name from duckdb_tables() where database_name = ?", [SOURCE]
    ).fetchall()
    names = sorted({name for (name,) in rows} - INTERNAL_TABLES)
    if ABOUT.name not in names:
        raise DamagedFile(
            "the tenant's file was built by an earlier version and has no table `about`",
            "a file built by this version",
            "Bring it up to date with finops ingest",
        )
    views = dict(
        connection.execute(
            "select view_name, sql from duckdb_views() where database_name = ?", [SOURCE]
        ).fetchall()
    )
    of_contracts = {table.name for table in TABLES} - {QUARANTINE.name}
    of_tables = {COST_EXPLORER_DAILY.name, STATEMENT_PREVIEW.name, STATEMENT_DIFFERENCES.name}
    names += sorted(views.keys() & (of_contracts if has_charges else of_tables))
    for name in names:
        _copy_table(connection, name)
    if not has_charges:
        return len(names)
    connection.execute(f"use {EXPORT}")
    for view in focus_views():
        connection.execute(views[view.name])
    connection.execute("use memory")
    return len(names) + len(focus_views())


def _copy_table(connection: Connection, name: str) -> None:
    replaced = ", ".join(
        f"{sql} as {ident(column)}"
        for table in TABLES
        if table.name == name
        for column, sql in sorted(path_free_columns(table).items())
    )
    columns = f"* replace ({replaced})" if replaced else "*"
    table = ident(name)
    connection.execute(
        f"create table {EXPORT}.{table} as select {columns} from {SOURCE}.main.{table}"
    )


def _fill_about(connection: Connection, tenant: str) -> None:
    """Add a row that says that the file is an export; remove rows of what it does not have."""
    about = f"{EXPORT}.{ABOUT.name}"
    connection.execute(
        f"delete from {about} where kind <> 'file' and name not in"
        " (select table_name from duckdb_tables() where database_name = ?"
        " union all select view_name from duckdb_views() where database_name = ?)",
        [EXPORT, EXPORT],
    )
    now = clock.now().isoformat(timespec="seconds")
    connection.execute(
        f"insert into {about} by name select name, kind, what, built_at, how_to_cite from"
        " (select 'exported' as name, 'file' as kind, ? as what, ? as built_at,"
        f" (select how_to_cite from {about} where name = 'tenant') as how_to_cite)",
        [f"finops export {tenant} on {now}; it no longer changes", now],
    )
