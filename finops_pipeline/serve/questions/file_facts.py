"""What an answer says about its file: names, states of the months, when it was built.

Put here: facts that are read once for each generation of the file. Keep out: costs
(cost_answer.py), matching names (question_names.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

from finops_pipeline.serve.questions.question_names import FileNames
from finops_pipeline.serve.questions.question_period import Period
from finops_pipeline.serve.sandbox import Sandbox


@dataclass(frozen=True)
class MonthTrust:
    """The state of one source's month, as `finops status` shows it, when the file was built."""

    billing_period: str
    source: str
    state: str
    landed_at: datetime | None


class FileFacts:
    """Facts of one generation of a file, each read when it is first needed."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.mark = sandbox.mark
        self.names = FileNames(sandbox)

    @cached_property
    def months(self) -> Sequence[MonthTrust]:
        """The states of all months, in order."""
        rows = self._sandbox.execute(
            "select billing_period, source, state, max(landed_at)"
            " from data_status group by all order by all"
        ).fetchall()
        return [MonthTrust(*row) for row in rows]

    @cached_property
    def built_at(self) -> str:
        """When the file was built (UTC)."""
        rows = self._sandbox.execute(
            "select built_at from about where kind = 'file' and name = 'generation'"
        ).fetchall()
        return str(rows[0][0]) if rows else ""

    def months_of_days(self, periods: Sequence[Period]) -> set[str]:
        """Return the months that bill charges of these days, perhaps of an earlier month."""
        return {
            month
            for month, day in self._billed_days
            if any(period.first <= day < period.end for period in periods)
        }

    @cached_property
    def _billed_days(self) -> Sequence[tuple[str, date]]:
        return self._sandbox.execute(
            "select distinct billing_period, charge_date from daily_costs"
        ).fetchall()
