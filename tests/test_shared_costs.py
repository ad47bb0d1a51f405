"""Shared costs: every method, chains, exact sums, bad declarations, and what a change rebuilds.

Put here: `shared_costs:` in a tenants.yaml, and the marts of it. Keep out: business metrics
themselves (test_business_metrics.py).
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from finops_pipeline.lake.duck import Limits
from finops_pipeline.marts.library import head, marts
from finops_pipeline.marts.recomputation import recompute_marts
from finops_pipeline.money import exact_sum
from tests.conftest import TemporaryInstallation
from tests.support.mart_comparison import differences, read_mart
from tests.support.measured_tenants import (
    MONTHS,
    TENANTS,
    Measured,
    measured,
    measured_once,
    metrics,
)
from tests.support.published_files import changing_tables
from tests.support.second_opinion_shared_costs import COSTS, expected_shared_costs

__all__ = ["measured", "measured_once"]

SUPPORT = {"name": "support", "kinds": "support", "method": "proportional"}
SECTION: list[dict[str, Any]] = [
    SUPPORT,
    {"name": "tax", "kinds": ["tax"], "method": "metric", "metric": "orders"},
    {"name": "credits", "kinds": "credits_and_refunds", "method": "even"},
    {"name": "platform", "projects": "platform", "method": "fixed",
     "shares": {"web": 66.7, "data": "33.3"}, "after": ["rest", "support"]},
    {"name": "rest", "projects": ["unassigned"], "method": "even",
     "receivers": ["web", "data", "platform"]},
]  # fmt: skip


def share(made: Measured, tenant: str, section: list[dict[str, Any]]) -> str:
    """Declare shared costs and build; return what `finops apply` says."""
    said = made.finops("apply", made.declare(tenant, shared_costs=section))
    made.finops("ingest", tenant)
    return said


def monthly_metrics(tenant: str) -> dict[tuple[str, str, str], Decimal]:
    sums: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for line in metrics(tenant).splitlines()[1:]:
        day, metric, project, value = line.split(",")
        sums[metric, project, day[:7]] += Decimal(value)
    return dict(sums)


def wrong_rows(made: Measured, tenant: str, section: list[dict[str, Any]]) -> list[str]:
    """Name the rows of shared_costs that are not as computed once more."""
    folder = made.made.installation.folder(tenant)
    expected = expected_shared_costs(folder, section, monthly_metrics(tenant))
    return differences("shared_costs", read_mart(folder, "shared_costs"), expected)


def sums_of(rows: list[dict[str, Any]]) -> set[Decimal]:
    """The sums of given and received, which all have to be zero."""
    sums: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    for row in rows:
        for cost in COSTS:
            key = (row["shared_cost"], row["billing_period"], row["billing_currency"], cost)
            sums[key] += row[cost]
    return set(sums.values())


@pytest.fixture(scope="module")
def shared_once(measured_once: Measured, tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """Both tenants with shared costs. Read only."""
    made = measured_once.copy(tmp_path_factory.mktemp("shared"))
    for tenant in TENANTS:
        share(made, tenant, SECTION)
    return made


@pytest.fixture
def shared(shared_once: Measured, tmp_path: Path) -> Measured:
    """A copy that a test may change."""
    return shared_once.copy(tmp_path)


@pytest.mark.parametrize("tenant", TENANTS)
def test_shared_costs_are_the_charges_split_once_more(shared_once: Measured, tenant: str) -> None:
    rows = shared_once.rows("from shared_costs", tenant)
    assert {row["shared_cost"] for row in rows} == {str(entry["name"]) for entry in SECTION}
    assert sums_of(rows) == {Decimal(0)}
    assert wrong_rows(shared_once, tenant, SECTION) == []
    folder = shared_once.made.installation.folder(tenant)
    assert all(compared.is_equal for compared in recompute_marts(folder, Limits()))
    failed = (
        "select check_name from check_results where state = 'failed' and check_name like '%share%'"
    )
    assert shared_once.rows(failed, tenant) == []


def test_the_query_adds_up_to_the_bill(shared_once: Measured) -> None:
    out = shared_once.finops("queries", "run", "acme", "shared_costs", "--format", "json")
    rows = [r for r in json.loads(out, parse_float=str) if r["billing_currency"] == "USD"]
    for month in MONTHS:
        of_month = [row for row in rows if row["billing_period"] == month]
        total = {
            name: exact_sum(Decimal(row[name]) for row in of_month)
            for name in ("effective_cost", "given_cost", "received_cost", "cost_with_shared")
        }
        assert total["cost_with_shared"] == total["effective_cost"] > 100
        assert total["received_cost"] == -total["given_cost"] > 100
        rest = next(row for row in of_month if row["project"] == "unassigned")
        assert Decimal(rest["cost_with_shared"]) == 0


def test_no_charge_and_no_other_mart_changes(
    measured_once: Measured, shared_once: Measured
) -> None:
    for name in ("costs", "monthly_costs", "daily_costs", "charge_groups", "unit_costs"):
        sql = f"from {name} order by all"
        assert shared_once.rows(sql) == measured_once.rows(sql), name
    assert measured_once.rows("from shared_costs union all by name from costs_to_share") == []


def test_a_share_goes_to_each_receiver_to_the_last_decimal(shared: Measured) -> None:
    """100.000000000000000001 in three parts: the unit that is left over goes to one of them."""
    section = [{"name": "support", "kinds": "support", "method": "even"}]
    share(shared, "acme", section)
    sql = "select project, billed_cost, share from shared_costs where billing_period = '2026-09'"
    rows = shared.rows(f"{sql} and direction = 'received' order by project")
    assert [str(row["billed_cost"]) for row in rows] == [
        "33.333333333333333401",
        "33.333333333333333300",
        "33.333333333333333300",
    ]
    assert sum(row["share"] for row in rows) == 1
    assert wrong_rows(shared, "acme", section) == []


def test_a_chain_passes_on_what_it_received(shared_once: Measured) -> None:
    sql = (
        "select direction, project, billed_cost from shared_costs where billing_period = '2026-09'"
    )
    rows = shared_once.rows(f"{sql} and shared_cost = 'rest' and billing_currency = 'USD'")
    assert {(row["direction"], row["project"]) for row in rows} == {
        ("given", "unassigned"), ("received", "web"), ("received", "data"),
        ("received", "platform"),
    }  # fmt: skip
    passed = next(row["billed_cost"] for row in rows if row["project"] == "platform")
    support = shared_once.rows(
        f"{sql} and shared_cost = 'support' and project = 'platform' and direction = 'received'"
    )[0]["billed_cost"]
    given = shared_once.rows(f"{sql} and shared_cost = 'platform' and direction = 'given'")
    own = shared_once.rows(
        "select sum(billed_cost) as cost from monthly_costs where project = 'platform'"
        " and billing_period = '2026-09'"
    )[0]["cost"]
    assert passed > 0 and support > 0
    assert [row["billed_cost"] for row in given] == [-(own + passed + support)]
    # Nothing ends in a project that is shared itself: its balance is minus its own cost.
    balance = shared_once.rows(
        "select sum(billed_cost) as cost from shared_costs where project = 'platform'"
        " and billing_period = '2026-09' and billing_currency = 'USD'"
    )[0]["cost"]
    assert balance == -own


def test_without_any_basis_the_cost_stays_or_is_split_evenly(shared: Measured) -> None:
    """As declared, and said in a column; it never vanishes."""
    for otherwise in ("stay", "even"):
        entry = {"name": "tax", "kinds": "tax", "method": "metric", "metric": "users",
                 "otherwise": otherwise}  # fmt: skip
        share(shared, "acme", [entry])
        rows = shared.rows("from shared_costs where billing_period = '2026-09'")
        received = {row["project"]: row for row in rows if row["direction"] == "received"}
        assert sums_of(rows) == {Decimal(0)}
        assert wrong_rows(shared, "acme", [entry]) == []
        if otherwise == "stay":
            assert received.keys() == {"unassigned"}
            assert received["unassigned"]["note"] == (
                "no receiver has a basis: the cost stays where it is"
            )
        else:
            assert received.keys() == {"web", "data", "platform"}
            assert {row["note"] for row in received.values()} == {
                "no receiver has a basis: split evenly"
            }
    # In euros nobody but data has costs: an entry of the other projects has no receiver.
    alone = [{"name": "data", "projects": "data", "method": "proportional"}]
    share(shared, "acme", alone)
    assert wrong_rows(shared, "acme", alone) == []
    euros = shared.rows("from shared_costs where billing_currency = 'EUR' and project = 'data'")
    assert {(row["direction"], row["billed_cost"]) for row in euros} == {
        ("given", Decimal("-4.2")), ("received", Decimal("4.2")),
    }  # fmt: skip


def test_a_change_rebuilds_only_the_months_and_marts_that_it_touches(shared: Measured) -> None:
    with changing_tables(shared.made.installation, "acme") as connection:
        for name in ("shared_costs", "monthly_costs", "unit_costs"):
            connection.execute(f"update {name} set list_cost = 777" if name != "unit_costs"
                               else "update unit_costs set value = 777")  # fmt: skip
    changed = [*SECTION[:-1], {**SECTION[-1], "from": "2026-09"}]
    said = share(shared, "acme", changed)
    assert said.startswith("~ shared cost acme/rest: project unassigned: even to web, data,")
    marked = "select distinct billing_period from {} where list_cost = 777"
    # The entry of August is gone from it; September has the same rows as before.
    assert [row["billing_period"] for row in shared.rows(marked.format("shared_costs"))] == [
        "2026-09"
    ]
    assert len(shared.rows(marked.format("monthly_costs"))) == 2
    assert shared.rows("select count(*) as n from unit_costs where value <> 777") == [{"n": 0}]
    assert "nothing changed" in share(shared, "acme", changed)
    shared.finops("apply", shared.declare("acme", sources=[], projects=[]))
    assert shared.rows("from shared_costs"), "a file without the section changes nothing"
    assert "- shared cost acme/tax" in share(shared, "acme", [])
    assert shared.rows("from shared_costs") == []
    assert shared.rows("from shared_costs", "globex")


def test_new_values_of_a_metric_change_the_split(shared: Measured) -> None:
    file = shared.write("date,metric,value,project\n2026-09-09,orders,1000,data\n")
    shared.finops("metrics", "load", "acme", file)
    sql = "select billing_period, basis from shared_costs where shared_cost = 'tax'"
    rows = shared.rows(f"{sql} and project = 'data' and direction = 'received'")
    assert {row["billing_period"]: row["basis"] for row in rows} == {
        "2026-08": Decimal("2.5"),
        "2026-09": Decimal("1002.5"),
    }
    said = shared.finops("metrics", "remove", "acme", "orders", "--project", "data")
    assert "shared cost acme/tax is split by orders: its shares have changed" in said


def test_a_project_with_a_part_of_a_shared_cost_stays(shared: Measured) -> None:
    """Its part would go to a project that does not exist, or that is not in use."""
    yes = ("--yes", "acme/data")
    tags = {"policy": {"keys": ["Team"], "projects": ["data"]}}
    shared.finops("apply", shared.declare("acme", required_tags=tags))
    named = "acme/data is named by shared cost platform and shared cost rest and required_tags"
    assert named in shared.finops("project", "remove", "acme/data", *yes, fails=True)
    disabled = shared.declare("acme", projects=[{"name": "data", "state": "disabled"}])
    for arguments in (("project", "disable", "acme/data"), ("apply", disabled)):
        said = shared.finops(*arguments, fails=True)
        assert "'platform' gives a part to the project 'data', which is disabled" in said
    shared.finops("apply", shared.declare("acme", shared_costs=SECTION[:3], required_tags={}))
    shared.finops("project", "disable", "acme/data")
    again = shared.declare("acme", shared_costs=SECTION)
    assert "which is disabled" in shared.finops("apply", again, fails=True)
    shared.finops("project", "remove", "acme/data", *yes)


def test_an_entry_outlasts_export_backup_and_renaming(shared: Measured) -> None:
    exported = yaml.safe_load(shared.finops("tenant", "export"))
    (entry,) = [t for t in exported["tenants"] if t["name"] == "acme"]
    file = shared.write(yaml.safe_dump({"tenants": [{"name": "acme",
                        "shared_costs": entry["shared_costs"]}]}), "again.yaml")  # fmt: skip
    assert shared.finops("apply", file) == "nothing changed\n"
    shared.finops("project", "rename", "acme/web", "shop")
    shared.finops("ingest", "acme")
    rows = shared.rows("select distinct project from shared_costs order by all")
    assert [row["project"] for row in rows] == ["data", "platform", "shop", "unassigned"]
    basis = shared.rows(
        "select max(basis) as basis from shared_costs where shared_cost = 'tax'"
        " and project = 'shop'"
    )
    assert basis == [{"basis": Decimal(6)}]


EVEN = {"name": "aa", "projects": ["web"], "method": "even"}
BAD: list[tuple[list[dict[str, Any]], str]] = [
    ([{**EVEN, "method": "fixed", "shares": {"data": 50, "platform": 49.9}}],
     "shared_costs: 'aa' has shares that add up to 99.9 %. Expected exactly 100 %"),
    ([{**EVEN, "projects": ["wep"]}],
     "shared_costs: 'aa' names the project 'wep', which is not declared"),
    ([{**EVEN, "receivers": ["dta"]}], "Did you mean data?"),
    ([{**EVEN, "method": "metric", "metric": "order"}],
     "shared_costs: 'aa' is split by the metric 'order', which has no values"),
    ([{**EVEN, "after": ["bb"]}, {**EVEN, "name": "bb", "projects": ["data"], "after": ["aa"]}],
     "come after each other in a circle"),
    ([{**EVEN, "after": ["cc"]}], "'aa' comes after 'cc', which is not declared"),
    ([EVEN, {**EVEN, "name": "bb"}],
     "'bb' takes no charge: 'aa', declared before it, takes all of them"),
    ([SUPPORT, {**SUPPORT, "name": "bb", "projects": ["web"]}], "'bb' takes no charge"),
    ([EVEN, {**EVEN, "projects": ["data"]}], "'aa' is declared twice"),
    ([{**EVEN, "receivers": ["web"]}], "takes the costs of web and gives them to web"),
    ([{"name": "aa", "method": "even"}], "does not say which charges it takes"),
    ([{**EVEN, "method": "evenly"}], "shared_costs: 'aa': method is 'evenly'"),
    ([{**EVEN, "kinds": ["sup"]}], "shared_costs: 'aa': kinds.0 is 'sup'"),
    ([{**EVEN, "method": "fixed"}], "has shares without method: fixed, or the other way around"),
    ([{**EVEN, "method": "fixed", "shares": {"data": -1}}], "the share of data is -1"),
    ([{**EVEN, "from": "2026-13"}], "begins or ends with '2026-13'"),
    ([{**EVEN, "sum": 1}], "shared_costs: 'aa': sum: there is no such field"),
]  # fmt: skip


def test_a_bad_declaration_names_its_place_and_changes_nothing(measured: Measured) -> None:
    for section, message in BAD:
        said = measured.finops("apply", measured.declare("acme", shared_costs=section), fails=True)
        assert message in said, (section, said)
        assert "acme" in said
    assert measured.made.installation.registry.tenant("acme").shared_costs == ()
    file = measured.declare("acme", shared_costs="support")
    assert "shared_costs" in measured.finops("apply", file, fails=True)


@pytest.mark.parametrize("name", ["unit_costs", "costs_to_share", "shared_cost_shares",
                                  "shared_costs"])  # fmt: skip
def test_a_mart_that_loses_rows_is_refused(
    shared: Measured, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    column = {"shared_cost_shares": "basis"}.get(name, "billed_cost")
    wrong = tuple(
        replace(mart, sql=f"{mart.sql} where {column} < 20") if mart.name == name else mart
        for mart in marts()
    )
    check = next(head(mart.sql)["check"] for mart in marts() if mart.name == name)
    monkeypatch.setattr("finops_pipeline.marts.build.marts", lambda: wrong)
    file = shared.made.folder("acme") / "acme.duckdb"
    before = file.read_bytes()
    said = shared.finops("ingest", "acme", fails=True)
    assert check in said
    assert file.read_bytes() == before


def test_shared_costs_of_a_whole_estate(built: TemporaryInstallation, tmp_path: Path) -> None:
    """Unused commitments, support and tax of invented bills, of both tenants."""
    made = Measured(built, tmp_path).copy(tmp_path / "copy")
    for tenant in TENANTS:
        section = [
            {"name": "idle", "kinds": "unused_commitments", "method": "proportional"},
            {"name": "overhead", "kinds": ["support", "tax"], "method": "even"},
            {"name": "rest", "projects": "unassigned", "method": "proportional"},
        ]
        share(made, tenant, section)
        rows = made.rows("from shared_costs", tenant)
        assert {row["shared_cost"] for row in rows} >= {"idle", "rest"}
        assert sums_of(rows) == {Decimal(0)}
        assert wrong_rows(made, tenant, section) == []
