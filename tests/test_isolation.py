"""Two tenants that look alike see nothing of each other.

Acme and globex share account ids, project names and services; each one's exports carry a planted
marker. Covered: no marker in the other's folder (files searched as bytes and as values), hostile
SQL through `finops query` and on the connection of the sandbox itself, locations, names and wording
of errors. Keep out: folders that are moved, files that are copied (test_moved_folders.py).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from finops_pipeline.errors import DamagedFile, RegistryError
from finops_pipeline.lake.layout import TenantFolder, place_path
from finops_pipeline.ledger.stored_files import Place
from finops_pipeline.serve.sandbox import open_sandbox
from tests.conftest import LAST_MONTH, TemporaryInstallation
from tests.support.globex import finops
from tests.support.published_files import (
    partition_folder,
    published_file,
    published_files,
)

OTHER = {"acme": "globex", "globex": "acme"}
Truth = dict[str, Any]
Census = Callable[[Path], dict[str, tuple[int, int]]]


def billed(truth: Truth, tenant: str) -> Decimal:
    sources = truth["tenants"][tenant]["sources"].values()
    return sum((Decimal(m["billed_cost"]) for s in sources for m in s.values()), Decimal(0))


# --- contents of the tenants' folders


def test_the_tenants_look_alike_and_are_answered_differently(
    built: TemporaryInstallation, truth: Truth
) -> None:
    sums: dict[str, dict[tuple[str, str], Decimal]] = {}
    sql = "select project, sub_account_id a, sum(billed_cost) b from monthly_costs group by 1, 2"
    for tenant in OTHER:
        sums[tenant] = {(r["project"], r["a"]): Decimal(r["b"]) for r in built.rows(tenant, sql)}
        assert sum(sums[tenant].values()) == billed(truth, tenant)
    both = sums["acme"].keys() & sums["globex"].keys()
    assert {project for project, _ in both} >= {"prod", "staging", "dev"}
    assert len({account for _, account in both}) >= 4
    for project in ("prod", "staging", "dev"):
        acme, globex = (
            sum(cost for (name, _), cost in sums[tenant].items() if name == project)
            for tenant in OTHER
        )
        assert acme != globex


def rows_with(connection: duckdb.DuckDBPyConnection, relation: str, marker: str) -> int:
    """Rows of which any value, nested ones included, contains the marker."""
    query = f"select count(*) from {relation} t where contains(t::varchar, ?)"
    counted = connection.execute(query, [marker]).fetchall()
    return int(counted[0][0])


@pytest.mark.parametrize("tenant", OTHER)
def test_no_file_of_a_tenant_contains_the_marker_of_another_tenant(
    built: TemporaryInstallation, truth: Truth, tenant: str
) -> None:
    own, other = (truth["tenants"][t]["marker"] for t in (tenant, OTHER[tenant]))
    folder = built.folder(tenant)
    published = published_files(folder)
    own_rows = files = 0
    for path in (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
        assert other.encode() not in path.read_bytes(), path
        if path.suffix == ".parquet":
            relation = f"read_parquet('{path}', hive_partitioning = false)"
            assert not rows_with(duckdb.connect(), relation, other), path
            own_rows += rows_with(duckdb.connect(), relation, own)
            files += path in published
    # landing: sources x months; costs: projects x months
    assert files == len(published) == 2 * 3 + 5 * 3
    assert own_rows > 1000, "the search detects markers that exist"

    with open_sandbox(TenantFolder(built.data, tenant), built.installation.query_limits) as sandbox:
        connection = sandbox.connection
        names = [row[0] for row in connection.execute("show tables").fetchall()]
        assert {"costs", "daily_costs", "monthly_bill", "landing_payer", "quarantine"} <= set(names)
        rows_with_other_marker = {name: rows_with(connection, f'"{name}"', other) for name in names}
        assert not any(rows_with_other_marker.values()), rows_with_other_marker
        assert rows_with(connection, "costs", own) and rows_with(connection, "landing_payer", own)


# --- hostile SQL

HOSTILE = (
    "from read_parquet('{globex}/{charges}')",
    "from read_parquet(['{globex}/{charges}'])",
    "from read_parquet('../tenant=globex/costs/*/*/*.parquet')",
    "from read_parquet('costs/../../tenant=globex/costs/*/*/*.parquet')",
    "from read_parquet('{acme}/costs/../../tenant=globex/{charges}')",
    "from read_parquet('{globex}/.store/{charges}')",
    "from read_parquet('../tenant=globex/.store/costs/*/*/*.parquet')",
    "from read_parquet('{acme}/.store/../../tenant=globex/.store/{charges}')",
    "from '{globex}/{charges}'",
    'from "{globex}/{charges}"',
    "from '../tenant=globex/{charges}'",
    "select (select count(*) from '{globex}/{charges}')",
    "with x as (from read_parquet('{globex}/{charges}')) from x",
    "select * from costs where BilledCost in (select BilledCost from '{globex}/{charges}')",
    "from parquet_metadata('{globex}/{charges}')",
    "from parquet_schema('{globex}/{charges}')",
    "from glob('{globex}/*')",
    "from glob('../*')",
    "from read_duckdb('{globex}/globex.duckdb')",
    "from '{globex}/globex.duckdb'",
    "from read_blob('{globex}/ledger.sqlite')",
    "from read_text('../../registry.sqlite')",
    "attach '{globex}/globex.duckdb' as other (read_only)",
    "attach '../tenant=globex/globex.duckdb' as other",
    "attach '{globex}/ledger.sqlite' as other (type sqlite)",
    "from read_csv('/etc/passwd', header = false)",
    "from read_text('/etc/passwd')",
    "from read_json('/etc/passwd')",
    "from sniff_csv('/etc/passwd')",
    "from '/etc/passwd'",
    "from query('from read_text(''/etc/passwd'')')",
    "import database '{globex}'",
    "copy (select 1) to '{globex}/costs/x.csv'",
    "with x as (copy (select 1 as a) to '{globex}/costs/x.csv') from x",
    "set enable_external_access = true",
    "set allowed_directories = ['/']",
    "reset allowed_directories",
    "set file_search_path = '/'",
    "install httpfs",
    "load sqlite",
    "drop table monthly_costs",
    "create table x as select 1",
)
ONLY_GUARDED = (
    "copy costs to 'costs/x.csv'",
    "with x as (copy (select 1 as a) to 'costs/x.csv') from x",
    "copy costs to '{acme}/.store/costs/x.csv'",
    "with x as (copy (select 1 as a) to '{acme}/.store/costs/x.csv') from x",
    "export database '{acme}/.store/costs/x'",
    "export database 'costs/x'",
    "select 1; select 2",
    "from duckdb_databases()",
    "pragma database_list",
    "call pragma_version()",
    "from query_table('costs')",
    "explain analyze select 1",
)
"""Reads nothing of other tenants, but writes, or reveals facts about the installation."""


def spelled(sql: str, made: TemporaryInstallation) -> str:
    globex = made.folder("globex")
    file = published_file(globex, "costs", "prod", LAST_MONTH)
    charges = f"{partition_folder('costs', 'prod', LAST_MONTH)}/{file.name}"
    assert (globex / charges).is_file()
    folders = {tenant: made.folder(tenant) for tenant in OTHER}
    return sql.format(charges=charges, **folders)


@pytest.fixture
def untouched(built: TemporaryInstallation, census: Census) -> Iterator[TemporaryInstallation]:
    before = census(built.data)
    yield built
    assert census(built.data) == before


def ask(made: TemporaryInstallation, sql: str) -> tuple[int, str]:
    return finops("query", "acme", sql, "--format", "csv", data=made.data)


def test_finops_query_refuses_hostile_sql(untouched: TemporaryInstallation, truth: Truth) -> None:
    for sql in (*HOSTILE, *ONLY_GUARDED):
        exit_code, output = ask(untouched, spelled(sql, untouched))
        assert exit_code == 1, sql
        assert truth["tenants"]["globex"]["marker"] not in output
        assert "root:" not in output
    assert ask(untouched, "select 1 as a") == (0, "a\n1\n")


def test_the_connection_itself_refuses_hostile_sql(
    untouched: TemporaryInstallation,
) -> None:
    folder = TenantFolder(untouched.data, "acme")
    with open_sandbox(folder, untouched.installation.query_limits) as sandbox:
        connection = sandbox.connection
        for sql in HOSTILE:
            with pytest.raises(duckdb.Error):
                connection.execute(spelled(sql, untouched)).fetchall()
        own = f"select count(*) from read_parquet('{folder.store}/costs/*/*/charges-*.parquet')"
        assert (
            connection.execute(own).fetchall()
            == connection.execute("select count(*) from costs").fetchall()
        )


def test_a_hostile_query_ends_with_a_single_line_on_stderr(built: TemporaryInstallation) -> None:
    result = built.finops("query", "acme", "from read_text('/etc/passwd')", ok=False)
    assert (result.returncode, result.stdout) == (1, "")
    assert re.fullmatch(r"finops: read_text\(\) is not among .*\n", result.stderr)


# --- an export belongs to a single tenant


@pytest.mark.parametrize(
    "location",
    ["{acme}", "{acme}/", "{acme}/20261001-20261101", "{acme}/..", "{acme}/../../..", "file://{acme}",
     "file://{acme}/20261001-20261101", "{acme}/x/../../cur-hourly", "{link}"],
)  # fmt: skip
def test_two_tenants_cannot_read_the_same_or_nested_locations(
    fresh: TemporaryInstallation, own_estate: Path, tmp_path: Path, location: str
) -> None:
    acme = own_estate / "acme/payer/finops/cur-hourly"
    (tmp_path / "link").symlink_to(acme)
    where = location.format(acme=acme, link=tmp_path / "link")
    before = finops("source", "list")
    exit_code, output = finops(
        "source", "add", "globex/spy", "--format", "legacy-cur", "--location", where
    )
    assert exit_code == 1
    assert "a location that belongs to another tenant" in output
    declared = tmp_path / "spy.yaml"
    source = f"{{name: spy, format: legacy-cur, location: {where}}}"
    declared.write_text(f"tenants: [{{name: globex, sources: [{source}]}}]")
    assert finops("apply", str(declared))[0] == 1
    assert finops("source", "list") == before


# --- names and error messages

NAMES = ["../globex", "acme/..", "acme/../globex", "ACME", "acme\n", "acme ", " acme", "", "..",
         "tenant=acme", "*", "/etc", "a", "a" * 41, "acme-", "\u0430cme", "acme\x00"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_could_lead_elsewhere_is_refused_everywhere(
    built: TemporaryInstallation, tmp_path: Path, census: Census, name: str
) -> None:
    before = census(built.data)
    commands = [["query", name, "select 1"], ["open", name], ["tenant", "add", name]]
    if name:
        commands += [["ingest", name], ["status", name], ["source", "list", name]]
    for arguments in commands:
        exit_code, output = finops(*arguments, data=built.data)
        assert exit_code != 0, arguments
        assert "Traceback" not in output
    with pytest.raises(RegistryError, match="cannot be used"):
        TenantFolder(tmp_path, name)
    with pytest.raises(DamagedFile, match="which cannot exist"):
        place_path(Place("costs", name, LAST_MONTH), "acme")
    assert census(built.data) == before


def test_names_of_another_tenant_are_reported_like_names_that_do_not_exist(
    built: TemporaryInstallation, empty: TemporaryInstallation
) -> None:
    shutil.copytree(built.data, empty.data)
    shutil.copytree(empty.folder("globex"), empty.folder("umbrella"))
    for command in (
        ["query", "{}", "from costs"],
        ["ingest", "{}"],
        ["status", "{}"],
        ["open", "{}"],
    ):
        results = {
            name: finops(*(argument.format(name) for argument in command))
            for name in ("umbrella", "initech")
        }
        assert results["umbrella"][0] == 1
        assert "tenant umbrella is not known" in results["umbrella"][1]
        assert results["umbrella"][1].replace("umbrella", "initech") == results["initech"][1]
    shared, nowhere = (finops("ingest", f"acme/{name}") for name in ("shared", "nowhere"))
    assert "project acme/shared is not known" in shared[1]
    assert (shared[0], shared[1].replace("shared", "nowhere")) == nowhere
