"""Arithmetic on billing periods, rule by rule.

Put here: properties of tenants/months.py, and of parts of a month (marts/day_parts.py). Keep out:
which months a run takes (test_cli.py).
"""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_pipeline.errors import RegistryError
from finops_pipeline.marts.day_parts import parts_of
from finops_pipeline.tenants.months import (
    check_month,
    closed_from,
    end_day,
    first_day,
    month_of,
    months_between,
    shift,
)

MONTHS = st.dates(date(1980, 1, 1), date(2080, 12, 31)).map(month_of)


@given(st.dates(date(1980, 1, 1), date(2080, 12, 31)))
def test_a_day_lies_in_its_own_month_only(day: date) -> None:
    month = month_of(day)
    assert first_day(month) <= day < end_day(month)
    assert end_day(month) == first_day(shift(month, 1))


@given(MONTHS, st.integers(-600, 600), st.integers(-600, 600))
def test_shifts_add_up(month: str, by: int, more: int) -> None:
    assert shift(shift(month, by), more) == shift(month, by + more)
    assert shift(month, 12) == f"{int(month[:4]) + 1}{month[4:]}"


@given(MONTHS, st.integers(-5, 60))
def test_months_between_has_each_month_once_in_order(first: str, by: int) -> None:
    last = shift(first, by)
    months = months_between(first, last)
    assert months == [shift(first, step) for step in range(by + 1)]
    assert months == sorted(set(months))


def test_a_year_ends_in_december() -> None:
    assert (shift("2026-12", 1), shift("2026-01", -1)) == ("2027-01", "2025-12")
    assert end_day("2026-12") == date(2027, 1, 1)
    assert end_day("2024-02") == date(2024, 3, 1)


def test_a_period_is_closed_two_weeks_after_its_end() -> None:
    assert closed_from("2026-09") == date(2026, 10, 1) + timedelta(days=14)


@pytest.mark.parametrize("text", [
    "", "2026", "2026-1", "2026-00", "2026-13", "26-01", "2026-01-01", "2026-01\n", "../2026-01",
])  # fmt: skip
def test_text_that_is_not_a_month_is_refused(text: str) -> None:
    for refuse in (check_month, first_day, lambda month: months_between("2026-01", month)):
        with pytest.raises(RegistryError, match="is not a billing period"):
            refuse(text)


@given(MONTHS, st.integers(0, 40), st.integers(-400, 400))
def test_every_day_lies_in_exactly_one_part_of_a_month(month: str, parts: int, days: int) -> None:
    cut = list(parts_of(month, parts))
    day = first_day(month) + timedelta(days=days)
    holding = [
        part for part in cut
        if (part.first is None or day >= part.first) and (part.end is None or day < part.end)
    ]  # fmt: skip
    assert len(holding) == 1
    assert len(cut) == min(max(parts, 1), (end_day(month) - first_day(month)).days)
