"""A landed delivery with the ledger's notes on its month, and what a status says of both.

Put here: the fields and notes of a status that need no sums. Keep out: the state of a month
(statuses.py), comparisons (counterparts.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finops_pipeline.errors import counted
from finops_pipeline.ledger.ledger import DeliveryRecord, Refusal
from finops_pipeline.ledger.records import RefusalKind
from finops_pipeline.reconciliation.states import ReconciliationState, Status


def describe_refusal(refusal: Refusal) -> str:
    """Return the reason for a month that never landed; a crash is called one."""
    prefix = "landing crashed: " if refusal.kind == RefusalKind.CRASHED else ""
    return f"{prefix}{refusal.reason}"


def _describe_unreadable(values: Mapping[str, int]) -> str:
    """Describe which values became null, by column; the columns with the most values first."""
    columns = sorted(values, key=lambda column: (-values[column], column))
    more = f" and {counted(len(columns) - 3, 'other column')}" if len(columns) > 3 else ""
    return (
        f"{counted(sum(values.values()), 'value')} that cannot be read (in"
        f" {', '.join(columns[:3])}{more}) left empty"
    )


@dataclass(frozen=True)
class LandedDelivery:
    """A delivery that landed, and the ledger's notes on its month.

    `fewer_rows_note`: the note that it has fewer rows than the delivery before it, or empty.
    """

    delivery: DeliveryRecord
    refusal: Refusal | None
    fewer_rows_note: str = ""

    @property
    def is_outdated(self) -> bool:
        """Whether AWS has sent a newer delivery that was refused or crashed."""
        return self.refusal is not None and self.refusal.kind != RefusalKind.OLDER

    @property
    def refusal_note(self) -> str:
        """Why another delivery of the month did not land; empty if there is none."""
        if self.refusal is None:
            return ""
        match self.refusal.kind:
            case RefusalKind.OLDER:
                return self.refusal.reason
            case RefusalKind.CRASHED:
                return f"landing a newer delivery crashed: {self.refusal.reason}"
            case _:
                return f"a newer delivery was refused: {self.refusal.reason}"

    def empty_status(self, reasons: Sequence[str], default_reason: str) -> Status:
        """Return the status of a delivery without costs, with a default for its reason."""
        key = (self.delivery.source, self.delivery.billing_period)
        reason = "; ".join([*reasons, *self.notes()]) or default_reason
        return Status(*key, None, ReconciliationState.EMPTY, reason, **self.facts())

    def facts(self) -> dict[str, Any]:
        """Return the fields of a status that come from the delivery itself."""
        return {
            "delivery_id": self.delivery.delivery_id,
            "execution_id": self.delivery.execution_id,
            "landed_at": self.delivery.landed_at,
            "rows_read": self.delivery.rows_read,
            "rows_kept": self.delivery.rows_kept,
            "rows_quarantined": self.delivery.rows_quarantined,
            "values_rounded": self.delivery.values_rounded,
            "values_unreadable": sum(self.delivery.values_unreadable.values()),
            "account_ids_restored": self.delivery.account_ids_restored,
        }

    def notes(self, unknown_line_items: int = 0) -> Iterator[str]:
        """Yield the notes on the month that apply in any state."""
        if self.fewer_rows_note:
            yield self.fewer_rows_note
        if self.delivery.values_rounded:
            yield f"{counted(self.delivery.values_rounded, 'value')} rounded to 18 decimals"
        if self.delivery.values_unreadable:
            yield _describe_unreadable(self.delivery.values_unreadable)
        if self.delivery.account_ids_restored:
            rows = counted(self.delivery.account_ids_restored, "row")
            yield f"account ids of {rows} had lost leading zeros, which were restored"
        if unknown_line_items:
            line_items = counted(unknown_line_items, "line item")
            yield f"{line_items} of an unknown type kept as Adjustment"
        if self.refusal_note:
            yield self.refusal_note
