"""SharedCost: charges of a tenant that several projects pay for, and how they are split.

Put here: one entry of `shared_costs:` in tenants.yaml and its rules. Keep out: rules between
entries (shared_costs.py), computing the shares (marts/sql/shared_costs.sql).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from finops_pipeline.errors import RegistryError
from finops_pipeline.money import plain, read_amount
from finops_pipeline.tenants.months import check_month
from finops_pipeline.tenants.names import check_name

_WHOLE = Decimal(100)


class CostKind(StrEnum):
    """A kind of charge that can be shared, whatever project has it."""

    SUPPORT = "support"
    TAX = "tax"
    UNUSED_COMMITMENTS = "unused_commitments"
    CREDITS_AND_REFUNDS = "credits_and_refunds"
    DISCOUNTS = "discounts"
    MARKETPLACE = "marketplace"
    UPFRONT_AND_FEES = "upfront_and_fees"


class SplitMethod(StrEnum):
    """What the shares of the receiving projects are in proportion to."""

    EVEN = "even"
    PROPORTIONAL = "proportional"
    """To their own effective cost."""
    FIXED = "fixed"
    METRIC = "metric"
    """To the units of a business metric."""


class Otherwise(StrEnum):
    """What happens if no receiver has anything that the shares could be in proportion to."""

    STAY = "stay"
    EVEN = "even"


def _list(value: object) -> object:
    if value is None:
        return ()
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _read_shares(value: object) -> object:
    """Return percentages by project as exact decimals: 33.3 is what the file says, no float."""
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise RegistryError(
            f"shares is {value!r}", "projects with percentages, such as {web: 60, data: 40}"
        )
    shares = {}
    for name, percentage in sorted(value.items()):
        is_number = isinstance(percentage, int | float | str | Decimal)
        is_flag = isinstance(percentage, bool)
        amount = read_amount(str(percentage)) if is_number and not is_flag else None
        if amount is None or amount[1] or not 0 < amount[0] <= _WHOLE:
            raise RegistryError(
                f"the share of {name} is {percentage!r}", "a percentage above 0, such as 12.5"
            )
        shares[name] = Decimal(plain(amount[0]))
    return shares


Names = Annotated[tuple[str, ...], BeforeValidator(_list)]
Shares = Annotated[dict[str, Decimal], BeforeValidator(_read_shares)]


class SharedCost(BaseModel):
    """Charges of some kinds, of some projects, or both; and the projects that receive them.

    `after`: shared costs whose parts, received by the projects of this one, are passed on with it.
    `from_month`, `to_month`: the billing periods in which it is split; `to` is no longer one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    name: str
    kinds: Annotated[tuple[CostKind, ...], BeforeValidator(_list)] = ()
    projects: Names = ()
    method: SplitMethod
    receivers: Names = ()
    shares: Shares = {}
    metric: str = ""
    after: Names = ()
    otherwise: Otherwise = Otherwise.STAY
    from_month: str = Field(default="", alias="from")
    to_month: str = Field(default="", alias="to")

    @model_validator(mode="after")
    def _check(self) -> SharedCost:
        check_name("shared cost", self.name)
        if not self.kinds and not self.projects:
            raise self.error("does not say which charges it takes", "kinds, projects, or both")
        if self.after and (self.kinds or not self.projects):
            raise self.error("has after, and kinds", "after with projects only")
        for month in filter(None, (self.from_month, self.to_month)):
            try:
                check_month(month)
            except RegistryError as error:
                raise self.error(f"begins or ends with {month!r}", error.expected) from error
        if self.from_month and self.to_month and self.from_month >= self.to_month:
            raise self.error(
                f"is from {self.from_month} to {self.to_month}",
                "'from' before 'to' ('to' is the first month in which it is not split)",
            )
        self._check_method()
        self._check_receivers()
        return self

    def _check_method(self) -> None:
        is_fixed, is_metric = self.method is SplitMethod.FIXED, self.method is SplitMethod.METRIC
        if is_fixed != bool(self.shares):
            raise self.error("has shares without method: fixed, or the other way around", "both")
        if is_metric != bool(self.metric):
            raise self.error("has a metric without method: metric, or the other way around", "both")
        total = sum(self.shares.values(), Decimal(0))
        if is_fixed and total != _WHOLE:
            raise self.error(f"has shares that add up to {plain(total)} %", "exactly 100 %")

    def _check_receivers(self) -> None:
        if self.shares and self.receivers:
            raise self.error("has shares and receivers", "shares alone: they name the receivers")
        twice = [n for n in self.receivers if self.receivers.count(n) > 1]
        if twice:
            raise self.error(f"names the receiver {twice[0]} twice", "each project once")
        own = sorted(set(self.projects) & set(self.listed_receivers))
        if own and not self.kinds:
            raise self.error(
                f"takes the costs of {own[0]} and gives them to {own[0]}", "other projects"
            )

    @property
    def listed_receivers(self) -> tuple[str, ...]:
        """The projects that receive it, if they are listed."""
        return tuple(self.shares) or self.receivers

    def is_valid_in(self, month: str) -> bool:
        """Check whether it is split in a billing period."""
        return self.from_month <= month and (not self.to_month or month < self.to_month)

    def covers(self, other: SharedCost) -> bool:
        """Check whether it is split whenever another one is."""
        ends_later = not self.to_month or bool(other.to_month and other.to_month <= self.to_month)
        return self.from_month <= other.from_month and ends_later

    @property
    def in_words(self) -> str:
        """What it has and how it is split, for lines about changes."""
        parts = [*self.kinds, *(f"project {name}" for name in self.projects)]
        split = f"{self.method} {self.metric}".strip()
        if self.shares:
            shares = (f"{name} {plain(share)} %" for name, share in self.shares.items())
            split += f" ({', '.join(shares)})"
        to = f" to {', '.join(self.receivers)}" if self.receivers else ""
        after = f", after {', '.join(self.after)}" if self.after else ""
        months = ((" from ", self.from_month), (" until ", self.to_month))
        period = "".join(f"{word}{month}" for word, month in months if month)
        even = ", otherwise even" if self.otherwise is Otherwise.EVEN else ""
        return f"{', '.join(parts)}: {split}{to}{after}{even}{period}"

    @property
    def declaration(self) -> dict[str, Any]:
        """The entry as tenants.yaml has it."""
        fields: dict[str, Any] = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return fields

    def error(self, found: str, expected: str, cure: str = "") -> RegistryError:
        """Return the error for this entry; `found` continues its name."""
        return RegistryError(f"shared_costs: {self.name!r} {found}", expected, cure)
