"""The library of queries on two tenants: every answer against figures that come another way.

Put here: sums of charges added up in Python from the Parquet files, commitments and totals known
from making the bills (truth.json), parameters, the grain and types of answers, and that no answer
holds the other tenant's marker. Keep out: the command (test_queries_command.py), the views of FOCUS
versions (test_focus_views.py).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow.parquet as pq
import pytest

from finops_pipeline.marts.use_cases import bind_parameters, use_case, use_cases
from finops_pipeline.serve.sandbox import Sandbox, open_sandbox
from tests.conftest import TemporaryInstallation

OTHER = {"acme": "globex", "globex": "acme"}
Row = dict[str, Any]
Rows = list[Row]
COLUMNS = (
    "BilledCost", "EffectiveCost", "ListCost", "ContractedCost", "BillingPeriodStart",
    "BillingCurrency", "ChargeCategory", "ChargeClass", "ChargeFrequency", "ChargePeriodStart",
    "CommitmentDiscountId", "CommitmentDiscountStatus", "CommitmentDiscountQuantity",
    "ConsumedQuantity", "PricingQuantity", "PricingCategory", "ResourceId", "ServiceCategory",
    "ServiceName", "SkuId", "SkuPriceId", "SubAccountId", "CapacityReservationId",
    "CapacityReservationStatus", "Tags", "PricingCurrencyEffectiveCost",
)  # fmt: skip
Predicate = Callable[[Row], bool]


def every(charge: Row) -> bool:
    return bool(charge)


def used(charge: Row) -> bool:
    return bool(charge["ChargeCategory"] == "Usage")


def used_now(charge: Row) -> bool:
    return used(charge) and charge["ChargeClass"] is None


def priced(charge: Row) -> bool:
    """Usage, without the refunds that AWS also calls usage."""
    return used(charge) and charge["ChargeFrequency"] != "One-Time"


def taggable(charge: Row) -> bool:
    return priced(charge) and charge["ResourceId"] is not None and not is_unused(charge)


def rated(charge: Row) -> bool:
    idle = charge["CommitmentDiscountStatus"] == "Unused"
    return used_now(charge) and not idle and bool(charge["PricingQuantity"])


def bought(charge: Row) -> bool:
    return charge["ChargeCategory"] == "Purchase" and charge["CommitmentDiscountId"] is not None


def is_unused(charge: Row) -> bool:
    return bool(charge["CommitmentDiscountStatus"] == "Unused")


B, E, L, C = (f"{basis}_cost" for basis in ("billed", "effective", "list", "contracted"))
SOURCE = {B: "BilledCost", E: "EffectiveCost", L: "ListCost", C: "ContractedCost"} | {
    "unused_cost": "EffectiveCost", "unused_quantity": "CommitmentDiscountQuantity",
    "consumed_quantity": "ConsumedQuantity", "pricing_quantity": "PricingQuantity",
    "pricing_currency_effective_cost": "PricingCurrencyEffectiveCost",
    "tagged_cost": "EffectiveCost", "used_cost": "EffectiveCost",
    "taggable_cost": "EffectiveCost",
}  # fmt: skip
SUMS: dict[str, tuple[Predicate, tuple[str, ...]]] = {
    **dict.fromkeys(("provider_invoices", "service_charges"), (every, (B,))),
    **dict.fromkeys(
        (
            "services_by_region", "services_by_sub_account", "service_categories",
            "service_subcategories", "charge_categories", "availability_zones", "publishers",
            "applications_by_month",
        ),
        (every, (B, E)),
    ),
    "cash_and_amortized": (every, (B, E, L, C)),
    "services_month_over_month": (every, (E,)),
    "pricing_currencies": (every, ("pricing_currency_effective_cost", E)),
    "compute_by_sub_account": (lambda c: used(c) and c["ServiceCategory"] == "Compute", (E, L)),
    "regions_by_sub_account": (used, (E,)),
    "tag_coverage": (taggable, ("taggable_cost",)),
    **dict.fromkeys(("charge_groups", "environments", "tag_costs"), (every, (B, E))),
    "pricing_categories": (used, (L, C, E)),
    "sku_costs": (lambda c: c["SkuId"] is not None, ("pricing_quantity", L, E)),
    "resource_skus": (lambda c: c["ResourceId"] is not None, (B, E)),
    "resource_usage_month_over_month": (
        lambda c: used(c) and c["ConsumedQuantity"] is not None and c["ResourceId"] is not None,
        ("consumed_quantity", E),
    ),
    "component_rates": (rated, ("pricing_quantity", L, C, E)),
    "historical_rates": (
        lambda c: used_now(c) and c["SkuPriceId"] is not None,
        ("pricing_quantity", L, C, E),
    ),
    "commitment_purchases": (lambda c: bought(c) and c["ChargeClass"] is None, (B,)),
    "recurring_commitments": (lambda c: bought(c) and c["ChargeFrequency"] == "Recurring", (B,)),
    "unused_commitments": (is_unused, ("unused_quantity", "unused_cost")),
    "commitment_savings": (lambda c: used(c) and c["CommitmentDiscountStatus"] is not None, (C, E)),
    "contracted_savings": (used_now, (L, C)),
    "effective_savings_rate": (priced, (L, E)),
    "refunds": (
        lambda c: c["BilledCost"] < 0 and c["ChargeCategory"] in ("Usage", "Purchase", "Tax"),
        (B,),
    ),
    "corrections": (lambda c: c["ChargeClass"] == "Correction", (B, E)),
    "credits": (lambda c: c["ChargeCategory"] == "Credit", (B,)),
}  # fmt: skip
"""Query -> which charges it sums, and the columns of its answer that are those sums."""

ELSEWHERE = {
    *("capacity_reservations", "unused_capacity", "anomalous_days", "commitment_utilization"),
    *("movers", "vanished_services", "price_steps", "required_tags", "untagged_costs"),
    *("top_services", "top_resources", "discounts_and_credits", "costs_per_hour"),
    *("commitments", "commitment_coverage", "commitment_eligible_spend", "data_transfer"),
    *("storage_costs", "compute_hours", "workloads", "unit_costs", "shared_costs"),
    *("project_statements", "required_tag_coverage"),
}
"""Queries with a test of their own, here, in test_queries_by_hand.py, test_queries_of_marts.py,
test_movers.py, test_hourly_costs.py, test_commitment_marts.py, test_usage_marts.py,
test_business_metrics.py, test_shared_costs.py, test_statements.py or test_required_tags.py."""


def ask(made: TemporaryInstallation, tenant: str, name: str, **given: str) -> Rows:
    installation = made.installation
    with open_sandbox(installation.folder(tenant), installation.query_limits) as sandbox:
        return answer(sandbox, name, **given)


def answer(sandbox: Sandbox, name: str, **given: str) -> Rows:
    query = use_case(name)
    connection = sandbox.execute(query.sql, bind_parameters(query, None, None, given))
    names = [column[0] for column in connection.description or []]
    return [dict(zip(names, row, strict=True)) for row in connection.fetchall()]


@pytest.fixture(scope="module")
def answers(built: TemporaryInstallation) -> dict[str, dict[str, Rows]]:
    """Every query's complete answer for both tenants."""
    folder, limits = built.installation.folder, built.installation.query_limits
    with open_sandbox(folder("acme"), limits) as acme, open_sandbox(folder("globex"), limits) as g:
        opened = {"acme": acme, "globex": g}
        return {t: {q.name: answer(opened[t], q.name) for q in use_cases()} for t in OTHER}


