"""The period of a question as days: relative ones ("3 months") counted back from today.

Put here: reading and checking periods, the period to compare with. Keep out: billing periods as
text (tenants/months.py), the present day (clock.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

from finops_pipeline.errors import QueryRefused
from finops_pipeline.serve.questions.question import Comparison, Question
from finops_pipeline.tenants.months import first_day, month_of, months_between, shift

USUAL_PERIOD = "3 months"
MOST_DAYS = 3660
"""Ten years: a longer period is a typing error."""

_LAST = re.compile(r"\s*([1-9]\d{0,3})\s*(day|week|month|year)s?\s*", re.IGNORECASE)
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
_FIRST_YEAR, _LAST_YEAR = 2000, 2100


@dataclass(frozen=True)
class Period:
    """Days from `first` up to, but not including, `end`.

    A period of whole months contains the charges of these billing periods. Any other period
    contains the charges on its days.
    """

    first: date
    end: date

    @property
    def is_whole_months(self) -> bool:
        """Whether it begins and ends with a month."""
        return self.first.day == 1 and self.end.day == 1

    @property
    def months(self) -> list[str]:
        """The months of which it has days."""
        return months_between(month_of(self.first), month_of(self.end - timedelta(days=1)))

    def __str__(self) -> str:
        last = self.end - timedelta(days=1)
        if self.is_whole_months:
            months = self.months
            return months[0] if len(months) == 1 else f"{months[0]} to {months[-1]}"
        return f"{self.first}" if last == self.first else f"{self.first} to {last}"


def find_period(question: Question, today: date) -> Period:
    """Return the period that a question is about.

    Raises:
        QueryRefused: it is not a period, runs backwards, or is longer than ten years.
    """
    if question.last and (question.start or question.end):
        raise QueryRefused(
            "a question with both last and start or end", "last, or start and end", "Leave out one"
        )
    if question.start or question.end:
        return _between(question.start, question.end, today)
    return _count_back(question.last or USUAL_PERIOD, today)


def period_before(period: Period, comparison: Comparison) -> Period:
    """Return the period to compare with: as long, right before, or the one of the year before."""
    if comparison is Comparison.YEAR_BEFORE and period.is_whole_months:
        first, end = month_of(period.first), month_of(period.end)
        return Period(first_day(shift(first, -12)), first_day(shift(end, -12)))
    if comparison is Comparison.YEAR_BEFORE:
        last = _year_before(period.end - timedelta(days=1))
        return Period(_year_before(period.first), last + timedelta(days=1))
    if period.is_whole_months:
        return Period(first_day(shift(month_of(period.first), -len(period.months))), period.first)
    return Period(period.first - (period.end - period.first), period.first)


def _between(start: str | None, end: str | None, today: date) -> Period:
    if start is None:
        raise QueryRefused(
            f"a period that ends with {end} and has no start", "a start", "Give the start as well"
        )
    first = _read_edge("start", start)[0]
    # Without an end, a period ends with the current month, or today if it starts within a month.
    running = first_day(shift(month_of(today), 1)) if _MONTH.fullmatch(start) else None
    last = _read_edge("end", end)[1] if end else running or today + timedelta(days=1)
    if last <= first:
        shown = end or f"today, {today}"
        raise QueryRefused(f"start {start} is after end {shown}", "a start before the end")
    return _of_bearable_length(Period(first, last))


def _count_back(text: str, today: date) -> Period:
    read = _LAST.fullmatch(text)
    if not read:
        raise QueryRefused(
            f"last is {text!r}", "a number of days, weeks, months or years, such as '3 months'"
        )
    count, unit = int(read[1]), read[2].lower()
    if unit in ("month", "year"):
        months = count * (12 if unit == "year" else 1)
        _refuse_length(months * 28)
        end = today.replace(day=1)
        return Period(first_day(shift(month_of(end), -months)), end)
    days = count * (7 if unit == "week" else 1)
    _refuse_length(days)
    return Period(today - timedelta(days=days), today)


def _read_edge(name: str, text: str) -> tuple[date, date]:
    """Return the first day of a month or day, and the day after it."""
    try:
        if _MONTH.fullmatch(text):
            first = date.fromisoformat(f"{text}-01")
            after = first_day(shift(text, 1)) if first.year < _LAST_YEAR else date.max
        else:
            if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
                raise ValueError(text)
            first = date.fromisoformat(text)
            after = first + timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise QueryRefused(
            f"{name} is {text!r}", "a month or a day, such as 2026-10 or 2026-10-31"
        ) from error
    if not _FIRST_YEAR <= first.year < _LAST_YEAR:
        raise QueryRefused(f"{name} is {text!r}", f"a year from {_FIRST_YEAR} to {_LAST_YEAR - 1}")
    return first, after


def _of_bearable_length(period: Period) -> Period:
    _refuse_length((period.end - period.first).days)
    return period


def _refuse_length(days: int) -> None:
    if days > MOST_DAYS:
        raise QueryRefused(f"a period of {days:,} days or more", "at most ten years")


def _year_before(day: date) -> date:
    """Return the same day of the year before; for February 29 the 28th."""
    try:
        return day.replace(year=day.year - 1)
    except ValueError:
        return day.replace(year=day.year - 1, day=28)
