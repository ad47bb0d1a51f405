"""Comparison of a bill's costs with Cost Explorer's: in total, by account, by service.

Put here: exact sums of frames, tolerance, which details can be compared, which differences are
explained. Keep out: reading either side (cost_explorer_totals.py), the texts of the reasons
(contracts/known_differences.py).

A frame of costs has the columns account, service, value_count (the number of values added) and
cost, a Decimal(38, 18). An account or service is empty where its side does not state it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import polars as pl

from finops_pipeline.contracts.known_differences import (
    DIFFERENCE_REASONS,
    DIGITS_OF_API,
    ESTIMATED,
    NO_SUCH_SERVICE,
    OTHER_SERVICE,
)
from finops_pipeline.errors import FinopsError, counted
from finops_pipeline.reconciliation.comparisons import Comparison, ComparisonState

DETAILS_LISTED = 50
"""Maximum number of accounts, and of services, that are listed as not agreeing."""

COST_TYPE = pl.Decimal(38, 18)


@dataclass(frozen=True)
class Breakdown:
    """Both sides of one comparison, in one currency and on one cost basis.

    `charges`, `cost_explorer`: frames of costs. `digits`: decimals that Cost Explorer's values
    were rounded to; `may_change`: whether AWS may still change them; `scope`: which days and
    accounts, as text; `service_names`: service key -> name to show.
    """

    charges: pl.DataFrame
    cost_explorer: pl.DataFrame
    digits: int
    may_change: bool
    scope: str
    service_names: dict[str, str]


def compare_breakdown(base: Comparison, breakdown: Breakdown) -> list[Comparison]:
    """Compare the totals, then list the accounts and services that do not agree.

    Args:
        base: source, month, currency, counterpart and cost basis of all rows.

    Raises:
        FinopsError: the amounts are too large to be added exactly.
    """
    (row,) = _pair(breakdown, [])
    total = _compare_pair(base, breakdown, row)
    accounts = _compare_accounts(base, breakdown)
    services = list(_compare_services(base, breakdown, accounts, total))
    counts = [
        f"{sum(c.state == ComparisonState.AGREES for c in details)} of"
        f" {counted(len(details), *nouns)} {'agrees' if len(details) == 1 else 'agree'}"
        for details, nouns in (
            (accounts, ("account",)),
            (services, ("service of an account", "services of accounts")),
        )
        if details
    ]
    notes = [breakdown.scope, *counts]
    if total.state == ComparisonState.EXPLAINED:
        notes.append(DIFFERENCE_REASONS[ESTIMATED])
    comparisons = [replace(total, note="; ".join(filter(None, notes)))]
    for details in (accounts, services):
        disagreeing = [c for c in details if c.state != ComparisonState.AGREES]
        disagreeing.sort(key=lambda c: abs(c.difference or Decimal(0)), reverse=True)
        comparisons += disagreeing[:DETAILS_LISTED]
    return comparisons


def sum_costs(costs: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Sum a frame of costs by some of account and service; without keys, to one row.

    Polars adds Decimal(38, 18) exactly. A grouped sum that exceeds 128 bits wraps around without an
    error, however, whereas the sum of a column raises one. The absolute amounts are therefore added
    first: if their sum fits, no group and no partial sum can overflow.

    Raises:
        FinopsError: the sum would not fit DECIMAL(38,18).
    """
    try:
        costs["cost"].abs().sum()
    except pl.exceptions.ComputeError:
        raise FinopsError(
            "costs of Cost Explorer or of the bill are too large to be added exactly",
            "amounts that add up to less than 1e20",
            "Look for implausible amounts in the bill and in cost_explorer_daily",
        ) from None
    sums = (pl.col("value_count").sum(), pl.col("cost").sum())
    return costs.group_by(keys).agg(*sums) if keys else costs.select(*sums)


