"""Many sandboxes in one process: each thread and tenant gets its own rows, in any current folder.

Put here: concurrency of serve/sandbox and what the process's current folder may not change. Keep
out: hostile SQL (test_isolation.py).
"""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import duckdb
import pytest

from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.serve.sandbox import Sandbox, open_sandbox
from tests.conftest import TemporaryInstallation

TENANTS = ("acme", "globex")
QUERIES, TORTURE_QUERIES = 150, 1_000
"""Queries per tenant and thread."""
OPENED, TORTURE_OPENED = 6, 40
"""Sandboxes that each thread opens and closes."""

BILL = "select source, billing_period, billed_cost from monthly_bill order by all"
CHARGES = "select project, count(*), sum(BilledCost) from costs group by all order by all"

Rows = list[tuple[Any, ...]]


@pytest.fixture
def expected_rows(built: TemporaryInstallation) -> dict[tuple[str, str], Rows]:
    """The rows of each tenant and query, read from the files without a sandbox."""
    expected = {}
    for tenant in TENANTS:
        os.chdir(built.folder(tenant))
        with duckdb.connect(f"{tenant}.duckdb", read_only=True) as connection:
            for sql in (BILL, CHARGES):
                expected[tenant, sql] = connection.execute(sql).fetchall()
    assert expected["acme", BILL] != expected["globex", BILL]
    assert expected["acme", CHARGES] != expected["globex", CHARGES]
    return expected


@pytest.mark.parametrize(
    "queries", [QUERIES, pytest.param(TORTURE_QUERIES, marks=pytest.mark.torture)]
)
def test_two_threads_and_two_tenants_get_their_own_rows(
    built: TemporaryInstallation,
    expected_rows: dict[tuple[str, str], Rows],
    tmp_path: Path,
    queries: int,
) -> None:
    """Each thread asks for both tenants in turn, every fiftieth time over the charges' files."""
    os.chdir(tmp_path)

    def ask_in_turn(number: int) -> int:
        wrong = 0
        with ExitStack() as stack:
            sandboxes = {tenant: stack.enter_context(sandbox(built, tenant)) for tenant in TENANTS}
            for position in range(queries):
                sql = CHARGES if position % 50 == number else BILL
                for tenant, opened in sandboxes.items():
                    wrong += opened.execute(sql).fetchall() != expected_rows[tenant, sql]
                    wrong += Path.cwd() != tmp_path
        return wrong

    with ThreadPoolExecutor(max_workers=2) as pool:
        assert list(pool.map(ask_in_turn, range(2))) == [0, 0]
    assert Path.cwd() == tmp_path


@pytest.mark.parametrize(
    "openings", [OPENED, pytest.param(TORTURE_OPENED, marks=pytest.mark.torture)]
)
def test_opening_and_closing_in_two_threads(
    built: TemporaryInstallation,
    expected_rows: dict[tuple[str, str], Rows],
    tmp_path: Path,
    openings: int,
) -> None:
    os.chdir(tmp_path)

    def open_in_turn(number: int) -> int:
        wrong = 0
        for position in range(openings):
            tenant = TENANTS[(position + number) % 2]
            with sandbox(built, tenant) as opened:
                wrong += opened.execute(CHARGES).fetchall() != expected_rows[tenant, CHARGES]
                wrong += Path.cwd() != tmp_path
        return wrong

    with ThreadPoolExecutor(max_workers=2) as pool:
        assert list(pool.map(open_in_turn, range(2))) == [0, 0]


def sandbox(made: TemporaryInstallation, tenant: str) -> Any:
    return open_sandbox(TenantFolder(made.data, tenant), made.installation.query_limits)


def readings(opened: Sandbox, path: str) -> list[str]:
    """Statements that read a path, run without the guard."""
    forms = ("from '{}'", "from read_parquet('{}')", "from read_blob('{}')", "from glob('{}')")
    readable = []
    for sql in (form.format(path) for form in forms):
        try:
            opened.connection.execute(sql).fetchall()
        except duckdb.Error:
            continue
        readable.append(sql)
    return readable


@pytest.mark.parametrize("place", ["elsewhere", "globex"])
def test_the_current_folder_is_never_readable(
    built: TemporaryInstallation,
    expected_rows: dict[tuple[str, str], Rows],
    tmp_path: Path,
    place: str,
) -> None:
    """Neither with files at the tenant's relative paths, nor in another tenant's folder."""
    folder = built.folder("globex")
    if place == "elsewhere":
        folder = tmp_path / "elsewhere"
        shutil.copytree(built.folder("globex"), folder)
    os.chdir(folder)
    planted = sorted(
        path.relative_to(folder)
        for pattern in ("costs/**/*.parquet", ".store/costs/**/*.parquet")
        for path in folder.glob(pattern)
    )
    assert planted
    with sandbox(built, "acme") as opened:
        for path in planted:
            for spelled in (path, f"./{path}", folder / path, "costs/*/*/*.parquet"):
                assert readings(opened, str(spelled)) == []
        assert opened.execute(CHARGES).fetchall() == expected_rows["acme", CHARGES]
        own = built.folder("acme") / ".store/costs/*/*/charges-*.parquet"
        assert len(readings(opened, str(own))) == 4, "the statements can read at all"


def test_tables_are_listed_once_after_any_earlier_query(built: TemporaryInstallation) -> None:
    with sandbox(built, "acme") as opened:
        opened.execute(CHARGES)
        names = [name for (name,) in opened.execute("show tables").fetchall()]
        assert len(names) == len(set(names)) and {"costs", "monthly_bill"} <= set(names)
        opened.execute(CHARGES)
        listed = opened.execute("select table_name from information_schema.tables").fetchall()
        assert sorted(listed) == sorted((name,) for name in names)
        described = opened.execute("describe costs").fetchall()
        assert ("BilledCost", "DECIMAL(38,18)") in [row[:2] for row in described]


def test_a_view_may_be_named_with_its_schema(built: TemporaryInstallation) -> None:
    with sandbox(built, "acme") as opened:
        assert opened.execute("select count(*) from acme.main.monthly_bill").fetchall()
        (expected,) = opened.execute("select count(*) from costs").fetchall()
        for name in ("main.costs", "acme.main.costs", "acme.costs"):
            assert opened.execute(f"select count(*) from {name}").fetchall() == [expected]
        for name in ("globex.main.costs", "globex.costs"):
            with pytest.raises(duckdb.Error):
                opened.execute(f"select count(*) from {name}")


def test_settings_are_locked(built: TemporaryInstallation) -> None:
    with sandbox(built, "acme") as opened:
        zone = "select current_setting('TimeZone'), current_setting('enable_external_access')"
        assert opened.connection.execute(zone).fetchall() == [("UTC", False)]
        with pytest.raises(duckdb.Error, match="locked"):
            opened.connection.execute("set global threads = 8")
