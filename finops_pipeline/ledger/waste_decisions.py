"""Decisions on findings of waste, with their history.

Put here: reading and writing the table `waste_decisions` of ledger.sqlite. Keep out: which
decisions are valid (application/waste_decided.py), what they change (marts/waste).

Rows are only added: a later decision on a finding replaces an earlier one. Each has a copy of the
finding, because a finding is no longer in the tenant's file once its resource is gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from finops_pipeline.ledger.ledger import Ledger, Write
from finops_pipeline.ledger.schema import WASTE_DECISIONS


@dataclass(frozen=True)
class WasteDecision:
    """A decision on a finding.

    `until`: last day of a dismissal (YYYY-MM-DD); None: for good. `done_on`: day on which the
    change was finished. `finding`: the finding as JSON. `baseline`: for a finished finding, what
    its resource used and cost before, as JSON.
    """

    finding_id: str
    status: str
    reason: str
    until: str | None
    decided_at: str
    done_on: str | None
    finding: str
    baseline: str


def read_decisions(ledger: Ledger) -> list[WasteDecision]:
    """Read all decisions in the order in which they were made."""
    names = list(WasteDecision.__dataclass_fields__)
    rows = sorted(ledger.rows(WASTE_DECISIONS), key=lambda row: int(row["id"]))
    return [WasteDecision(**{name: row[name] for name in names}) for row in rows]


def last_decisions(decisions: Iterable[WasteDecision]) -> list[WasteDecision]:
    """Return the decision in force on each finding, by its id."""
    last = {decision.finding_id: decision for decision in decisions}
    return [last[key] for key in sorted(last)]


def record_decision(decision: WasteDecision) -> Write:
    """Record a decision."""

    def write(db: sa.Connection) -> None:
        db.execute(sa.insert(WASTE_DECISIONS), asdict(decision))

    return write
