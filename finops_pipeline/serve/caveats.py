"""The line below an answer that names months whose numbers are not reconciled.

Put here: finding the months of an answer, and the line that names them. Keep out: the answers
themselves (queries.py), the states (reconciliation/statuses.py).
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
from finops_pipeline.lake.duck import Reader
from finops_pipeline.reconciliation.states import ReconciliationState

NAMED_MONTHS = 5
"""Number of months that the line names; the rest are counted."""

_PERIOD = "billing_period"
RECONCILED_STATES = {ReconciliationState.RECONCILED, ReconciliationState.LANDED}
"""States of a month about which an answer says nothing."""


class Caveat:
    """Collects the months of an answer while it is read, and states the caveat afterwards.

    Args:
        sql: the query; an answer that shows no money needs no caveat.
        span: the requested months; if all were requested, the months in the answer count instead.
    """

    def __init__(self, sql: str, span: Months) -> None:
        self._shows_money = _names_cost_tables(sql)
        self._span = span
        self._answer_months: set[str] | None = None
        self._period_index: int | None = None

    def note_columns(self, names: Sequence[str]) -> None:
        """Note which column of the answer holds its months."""
        if _PERIOD in names:
            self._period_index, self._answer_months = list(names).index(_PERIOD), set()

    def note_rows(self, rows: Iterable[Sequence[Any]]) -> Iterator[Sequence[Any]]:
        """Yield the same rows, noting their months."""
        for row in rows:
            if self._period_index is not None and self._answer_months is not None:
                self._answer_months.add(str(row[self._period_index]))
            yield row

    def note_batch(self, batch: Any) -> None:
        """Note the months of one Arrow batch of the answer."""
        if _PERIOD in batch.schema.names:
            months = batch.column(_PERIOD).unique().to_pylist()
            self._answer_months = (self._answer_months or set()) | {str(month) for month in months}

    def line(self, connection: Reader, tenant: str) -> str:
        """Return one line for months that are not reconciled; empty when all are.

        The states are those of the queried file, as of its last refresh.
        """
        if not self._shows_money:
            return ""
        rows = connection.execute(
            "select billing_period, state, string_agg(distinct source, ', ' order by source)"
            " from data_status where state not in (?, ?) group by all order by all",
            sorted(RECONCILED_STATES),
        ).fetchall()
        # Requested months count even if the answer has no row of them.
        relevant = self._span if self._span != Months() else self._answer_months
        relevant = Months() if relevant is None else relevant
        unsettled = [
            (month, f"{month} {state} ({sources})")
            for month, state, sources in rows
            if month in relevant
        ]
        if not unsettled:
            return ""
        rest = len(unsettled) - NAMED_MONTHS
        more = f" and {rest} more" if rest > 0 else ""
        names = ", ".join(description for _, description in unsettled[:NAMED_MONTHS])
        return f"not reconciled: {names}{more}; see finops status {tenant} {unsettled[0][0]}"


def month_caveat(installation: Installation, tenant: str, source: str, month: str) -> str:
    """Return the same line for an answer about one month of one source, by its state now."""
    states = {
        status.state
        for status in installation.status(tenant)
        if (status.source, status.billing_period) == (source, month)
    } - RECONCILED_STATES
    if not states:
        return ""
    description = f"{month} {' and '.join(sorted(states))} ({source})"
    return f"not reconciled: {description}; see finops status {tenant} {month}"


def _names_cost_tables(sql: str) -> bool:
    """Return whether a query names a table or view of costs."""
    names = [COSTS.name, *MARTS, *(view.name for view in focus_views())]
    names += [COST_EXPLORER_DAILY.name, DELIVERY_HISTORY.name]
    return re.search(rf"\b({'|'.join(names)}|landing_\w+)\b", sql, re.IGNORECASE) is not None
