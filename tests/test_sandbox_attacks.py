"""Attacks on the sandbox that a review tried and that held; two tenants are always present.

Put here: SQL that tries to leave a tenant's folder by odd spellings, and each barrier alone. Keep
out: attacks through `finops query` (test_isolation.py), threads (test_sandbox_threads.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from finops_pipeline.errors import QueryRefused
from finops_pipeline.lake.duck import Limits, open_in_memory, read_settings
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.warehouse_access import attach_own
from finops_pipeline.serve.sandbox import Sandbox, open_sandbox
from tests.conftest import TemporaryInstallation
from tests.support.bills import row, write_csv
from tests.support.published_files import published_files

PLANTED = "PLANTED"

REFUSED = (
    "from 'planted.csv'",
    "from planted.csv",
    'from "planted"."csv"',
    'from acme.main."planted.csv"',
    'table "planted.csv"',
    "from 'file:planted.csv'",
    'with "planted.csv" as (from "planted.csv") from "planted.csv"',
    'with "{other}" as (from "{other}") from "{other}"',
    "select * from range(1) r, lateral (from 'planted.csv')",
    "select list_transform([1], lambda x: (select a from 'planted.csv'))",
    "select 1 limit (select 1 from 'planted.csv')",
    "from unnest((select list(a) from 'planted.csv'))",
    "describe 'planted.csv'",
    "from (summarize 'planted.csv')",
    "pivot (select a, 1 v from 'planted.csv') on a in ('x') using sum(v)",
    "unpivot 'planted.csv' on a",
    "select/**/*/**/from/**/'planted.csv'",
    'from "{other_stem}".parquet',
    'from "{other_folder}"."{other_name}"',
    "from histogram('{other}', 'BilledCost')",
    "from system.main.query_table('{other}')",
    "from json_execute_serialized_sql(json_serialize_sql('from ''{other}'''))",
    "from parquet_bloom_probe('{other}', 'a', 1)",
    "from read_parquet($path)",
    "select * from (with x as (copy (select 1) to '{own}/costs/x.csv') from x)",
    "(with x as (copy (select 1) to '{own}/costs/x.csv') from x) union all select 1",
    "with x as (select 1), y as (copy (select 1) to '{own}/acme.duckdb.wal') from x",
    "with x as (delete from monthly_costs returning *) from x",
    "from temp.costs",
)

HELD_WITHOUT_GUARD = (
    "from '{other}'",
    "from read_text('{data}/registry.sqlite')",
    "from read_text('{own}/ledger.sqlite')",
    "from glob('{data}/**')",
    "attach '{data}/lake/tenant=globex/globex.duckdb' as g",
    "attach '{own}/new.duckdb' as g",
    "copy (select 1) to '{own}/acme.duckdb.wal'",
    "copy (select 1) to '{own}/costs/../x.csv'",
    "set allowed_directories = ['/']",
    "detach acme",
)


@pytest.fixture
def planted(built: TemporaryInstallation, tmp_path: Path) -> dict[str, str]:
    """Stand in a folder with files that look like those of a tenant; return paths to attack."""
    partition = tmp_path / "costs" / "project=prod" / "billing_period=2026-10"
    partition.mkdir(parents=True)
    os.chdir(tmp_path)
    Path("planted.csv").write_text(f"a\n{PLANTED}\n", encoding="utf-8")
    with duckdb.connect() as connection:
        row = f"select '{PLANTED}' as x_Source, 1 as BilledCost"
        connection.execute(f"copy ({row}) to '{partition}/charges.parquet'")
    other = published_files(built.folder("globex"), "costs")[0]
    return {
        "data": str(built.data),
        "own": str(built.folder("acme")),
        "other": str(other),
        "other_name": other.name,
        "other_stem": str(other.with_suffix("")),
        "other_folder": str(other.parent),
    }


@pytest.fixture(scope="module")
def opened(built: TemporaryInstallation) -> Iterator[Sandbox]:
    """The sandbox of acme; each attack meets what earlier ones left of it."""
    folder = TenantFolder(built.data, "acme")
    with open_sandbox(folder, built.installation.query_limits) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def attached(built: TemporaryInstallation) -> Iterator[duckdb.DuckDBPyConnection]:
    """The file of acme, attached in this process and without the guard."""
    with open_in_memory(read_settings(Limits())) as connection:
        attach_own(connection, TenantFolder(built.data, "acme"), "acme")
        connection.execute("use acme")
        connection.execute("set global lock_configuration = true")
        yield connection


@pytest.mark.parametrize("sql", REFUSED)
def test_an_odd_spelling_reads_nothing_outside_the_folder(
    opened: Sandbox, planted: dict[str, str], sql: str
) -> None:
    statement = sql.format_map(planted)
    with pytest.raises((QueryRefused, duckdb.Error)):
        opened.execute(statement).fetchall()


@pytest.mark.parametrize("sql", HELD_WITHOUT_GUARD)
def test_the_connection_alone_keeps_sql_inside(
    opened: Sandbox, attached: duckdb.DuckDBPyConnection, planted: dict[str, str], sql: str
) -> None:
    """Also in this process, where the kernel would allow everything."""
    statement = sql.format_map(planted)
    for connection in (opened.connection, attached):
        with pytest.raises(duckdb.Error):
            connection.execute(statement).fetchall()


@pytest.mark.parametrize(
    "sql",
    [
        "select x_Source from costs",
        'select x_Source from "COSTS"',
        "with x as (with costs as (select 1) from costs) select c.x_Source from x, costs c",
        "with costs as (select * from costs) select x_Source from costs",
    ],
)
@pytest.mark.usefixtures("planted")
def test_views_read_the_tenants_files_and_not_those_below_the_current_folder(
    opened: Sandbox, sql: str
) -> None:
    sources = {row[0] for row in opened.execute(sql).fetchall()}
    assert sources and PLANTED not in sources


@pytest.mark.parametrize(
    "name",
    [
        "temp",
        "select",
        *(pytest.param(n, marks=pytest.mark.torture) for n in ("system", "main", "memory")),
    ],
)
def test_a_tenant_may_be_named_like_a_catalog_of_duckdb(
    empty: TemporaryInstallation, tmp_path: Path, name: str
) -> None:
    for tenant, cost in ((name, "1"), ("globex", "7")):
        declaration = tmp_path / f"{tenant}.yaml"
        declaration.write_text(
            f"tenants: [{{name: {tenant}, sources: [{{name: hand, format: legacy-cur}}]}}]"
        )
        empty.apply(declaration)
        bill = tmp_path / f"{tenant}.csv"
        write_csv(bill, [row(cost)])
        empty.finops("ingest-file", f"{tenant}/hand", str(bill))
    for table in ("costs", "monthly_costs"):
        assert empty.rows(name, f"select count(*) as n from {table}") == [{"n": "1"}]
    assert empty.rows(name, "select sum(BilledCost)::int as b from costs") == [{"b": "1"}]