def _pair(breakdown: Breakdown, keys: list[str]) -> list[dict[str, Any]]:
    """Sum both sides by key, in order; sums of a side that lacks the key are None."""
    charges = sum_costs(breakdown.charges, keys).rename(
        {"value_count": "charges_values", "cost": "charges_cost"}
    )
    cost_explorer = sum_costs(breakdown.cost_explorer, keys).rename(
        {"value_count": "cost_explorer_values", "cost": "cost_explorer_cost"}
    )
    if not keys:
        return pl.concat([charges, cost_explorer], how="horizontal").to_dicts()
    return charges.join(cost_explorer, on=keys, how="full", coalesce=True).sort(keys).to_dicts()


def _compare_pair(base: Comparison, breakdown: Breakdown, row: dict[str, Any]) -> Comparison:
    """Compare both sums in one row of `_pair`; a side that lacks the key counts as 0."""
    values = (row["charges_values"] or 0, row["cost_explorer_values"] or 0)
    comparison = base.with_amounts(
        row["charges_cost"] or Decimal(0),
        row["cost_explorer_cost"] or Decimal(0),
        rounding_tolerance(*values, breakdown.digits),
    )
    if comparison.state == ComparisonState.DIFFERS and breakdown.may_change:
        note = DIFFERENCE_REASONS[ESTIMATED]
        return replace(comparison, state=ComparisonState.EXPLAINED, note=note)
    return comparison


def rounding_tolerance(charges_values: int, cost_explorer_values: int, digits: int) -> Decimal:
    """Return the largest possible rounding error: half of the last decimal per added value.

    AWS states a bill's amounts and the API's answers with 10 decimals.
    """
    charges_half = Decimal(5).scaleb(-DIGITS_OF_API - 1)
    cost_explorer_half = Decimal(5).scaleb(-digits - 1)
    return charges_half * charges_values + cost_explorer_half * cost_explorer_values


def _states_every(costs: pl.DataFrame, column: str) -> bool:
    """Return whether there are costs and each states its account, or service."""
    return not costs.is_empty() and bool((costs[column] != "").all())


def _compare_accounts(base: Comparison, breakdown: Breakdown) -> list[Comparison]:
    """Compare account by account; return nothing where Cost Explorer states no accounts."""
    if not _states_every(breakdown.cost_explorer, "account"):
        return []
    return [
        _compare_pair(replace(base, sub_account_id=row["account"]), breakdown, row)
        for row in _pair(breakdown, ["account"])
    ]


def _compare_services(
    base: Comparison, breakdown: Breakdown, accounts: list[Comparison], total: Comparison
) -> Iterator[Comparison]:
    """Compare services by account, or in total where Cost Explorer does not state accounts.

    If an account agrees, a difference between its services is one of names; a service that only
    one side names cannot be compared. Neither is a difference of money.
    """
    if not _states_every(breakdown.cost_explorer, "service"):
        return
    states = {comparison.sub_account_id or "": comparison.state for comparison in accounts}
    if not accounts:
        charges = breakdown.charges.with_columns(account=pl.lit(""))
        breakdown = replace(breakdown, charges=charges)
    for row in _pair(breakdown, ["account", "service"]):
        service = row["service"]
        detail = replace(
            base,
            service_name=breakdown.service_names.get(service, service),
            sub_account_id=row["account"] or None,
        )
        comparison = _compare_pair(detail, breakdown, row)
        is_on_both_sides = None not in (row["charges_cost"], row["cost_explorer_cost"])
        if comparison.state == ComparisonState.AGREES:
            yield comparison
        elif states.get(row["account"], total.state) == ComparisonState.AGREES:
            note = DIFFERENCE_REASONS[OTHER_SERVICE]
            yield replace(comparison, state=ComparisonState.EXPLAINED, note=note)
        elif not is_on_both_sides:
            note = DIFFERENCE_REASONS[NO_SUCH_SERVICE]
            yield replace(comparison, state=ComparisonState.NOT_CHECKED, note=note)
        else:
            yield comparison
