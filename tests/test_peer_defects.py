"""Mistakes found in other tools for cloud costs, by number, and the tests that show we lack them.

Put here: the list of all of them, and tests of the SQL as a whole. Keep out: tests of one mart,
which have the number in their name beside the mart's other tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot
from sqlglot import exp

import finops_pipeline
from finops_pipeline.contracts.tables import COSTS, MARTS
from finops_pipeline.lake.duck import fetch_dicts
from finops_pipeline.lake.warehouse import reading
from finops_pipeline.marts.library import find_mart
from tests.conftest import TemporaryInstallation

TENANTS = ("acme", "globex")
PACKAGE = Path(finops_pipeline.__file__).parent
TESTED = {
    1: "a dashboard looks for 'large' before 'xlarge', so that every larger size counts as large",
    2: "a dashboard takes the public price of a fee for its unused part: 126 % used",
    3: "recommends gp3 for gp2 by what was billed instead of by size",
    4: "a view adds up unit prices",
    5: "a dashboard shows random() as a figure, and its joins repeat rows",
    6: "a view joins on equal tags, and loses what has none, because null equals nothing",
    7: "patterns such as '6g' list generations one by one, and miss new ones",
    8: "a query of NAT gateways selects transit gateways",
    9: "charges 0.68 of a price instead of 0.32 in a recommendation",
    10: "applies the savings of ARM to requests and to covered usage",
    11: "recommends Aurora I/O-Optimized by account instead of by cluster",
    12: "ratios divide by a zero, and each engine answers something else",
    13: "movers of at least $5 are looked for line by line, and many small ones are lost",
    14: "calls a NAT gateway without metrics ok",
    15: "calls a volume without an instance ok, because it looks for stopped instances only",
    16: "a pattern such as 'CUSTOM%' is compared for equality, and never matches",
    17: "a union without 'all' drops equal amounts",
    18: "recommends sizes without looking at memory",
    19: "looks for obsolete images in the last page of snapshots only",
    20: "a part of a month is compared with a whole one",
    21: "savings are computed with flat rates, such as 20 %",
    22: "the effective savings rate divides by a unit price",
}
"""Each has a test with this number in its name."""


def test_every_defect_has_a_test() -> None:
    assert sorted(TESTED) == list(range(1, 23))
    text = "\n".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    names = re.findall(r"^def test_(\w+)", text, re.MULTILINE)
    named = {int(number) for name in names for number in re.findall(r"(?:^|_)d(\d+)_", name)}
    assert named == set(TESTED)


def queries() -> Iterator[tuple[str, exp.Expression]]:
    """All SQL of marts, checks and ready-made queries, parsed."""
    for path in sorted((PACKAGE / "marts").rglob("*.sql")):
        for tree in sqlglot.parse(path.read_text(encoding="utf-8"), dialect="duckdb"):
            if tree is not None:
                yield path.name, tree


def test_d5_no_figure_is_random_or_of_today() -> None:
    changing = re.compile(r"rand|uuid|^now$|current_?(date|time)|^today$|nextval", re.IGNORECASE)
    names = [
        (name, called)
        for name, tree in queries()
        for function in tree.find_all(exp.Func)
        for called in [
            function.name if isinstance(function, exp.Anonymous) else function.sql_name()
        ]
        if changing.search(called)
    ]
    assert names == []


TOTALS = {
    "monthly_bill": "billed_cost", "monthly_costs": "effective_cost",
    "charge_groups": "billed_cost", "daily_costs": "effective_cost",
    "resource_daily_costs": "billed_cost",
    "price_waterfall": "billed_cost", "account_names": "charges",
}  # fmt: skip


@pytest.mark.parametrize("tenant", TENANTS)
def test_d5_no_join_repeats_a_charge(built: TemporaryInstallation, tenant: str) -> None:
    with reading(built.installation.folder(tenant)) as connection:
        ((billed, effective, charges),) = connection.execute(
            "select sum(BilledCost), sum(EffectiveCost), count(SubAccountId) from costs"
        ).fetchall()
        whole = {"billed_cost": billed, "effective_cost": effective, "charges": charges}
        for mart, column in TOTALS.items():
            ((total,),) = connection.execute(f"select sum({column}) from {mart}").fetchall()
            assert total == whole[column], mart


SIZES = {
    "db.r8g.large": True, "db.r8gd.24xlarge": True, "db.m9g.large": True, "db.x10g.large": True,
    "db.r7i.large": True, "db.r6g.large": False, "db.t4g.medium": False, "db.m5.large": False,
}  # fmt: skip


def test_d7_a_generation_is_a_number_and_not_a_list() -> None:
    """Database Savings Plans cover the seventh generation and later ones, also those to come."""
    columns = ", ".join(f'"{column.name}" {column.type}' for column in COSTS.columns)
    line = {
        "ChargeCategory": "Usage", "x_RowKind": "line", "x_LineItemType": "Usage",
        "x_ServiceCode": "AmazonRDS", "billing_period": "2026-09", "project": "prod",
        "ChargePeriodStart": "2026-09-01", "ChargePeriodEnd": "2026-09-02", "BilledCost": 1,
        "ListCost": 1, "EffectiveCost": 1, "ContractedCost": 1, "BillingCurrency": "USD",
        "PricingCurrency": "USD", "x_PublicOnDemandCost": 1, "x_Source": "payer",
    }  # fmt: skip
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"create table costs ({columns})")
        for size in SIZES:
            row: dict[str, Any] = line | {
                "x_UsageType": f"InstanceUsage:{size}", "x_InstanceType": size,
            }  # fmt: skip
            names = ", ".join(f'"{name}"' for name in row)
            marks = ", ".join("?" for _ in row)
            connection.execute(f"insert into costs ({names}) values ({marks})", [*row.values()])
        rows = fetch_dicts(connection.execute(find_mart("commitment_coverage_hourly").sql))
    families = {size.rpartition(".")[0]: is_new for size, is_new in SIZES.items()}
    eligible = {row["instance_family"]: row["savings_plans"] == "Database" for row in rows}
    assert eligible == families


NEVER_ZERO = {
    "anomalous_days": "days_before",
    "commitment_eligible_spend": "hours",
    "commitments": "fee_hours",
    "unit_costs": "units",  # null for 0
    "shared_cost_shares": "whole",
    "unused_commitment_days": "seconds",
    "macros": "q",
}
"""Divisors that a condition beside the quotient, or their meaning, keeps from being zero."""


def divisor(quotient: exp.Expression) -> exp.Expression:
    """The right side of a quotient, without brackets and casts."""
    part: exp.Expression = quotient.expression
    while isinstance(part, exp.Paren | exp.Cast):
        part = part.this
    return part


def test_d12_no_quotient_divides_by_zero() -> None:
    """DuckDB answers a number divided by 0.0 with infinity. Ours have no value then."""
    unguarded = [
        (name, quotient.sql("duckdb"))
        for name, tree in queries()
        for quotient in tree.find_all(exp.Div, exp.IntDiv)
        for by in [divisor(quotient)]
        if not isinstance(by, exp.Nullif)
        and not (isinstance(by, exp.Literal) and float(by.this))
        and by.name != NEVER_ZERO.get(name.removesuffix(".sql"))
        and not (name == "movers.sql" and "quantity_before" in by.sql())
    ]
    assert unguarded == []


@pytest.mark.parametrize("tenant", TENANTS)
def test_d12_no_value_is_infinite(built: TemporaryInstallation, tenant: str) -> None:
    with reading(built.installation.folder(tenant)) as connection:
        for table in MARTS.values():
            floats = [c.name for c in table.columns if c.type in ("DOUBLE", "FLOAT")]
            for name in floats:
                query = f"select count(*) from {table.name} where not isfinite({name})"
                assert connection.execute(query).fetchall() == [(0,)], (table.name, name)


def test_d16_no_pattern_is_compared_for_equality() -> None:
    found = [
        (name, compared.sql("duckdb"))
        for name, tree in queries()
        for compared in tree.find_all(exp.EQ, exp.In)
        for text in compared.find_all(exp.Literal)
        if text.is_string and re.search(r"[%*]", text.this) and text.parent is compared
    ]
    assert found == []


def test_d17_a_union_keeps_equal_rows_where_they_have_amounts() -> None:
    amount = re.compile(r"cost|amount|quantity|price|charges|hours|savings|fees|percent|value$")
    found = [
        (name, column)
        for name, tree in queries()
        for union in tree.find_all(exp.Union)
        if union.args.get("distinct")
        for column in union.named_selects
        if amount.search(column.lower()) and (name, column) != ("allocations.sql", "value")
    ]
    assert found == []


def test_d21_no_sql_has_a_rate_of_savings() -> None:
    """Savings are differences of prices that the bill states."""
    # AWS's normalization factors of small sizes, quantiles; a tolerance of half a rounded digit;
    # the memory that a smaller function has to spare
    known = {"0.25", "0.5", "0.1", "0.000000005", "1.25"}
    power_of_ten = re.compile(r"0\.0+1")  # to round, to scale, and for percentages that are given
    rates = {
        (name, literal.this)
        for name, tree in queries()
        for literal in tree.find_all(exp.Literal)
        if not literal.is_string
        and "." in literal.this
        and literal.this not in known
        and not power_of_ten.fullmatch(literal.this)
    }
    assert rates == set()