@pytest.fixture(scope="module")
def charges(built: TemporaryInstallation) -> dict[str, Rows]:
    """Every charge of both tenants, read without DuckDB."""
    return {
        tenant: [
            charge
            for path in sorted((built.folder(tenant) / "costs").rglob("*.parquet"))
            for charge in pq.ParquetFile(path).read(columns=list(COLUMNS)).to_pylist()
        ]
        for tenant in OTHER
    }


def summed(rows: Rows, column: str, is_summed: Predicate = every) -> dict[tuple[str, str], Decimal]:
    """Sums by month and currency; months whose sum is zero are left out."""
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in filter(is_summed, rows):
        month = row.get("billing_period") or f"{row['BillingPeriodStart']:%Y-%m}"
        currency = row.get("billing_currency") or row["BillingCurrency"]
        sums[month, currency] += row[column] or Decimal(0)
    return {key: value for key, value in sums.items() if value}


def test_every_parameter_states_its_values_and_its_default_is_such_a_value() -> None:
    for query in use_cases():
        assert query.values.keys() == query.parameters.keys(), query.name
        bind_parameters(query, None, None, query.parameters)


def test_every_query_is_tested() -> None:
    assert len(use_cases()) >= 25
    assert {query.name for query in use_cases()} == SUMS.keys() | ELSEWHERE


