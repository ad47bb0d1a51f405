"""Invoice totals that an operator enters, withdraws and lists.

Put here: one function per use case. Keep out: which entries are valid and how they are compared
(reconciliation/invoice_comparison.py), storing them (ledger/invoice_entries.py), commands (cli).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from finops_pipeline.application.ingest import enter_invoice
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.progress import Step
from finops_pipeline.errors import RegistryError
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.ledger.invoice_entries import Invoice, read_invoice_entries, read_invoices
from finops_pipeline.reconciliation.comparisons import Comparison, CounterpartKind
from finops_pipeline.reconciliation.invoice_comparison import (
    EnteredInvoice,
    read_invoice_entry,
)


@dataclass(frozen=True)
class InvoiceEffect:
    """The effect of entering an invoice total.

    `replaced` is the entry that was in force before; `comparisons` compare the charges with the new
    one; `failure` is why the tenant's file could not be refreshed, or empty.
    """

    entry: Invoice
    replaced: Invoice | None
    comparisons: Sequence[Comparison]
    failure: str


def enter_invoice_total(
    installation: Installation, tenant_name: str, entered: EnteredInvoice
) -> InvoiceEffect:
    """Record or withdraw an invoice total, and compare the charges with it at once.

    Raises:
        Unknown: there is no such tenant or source.
        RegistryError: the entry is not valid, or there is none to withdraw.
        TenantBusy: another process is writing this tenant.
    """
    tenant = installation.registry.tenant(tenant_name)
    entry = read_invoice_entry(tenant, entered)
    ledger = open_ledger(installation.folder(tenant.name))
    replaced = {invoice.key: invoice for invoice in read_invoices(ledger)}.get(entry.key)
    if entered.amount is None and replaced is None:
        raise RegistryError(
            f"no invoice total of {tenant.name}/{entered.source} {entered.month} was entered with"
            " this id and currency",
            "an invoice total that was entered before",
            cure=f"List the entries: finops invoice list {tenant.name}",
        )
    steps: list[Step] = []
    enter_invoice(installation, tenant, entry, steps.append)
    key = (entered.source, entered.month, entered.currency, entered.invoice_id or None)
    comparisons = [
        item
        for item in installation.reconciled(tenant.name).comparisons
        if item.against == CounterpartKind.INVOICE
        and key == (item.source, item.billing_period, item.billing_currency, item.counterpart)
    ]
    failures = [step.reason for step in steps if step.has_failed]
    return InvoiceEffect(entry, replaced, comparisons, failures[-1] if failures else "")


def list_invoices(
    installation: Installation, tenant: str, with_replaced: bool
) -> Sequence[Invoice]:
    """List a tenant's invoice totals, optionally with those that were replaced or withdrawn.

    Raises:
        Unknown: there is no such tenant.
    """
    ledger = open_ledger(installation.folder(installation.registry.tenant(tenant).name))
    return read_invoice_entries(ledger) if with_replaced else read_invoices(ledger)
