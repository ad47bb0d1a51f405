"""Findings of waste: money counts once, decisions stay, later bills prove what was saved.

Put here: overlaps, the life of a finding, realised savings. Keep out: what each rule finds
(test_waste_rules.py).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_pipeline.contracts.waste_tables import RECENT_USAGE
from finops_pipeline.marts.waste_findings import waste_sql
from finops_pipeline.marts.waste_rules_library import RULE_COLUMNS
from tests.conftest import TemporaryInstallation
from tests.support.second_opinion_waste import count_once
from tests.support.waste_bills import DEV, Use, ask, ingest_bills, write_bill

CENTS = Decimal("0.01")
File = duckdb.DuckDBPyConnection
Savings = dict[tuple[str, str], Decimal]
Costs = dict[str, Decimal]
OCTOBER = {"first": date(2026, 10, 1), "last": date(2026, 10, 31)}


def nat(resource: str, **more: Any) -> Use:
    return Use(resource, "AmazonEC2", "NatGateway-Hours", "24", "0.045", **more)


def volume(resource: str, kind: str, amount: str, price: str, **more: Any) -> Use:
    unit = "GB-Mo"
    return Use(resource, "AmazonEC2", f"EBS:VolumeUsage.{kind}", amount, price, unit=unit, **more)


def instance(resource: str, **more: Any) -> Use:
    operation = "RunInstances"
    return Use(
        resource, "AmazonEC2", "BoxUsage:m5.large", "24", "0.096", operation=operation, **more
    )


BEFORE = [
    nat("nat-1"),
    nat("nat-2"),
    volume("vol-1", "gp2", "5", "0.1"),
    instance("i-1", account=DEV),
]


@pytest.fixture
def made(tmp_path: Path) -> TemporaryInstallation:
    """acme and globex have the same accounts and resources."""
    return ingest_bills(tmp_path, BEFORE, BEFORE)


def by_resource(made: TemporaryInstallation, tenant: str = "acme") -> dict[str, dict[str, Any]]:
    rows = ask(made, tenant, "from waste_findings order by counted_saving desc, rule")
    first: dict[str, dict[str, Any]] = {}
    for row in rows:
        first.setdefault(row["resource_id"], row)
    return first


def decide(made: TemporaryInstallation, verb: str, finding: str, *more: str) -> str:
    return made.finops("waste", verb, "acme", finding, *more).stdout


def test_a_decision_stays_and_belongs_to_its_tenant(made: TemporaryInstallation) -> None:
    findings = by_resource(made)
    first, second = findings["nat-1"]["finding_id"], findings["nat-2"]["finding_id"]
    assert by_resource(made, "globex")["nat-1"]["finding_id"] == first
    assert "accepted" in decide(made, "accept", first)
    decide(made, "start", first)
    refused = made.finops("waste", "dismiss", "acme", second, ok=False)
    assert "only with a reason" in refused.stderr
    decide(made, "dismiss", second, "--reason", "standby of the failover")
    made.finops("rebuild", "acme")
    findings = by_resource(made)
    assert (findings["nat-1"]["status"], findings["nat-1"]["counted_saving"]) == (
        "in progress", Decimal("32.4"),
    )  # fmt: skip
    assert (findings["nat-2"]["status"], findings["nat-2"]["counted_saving"]) == ("dismissed", 0)
    assert findings["nat-2"]["status_reason"] == "standby of the failover"
    assert {row["status"] for row in ask(made, "globex", "from waste_findings")} == {"open"}
    assert "acme has no finding A01-0" in made.finops(
        "waste", "accept", "acme", "A01-0", ok=False
    ).stderr  # fmt: skip


def test_a_dismissal_ends_and_then_counts_again(made: TemporaryInstallation) -> None:
    finding = by_resource(made)["nat-1"]["finding_id"]
    decide(made, "dismiss", finding, "--reason", "until the move", "--until", "2026-09-29")
    row = by_resource(made)["nat-1"]
    assert (row["status"], row["counted_saving"]) == ("open", Decimal("32.4"))
    decide(made, "dismiss", finding, "--reason", "until the move", "--until", "2026-09-30")
    assert by_resource(made)["nat-1"]["status"] == "dismissed"


def test_a_dismissed_finding_makes_room_for_another(made: TemporaryInstallation) -> None:
    rows = {r["rule"]: r for r in ask(made, "acme", "from waste_findings") if r["project"] == "lab"}
    assert rows["A16"]["counted_saving"] > 0 and rows["A12"]["counted_saving"] == 0
    decide(made, "dismiss", rows["A16"]["finding_id"], "--reason", "runs tests at night")
    rows = {r["rule"]: r for r in ask(made, "acme", "from waste_findings") if r["project"] == "lab"}
    assert rows["A16"]["counted_saving"] == 0
    assert rows["A12"]["counted_saving"] == rows["A12"]["monthly_saving"] == Decimal("13.68")


def test_a_resource_that_moves_to_another_project_saves_nothing(
    made: TemporaryInstallation,
) -> None:
    """Neither a new name of its project nor the end of its claim looks like a removal."""
    finding = by_resource(made)["vol-1"]["finding_id"]
    decide(made, "finish", finding, "--on", "2026-09-20")
    (before,) = ask(made, "acme", "from savings_realised")
    assert not before["is_gone"]
    made.finops("project", "rename", "acme/shop", "store")
    assert not made.ingest("acme").failed
    (renamed,) = ask(made, "acme", "from savings_realised")
    assert renamed == before | {"project": "store"}
    made.finops("project", "remove", "acme/store", "--yes", "acme/store")
    assert not made.ingest("acme").failed
    assert ask(made, "acme", "select project from recent_usage where meter like 'EBS%'") == [
        {"project": "unassigned"}
    ]
    assert ask(made, "acme", "from savings_realised") == []


def test_later_bills_prove_the_savings(made: TemporaryInstallation, tmp_path: Path) -> None:
    """A gateway that is gone saves its days; a volume saves by size, which has doubled."""
    findings = by_resource(made)
    for resource in ("nat-1", "vol-1"):
        decide(made, "finish", findings[resource]["finding_id"], "--on", "2026-09-30")
    after = [
        nat("nat-2", **OCTOBER),
        volume("vol-1", "gp3", "10", "0.08", **OCTOBER),
        instance("i-1", account=DEV, **OCTOBER),
    ]
    write_bill(tmp_path / "acme/cur", after)
    assert not made.ingest("acme").failed
    rows = {row["resource_id"]: row for row in ask(made, "acme", "from savings_realised")}
    gone, changed = rows["nat-1"], rows["vol-1"]
    assert gone["is_gone"] and gone["normalised_by"] == "days"
    assert gone["realised_saving"].quantize(CENTS) == Decimal("33.48")  # 31 days at 1.08
    assert json.loads(gone["bill_lines"]) == []
    assert not changed["is_gone"] and changed["normalised_by"] == "GB-Months"
    # 310 GB-months at 0.1 would have cost 31, and cost 24.8
    assert (changed["expected_cost"], changed["effective_cost"]) == (31, Decimal("24.8"))
    (line,) = json.loads(changed["bill_lines"])
    assert line["usage_type"] == "EBS:VolumeUsage.gp3" and Decimal(line["quantity"]) == 310
    assert ask(made, "globex", "from savings_realised") == []
    output = made.finops("waste", "explain", "acme", findings["nat-1"]["finding_id"]).stdout
    assert "33.48" in output and "status: done" in output


def test_the_list_has_filters_and_formats(made: TemporaryInstallation) -> None:
    def listed(*options: str) -> list[dict[str, Any]]:
        done = made.finops("waste", "list", "acme", *options, "--format", "json")
        rows: list[dict[str, Any]] = json.loads(done.stdout)
        return rows

    assert {row["project"] for row in listed("--project", "lab")} == {"lab"}
    assert {row["resource_id"] for row in listed("--rule", "A01")} == {"nat-1", "nat-2"}
    unknown = listed("--state", "unknown")
    # no inventory and no CloudWatch: the bill alone is known completely
    assert unknown and {row["finding_id"][0] for row in unknown} == {"B", "C"}
    assert "rule A99 is not known" in made.finops(
        "waste", "list", "acme", "--rule", "A99", ok=False
    ).stderr  # fmt: skip
    assert "nat-1" in made.finops("waste", "list", "acme").stdout


@pytest.fixture(scope="module")
def empty_file() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as connection:
        money = {"cost", "monthly_saving", "price"}
        columns = ", ".join(
            f"{name} {'decimal(38, 18)' if name in money else 'varchar'}" for name in RULE_COLUMNS
        )
        connection.execute(f"create table rule_findings (rule varchar, {columns})")
        connection.execute(
            "create table waste_rule_heads (rule varchar, rule_version int, tier varchar,"
            " meaning varchar, part varchar, effort varchar, risk varchar)"
        )
        connection.execute(
            "create table waste_decisions (finding_id varchar, status varchar, reason varchar,"
            " until date, decided_at varchar)"
        )
        usage = ", ".join(f'"{c.name}" {c.type}' for c in RECENT_USAGE.columns)
        connection.execute(f"create table recent_usage ({usage})")
        yield connection


def test_what_no_inventory_lists_is_one_finding_per_project(
    empty_file: duckdb.DuckDBPyConnection,
) -> None:
    _clear(empty_file)
    empty_file.execute(
        "insert into waste_rule_heads values ('C01', 1, 'C', '', 'all', 'low', 'low')"
    )
    for project in ("shop", "lab"):
        empty_file.execute(
            "insert into rule_findings by name select 'C01' as rule, 'payer' as source, ? as"
            " project, 'USD' as billing_currency, 'unknown' as state, 5 as cost, 'low' as"
            " confidence, '{}' as evidence",
            [project],
        )
    sql = f"select project, finding_id from ({waste_sql('waste_findings')})"
    rows = dict(empty_file.execute(sql).fetchall())
    assert rows.keys() == {"shop", "lab"} and rows["shop"] != rows["lab"]


def _clear(file: duckdb.DuckDBPyConnection) -> None:
    for table in ("rule_findings", "waste_rule_heads", "recent_usage"):
        file.execute(f"delete from {table}")


PARTS = {"A01": "all", "A02": "all", "A03": "disk", "A04": "disk", "A05": "time", "A06": "time"}
AMOUNTS = st.decimals(min_value=0, max_value=40, places=2)
SAVINGS = st.dictionaries(st.tuples(st.sampled_from(["r", "s"]), st.sampled_from(list(PARTS))),
                        AMOUNTS, max_size=10)  # fmt: skip


OVERLAPS = given(savings=SAVINGS, costs=st.fixed_dictionaries({"r": AMOUNTS, "s": AMOUNTS}))


@settings(max_examples=40, deadline=None)
@OVERLAPS
def test_no_money_counts_twice(empty_file: File, savings: Savings, costs: Costs) -> None:
    _check_overlaps(empty_file, savings, costs)


@pytest.mark.torture
@settings(max_examples=3000, deadline=None)
@OVERLAPS
def test_no_money_counts_twice_in_many_bills(
    empty_file: File, savings: Savings, costs: Costs
) -> None:
    _check_overlaps(empty_file, savings, costs)


def _check_overlaps(file: File, savings: Savings, costs: Costs) -> None:
    _clear(file)
    for resource, cost in costs.items():
        file.execute(
            "insert into recent_usage by name select 'shop' as project, 'payer' as source, ? as"
            " resource_id, 'USD' as billing_currency, date '2026-09-01' as window_start, date"
            " '2026-09-30' as window_end, ? as own_cost, 0 as covered_quantity, false as"
            " is_in_several_projects",
            [resource, cost],
        )
    for rule, part in PARTS.items():
        file.execute(
            "insert into waste_rule_heads values (?, 1, 'A', '', ?, 'low', 'low')", [rule, part]
        )
    for (resource, rule), saving in savings.items():
        file.execute(
            "insert into rule_findings by name select ? as rule, 'payer' as source, ? as"
            " resource_id, 'shop' as project, 'USD' as billing_currency, 'found' as state, ? as"
            " cost, ? as monthly_saving, 'high' as confidence, '{}' as evidence",
            [rule, resource, costs[resource], saving],
        )
    rows = file.execute(
        f"select resource_id, rule, counted_saving from ({waste_sql('waste_findings')})"
    ).fetchall()
    counted: dict[str, Decimal] = defaultdict(Decimal)
    for resource, _, saving in rows:
        counted[resource] += saving
    assert counted == _counted(savings, costs)
    assert all(total <= costs[resource] for resource, total in counted.items())
    assert {(r, rule): saving for r, rule, saving in rows} == _counted_by_finding(savings, costs)


def _counted_by_finding(savings: Savings, costs: Costs) -> dict[tuple[str, str], Decimal]:
    """Compute it by Polars: which finding of each part counts, and how much of it."""
    if not savings:
        return {}
    frame = pl.DataFrame(
        [
            {"account": "", "service": "", "resource": resource, "rule": rule, "part": PARTS[rule],
             "limit": costs[resource], "saving": min(saving, costs[resource])}
            for (resource, rule), saving in savings.items()
        ],
        schema_overrides=dict.fromkeys(("limit", "saving"), pl.Decimal(38, 18)),
    )  # fmt: skip
    return {
        (row["resource"], row["rule"]): row["counted"]
        for row in count_once(frame).iter_rows(named=True)
    }


def _counted(savings: Savings, costs: Costs) -> dict[str, Decimal]:
    """Compute it once more: the larger of the best for the whole, and the best of each part."""
    best: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for (resource, rule), saving in savings.items():
        part, most = PARTS[rule], min(saving, costs[resource])
        best[resource][part] = max(best[resource].get(part, Decimal(0)), most)
    counted = {}
    for resource, parts in best.items():
        whole = parts.pop("all", Decimal(0))
        counted[resource] = min(max(whole, sum(parts.values(), Decimal(0))), costs[resource])
    return counted
