"""The marts of a tenant's file beside those that Polars computes from the charges.

Put here: comparing the two, and a copy of all marts to compare with a later one. Keep out: the
computation (second_opinion_marts.py, second_opinion_movers.py).
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl

from finops_pipeline.contracts.tables import MARTS
from finops_pipeline.lake.warehouse import reading
from finops_pipeline.marts.use_cases import bind_parameters, use_case
from finops_pipeline.serve.sandbox import open_sandbox
from tests.conftest import TemporaryInstallation
from tests.support import second_opinion_allocations as allocations
from tests.support import second_opinion_bills as bills
from tests.support import second_opinion_marts as opinion
from tests.support.mart_comparison import differences, read_mart
from tests.support.second_opinion_movers import find_movers, hourly_costs, is_metered
from tests.support.second_opinion_recent_usage import recent_usage
from tests.support.second_opinion_required_tags import expected_coverage, measured_coverage
from tests.support.second_opinions_of_marts import expected_marts

Rows = Counter[tuple[Any, ...]]
WITHOUT_SECOND_OPINION = {
    "allocation_days": "internal: what it leads to is compared in allocated_costs",
    "allocations": "internal: what it leads to is compared in allocated_costs, charge by charge",
    "costs_to_share": "internal: a step to shared_costs",
    "shared_cost_shares": "internal: a step to shared_costs",
    "shared_costs": "of tenants that declare them: test_shared_costs.py, test_random_changes.py",
    "resources": "of tenants with an inventory: test_inventory_files.py",
    "unit_costs": "of tenants with business metrics: test_business_metrics.py",
}
DIMENSIONS = {"service": "service_name", "environment": "environment", "usage_type": "usage_type"}


def stored(made: TemporaryInstallation, tenant: str, mart: str) -> Rows:
    """Return the rows of a mart, each with its number."""
    with reading(made.installation.folder(tenant)) as connection:
        return Counter(connection.execute(f"from {mart}").fetchall())


def every_mart(made: TemporaryInstallation, tenant: str) -> dict[str, Rows]:
    """Return the rows of every mart."""
    return {mart: stored(made, tenant, mart) for mart in MARTS}


def computed_marts(made: TemporaryInstallation, tenant: str) -> dict[str, pl.DataFrame]:
    """Compute the marts of costs from the charges."""
    charges = opinion.read_charges(made.folder(tenant))
    registered = made.installation.registry.tenant(tenant)
    days = opinion.resource_daily_costs(charges, registered)
    of_tags = opinion.tag_costs(days)
    return {
        "resource_daily_costs": days,
        **{m: opinion.summed_costs(days, m)
           for m in ("daily_costs", "monthly_costs", "charge_groups")},
        "price_waterfall": opinion.price_waterfall(days),
        "tag_costs": of_tags,
        "tag_coverage": opinion.tag_coverage(of_tags),
        "hourly_costs": hourly_costs(charges, registered),
        "monthly_bill": bills.monthly_bill(charges),
        "account_names": bills.account_names(charges),
        "recent_usage": recent_usage(days),
        "unused_commitment_days": bills.unused_commitment_days(charges),
    }  # fmt: skip


def compare_marts(
    made: TemporaryInstallation, tenant: str, section: dict[str, Any] | None = None
) -> None:
    """Assert that every mart has exactly the rows that its charges give.

    Args:
        section: `dimensions:` as the tenant declares them.
    """
    marts, others = computed_marts(made, tenant), expected_marts(made.installation.folder(tenant))
    compared = {*marts, *others, "dimension_costs", "required_tag_coverage"}
    compared |= WITHOUT_SECOND_OPINION.keys()
    assert compared == MARTS.keys(), "a mart lacks a second opinion"
    folder, registered = made.installation.folder(tenant), made.installation.registry.tenant(tenant)
    assert measured_coverage(folder) == expected_coverage(folder, registered)
    for mart, frame in marts.items():
        rows, expected = stored(made, tenant, mart), Counter(frame.rows())
        assert rows, mart
        extra, missing = rows - expected, expected - rows
        assert not extra and not missing, (mart, list(extra)[:2], list(missing)[:2])
    compare_movers(made, tenant, marts["resource_daily_costs"])
    for mart, expected_rows in others.items():
        wrong = differences(mart, read_mart(made.installation.folder(tenant), mart), expected_rows)
        assert not wrong, wrong[:3]
    compare_dimensions(made, tenant, section or {})


def compare_dimensions(made: TemporaryInstallation, tenant: str, section: dict[str, Any]) -> None:
    """Assert that every dimension has the values that its rules give to each charge."""
    declared = made.installation.registry.tenant(tenant)
    labels = {
        p.name: {"environment": p.environment, "business_unit": p.business_unit}
        for p in declared.projects
    }
    charges = allocations.read_charges(made.folder(tenant))
    expected = allocations.add_up(charges, section, labels)
    columns = ", ".join((*allocations.GROUP, "charges", *allocations.COSTS))
    with reading(made.installation.folder(tenant)) as connection:
        rows = connection.execute(f"select {columns} from dimension_costs").fetchall()
        of_charges = connection.execute(
            "select dimension, json_extract_string(x_Dimensions, '$.\"' || dimension || '\"'),"
            " json_extract_string(x_AllocationRule, '$.\"' || dimension || '\"'), count(*),"
            " sum(BilledCost) from (select *, unnest(json_keys(x_Dimensions)) as dimension"
            " from allocated_costs) group by all"
        ).fetchall()
    width = len(allocations.GROUP)
    assert {row[:width]: row[width:] for row in rows} == expected
    assert len(rows) == len(expected)
    summed: dict[tuple[Any, ...], tuple[int, Decimal]] = {}
    for (_, _, *key, _, _, _), (count, billed, *_) in expected.items():
        before = summed.get(tuple(key), (0, Decimal(0)))
        summed[tuple(key)] = (before[0] + count, before[1] + billed)
    assert {tuple(key): (count, billed) for *key, count, billed in of_charges} == {
        key: sums for key, sums in summed.items() if sums[0]
    }


def compare_movers(made: TemporaryInstallation, tenant: str, days: pl.DataFrame) -> None:
    """Assert that the query of movers answers what the rows of its two months give."""
    months = sorted(days["billing_period"].unique())
    before, now = months[-2:]
    newest: date = days.filter(
        (pl.col("charge_category") == "Usage") & (pl.col("row_kind") == "line")
        & (pl.col("charge_frequency") == "Usage-Based")
    )["charge_date"].max()  # type: ignore[assignment]  # fmt: skip
    is_over = newest.month != date.fromordinal(newest.toordinal() + 1).month

    def counts(month: str) -> Any:
        return lambda row: (
            row["billing_period"] == month
            and (is_over or (is_metered(row) and row["charge_date"].day < newest.day))
        )

    for by, column in DIMENSIONS.items():
        expected = find_movers(days, column, counts(before), counts(now))
        answered = {}
        for row in ask_movers(made, tenant, by=by, least="0"):
            parts = {name: row[name] for name in vars(next(iter(expected.values())))}
            assert row["cost"] - row["cost_before"] == row["change"]
            assert row["change"] == sum(
                v for n, v in parts.items() if n not in ("cost", "cost_before")
            )
            answered[row["mover"], row["billing_currency"]] = parts
        assert answered == {key: vars(change) for key, change in expected.items()}, by


def ask_movers(made: TemporaryInstallation, tenant: str, **given: str) -> list[dict[str, Any]]:
    """Answer the query of movers; `first` and `last` are months, by default the newest."""
    query = use_case("movers")
    first, last = given.pop("first", None), given.pop("last", None)
    folder = made.installation.folder(tenant)
    with open_sandbox(folder, made.installation.query_limits) as sandbox:
        connection = sandbox.execute(query.sql, bind_parameters(query, first, last, given))
        names = [column[0] for column in connection.description or []]
        return [dict(zip(names, row, strict=True)) for row in connection.fetchall()]
