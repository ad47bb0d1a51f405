"""Empty files whose names explain what to do if DuckDB cannot find them.

Put here: their path and writing them. Keep out: the views that name them (warehouse.py).

Every view over partition files names such a file first. A backup does not contain them.
"""

from __future__ import annotations

from pathlib import Path

from finops_pipeline.lake.duck import PARQUET, Connection, Limits, scratch_connection, text
from finops_pipeline.lake.layout import TABLES, TenantFolder, key_of
from finops_pipeline.lake.own_files import make_folder, protect_file


def notice_path(folder: TenantFolder, table: str) -> Path:
    """Return the path of the empty file that every view of a table names first."""
    sentence = (
        "The files of this view are missing - if the folder was moved or restored, run"
        f" finops status {folder.tenant} to rewrite the view - if only this file was copied,"
        " open the original or an export with all charges.parquet"
    )
    return folder.store / table / f"{key_of(table)}=-" / "billing_period=-" / sentence


def write_notice(connection: Connection, folder: TenantFolder, table: str) -> Path:
    """Write the file of a table if it is not there, and return its path."""
    path = notice_path(folder, table)
    if not path.exists():
        make_folder(folder, path.parent)
        new = path.with_suffix(".new")
        connection.execute(
            f"copy (select null::int as notice where false) to {text(str(new))} ({PARQUET})"
        )
        protect_file(folder, new)
        new.replace(path)
    return path


def write_notices(folder: TenantFolder) -> None:
    """Write the files of all tables."""
    with scratch_connection(folder.staging / "spill", Limits()) as connection:
        for table in TABLES:
            write_notice(connection, folder, table)
