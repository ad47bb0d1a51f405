"""A tenant's folder as the version before publication by snapshot left it.

Put here: moving the files of a folder back under their fixed names, views with patterns relative to
the folder, a ledger and registry without the tables added since. Keep out: ledgers of the very
first version (test_ledger_upgrade.py), what an upgrade has to do (the tests).
"""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import duckdb

from finops_pipeline.contracts.allocation_tables import ALLOCATED_COSTS
from finops_pipeline.lake.duck import text
from finops_pipeline.lake.layout import TABLES
from tests.support.published_files import published_files

OLD_NAMES = {
    "landing": "delivery.parquet",
    "costs": "charges.parquet",
    "quarantine": "rows.parquet",
    "cost_explorer_daily": "daily.parquet",
}
_NEW_LEDGER_TABLES = (
    "owner", "generations", "stored_files", "superseded_files", "file_marks",
)  # fmt: skip
_FILES_OF_A_VIEW = re.compile(r"read_parquet\(.*?(?=, \(hive_partitioning)", re.S)
_CALL = re.compile(r"read_parquet\(.*?\(union_by_name = true\)\)", re.S)
_PATH = re.compile(r"/\.store/([a-z_]+)/(project|source)=([a-z0-9-]*[a-z0-9])/")


def make_older(folder: Path) -> None:
    """Bring a tenant's folder into the layout of the version before."""
    moves = {
        path: folder / path.relative_to(folder / ".store").parent / OLD_NAMES[_table(folder, path)]
        for path in published_files(folder)
    }
    for name in (*TABLES, ".newest"):
        (folder / name).unlink(missing_ok=True)
    for path, older in moves.items():
        older.parent.mkdir(parents=True, exist_ok=True)
        path.rename(older)
        older.chmod(0o644)
    for warehouse in folder.glob("*.duckdb"):
        _make_older_warehouse(folder, warehouse)
    for name in (".store", ".folders", ".staging"):
        shutil.rmtree(folder / name, ignore_errors=True)
    make_older_database(folder / "ledger.sqlite", _NEW_LEDGER_TABLES)


def make_older_registry(data: Path) -> None:
    """Bring an installation's registry into the version before, which had no id."""
    make_older_database(data / "registry.sqlite", ("installation",))


def make_older_database(database: Path, new_tables: tuple[str, ...]) -> None:
    """Remove the tables of version 0002 from a ledger or registry."""
    with closing(sqlite3.connect(database)) as db:
        db.executescript("".join(f"drop table {name};" for name in new_tables))
        db.execute("update alembic_version set version_num = '0001'")
        db.commit()


def _table(folder: Path, path: Path) -> str:
    return path.relative_to(folder / ".store").parts[0]


def _make_older_warehouse(folder: Path, warehouse: Path) -> None:
    warehouse.chmod(0o644)
    with duckdb.connect(warehouse) as connection:
        connection.execute(f"set file_search_path = {text(str(folder))}")
        views = connection.execute(
            "select view_name, sql from duckdb_views() where not internal order by view_oid"
        ).fetchall()
        charges = ""
        for name, sql in views:
            if name == ALLOCATED_COSTS.name:  # that version had no dimensions
                connection.execute(f"drop view {name}")
                continue
            older = _FILES_OF_A_VIEW.sub(_pattern, sql)
            if name == "costs":
                charges = "".join(_CALL.findall(older))
            elif charges:
                older = older.replace("FROM costs;", f"FROM {charges};")
            connection.execute(re.sub(r"^CREATE VIEW", "create or replace view", older, count=1))
        connection.execute("drop table file_identity; drop table partition_files")


def _pattern(match: re.Match[str]) -> str:
    """Return the pattern that the view had in the place of its files."""
    table, kind, key = _PATH.findall(match[0])[-1]
    chosen = key if table == "landing" else "*"
    return f"read_parquet('{table}/{kind}={chosen}/billing_period=*/{OLD_NAMES[table]}'"
