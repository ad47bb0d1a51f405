"""A tenant's folder that is moved, and its file that is copied or attached beside another tenant's.

Put here: what a reader sees from elsewhere, with DuckDB alone and through `finops`. Keep out:
attacks (test_isolation.py), folders of an older version (test_ledger_upgrade.py).
"""

from __future__ import annotations

import os
import shutil
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from tests.conftest import LAST_MONTH, TemporaryInstallation
from tests.support.globex import finops
from tests.support.published_files import copy_installation
from tests.test_isolation import OTHER, Truth, billed, rows_with


def test_a_moved_data_folder_still_answers(
    built: TemporaryInstallation, empty: TemporaryInstallation, tmp_path: Path, truth: Truth
) -> None:
    shutil.copytree(built.data, empty.data)
    moved = TemporaryInstallation(tmp_path / "it's else where")
    empty.data.rename(moved.data)
    for tenant in OTHER:
        for sql in ("sum(BilledCost) as b from costs", "sum(billed_cost) as b from monthly_costs"):
            assert Decimal(moved.rows(tenant, f"select {sql}")[0]["b"]) == billed(truth, tenant)


def test_the_views_of_a_moved_file_say_what_to_do_until_a_command_rewrites_them(
    built: TemporaryInstallation, tmp_path: Path, truth: Truth
) -> None:
    moved = TemporaryInstallation(tmp_path / "moved")
    stayed = TemporaryInstallation(copy_installation(built.data, tmp_path / "stayed"))
    stayed.data.rename(moved.data)
    count = "select sum(BilledCost) from costs"
    for tenant in OTHER:
        file = moved.folder(tenant) / f"{tenant}.duckdb"
        cure = f"run finops status {tenant} to rewrite the view - if only this file"
        with (
            duckdb.connect(file, read_only=True) as connection,
            pytest.raises(duckdb.IOException, match=f"moved or restored, {cure}"),
        ):
            connection.execute(count)
        assert finops("status", tenant, data=moved.data)[0] == 0
        with duckdb.connect(file, read_only=True) as connection:
            assert connection.execute(count).fetchall() == [(billed(truth, tenant),)]


def test_a_copied_file_answers_from_its_tables_and_reads_the_original_partitions(
    built: TemporaryInstallation, tmp_path: Path, truth: Truth
) -> None:
    os.chdir(tmp_path)
    for tenant in OTHER:
        assert not list(built.data.rglob("*.wal"))
        original = built.folder(tenant) / f"{tenant}.duckdb"
        copy = Path(shutil.copy(original, tmp_path / f"{tenant} copy.duckdb"))
        other_folder = str(built.folder(OTHER[tenant]))
        assert other_folder.encode() not in copy.read_bytes()
        with duckdb.connect(copy, read_only=True) as connection:
            for name in ("monthly_costs", "daily_costs", "monthly_bill"):
                billed_sum = connection.execute(f"select sum(billed_cost) from {name}").fetchall()
                assert billed_sum == [(billed(truth, tenant),)]
            charges = connection.execute("select sum(BilledCost) from costs").fetchall()
            assert charges == [(billed(truth, tenant),)]
            tables = connection.execute(
                "select table_name from duckdb_tables() union all select 'duckdb_views()'"
            ).fetchall()
            assert len(tables) > 8
            paths = rows_with(connection, "duckdb_views()", str(built.folder(tenant)))
            assert paths, "the views name the partition files by absolute paths"
            for (name,) in tables:
                assert not rows_with(connection, name, other_folder), name


def test_a_file_attached_beside_another_tenants_shows_its_own_charges_from_any_folder(
    built: TemporaryInstallation, tmp_path: Path, truth: Truth
) -> None:
    files = {tenant: built.folder(tenant) / f"{tenant}.duckdb" for tenant in OTHER}
    for place in (tmp_path, built.data, *map(built.folder, OTHER)):
        os.chdir(place)
        for first, second in OTHER.items():
            with duckdb.connect(files[first], read_only=True) as connection:
                connection.execute(f"attach '{files[second]}' as beside (read_only)")
                for relation, tenant in (("costs", first), ("beside.costs", second)):
                    query = f"select sum(BilledCost) from {relation}"
                    assert connection.execute(query).fetchall() == [(billed(truth, tenant),)]
                rows = "select count(*) from beside.landing_payer where billing_period = ?"
                assert connection.execute(rows, [LAST_MONTH]).fetchall() == [
                    (truth["tenants"][second]["sources"]["payer"][LAST_MONTH]["rows"],)
                ]
