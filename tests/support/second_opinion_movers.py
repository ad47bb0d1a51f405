"""The library's query of movers and the mart of hours computed once more, without SQL.

Put here: the change between two periods and its parts, with whole numbers; costs by hour. Keep out:
the other marts (second_opinion_marts.py), what a test compares (test_marts_again.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import polars as pl

from finops_pipeline.contracts.tables import MARTS
from finops_pipeline.tenants.model import Tenant
from tests.support.second_opinion_marts import COSTS, label_projects, of_contract

Row = Mapping[str, Any]
ITEM = (
    "sub_account_id", "region_id", "service_name", "usage_type", "operation", "pricing_category",
    "charge_category", "consumed_unit", "billing_currency",
)  # fmt: skip
_LARGE, _SMALL = Decimal(10) ** 9, Decimal("0.000001")


def _is_divisible(cost: Decimal, *quantities: Decimal) -> bool:
    """Whether costs and quantities have a size for which the query divides them."""
    least = Decimal(1) if max(quantities) >= _LARGE else _SMALL
    return abs(cost) < _LARGE and min(quantities) >= least and max(quantities) < 10**18


def is_metered(row: Row) -> bool:
    """Whether a row is usage that is stated by day."""
    keys = (row["charge_category"], row["row_kind"], row["charge_frequency"])
    return keys == ("Usage", "line", "Usage-Based")


@dataclass
class _Side:
    rows: int = 0
    cost: Decimal = Decimal(0)
    quantity: Decimal = Decimal(0)

    def add(self, row: Row) -> None:
        self.rows += 1
        self.cost += row["effective_cost"]
        self.quantity += row["consumed_quantity"] or Decimal(0)


@dataclass
class _Item:
    before: _Side = field(default_factory=_Side)
    now: _Side = field(default_factory=_Side)

    @property
    def is_comparable(self) -> bool:
        has_both = bool(self.before.rows and self.now.rows)
        sizes = (self.before.cost, self.before.quantity, self.now.quantity)
        return has_both and _is_divisible(*sizes)


def _whole(amount: Decimal, scale: int) -> int:
    return int((amount * scale).quantize(Decimal(1), ROUND_HALF_UP))


def _repriced(cost: Decimal, before: Decimal, now: Decimal) -> Decimal:
    """What a quantity would have cost at the price before, cut to a millionth."""
    scale = 1 if max(before, now) >= _LARGE else 10**9
    dividend = _whole(cost, 10**6) * _whole(now, scale)
    share = abs(dividend) // _whole(before, scale)
    return Decimal(share if dividend >= 0 else -share).scaleb(-6)


@dataclass
class Change:
    """A mover's change and its parts."""

    cost_before: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    usage_change: Decimal = Decimal(0)
    price_change: Decimal = Decimal(0)
    mix_change: Decimal = Decimal(0)
    new_cost: Decimal = Decimal(0)
    gone_cost: Decimal = Decimal(0)
    other_change: Decimal = Decimal(0)


def find_movers(
    days: pl.DataFrame, column: str, is_before: Callable[[Row], bool], is_now: Callable[[Row], bool]
) -> dict[tuple[str | None, str], Change]:
    """Return the change of each mover and currency between the rows of two periods."""
    items: dict[tuple[Any, ...], _Item] = defaultdict(_Item)
    for row in days.iter_rows(named=True):
        item = items[(row[column], *(row[name] for name in ITEM))] if (
            is_before(row) or is_now(row)
        ) else _Item()  # fmt: skip
        if is_before(row):
            item.before.add(row)
        if is_now(row):
            item.now.add(row)
    changes: dict[tuple[str | None, str], Change] = defaultdict(Change)
    pools: dict[tuple[Any, ...], list[_Item]] = defaultdict(list)
    for (mover, *key), item in items.items():
        named = dict(zip(ITEM, key, strict=True))
        change = changes[mover, named["billing_currency"]]
        change.cost_before += item.before.cost
        change.cost += item.now.cost
        if item.is_comparable:
            pool = (mover, named["billing_currency"], named["service_name"], named["consumed_unit"])
            pools[pool].append(item)
        elif not item.before.rows:
            change.new_cost += item.now.cost
        elif not item.now.rows:
            change.gone_cost -= item.before.cost
        else:
            change.other_change += item.now.cost - item.before.cost
    for (mover, currency, *_), pool_items in pools.items():
        _add_pool(changes[mover, currency], pool_items)
    return dict(changes)


def _add_pool(change: Change, items: list[_Item]) -> None:
    """Divide the change of usage types of one service and unit into usage, mix and price."""
    before = sum((item.before.cost for item in items), Decimal(0))
    now = sum((item.now.cost for item in items), Decimal(0))
    quantities = [
        sum((getattr(item, side).quantity for item in items), Decimal(0))
        for side in ("before", "now")
    ]
    repriced = sum(
        (_repriced(i.before.cost, i.before.quantity, i.now.quantity) for i in items), Decimal(0)
    )
    average = _repriced(before, *quantities) if _is_divisible(before, *quantities) else repriced
    change.usage_change += average - before
    change.mix_change += repriced - average
    change.price_change += now - repriced


def hourly_costs(charges: pl.DataFrame, tenant: Tenant) -> pl.DataFrame:
    """Compute the costs of the last 35 days by hour."""
    newest: date = charges["ChargePeriodStart"].dt.date().max()  # type: ignore[assignment]
    is_hour = pl.col("ChargePeriodEnd") - pl.col("ChargePeriodStart") == timedelta(hours=1)
    in_window = pl.col("ChargePeriodStart").dt.date() >= newest - timedelta(days=34)
    is_use = pl.col("charge_category").is_in(["Usage", "Purchase"])
    is_one_time = pl.col("charge_frequency") == "One-Time"
    hourly = charges.filter(is_hour & in_window & is_use & ~is_one_time)
    grain = list(MARTS["hourly_costs"].grain)
    summed = (
        hourly.with_columns(pl.col("ChargePeriodStart").dt.truncate("1h").alias("charge_hour"))
        .group_by(grain)
        .agg(pl.len().cast(pl.Int64).alias("charges"), *(pl.col(name).sum() for name in COSTS))
    )
    return of_contract(label_projects(summed, tenant), "hourly_costs")
