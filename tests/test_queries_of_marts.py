"""Queries of the library over the marts of costs, on two tenants, against sums added up in Python.

Put here: queries whose answer is no sum of whole months: ranks, shares, steps, tags that lack.
Keep out: movers (test_movers.py), sums of months (test_queries.py), docs/cookbook.md
(test_cookbook.py).
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.conftest import TemporaryInstallation
from tests.support import second_opinion_marts as opinion
from tests.support.source_files import PACKAGE
from tests.test_queries import ask

TENANTS = ("acme", "globex")
Row = dict[str, Any]
Days = dict[str, list[Row]]


@pytest.fixture(scope="module")
def days(built: TemporaryInstallation) -> Days:
    """Costs by resource and day of both tenants, computed without SQL."""
    return {
        tenant: list(
            opinion.resource_daily_costs(
                opinion.read_charges(built.folder(tenant)),
                built.installation.registry.tenant(tenant),
            ).iter_rows(named=True)
        )
        for tenant in TENANTS
    }


def summed(
    rows: list[Row], keys: tuple[str, ...], cost: str, counts: Callable[[Row], bool] = bool
) -> dict[tuple[Any, ...], Decimal]:
    sums: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for row in filter(counts, rows):
        sums[tuple(row[key] for key in keys)] += row[cost]
    return sums


def is_taggable(row: Row) -> bool:
    is_usage = row["charge_category"] == "Usage" and row["row_kind"] == "line"
    groups = ("usage", "commitments", "marketplace")
    is_idle = row["commitment_discount_status"] == "Unused"
    return is_usage and row["charge_group"] in groups and bool(row["resource_id"]) and not is_idle


@pytest.mark.parametrize("tenant", TENANTS)
def test_top_services_and_resources_are_the_most_expensive(
    built: TemporaryInstallation, days: Days, tenant: str
) -> None:
    services = summed(days[tenant], ("billing_period", "service_name"), "effective_cost")
    answered = ask(built, tenant, "top_services", top="3")
    for month in {row["billing_period"] for row in answered}:
        of_month = sorted((cost for key, cost in services.items() if key[0] == month), reverse=True)
        rows = [row for row in answered if row["billing_period"] == month]
        assert [row["effective_cost"] for row in rows] == of_month[:3]
        for row in rows:
            assert services[month, row["service_name"]] == row["effective_cost"]
            share = round(100 * row["effective_cost"] / sum(of_month), 2)
            assert row["percent_of_month"] == share
    keys = ("billing_period", "resource_id", "service_name", "project")
    resources = summed(days[tenant], keys, "effective_cost", lambda row: bool(row["resource_id"]))
    answered = ask(built, tenant, "top_resources", top="5")
    for month in {row["billing_period"] for row in answered}:
        of_month = sorted((c for key, c in resources.items() if key[0] == month), reverse=True)
        rows = [row for row in answered if row["billing_period"] == month]
        assert [row["effective_cost"] for row in rows] == of_month[:5]
        assert all(resources[tuple(row[k] for k in keys)] == row["effective_cost"] for row in rows)


@pytest.mark.parametrize("tenant", TENANTS)
def test_steps_from_public_prices_add_up_to_both_costs(
    built: TemporaryInstallation, days: Days, tenant: str
) -> None:
    steps: dict[str, dict[int, Decimal]] = defaultdict(dict)
    for row in ask(built, tenant, "price_steps"):
        steps[row["billing_period"]][row["step_number"]] = row["step_cost"]
    effective = summed(days[tenant], ("billing_period",), "effective_cost")
    billed = summed(days[tenant], ("billing_period",), "billed_cost")
    assert {(month,) for month in steps} == effective.keys()
    for month, amounts in steps.items():
        assert sum(amounts[n] for n in range(1, 11)) == amounts[11] == effective[month,]
        assert amounts[11] + amounts[12] + amounts[13] == amounts[14] == billed[month,]
        assert amounts[1] > 0 > amounts[4]


@pytest.mark.parametrize("tenant", TENANTS)
def test_untagged_spend_counts_missing_and_empty_values(
    built: TemporaryInstallation, days: Days, tenant: str
) -> None:
    keys = ("billing_period", "project", "sub_account_id", "service_name")

    def lacks(*tags: str) -> Callable[[Row], bool]:
        def is_incomplete(row: Row) -> bool:
            values = json.loads(row["tags"] or "{}")
            return is_taggable(row) and not all((values.get(t) or "").strip() for t in tags)

        return is_incomplete

    for tag in ("Team", "no such tag"):
        expected = summed(days[tenant], keys, "effective_cost", lacks(tag))
        rows = ask(built, tenant, "untagged_costs", tag=tag)
        answered = {tuple(row[key] for key in keys): row["untagged_cost"] for row in rows}
        assert answered == {key: cost for key, cost in expected.items() if cost >= 1}, tag
    keys = ("billing_period", "project")
    incomplete = summed(days[tenant], keys, "effective_cost", lacks("Team", "Env"))
    every = summed(days[tenant], keys, "effective_cost", is_taggable)
    for row in ask(built, tenant, "required_tags", tags="Team; Env"):
        key = (row["billing_period"], row["project"])
        assert (row["taggable_cost"], row["incomplete_cost"]) == (every[key], incomplete[key])
        assert row["complete_percent"] == round(100 * row["complete_cost"] / every[key], 2)
    assert any(0 < cost < every[key] for key, cost in incomplete.items())


@pytest.mark.parametrize("tenant", TENANTS)
def test_discounts_and_credits_are_those_of_the_bill(
    built: TemporaryInstallation, days: Days, tenant: str
) -> None:
    keys = ("billing_period", "charge_group", "project", "service_name")
    groups = ("discounts", "credits_and_refunds")
    expected = summed(
        days[tenant], keys, "billed_cost", lambda row: row["charge_group"] in groups
    )  # fmt: skip
    rows = ask(built, tenant, "discounts_and_credits")
    answered = {tuple(row[key] for key in keys): row["billed_cost"] for row in rows}
    assert answered == {key: c for key, c in expected.items() if abs(c) >= Decimal("0.01")}
    assert {group for _, group, *_ in answered} == set(groups)


def test_d4_and_d22_no_sql_adds_up_unit_prices() -> None:
    """A price of an hour and a price of a gigabyte add up to nothing; rates divide costs."""
    for path in (PACKAGE / "marts").rglob("*.sql"):
        sql = path.read_text(encoding="utf-8")
        assert not re.search(r"(sum|avg)\s*\([^)]*unit_?price", sql, re.IGNORECASE), path.name
        assert not re.search(r"(sum|avg)\s*\([^)]*(percent|_rate\b)", sql, re.IGNORECASE), path.name
