"""A tenant's file explains itself, and can be handed on: comments, `about`, exports, Python frames.

Put here: what a reader finds in the file, in an exported file and in `open_warehouse`. Keep out:
folders that moved (test_moved_folders.py), formats of single answers (test_answer_files.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from finops_pipeline.application.tenant_export import INTERNAL_TABLES
from finops_pipeline.contracts.dictionary import example_query
from finops_pipeline.contracts.file_tables import ABOUT
from finops_pipeline.contracts.tables import MARTS, TABLES
from finops_pipeline.errors import QueryRefused, Unknown
from finops_pipeline.lake.view_paths import move_root, rewrite_views
from finops_pipeline.lake.warehouse import reading
from finops_pipeline.marts.use_cases import bind_parameters, use_cases
from finops_pipeline.serve.analysis import UnreconciledMonths, open_warehouse
from tests.conftest import TemporaryInstallation
from tests.support.published_files import changing_tables
from tests.test_checks import EMPTY_IN_THE_ESTATE

TENANTS = ("acme", "globex")
OTHER = {"acme": "globex", "globex": "acme"}
UNCOMMENTED = (
    "select table_name || '.' || column_name from duckdb_columns() where not internal"
    " and comment is null union all select table_name from duckdb_tables() where comment is null"
    " union all select view_name from duckdb_views() where not internal and comment is null"
)


def ask(made: TemporaryInstallation, tenant: str, sql: str) -> list[tuple[Any, ...]]:
    with reading(made.installation.folder(tenant)) as connection:
        return connection.execute(sql).fetchall()


# ---- comments and about


@pytest.mark.parametrize("tenant", TENANTS)
def test_every_table_view_and_column_has_a_comment(
    built: TemporaryInstallation, tenant: str
) -> None:
    assert ask(built, tenant, UNCOMMENTED) == []
    named = (
        "select comment from duckdb_columns() where table_name = 'monthly_costs' and column_name"
    )
    ((comment,),) = ask(built, tenant, f"{named} = 'billed_cost'")
    assert comment == next(
        c.meaning for c in MARTS["monthly_costs"].columns if c.name == "billed_cost"
    )
    landed = (
        "select count(*) from duckdb_columns() where table_name like 'landing%' and comment like"
    )
    assert ask(built, tenant, f"{landed} 'As delivered: %'") > [(20,)]


def test_views_that_are_rewritten_keep_their_comments(ingested: TemporaryInstallation) -> None:
    folder = ingested.installation.folder("acme")
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"attach '{folder.warehouse}' as w")
        rewrite_views(connection, "w", move_root(str(folder.root), folder))
        assert connection.execute(UNCOMMENTED).fetchall() == []


@pytest.mark.parametrize("tenant", TENANTS)
def test_about_lists_everything_that_the_file_has(
    built: TemporaryInstallation, tenant: str
) -> None:
    facts = dict(ask(built, tenant, "select name, what from about where kind = 'file'"))
    number = ask(built, tenant, "select generation from file_identity")[0][0]
    assert facts["generation"] == str(number)
    assert tenant in facts["tenant"] and OTHER[tenant] not in str(facts)
    assert facts["period"] == "2026-08 to 2026-10" and facts["currency"] == "USD"
    assert facts["trust"] == "every month is reconciled"
    listed = ask(built, tenant, "select name from about where kind <> 'file' order by 1")
    present = ask(
        built,
        tenant,
        "select table_name from duckdb_tables() where database_name = 'w' union all"
        " select view_name from duckdb_views() where database_name = 'w' and not internal"
        " order by 1",
    )
    assert listed == present
    ((first, last, state, cite),) = ask(
        built,
        tenant,
        "select first_period, last_period, state, how_to_cite from about"
        " where name = 'monthly_costs'",
    )
    assert (first, last, state) == ("2026-08", "2026-10", facts["trust"])
    assert cite.startswith(f"{tenant}: monthly_costs, generation {number} of 20")
    kinds = next(column.allowed for column in ABOUT.columns if column.name == "kind")
    assert {kind for (kind,) in ask(built, tenant, "select distinct kind from about")} <= {*kinds}


def test_accounts_have_the_newest_name_that_a_bill_gives_them(
    ingested: TemporaryInstallation, tmp_path: Path
) -> None:
    """Computed once more with Polars from the charges; of acme and of globex."""
    for tenant in TENANTS:
        charges = pl.DataFrame(
            ask(
                ingested,
                tenant,
                "select SubAccountId, billing_period, SubAccountName, ChargePeriodStart from costs"
                " where SubAccountId is not null",
            ),
            schema=["account", "month", "name", "start"],
            orient="row",
        )
        groups = charges.sort("start", "name", nulls_last=False).group_by("month", "account")
        last = pl.col("name").drop_nulls().last()
        expected = groups.agg(last.alias("name"), pl.len().cast(pl.Int64))
        stored = "select billing_period, sub_account_id, sub_account_name, charges"
        rows = ask(ingested, tenant, f"{stored} from account_names")
        assert sorted(rows) == sorted(expected.rows())
        assert any(name for _, _, name, _ in rows)
        newest = {account: name for _, account, name, _ in sorted(rows, key=str) if name}
        named = dict(ask(ingested, tenant, "select sub_account_id, sub_account_name from accounts"))
        assert {k: newest.get(k) for k in named} == named and any(named.values())


# ---- an exported file


@pytest.fixture(scope="module")
def exports(
    built: TemporaryInstallation, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """An export with every charge of each tenant."""
    folder = tmp_path_factory.mktemp("exports")
    for tenant in TENANTS:
        done = built.finops("export", tenant, "--detail", "-o", str(folder / f"{tenant}.duckdb"))
        assert "wrote" in done.stdout and "from about" in done.stderr
    return {tenant: folder / f"{tenant}.duckdb" for tenant in TENANTS}


@pytest.fixture(params=TENANTS)
def exported(
    request: pytest.FixtureRequest, exports: dict[str, Path]
) -> Iterator[tuple[str, duckdb.DuckDBPyConnection]]:
    """The tenant, and a connection that can open no other file than the export."""
    with duckdb.connect(exports[request.param], read_only=True) as connection:
        connection.execute("set enable_external_access = false")
        yield request.param, connection


def test_an_export_has_what_the_file_has(
    built: TemporaryInstallation, exported: tuple[str, duckdb.DuckDBPyConnection]
) -> None:
    tenant, connection = exported
    with reading(built.installation.folder(tenant)) as original:
        for table in TABLES:
            if table.name in INTERNAL_TABLES | {"quarantine", "about"}:
                continue
            columns = ", ".join(f'"{column.name}"' for column in table.columns)
            query = f"select count(*), bit_xor(hash(t)) from (select {columns} from {table.name}) t"
            assert connection.execute(query).fetchall() == original.execute(query).fetchall(), table
    ((kind,),) = connection.execute("select typeof(sum(BilledCost)) from costs").fetchall()
    assert kind == "DECIMAL(38,18)"
    assert connection.execute(UNCOMMENTED).fetchall() == []
    listed = connection.execute("select name from about where kind <> 'file' order by 1").fetchall()
    present = connection.execute("select name from (show tables) order by 1").fetchall()
    assert listed == present


def test_an_export_answers_every_ready_made_query(
    exported: tuple[str, duckdb.DuckDBPyConnection],
) -> None:
    _, connection = exported
    for query in use_cases():
        values = bind_parameters(query, None, None, {})
        connection.execute(query.sql, values).fetchall()
    for table in MARTS.values():  # those of docs/data_dictionary.md
        rows = connection.execute(example_query(table)).fetchall()
        assert rows or table.name in EMPTY_IN_THE_ESTATE


def test_an_export_names_no_folder_and_no_other_tenant(
    built: TemporaryInstallation, exported: tuple[str, duckdb.DuckDBPyConnection]
) -> None:
    tenant, connection = exported
    columns = connection.execute(
        "select table_name, column_name from duckdb_columns() where not internal"
        " and data_type = 'VARCHAR'"
    ).fetchall()
    assert len(columns) > 100
    forbidden = (str(built.data.parent), f"{OTHER[tenant]}/", f"tenant={OTHER[tenant]}")
    for table, column in columns:
        for words in forbidden:
            rows = connection.execute(
                f'select "{column}" from {table} where contains("{column}", ?) limit 1', [words]
            ).fetchall()
            assert not rows, (table, column)
    stored = connection.execute("select sql from duckdb_views() where not internal").fetchall()
    assert not any("/" in sql for (sql,) in stored)


def test_an_export_can_be_read_by_duckdb_1_4(exports: dict[str, Path]) -> None:
    """Its storage version, a number in the header, is that of DuckDB 1.4; 68 would be 1.5."""
    for path in exports.values():
        assert int.from_bytes(path.read_bytes()[12:20], "little") == 67


def test_an_export_replaces_an_earlier_one_and_nothing_else(
    built: TemporaryInstallation, tmp_path: Path
) -> None:
    path = tmp_path / "acme.duckdb"
    built.finops("export", "acme", "-o", str(path))
    with duckdb.connect(path, read_only=True) as connection:
        names = {name for (name,) in connection.execute("show tables").fetchall()}
    assert {"monthly_costs", "projects", "data_status", "about"} <= names
    assert not names & {"costs", "quarantine", "costs_focus_1_2", "file_identity"}
    built.finops("export", "acme", "-o", str(path))
    before = path.read_bytes()
    refused = built.finops("export", "globex", "-o", str(path), ok=False).stderr
    assert "is not an export of tenant globex" in refused and "--force" in refused
    own = tmp_path / "notes.txt"
    own.write_text("mine")
    assert "--force" in built.finops("export", "acme", "-o", str(own), ok=False).stderr
    assert path.read_bytes() == before and own.read_text() == "mine"
    built.finops("export", "globex", "-o", str(own), "--force")
    assert own.read_bytes()[8:12] == b"DUCK"
    registry, link = built.data / "registry.sqlite", tmp_path / "link.duckdb"
    link.symlink_to(built.folder("globex") / "globex.duckdb")
    inside = built.folder("acme") / "x.duckdb"
    for name in (inside, registry, link, built.folder("globex") / "x.csv"):
        table = ["monthly_costs"] if name.suffix == ".csv" else []
        refused = built.finops("export", "acme", *table, "--force", "-o", str(name), ok=False)
        assert "outside the data folder" in refused.stderr
    link.unlink()
    nowhere = tmp_path / "nowhere" / "x.duckdb"
    assert (
        "cannot be written" in built.finops("export", "acme", "-o", str(nowhere), ok=False).stderr
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["acme.duckdb", "notes.txt"]


def test_an_export_says_which_months_are_not_reconciled(
    ingested: TemporaryInstallation, tmp_path: Path
) -> None:
    with changing_tables(ingested.installation, "acme") as connection:
        for table, column in (("data_status", "state"), ("about", "what")):
            month = "billing_period = '2026-10'" if table == "data_status" else "name = 'trust'"
            value = "differs" if table == "data_status" else "not reconciled: 2026-10 differs"
            connection.execute(f"update {table} set {column} = '{value}' where {month}")
    done = ingested.finops("export", "acme", "-o", str(tmp_path / "acme.duckdb"))
    assert "not reconciled: 2026-10 differs; see finops status acme" in done.stderr
    done = ingested.finops("export", "acme", "monthly_costs", "-o", str(tmp_path / "costs.csv"))
    assert "not reconciled: 2026-10 differs" in done.stderr


def test_a_file_of_an_earlier_version_is_named(ingested: TemporaryInstallation) -> None:
    with changing_tables(ingested.installation, "acme") as connection:
        connection.execute("drop table tag_costs")
    refused = ingested.finops("check", "acme", ok=False).stderr
    assert "and has no table tag_costs" in refused and "finops ingest acme" in refused
    assert "globex" not in refused and ingested.finops("check", "globex")
    refused = ingested.finops("query", "acme", "from tag_costs", ok=False).stderr
    assert "version and has no table tag_costs" in refused and "finops ingest acme" in refused


def test_one_table_is_exported_in_the_format_of_the_files_name(
    built: TemporaryInstallation, tmp_path: Path
) -> None:
    for suffix in ("parquet", "xlsx", "csv"):
        path = tmp_path / f"costs.{suffix}"
        built.finops("export", "acme", "monthly_costs", "-o", str(path))
        refused = built.finops("export", "acme", "monthly_costs", "-o", str(path), ok=False)
        assert "--force" in refused.stderr
    frame = pl.read_parquet(tmp_path / "costs.parquet")
    ((total,),) = ask(built, "acme", "select sum(billed_cost) from monthly_costs")
    assert frame.schema["billed_cost"] == pl.Decimal(38, 18)
    assert frame["billed_cost"].sum() == total
    for view in ("costs", "allocated_costs"):
        built.finops("export", "acme", view, "-o", str(tmp_path / f"view-{view}.parquet"))
        assert pl.read_parquet(tmp_path / f"view-{view}.parquet")["BilledCost"].sum() == total
    refused = built.finops(
        "export", "acme", "monthly_cost", "-o", str(tmp_path / "x.csv"), ok=False
    )
    assert "Did you mean monthly_costs" in refused.stderr
    assert "Choose such a name with -o" in built.finops(
        "export", "acme", "monthly_costs", "-o", str(tmp_path / "x.txt"), ok=False
    ).stderr  # fmt: skip


# ---- Python


@pytest.mark.parametrize("tenant", TENANTS)
def test_a_frame_has_the_tenants_exact_amounts(built: TemporaryInstallation, tenant: str) -> None:
    sql = "select project, billed_cost from monthly_costs where billing_period = $month"
    with open_warehouse(tenant, built.installation) as warehouse:
        frame = warehouse.pl(sql, month="2026-10")
        rows = warehouse.rows(sql, month="2026-10")
        empty = warehouse.pl("select * from monthly_costs where false")
    assert frame.schema == {"project": pl.String, "billed_cost": pl.Decimal(38, 18)}
    assert sorted(frame.rows(), key=str) == sorted(map(tuple, rows), key=str)
    ((total,),) = ask(
        built, tenant, "select sum(BilledCost) from costs where billing_period = '2026-10'"
    )
    assert isinstance(total, Decimal) and frame["billed_cost"].sum() == total
    assert empty.height == 0 and set(empty.columns) == {
        column.name for column in MARTS["monthly_costs"].columns
    }


def test_a_frame_can_show_no_other_tenants_data(built: TemporaryInstallation) -> None:
    other = built.folder("globex")
    with open_warehouse("acme", built.installation) as warehouse:
        for sql in (
            f"from '{other}/globex.duckdb'",
            f"from read_parquet('{other}/costs/*/*/*.parquet')",
            "from globex.main.costs",
            "attach 'x'",
            "select * from costs; select 1",
        ):
            with pytest.raises(QueryRefused):
                warehouse.pl(sql)
        assert warehouse.rows("select 1") == [(1,)]
        with ThreadPoolExecutor(4) as threads:
            numbers = threads.map(lambda n: warehouse.rows("select $n, 1", n=n), range(8))
            assert list(numbers) == [[(n, 1)] for n in range(8)]
    with pytest.raises(Unknown), open_warehouse("initech", built.installation):
        raise AssertionError


def test_a_frame_warns_about_months_that_are_not_reconciled(
    ingested: TemporaryInstallation,
) -> None:
    with changing_tables(ingested.installation, "acme") as connection:
        connection.execute("update data_status set state = 'open' where billing_period = '2026-10'")
    with open_warehouse("acme", ingested.installation) as warehouse:
        with pytest.warns(UnreconciledMonths, match="not reconciled: 2026-10 open"):
            warehouse.pl("select billing_period, billed_cost from monthly_costs")
        warehouse.pl(
            "select billing_period, billed_cost from monthly_costs where billing_period = '2026-09'"
        )
