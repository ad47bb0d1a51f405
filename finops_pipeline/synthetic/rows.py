"""The line of a bill and its period, independent of any format.

Put here: the row model that all parts of the scenario make and all writers render. Keep out: column
names of a format (`cur_columns`, `focus_rows`), computing amounts.
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
    """Return the first instant (UTC) of a month "YYYY-MM"; ValueError if it is not one."""
    return datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)


def shift_month(month: str, by: int) -> str:
    """Return the month `by` months after `month` (before, if negative), as "YYYY-MM"."""
    start = month_start(month)
    index = start.year * 12 + start.month - 1 + by
    return f"{index // 12:04d}-{index % 12 + 1:02d}"


@dataclass(frozen=True, slots=True)
class Slot:
    """An hour or day of usage: [start, end) in UTC."""

    start: datetime
    end: datetime

    @property
    def hours(self) -> int:
        """Length in hours."""
        return int((self.end - self.start) / HOUR)


@dataclass(frozen=True, slots=True)
class Period:
    """A billing period of which `days` days have been metered.

    `age` counts months back from the open month (0 = the open month itself).
    """

    month: str
    days: int
    age: int

    @classmethod
    def of(cls, month: str, *, last_month: str, days: int | None = None) -> Period:
        """Make the period `month`; `days` defaults to 12 in the open month, else to all days.

        Raises:
            ValueError: the month is after `last_month`, or does not have that many days.
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
        """Exclusive end of the billing period, even if it is still open."""
        return month_start(shift_month(self.month, 1))

    @property
    def metered_end(self) -> datetime:
        """Exclusive end of the metered time."""
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
        """Yield the metered time in order: hours in the first `hourly_days` days, then days."""
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
    """One line item of a bill, independent of any format.

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
        """Return the amount in `details[column]`; zero if the line has none."""
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
        """Whether this line is a commitment's fee, upfront or recurring."""
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
        """Amortized cost of the unused commitment; zero unless this is a recurring fee."""
        if self.kind == "SavingsPlanRecurringFee":
            total = self.money("savings_plan_total_commitment_to_date")
            return total - self.money("savings_plan_used_commitment")
        if self.kind == "RIFee":
            upfront = self.money("reservation_unused_amortized_upfront_fee_for_billing_period")
            return upfront + self.money("reservation_unused_recurring_fee")
        return ZERO

    @property
    def effective(self) -> Decimal:
        """Amortized cost before private discounts (net columns are ignored)."""
        if self.kind in {"SavingsPlanCoveredUsage", "DiscountedUsage"}:
            return self.used
        if self.is_commitment_fee:
            return self.unused
        return ZERO if self.kind == "SavingsPlanNegation" else self.cost
