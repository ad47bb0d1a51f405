"""The states of a source's month, and the row of `data_status` that tells one.

Put here: names of states. Keep out: how a month comes to one (reconcile.py), what they mean to a
reader (docs/naming.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

OLDER = "older"
"""The kind of a refusal of a delivery that came before the published one."""

RECONCILED, OPEN, DIFFERS, INCOMPLETE, EMPTY, REFUSED = (
    "reconciled",
    "open",
    "differs",
    "incomplete",
    "empty",
    "refused",
)
LANDED = "landed"
"""The state of a month of Cost Explorer, which is no bill: there is nothing to add up."""


@dataclass(frozen=True)
class Status:
    """One row of `data_status`; see contracts/tables.py for each field."""

    source: str
    billing_period: str
    billing_currency: str | None
    state: str
    reason: str | None
    delivery_id: str | None = None
    execution_id: str | None = None
    landed_at: str | None = None
    rows_read: int | None = None
    rows_kept: int | None = None
    rows_quarantined: int | None = None
    values_rounded: int | None = None
    unknown_line_items: int | None = None
    source_cost: Decimal | None = None
    billed_cost: Decimal | None = None
    effective_cost: Decimal | None = None
    drift: str | None = None
