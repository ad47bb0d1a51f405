"""How far back a mart looks: which months a slice reads, and which slices read a month.

Put here: reading `lookback` from a head, arithmetic on months. Keep out: which slices are due
(due_slices.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from finops_pipeline.tenants.months import first_day, month_of, shift

_FORM = re.compile(r"(\d+) (month|day)s?")


@dataclass(frozen=True)
class Lookback:
    """The time before a month that its slice also reads: first the months, then the days."""

    months: int = 0
    days: int = 0

    @property
    def is_none(self) -> bool:
        """Whether a slice reads its own month only."""
        return not self.months and not self.days

    def __add__(self, other: Lookback) -> Lookback:
        return Lookback(self.months + other.months, self.days + other.days)

    def first_input(self, month: str) -> str:
        """Return the first month that a month's slice reads."""
        return month_of(first_day(shift(month, -self.months)) - timedelta(days=self.days))

    def inputs(self, month: str, months: Iterable[str]) -> list[str]:
        """Return which of these months a month's slice reads."""
        first = self.first_input(month)
        return [m for m in months if first <= m <= month]

    def reached(self, month: str, months: Iterable[str]) -> list[str]:
        """Return the months whose slices read a given month."""
        return [m for m in months if self.first_input(m) <= month <= m]


def read_lookback(text: str) -> Lookback:
    """Read `lookback` of a head: `0 months`, `1 month`, `35 days`.

    Raises:
        ValueError: it has another form.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(f"lookback is {text!r}; expected N months or N days")
    number = int(match[1])
    return Lookback(months=number) if match[2] == "month" else Lookback(days=number)