@pytest.mark.parametrize("name", SUMS)
def test_a_query_sums_exactly_its_charges(
    answers: dict[str, dict[str, Rows]], charges: dict[str, Rows], name: str
) -> None:
    is_summed, columns = SUMS[name]
    for tenant in OTHER:
        rows = answers[tenant][name]
        for column in columns:
            expected = summed(charges[tenant], SOURCE[column], is_summed)
            assert expected, (tenant, column)
            assert summed(rows, column) == expected, (tenant, column)
        if "charges" in rows[0]:
            assert sum(row["charges"] for row in rows) == sum(map(is_summed, charges[tenant]))


@pytest.mark.parametrize("name", ["provider_invoices", "services_by_region", "cash_and_amortized"])
def test_totals_are_those_of_the_bills(
    answers: dict[str, dict[str, Rows]], truth: dict[str, Any], name: str
) -> None:
    _, columns = SUMS[name]
    for tenant in OTHER:
        for column in set(columns) & {B, E}:
            true: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
            for months in truth["tenants"][tenant]["sources"].values():
                for month, figures in months.items():
                    true[month, "USD"] += Decimal(figures[column])
            assert summed(answers[tenant][name], column) == true


def test_commitments_are_those_that_were_made(
    answers: dict[str, dict[str, Rows]], truth: dict[str, Any]
) -> None:
    """Bought, used and unused cost per commitment and month, as known from making the bills."""
    for tenant in OTHER:
        made: dict[tuple[str, str], tuple[Decimal, ...]] = {}
        for months in truth["tenants"][tenant]["sources"].values():
            for month, figures in months.items():
                for arn, costs in figures["by_commitment"].items():
                    made[month, arn] = tuple(Decimal(costs[k]) for k in ("fees", "used", "unused"))
        answered = {
            column: {
                (row["billing_period"], row["commitment_discount_id"]): row[column]
                for row in answers[tenant][name]
                if row[column]
            }
            for name, column in (
                ("commitment_purchases", B),
                ("commitment_utilization", "used_cost"),
                ("unused_commitments", "unused_cost"),
            )
        }
        assert made
        for position, column in enumerate((B, "used_cost", "unused_cost")):
            expected = {key: costs[position] for key, costs in made.items() if costs[position]}
            assert answered[column] == expected, (tenant, column)
        for row in answers[tenant]["commitment_utilization"]:
            _, used_cost, idle = made[row["billing_period"], row["commitment_discount_id"]]
            assert row["used_percent"] == round(100 * used_cost / (used_cost + idle), 2)


def test_shares_and_rates_are_quotients_of_sums(answers: dict[str, dict[str, Rows]]) -> None:
    """The savings rate divides by list cost, a share of tagged costs by all costs of the row."""
    for tenant in OTHER:
        rows = answers[tenant]["effective_savings_rate"]
        assert any((row["savings_rate_percent"] or 0) > 10 for row in rows)
        for row in rows:
            assert row["saved_cost"] == row[L] - row[E]
            rate = round(100 * (row[L] - row[E]) / row[L], 2) if row[L] else None
            assert row["savings_rate_percent"] == rate
        for row in answers[tenant]["tag_coverage"]:
            base = row["taggable_cost"]
            share = round(100 * row["tagged_cost"] / base, 2) if base else None
            assert row["tagged_percent"] == share
        before = {(r["billing_period"], r["service_name"]): r[E]
                  for r in answers[tenant]["services_month_over_month"]}  # fmt: skip
        for row in answers[tenant]["services_month_over_month"]:
            year, month = map(int, row["billing_period"].split("-"))
            earlier = f"{year}-{month - 1:02d}"
            has_earlier = earlier in {period for period, _ in before}
            last = before.get((earlier, row["service_name"]), Decimal(0)) if has_earlier else None
            assert row["cost_before"] == last
            assert row["difference"] == (None if last is None else row[E] - last)
        for row in answers[tenant]["component_rates"]:
            rate = row[E] / row["pricing_quantity"]
            assert abs(row["effective_rate"] - rate) <= Decimal("1e-11") * max(1, abs(rate))


