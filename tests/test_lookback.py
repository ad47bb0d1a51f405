"""Marts that look back: incremental equals full, and a change rebuilds what it reaches, no more.

Put here: the arithmetic of slices, and marts of the test's own that look back. Keep out: what the
library's marts sum up to (test_truth.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from finops_pipeline.contracts.column import COUNT, DAY, MONEY, TEXT, Column, Table
from finops_pipeline.contracts.tables import MARTS
from finops_pipeline.lake.duck import Limits
from finops_pipeline.marts import build, recomputation
from finops_pipeline.marts.due_slices import Change, Due, Slice, plan_marts
from finops_pipeline.marts.library import Mart, SliceKind, in_reading_order, marts
from finops_pipeline.marts.lookback import Lookback, read_lookback
from finops_pipeline.marts.recomputation import recompute_marts
from tests.conftest import TemporaryInstallation
from tests.support.beside_globex import ZEROS, built_globex, rows, take, two
from tests.support.bills import deliver, row
from tests.support.published_files import changing_tables
from tests.support.sql_tables import tables_read

__all__ = ["built_globex", "two"]

PERIOD = Column("billing_period", TEXT, "Month.", False)
PROJECT = Column("project", TEXT, "Project.", False)
CURRENCY = Column("billing_currency", TEXT, "Currency.", False)


def own_mart(
    name: str, slices: SliceKind, lookback: Lookback, columns: tuple[Column, ...], sql: str
) -> tuple[Mart, Table]:
    """A mart of the test, and its contract."""
    grain = tuple(c.name for c in columns if c.type in (TEXT, DAY))
    table = Table(name, "mart", "A mart of a test.", grain, columns)
    return Mart(name, sql, slices, lookback, tables_read(sql)), table


CHANGES = own_mart(
    "cost_changes",
    SliceKind.PROJECT_MONTH,
    Lookback(months=1),
    (PERIOD, PROJECT, CURRENCY, Column("cost", MONEY, "Now."), Column("before", MONEY, "Before.")),
    """
    with cost as (select * from monthly_costs),
    amount as (
        select billing_period, project, billing_currency, billed_cost as cost, 0 as before from cost
        union all
        select
            strftime(strptime(billing_period || '-01', '%Y-%m-%d') + interval 1 month, '%Y-%m'),
            project, billing_currency, 0, billed_cost
        from cost
    )
    select billing_period, project, billing_currency,
        sum(cost)::decimal(38, 18) as cost, sum(before)::decimal(38, 18) as before
    from amount group by all
    """,
)
GONE = own_mart(
    "gone_projects",
    SliceKind.MONTH,
    Lookback(),
    (PERIOD, CURRENCY, Column("projects", COUNT, "Projects without costs now.")),
    "select billing_period, billing_currency, count(*) as projects from cost_changes"
    " where cost = 0 and before <> 0 group by all",
)
NEWEST_DAYS = own_mart(
    "newest_days",
    SliceKind.NEWEST,
    Lookback(days=35),
    (
        PERIOD, Column("charge_date", DAY, "Day.", False), PROJECT, CURRENCY,
        Column("cost", MONEY, "Cost."),
    ),
    """
    select billing_period, cast(ChargePeriodStart as date) as charge_date, project,
        BillingCurrency as billing_currency, sum(BilledCost) as cost
    from costs
    where ChargePeriodStart > (select max(ChargePeriodStart) from costs) - interval 35 days
    group by all
    """,
)  # fmt: skip
OWN = (GONE, CHANGES, NEWEST_DAYS)


@pytest.fixture
def own_marts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library with the three marts of this test."""
    for _, table in OWN:
        monkeypatch.setitem(MARTS, table.name, table)
    every = (*(mart for mart, _ in OWN), *marts())
    monkeypatch.setattr(build, "marts", lambda: every)
    monkeypatch.setattr(recomputation, "marts", lambda: every)


# ---- arithmetic


MONTHS = ["2026-01", "2026-02", "2026-03", "2026-04"]


@pytest.mark.parametrize(
    ("text", "reached"),
    [
        ("0 months", ["2026-02"]),
        ("1 month", ["2026-02", "2026-03"]),
        ("2 months", ["2026-02", "2026-03", "2026-04"]),
        ("1 day", ["2026-02", "2026-03"]),
        ("31 days", ["2026-02", "2026-03"]),
        ("32 days", ["2026-02", "2026-03", "2026-04"]),
    ],
)
def test_a_month_reaches_the_months_that_look_back_to_it(text: str, reached: list[str]) -> None:
    lookback = read_lookback(text)
    assert lookback.reached("2026-02", MONTHS) == reached
    for month in MONTHS:
        assert ("2026-02" in lookback.inputs(month, MONTHS)) is (month in reached)


def test_a_lookback_of_another_form_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected N months or N days"):
        read_lookback("a month")


