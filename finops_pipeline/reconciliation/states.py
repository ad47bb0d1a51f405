"""The states of a source's month, and the row of `data_status` that holds one.

Put here: the names of states. Keep out: how a month reaches a state (statuses.py), what each means
to a reader (docs/naming.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class ReconciliationState(StrEnum):
    """Whether a source's month is right; docs/naming.md explains each state."""

    RECONCILED = "reconciled"
    OPEN = "open"
    OUTDATED = "outdated"
    """Right for the published delivery, but a newer one was refused or its landing crashed."""
    DIFFERS = "differs"
    INCOMPLETE = "incomplete"
    EMPTY = "empty"
    REFUSED = "refused"
    LANDED = "landed"
    """A month of Cost Explorer, which is not a bill, so no sums have to agree."""


@dataclass(frozen=True)
class Status:
    """One row of `data_status`; contracts/tables.py explains each field."""

    source: str
    billing_period: str
    billing_currency: str | None
    state: ReconciliationState
    reason: str | None
    delivery_id: str | None = None
    execution_id: str | None = None
    landed_at: str | None = None
    rows_read: int | None = None
    rows_kept: int | None = None
    rows_quarantined: int | None = None
    values_rounded: int | None = None
    values_unreadable: int | None = None
    account_ids_restored: int | None = None
    unknown_line_items: int | None = None
    source_cost: Decimal | None = None
    billed_cost: Decimal | None = None
    effective_cost: Decimal | None = None
    drift: str | None = None
