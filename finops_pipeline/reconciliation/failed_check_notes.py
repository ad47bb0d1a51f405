"""How failed checks change the state and the reason of a month.

Put here: the state and reason of months with failed checks. Keep out: states from totals and
comparisons (statuses.py), which checks make sums doubtful (marts/evidence.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from finops_pipeline.errors import counted
from finops_pipeline.ledger.failed_checks import FailedByMonth, FailedCheck
from finops_pipeline.reconciliation.states import ReconciliationState, Status

_AGREEING = frozenset(
    {ReconciliationState.RECONCILED, ReconciliationState.OPEN, ReconciliationState.OUTDATED}
)
_WITH_CHARGES = _AGREEING | {ReconciliationState.DIFFERS}

_COMPARED = frozenset({"bills_apart", "charges_equal_bill"})
"""Checks whose findings the comparisons of a month report as well, by source and with amounts."""


def note_failed_checks(statuses: Iterable[Status], failed: FailedByMonth) -> tuple[Status, ...]:
    """Return the states with the failed checks of their months added.

    If a check makes the sums of a month doubtful, its state becomes `differs`. Any other failed
    check is only mentioned in the reason.
    """
    return tuple(_note(status, failed.get(status.billing_period, ())) for status in statuses)


def _note(status: Status, failed: Iterable[FailedCheck]) -> Status:
    is_different = status.state is ReconciliationState.DIFFERS
    failed = [check for check in failed if is_different or check.name not in _COMPARED]
    if not failed or status.state not in _WITH_CHARGES:
        return status
    doubts = [f"the check {c.name} failed: {counted(c.rows, 'row')}" for c in failed if c.is_doubt]
    remarks = [
        f"the check {check.name} found {counted(check.rows, 'row')}, but no sum is affected"
        for check in failed
        if not check.is_doubt
    ]
    is_new = bool(doubts) and status.state in _AGREEING
    before = [status.reason] if status.reason else []
    first, last = (doubts, []) if is_new else ([], doubts)
    return replace(
        status,
        state=ReconciliationState.DIFFERS if is_new else status.state,
        reason="; ".join([*first, *before, *last, *remarks]),
    )
