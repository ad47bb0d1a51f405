"""The line below an answer that names months whose numbers are not reconciled.

Put here: which months an answer is about, and the line that names them. Keep out: answers
themselves (cli/query.py), the states (reconciliation/statuses.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from finops_pipeline.application.installation import Installation
from finops_pipeline.application.progress import Months
from finops_pipeline.contracts.focus import COSTS
from finops_pipeline.contracts.focus_versions import focus_views
from finops_pipeline.contracts.tables import COST_EXPLORER_DAILY, DELIVERY_HISTORY, MARTS
from finops_pipeline.lake.duck import Connection
from finops_pipeline.reconciliation.states import ReconciliationState

SHOWN = 5
"""Months that the line names."""

_PERIOD = "billing_period"
_SETTLED = {ReconciliationState.RECONCILED, ReconciliationState.LANDED}


class Caveat:
    """Watches an answer go by, and says afterwards what is to be known of its months.

    Args:
        sql: what was asked; an answer that shows no money needs no caveat.
        span: months that were asked for, where the asker said so; else those that it shows count.
    """

    def __init__(self, sql: str, span: Months) -> None:
        self._wanted = _of_money(sql)
        self._span = span
        self._months: set[str] | None = None
        self._at: int | None = None

    def columns(self, names: Sequence[str]) -> None:
        """Take note of where the answer says its months."""
        if _PERIOD in names:
            self._at, self._months = list(names).index(_PERIOD), set()

    def watched(self, rows: Iterable[Sequence[Any]]) -> Iterator[Sequence[Any]]:
        """The same rows, their months noted."""
        for row in rows:
            if self._at is not None and self._months is not None:
                self._months.add(str(row[self._at]))
            yield row

    def batch(self, batch: Any) -> None:
        """Note the months of a part of an answer that goes by as an Arrow batch."""
        if _PERIOD in batch.schema.names:
            values = batch.column(_PERIOD).unique().to_pylist()
            self._months = (self._months or set()) | {str(value) for value in values}

    def line(self, connection: Connection, tenant: str) -> str:
        """One line for months that are not reconciled; empty when all are.

        The states are those of the file that was asked, as of its last refresh.
        """
        if not self._wanted:
            return ""
        rows = connection.execute(
            "select billing_period, state, string_agg(distinct source, ', ' order by source)"
            " from data_status where state not in (?, ?) group by all order by all",
            sorted(_SETTLED),
        ).fetchall()
        # Months that were asked for count, also where the answer has nothing of them.
        asked = self._span if self._span != Months() else self._months
        asked = Months() if asked is None else asked
        mine = [
            (month, f"{month} {state} ({sources})")
            for month, state, sources in rows
            if month in asked
        ]
        if mine:
            more = f" and {len(mine) - SHOWN} more" if len(mine) > SHOWN else ""
            words = ", ".join(said for _, said in mine[:SHOWN])
            return f"not reconciled: {words}{more}; see finops status {tenant} {mine[0][0]}"
        return ""


def month_caveat(installation: Installation, tenant: str, source: str, month: str) -> str:
    """The same line for an answer about one month of one source, by the states as they are now."""
    states = {
        status.state
        for status in installation.status(tenant)
        if (status.source, status.billing_period) == (source, month)
    } - _SETTLED
    if states:
        words = f"{month} {' and '.join(sorted(states))} ({source})"
        return f"not reconciled: {words}; see finops status {tenant} {month}"
    return ""


def _of_money(sql: str) -> bool:
    """Whether a query names a table or view of costs."""
    names = [COSTS.name, *MARTS, *(view.name for view in focus_views())]
    names += [COST_EXPLORER_DAILY.name, DELIVERY_HISTORY.name]
    return re.search(rf"\b({'|'.join(names)}|landing_\w+)\b", sql, re.IGNORECASE) is not None
