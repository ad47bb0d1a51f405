"""Invoice totals that an operator enters, with their history.

Put here: reading and writing the table `invoices` of ledger.sqlite. Keep out: checking and
comparing entries (reconciliation/invoice_comparison.py).

Rows are only added: a later entry of the same source, month, id and currency replaces an earlier
one, and an entry without an amount withdraws it. Who entered it is not recorded, as finops has no
users.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from decimal import Decimal

import sqlalchemy as sa

from finops_pipeline.ledger.ledger import Ledger, Write
from finops_pipeline.ledger.schema import INVOICES


@dataclass(frozen=True)
class Invoice:
    """An entry for an invoice; `amount` is None where the invoice was withdrawn.

    `invoice_id` is empty for the entire bill of the source and month.
    """

    source: str
    billing_period: str
    invoice_id: str
    billing_currency: str
    amount: Decimal | None
    entered_at: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        """The fields that identify an invoice, by which a later entry replaces an earlier one."""
        return (self.source, self.billing_period, self.invoice_id, self.billing_currency)


def read_invoice_entries(ledger: Ledger) -> list[Invoice]:
    """Read all entries, including replaced ones, in the order they were entered."""
    return [
        Invoice(
            row["source"],
            row["billing_period"],
            row["invoice_id"],
            row["billing_currency"],
            None if row["amount"] is None else Decimal(row["amount"]),
            row["entered_at"],
        )
        for row in sorted(ledger.rows(INVOICES), key=lambda row: int(row["id"]))
    ]


def read_invoices(ledger: Ledger) -> list[Invoice]:
    """Read the invoices in force, by source, month, id and currency."""
    last = {invoice.key: invoice for invoice in read_invoice_entries(ledger)}
    return [last[key] for key in sorted(last) if last[key].amount is not None]


def record_invoice(invoice: Invoice) -> Write:
    """Record an entry for an invoice."""

    def write(db: sa.Connection) -> None:
        amount = None if invoice.amount is None else format(invoice.amount, "f")
        db.execute(sa.insert(INVOICES), asdict(invoice) | {"amount": amount})

    return write
