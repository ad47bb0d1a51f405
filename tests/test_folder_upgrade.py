"""A data folder of the version before files were named by their content, upgraded by this one.

Put here: its answers before and after, deaths at the steps of the upgrade. Keep out: the schema of
the ledger alone (test_schema_versions.py, test_ledger_upgrade.py).

tests/data/installation_0001.tar.xz is a data folder as that version wrote it: acme with two months
of two projects and a quarantined row, globex with one month.
"""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import duckdb
import pytest

from tests.conftest import FIGURES, TemporaryInstallation
from tests.support.snapshot_tenants import ACCOUNTS, MONTHS, declare_both, deliver_number
from tests.support.step_killer import MOST_STEPS, Killer

OLD = Path(__file__).parent / "data/installation_0001.tar.xz"
Rows = list[tuple[object, ...]]
QUERIES = (
    "select project, billing_period, sum(BilledCost), count(*) from costs group by all"
    " order by all",
    "select project, billing_period, sum(billed_cost) from monthly_costs group by all order by all",
    "select source, billing_period, count(*) from landing_payer group by all order by all",
    "select source, billing_period, count(*) from quarantine group by all order by all",
    "select count(*) from focus_data_table",
)


def unpack(place: Path) -> TemporaryInstallation:
    """Unpack the older data folder."""
    with tarfile.open(OLD) as archive:
        archive.extractall(place, filter="data")
    return TemporaryInstallation(place / "data")


def ask_old(made: TemporaryInstallation, tenant: str) -> list[Rows]:
    """Answer the queries from the older file as it is, without finops_pipeline."""
    with duckdb.connect() as connection:
        connection.execute(f"set file_search_path = '{made.folder(tenant)}'")
        path = made.folder(tenant) / f"{tenant}.duckdb"
        connection.execute(f"attach '{path}' as old (read_only)")
        connection.execute("use old")
        return [connection.execute(sql).fetchall() for sql in QUERIES]


def ask_new(made: TemporaryInstallation, tenant: str) -> list[Rows]:
    """Answer the queries as any program does that opens the file."""
    path = made.folder(tenant) / f"{tenant}.duckdb"
    with duckdb.connect(str(path), read_only=True) as connection:
        return [connection.execute(sql).fetchall() for sql in QUERIES]


def test_any_command_upgrades_a_folder_and_its_answers_stay(tmp_path: Path) -> None:
    made = unpack(tmp_path)
    before = {tenant: ask_old(made, tenant) for tenant in ("acme", "globex")}
    assert before["acme"][0] and before["acme"][3]
    made.finops("query", "acme", "select count(*) from costs")
    assert ask_new(made, "acme") == before["acme"]
    assert ask_old(made, "globex") == before["globex"]
    made.finops("status", "globex")
    assert ask_new(made, "globex") == before["globex"]
    shown = list(made.folder("acme").glob("costs/project=*/billing_period=*/*.parquet"))
    assert len(shown) == len(MONTHS) * len(ACCOUNTS)
    declare_both(made)
    deliver_number(made, 9)
    assert not made.ingest("acme").failed
    assert [row[2] for row in ask_new(made, "acme")[0]] == [9, 9, 9, 9]
    left = [path for path in made.folder("acme").rglob("charges.parquet")]
    assert not left, "a second name would keep the space of a superseded file"


def die_at_steps(place: Path, first: int, every: int) -> str:
    """Die at each of these steps of an upgrade by a query, and upgrade again."""
    base = unpack(place)
    declare_both(base)
    deliver_number(base, 9)
    before = ask_old(base, "acme")
    killer, deaths = Killer(), 0
    try:
        for step in range(first, MOST_STEPS, every):
            made = TemporaryInstallation(place / str(step))
            shutil.copytree(base.data, made.data, symlinks=True)
            code = killer.query(made.data, step)
            assert code in (0, 9), (step, code)
            deaths += code == 9
            assert killer.query(made.data) == 0, step
            assert ask_new(made, "acme") == before, step
            assert killer.ingest(made.data) == 0, step
            assert [row[2] for row in ask_new(made, "acme")[0]] == [9, 9, 9, 9]
            assert not any((made.folder("acme") / ".staging").iterdir())
            shutil.rmtree(made.data)
            if code == 0:
                break
        else:
            pytest.fail("the upgrade has more steps than were tried")
    finally:
        killer.end()
    assert deaths
    return f"{deaths} deaths at steps of an upgrade: every answer as before"


def test_an_upgrade_that_dies_at_some_step_is_repeated(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    request.config.stash.setdefault(FIGURES, []).append(die_at_steps(tmp_path, 5, 170))


@pytest.mark.torture
def test_an_upgrade_that_dies_at_any_step_is_repeated(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    request.config.stash.setdefault(FIGURES, []).append(die_at_steps(tmp_path, 1, 1))
