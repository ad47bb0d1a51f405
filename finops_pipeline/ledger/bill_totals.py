"""Totals of a project's landed rows of a month, before they become charges.

Put here: reading and writing the table `bill_totals` of ledger.sqlite. Keep out: computing the
totals (focus/month_pass.py), comparing them with charges (marts/checks).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from finops_pipeline.ledger.ledger import Ledger, Write
from finops_pipeline.ledger.schema import BILL_TOTALS

ProjectMonth = tuple[str, str]
"""(project, billing period)"""


@dataclass(frozen=True)
class BillTotal:
    """Landed rows of one source, account, service code, line item type and currency.

    Costs are exact decimal text: there are many totals, and they are only copied.
    """

    project: str
    billing_period: str
    source: str
    sub_account_id: str | None
    service_code: str
    line_item_type: str
    billing_currency: str
    rows: int
    billed_cost: str
    effective_cost: str


def read_bill_totals(ledger: Ledger, months: Sequence[str]) -> list[BillTotal]:
    """Read the totals of all projects in these billing periods."""
    rows = ledger.rows(BILL_TOTALS, BILL_TOTALS.c.billing_period.in_(months))
    return [BillTotal(**row) for row in rows]


def record_bill_totals(project_month: ProjectMonth, totals: Sequence[BillTotal]) -> Write:
    """Record the totals of a project's month in place of earlier ones."""

    def write(db: sa.Connection) -> None:
        table, (project, month) = BILL_TOTALS, project_month
        same = (table.c.project == project) & (table.c.billing_period == month)
        db.execute(sa.delete(table).where(same))
        if totals:
            db.execute(sa.insert(table), [asdict(total) for total in totals])

    return write