def planned(changed: Iterable[Slice], before: Iterable[Slice], after: Iterable[Slice]) -> Any:
    """What is due of each own mart, by its name."""
    every = [mart for mart, _ in OWN] + list(marts())
    ordered = in_reading_order(every)
    change = Change(frozenset(changed), frozenset(before), frozenset(after))
    return {due.mart.name: due for due in plan_marts(ordered, change)}


ALL = [(name, month) for name in ("prod", "dev") for month in MONTHS]


def test_a_change_rebuilds_what_it_reaches_and_no_more() -> None:
    due: dict[str, Due] = planned([("prod", "2026-02")], ALL, ALL)
    assert due["monthly_costs"].built == {("prod", "2026-02")}
    assert due["cost_changes"].built == {("prod", "2026-02"), ("prod", "2026-03")}
    assert due["cost_changes"].inputs(["2026-03"], MONTHS) == {
        ("prod", "2026-02"), ("prod", "2026-03"),
    }  # fmt: skip
    assert {month for _, month in due["gone_projects"].built} == {"2026-02", "2026-03"}
    # 35 days before April begins in February, and on a later day in March
    assert {month for _, month in due["newest_days"].built} == set(MONTHS[1:])
    assert "newest_days" not in planned([("prod", "2026-01")], ALL, ALL)


def test_a_new_month_rebuilds_it_for_projects_without_charges_in_it() -> None:
    before = [key for key in ALL if key[1] != "2026-04"]
    due = planned([("prod", "2026-04")], before, [*before, ("prod", "2026-04")])
    assert due["cost_changes"].built == {("prod", "2026-04"), ("dev", "2026-04")}
    due = planned([("prod", "2026-04")], [*before, ("prod", "2026-04")], before)
    assert due["cost_changes"].replaced == {("prod", "2026-04"), ("dev", "2026-04")}
    assert not due["cost_changes"].built


def test_marts_come_after_those_that_their_sql_reads() -> None:
    ordered = in_reading_order([*(mart for mart, _ in OWN), *marts()])
    names = [mart.name for mart in ordered]
    assert names.index("daily_costs") < names.index("monthly_costs")
    assert names.index("monthly_costs") < names.index("cost_changes") < names.index("gone_projects")
    assert next(m for m in ordered if m.name == "gone_projects").reads == {"cost_changes"}


# ---- a tenant's file


def contents(made: TemporaryInstallation) -> dict[str, list[Any]]:
    """The rows of every mart of acme."""
    return {name: sorted(rows(made, f"from {name}"), key=str) for name in MARTS}


def bill(month: str, costs: dict[str, str]) -> list[dict[str, str]]:
    """A month with a charge of each account on a day."""
    return [
        row(cost, account=account, day=f"{month}-{1 + number * 7:02d}")
        for number, (account, cost) in enumerate(costs.items())
    ]


PROD, DEV, OTHER = ZEROS, "111122223333", "999999999999"


@pytest.mark.usefixtures("own_marts")
def test_incremental_equals_full(two: TemporaryInstallation) -> None:
    random = Random(7)
    for number in range(3):
        month = random.choice(["2026-07", "2026-08", "2026-09"])
        accounts = random.sample([PROD, OTHER], random.randint(1, 2))
        costs = {account: str(Decimal(random.randrange(10**6)).scaleb(-4)) for account in accounts}
        take(two, bill(month, costs), month, assembly=f"a{number}")
        folder = two.installation.folder("acme")
        wrong = [c for c in recompute_marts(folder, Limits()) if not c.is_equal]
        assert not wrong
    incremental = contents(two)
    assert incremental["gone_projects"] and incremental["newest_days"]
    (two.folder("acme") / "acme.duckdb").unlink()
    assert not two.ingest("acme").failed
    assert contents(two) == incremental


@pytest.mark.usefixtures("own_marts")
def test_slices_out_of_reach_stay_as_they_are(two: TemporaryInstallation) -> None:
    for month in ("2026-06", "2026-07", "2026-08", "2026-09"):
        deliver(two.data.parent / "acme/cur", bill(month, {PROD: "2", OTHER: "3"}), month)
    assert not two.ingest("acme").failed
    with changing_tables(two.installation, "acme") as connection:
        for name in ("cost_changes", "newest_days"):
            connection.execute(f"update {name} set cost = 777")
    take(two, bill("2026-06", {PROD: "5", OTHER: "3"}), "2026-06", assembly="more")
    marked = "select project, billing_period from {} where cost = 777 order by all"
    assert rows(two, marked.format("cost_changes")) == [
        (project, month) for project in ("prod", "unassigned") for month in ("2026-08", "2026-09")
    ]
    assert len(rows(two, marked.format("newest_days"))) == 3
    take(two, bill("2026-08", {PROD: "5", OTHER: "3"}), "2026-08", assembly="more")
    assert rows(two, marked.format("newest_days")) == []
