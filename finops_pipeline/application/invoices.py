"""Invoice totals that an operator enters, withdraws and lists.

Put here: one function per use. Keep out: which entries are valid and how they are compared
(reconciliation/invoice_comparison.py), storing them (ledger/invoice_entries.py), commands (cli).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from finops_pipeline.application.ingest import enter_invoice
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.progress import Step
from finops_pipeline.errors import RegistryError
from finops_pipeline.ledger.invoice_entries import Invoice, every_invoice, invoices_of
from finops_pipeline.ledger.ledger import Ledger
from finops_pipeline.reconciliation.comparisons import INVOICE, Comparison
from finops_pipeline.reconciliation.invoice_comparison import WHOLE_BILL, invoice_entry


@dataclass(frozen=True)
class InvoiceTotal:
    """The total of an invoice as typed; `amount` None withdraws it. `month` is YYYY-MM."""

    tenant: str
    source: str
    month: str
    amount: str | None
    currency: str = "USD"
    invoice_id: str = WHOLE_BILL


@dataclass(frozen=True)
class EnteredInvoice:
    """What entering an invoice total did.

    `replaced` is the entry that stood before; `comparisons` are those of the charges with it;
    `refusal` is why the tenant's file could not be refreshed, else empty.
    """

    entry: Invoice
    replaced: Invoice | None
    comparisons: Sequence[Comparison]
    refusal: str


def enter_invoice_total(installation: Installation, total: InvoiceTotal) -> EnteredInvoice:
    """Record or withdraw an invoice total, and compare the charges with it at once.

    Raises:
        Unknown: there is no such tenant or source.
        RegistryError: the entry is not valid, or there is none to withdraw.
        TenantBusy: another process is writing this tenant.
    """
    tenant = installation.registry.tenant(total.tenant)
    entry = invoice_entry(
        tenant, total.source, total.month, total.amount, total.currency, total.invoice_id
    )
    ledger = Ledger(installation.folder(tenant.name).ledger)
    replaced = {invoice.key: invoice for invoice in invoices_of(ledger)}.get(entry.key)
    if total.amount is None and replaced is None:
        raise RegistryError(
            f"no invoice of {tenant.name}/{total.source} {total.month} is entered with this id and"
            " currency",
            cure=f"List the entries: finops invoice list {tenant.name}",
        )
    steps: list[Step] = []
    enter_invoice(installation, tenant, entry, steps.append)
    key = (total.source, total.month, total.currency, total.invoice_id or None)
    comparisons = [
        item
        for item in installation.reconciled(tenant.name).comparisons
        if item.against == INVOICE
        and key == (item.source, item.billing_period, item.billing_currency, item.counterpart)
    ]
    refusals = [step.reason for step in steps if step.outcome == "refused"]
    return EnteredInvoice(entry, replaced, comparisons, refusals[-1] if refusals else "")


def list_invoices(
    installation: Installation, tenant: str, with_replaced: bool
) -> Sequence[Invoice]:
    """List a tenant's invoice totals; with those that were replaced or withdrawn if asked.

    Raises:
        Unknown: there is no such tenant.
    """
    ledger = Ledger(installation.folder(installation.registry.tenant(tenant).name).ledger)
    return every_invoice(ledger) if with_replaced else invoices_of(ledger)
