"""The line of a bill and the period it belongs to, before any format is chosen.

Put here: the one row model that every part of the scenario makes and every writer renders.
Keep out: column names of a format (`cur_columns`, `focus_rows`), how amounts come about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache

from finops_pipeline.synthetic.catalogue import Product

ZERO = Decimal(0)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@cache
def month_start(month: str) -> datetime:
    """First instant (UTC) of a month written "YYYY-MM"; ValueError when it is not one."""
    return datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)


def shift_month(month: str, by: int) -> str:
    """The month `by` months after (before, when negative) `month`, as "YYYY-MM"."""
    start = month_start(month)
    index = start.year * 12 + start.month - 1 + by
    return f"{index // 12:04d}-{index % 12 + 1:02d}"


@dataclass(frozen=True, slots=True)
class Slot:
    """One stretch of usage, an hour or a day: [start, end) in UTC."""

    start: datetime
    end: datetime

    @property
    def hours(self) -> int:
        """Length of the stretch in whole hours."""
        return int((self.end - self.start) / HOUR)


@dataclass(frozen=True, slots=True)
class Period:
    """One billing period as seen when `days` days of it have been metered.

    `age` counts months back from the open month (0 = the open month itself).
    """

    month: str
    days: int
    age: int

    @classmethod
    def of(cls, month: str, *, last_month: str, days: int | None = None) -> Period:
        """The period `month`; `days` defaults to 12 in the open month, else to all of it.

        Raises ValueError for a month after `last_month` or a number of days it does not have.
        """
        start, last = month_start(month), month_start(last_month)
        age = (last.year - start.year) * 12 + last.month - start.month
        length = (month_start(shift_month(month, 1)) - start).days
        if age < 0:
            raise ValueError(f"month is {month}, expected at most the open month {last_month}")
        metered = days if days is not None else (12 if age == 0 else length)
        if not 1 <= metered <= length:
            raise ValueError(f"days is {metered}, expected 1..{length} in {month}")
        return cls(month=month, days=metered, age=age)

    @property
    def start(self) -> datetime:
        """First moment of the billing period."""
        return month_start(self.month)

    @property
    def end(self) -> datetime:
        """Exclusive end of the billing period, also while it is still open."""
        return month_start(shift_month(self.month, 1))

    @property
    def metered_end(self) -> datetime:
        """Exclusive end of what has been metered so far."""
        return self.start + self.days * DAY

    @property
    def metered_hours(self) -> int:
        """Hours that have been metered so far."""
        return self.days * 24

    @property
    def complete(self) -> bool:
        """Whether the whole billing period has been metered."""
        return self.metered_end == self.end

    def slots(self, hourly_days: int = 0) -> Iterator[Slot]:
        """The metered time in order: hours in the first `hourly_days` days, then days."""
        for day in range(self.days):
            start = self.start + day * DAY
            if day < hourly_days:
                for hour in range(24):
                    yield Slot(start + hour * HOUR, start + (hour + 1) * HOUR)
            else:
                yield Slot(start, start + DAY)


Detail = str | Decimal


@dataclass(frozen=True, slots=True)
class Line:
    """One line item of a bill, format-free.

    `kind` is the AWS line item type. `cost` is the unblended cost in USD, `amount` the usage
    amount in `unit`. `details` holds every further CUR column by its lower snake name
    (`reservation_effective_cost`, `product_instance_type`, …).
    """

    kind: str
    account: str
    start: datetime
    end: datetime
    product: Product
    usage_type: str
    amount: Decimal
    cost: Decimal
    description: str
    unit: str = ""
    operation: str = ""
    region: str = ""
    resource_id: str = ""
    rate: Decimal | None = None
    public_rate: Decimal | None = None
    net_cost: Decimal | None = None
    tax_type: str = ""
    bill_type: str = "Anniversary"
    cost_category: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    details: Mapping[str, Detail] = field(default_factory=dict)

    def money(self, column: str) -> Decimal:
        """The amount in `details[column]`, zero when the line has none."""
        value = self.details.get(column, ZERO)
        if not isinstance(value, Decimal):
            raise TypeError(f"{column} is {value!r}, expected a Decimal")
        return value

    @property
    def commitment(self) -> str:
        """ARN of the reservation or savings plan this line belongs to, or ''."""
        arn = self.details.get("savings_plan_savings_plan_a_r_n") or self.details.get(
            "reservation_reservation_a_r_n", ""
        )
        return str(arn)

    @property
    def is_commitment_fee(self) -> bool:
        """Whether this line is what a commitment costs in cash, upfront or recurring."""
        named = {"RIFee", "SavingsPlanRecurringFee", "SavingsPlanUpfrontFee"}
        return self.kind in named or (self.kind == "Fee" and bool(self.commitment))

    @property
    def used(self) -> Decimal:
        """Amortized cost of usage that a commitment covered; zero on every other line."""
        if self.kind == "SavingsPlanCoveredUsage":
            return self.money("savings_plan_savings_plan_effective_cost")
        if self.kind == "DiscountedUsage":
            return self.money("reservation_effective_cost")
        return ZERO

    @property
    def unused(self) -> Decimal:
        """Amortized cost of what was committed and not used; zero unless a recurring fee."""
        if self.kind == "SavingsPlanRecurringFee":
            total = self.money("savings_plan_total_commitment_to_date")
            return total - self.money("savings_plan_used_commitment")
        if self.kind == "RIFee":
            upfront = self.money("reservation_unused_amortized_upfront_fee_for_billing_period")
            return upfront + self.money("reservation_unused_recurring_fee")
        return ZERO

    @property
    def effective(self) -> Decimal:
        """Amortized cost before private discounts (net columns are not looked at)."""
        if self.kind in {"SavingsPlanCoveredUsage", "DiscountedUsage"}:
            return self.used
        if self.is_commitment_fee:
            return self.unused
        return ZERO if self.kind == "SavingsPlanNegation" else self.cost
