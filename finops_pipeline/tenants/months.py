"""Billing periods as text: `YYYY-MM`, a safe path segment and partition key.

Put here: arithmetic on billing periods. Keep out: the current date (clock.py).
"""

from __future__ import annotations

import re
from datetime import date, timedelta

from finops_pipeline.errors import RegistryError

RESTATED_FOR = timedelta(days=14)
"""How long after its end AWS may still change a period ("Understanding export delivery")."""

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


def check_month(text: str) -> str:
    """Return `text` if it is a billing period `YYYY-MM`.

    Raises:
        RegistryError: it is not one.
    """
    if not _MONTH.fullmatch(text):
        raise RegistryError(f"month {text!r} is not a billing period", "YYYY-MM, such as 2026-10")
    return text


def first_day(month: str) -> date:
    """Return the first day of a billing period."""
    return date.fromisoformat(f"{check_month(month)}-01")


def shift(month: str, by: int) -> str:
    """Return the billing period `by` months later, or earlier if negative."""
    start = first_day(month)
    index = start.year * 12 + start.month - 1 + by
    return f"{index // 12:04d}-{index % 12 + 1:02d}"


def end_day(month: str) -> date:
    """Return the first day after a billing period (period ends are exclusive, as in FOCUS)."""
    return first_day(shift(month, 1))


def closed_from(month: str) -> date:
    """Return the day from which AWS usually no longer changes a billing period."""
    return end_day(month) + RESTATED_FOR


def months_between(first: str, last: str) -> list[str]:
    """List billing periods from `first` to `last`, both included; none if `last` is earlier."""
    months = []
    month = check_month(first)
    check_month(last)
    while month <= last:
        months.append(month)
        month = shift(month, 1)
    return months


def month_of(day: date) -> str:
    """Return the billing period that contains a day."""
    return f"{day.year:04d}-{day.month:02d}"