def test_tags_are_chosen_by_a_parameter(
    built: TemporaryInstallation, charges: dict[str, Rows]
) -> None:
    for key in ("CostCenter", "Env", "no such tag", "x' or '1'='1"):
        expected: dict[Any, Decimal] = defaultdict(Decimal)
        for charge in charges["acme"]:
            expected[json.loads(charge["Tags"]).get(key)] += charge["EffectiveCost"]
        answered: dict[Any, Decimal] = defaultdict(Decimal)
        for row in ask(built, "acme", "applications_by_month", tag=key):
            answered[row["tag_value"]] += row[E]
        assert answered == expected, key
        tagged = summed(ask(built, "acme", "tag_coverage", tag=key), "tagged_cost")
        of_use = [c for c in charges["acme"] if taggable(c) and json.loads(c["Tags"]).get(key)]
        assert tagged == summed(of_use, "EffectiveCost"), key


def test_days_far_above_the_usual(answers: dict[str, dict[str, Rows]], truth: dict[str, Any],
                                  charges: dict[str, Rows]) -> None:  # fmt: skip
    """The rule computed independently; the anomalies planted in the estate are among the days."""
    for tenant in OTHER:
        days: dict[tuple[Any, ...], dict[int, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        for charge in filter(used_now, charges[tenant]):
            if charge["CommitmentDiscountStatus"] == "Unused":
                continue  # report awslabs/aws-well-architected-labs#991
            key = (charge["SubAccountId"], charge["ServiceName"])
            days[key][charge["ChargePeriodStart"].toordinal()] += charge["EffectiveCost"]
        expected = set()
        for key, costs in days.items():
            for day, cost in costs.items():
                before = [costs[d] for d in range(day - 14, day) if d in costs]
                usual = sum(before, Decimal(0)) / len(before) if len(before) >= 3 else cost
                if len(before) >= 3 and cost > 2 * usual and cost - usual >= 1:
                    expected.add((day, *key))
        rows = answers[tenant]["anomalous_days"]
        answered_days = {
            (r["charge_date"].toordinal(), r["sub_account_id"], r["service_name"]) for r in rows
        }
        assert answered_days == expected
        planted = {(day, spike["account"], spike["service"])
                   for spike in truth["tenants"][tenant]["anomalies"]
                   for day in spike["days"]}  # fmt: skip
        reported = {(str(r["charge_date"]), r["sub_account_id"], r["service_name"]) for r in rows}
        assert planted
        assert planted & reported


def test_no_answer_holds_the_marker_of_the_other_tenant(
    answers: dict[str, dict[str, Rows]], truth: dict[str, Any]
) -> None:
    for tenant, other in OTHER.items():
        text = repr(answers[tenant])
        assert truth["tenants"][other]["marker"] not in text
        assert truth["tenants"][tenant]["marker"] in text


def test_answers_have_the_grain_and_the_types_that_they_declare(
    built: TemporaryInstallation, answers: dict[str, dict[str, Rows]]
) -> None:
    installation = built.installation
    with open_sandbox(installation.folder("acme"), installation.query_limits) as sandbox:
        for query in use_cases():
            values = bind_parameters(query, None, None, {})
            description = sandbox.execute(f"describe ({query.sql})", values).fetchall()
            types = {name: kind for name, kind, *_ in description}
            assert set(query.grain) <= types.keys(), query.name
            assert "billing_currency" in query.grain
            assert not {"DOUBLE", "FLOAT"} & set(types.values()), query.name
            for name, kind in types.items():
                assert kind.startswith("DECIMAL") or not name.endswith("_cost"), (query.name, name)
            keys = [tuple(row[key] for key in query.grain) for row in answers["acme"][query.name]]
            assert len(keys) == len(set(keys)), query.name
