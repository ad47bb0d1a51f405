"""What planted waste is: a resource, its usage before and after the change, and its near miss.

Put here: the classes of the plan, and what they say about a day or a place. Keep out: the plan
itself (`waste_of_bills`, `waste_of_resources`), files (`waste_estate`).

A plan is the truth: what a change saves is the difference of two bills that it states, and no rule
of waste is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from finops_pipeline.synthetic.rows import ZERO

_STEP = Decimal("0.000001")
EAST, CENTRAL = "us-east-1", "eu-central-1"


@dataclass(frozen=True, slots=True)
class Meter:
    """What a resource uses of a meter on each day, at which price.

    `amount` is that of a day, or of a month if the unit is one of a month (`GB-Mo`). `listed` is
    the public price; empty: the price itself.
    """

    service: str
    usage_type: str
    amount: str
    price: str
    unit: str = "Hrs"
    operation: str = ""
    listed: str = ""

    def amount_on(self, month_days: int) -> Decimal:
        """Return the amount of a day in a month of `month_days` days."""
        amount = Decimal(self.amount)
        return (amount / month_days).quantize(_STEP) if self.unit.endswith("-Mo") else amount

    def cost_on(self, month_days: int) -> Decimal:
        """Return the cost of a day."""
        return self.amount_on(month_days) * Decimal(self.price)

    def discounted(self, factor: Decimal) -> Meter:
        """Return the same meter at `factor` times the public price."""
        return replace(self, price=f"{Decimal(self.price) * factor:f}", listed=self.price)

    def times(self, factor: Decimal) -> Meter:
        """Return the same meter with `factor` times the usage."""
        return replace(self, amount=f"{Decimal(self.amount) * factor:f}")


@dataclass(frozen=True, slots=True)
class Described:
    """A resource as an inventory has it; `{id}` and other places are filled in.

    `age` is in days before the end of the bill. `metrics`: statistics of each day, by metric.
    """

    kind: str
    identifier: str = "{id}"
    attributes: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    arn: str = ""
    state: str = ""
    age: int = 400
    region: str = ""


@dataclass(frozen=True, slots=True)
class WasteItem:
    """A resource that a rule of waste has to find, and how it looks if it is used well.

    `billed`: the id in the bill, made of {id}, {region} and {account}. `after`: usage once the
    change is made; None: what it would save is not known. `compared`: the usage types that the
    rule compares; empty: all. `near`: usage, and `near_described`: descriptions, with which it is
    no waste. `is_old`: only bills of thirteen months show it.
    """

    rule: str
    identifier: str
    meters: tuple[Meter, ...]
    after: tuple[Meter, ...] | None = ()
    near: tuple[Meter, ...] = ()
    described: tuple[Described, ...] = ()
    near_described: tuple[Described, ...] = ()
    billed: str = "{id}"
    compared: tuple[str, ...] = ()
    role: str = "shop"
    region: str = EAST
    is_old: bool = False

    def saving_on(self, month_days: int) -> Decimal | None:
        """Return what the finding may say that a day saves; None if nobody can know it."""
        if self.after is None:
            return None
        before, after = (
            sum((m.cost_on(month_days) for m in meters if self._compares(m)), ZERO)
            for meters in (self.meters, self.after)
        )
        return before - after

    def realised_on(self, month_days: int) -> Decimal:
        """Return what a day costs less after the change, with all meters of the resource."""
        before, after = (
            sum((meter.cost_on(month_days) for meter in meters), ZERO)
            for meters in (self.meters, self.after or ())
        )
        return before - after

    def _compares(self, meter: Meter) -> bool:
        return not self.compared or meter.usage_type in self.compared


def near_of(item: WasteItem) -> WasteItem:
    """Return the near miss of an item, under the same id."""
    described = item.near_described or item.described
    return replace(item, meters=item.near or item.meters, described=described)


def filled(value: Any, places: Mapping[str, str]) -> Any:
    """Return a value of the plan with its places filled in, at any depth."""
    if isinstance(value, str):
        for name, text in places.items():
            value = value.replace(f"{{{name}}}", text)
        return value
    if isinstance(value, Mapping):
        return {key: filled(inner, places) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [filled(inner, places) for inner in value]
    return value


def days_of(month: date) -> int:
    """Return the number of days of a month."""
    after = date(month.year + month.month // 12, month.month % 12 + 1, 1)
    return (after - month.replace(day=1)).days
