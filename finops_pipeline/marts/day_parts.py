"""Parts of a month that a statement builds alone, so that its memory does not grow with the month.

Put here: which days make a part, and the conditions for them. Keep out: which slices are due
(due_slices.py), running marts (mart_runner.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from finops_pipeline.tenants.months import end_day, first_day


@dataclass(frozen=True)
class Days:
    """Days from `first` to before `end`; None: no such bound."""

    first: date | None = None
    end: date | None = None

    def among(self, column: str) -> str:
        """Write the condition that a timestamp or date is on one of these days."""
        conditions = []
        if self.first:
            conditions.append(f"{column} >= timestamp '{self.first:%Y-%m-%d}'")
        if self.end:
            conditions.append(f"{column} < timestamp '{self.end:%Y-%m-%d}'")
        return " and ".join(conditions) or "true"


EVERY_DAY = Days()


def parts_of(month: str, parts: int) -> Iterator[Days]:
    """Yield consecutive days that together are all days, of which a month's days are cut evenly.

    The first and the last part are open, because a bill has charges of days before its month and
    may have some after it.

    Args:
        parts: the number of parts; at most one for each day of the month.
    """
    first = first_day(month)
    length = (end_day(month) - first).days
    parts = max(1, min(parts, length))
    cuts = [first + timedelta(days=length * number // parts) for number in range(1, parts)]
    yield from map(Days, [None, *cuts], [*cuts, None])
