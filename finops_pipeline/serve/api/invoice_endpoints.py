"""Endpoints for invoice totals: list, enter, withdraw.

Put here: the totals that a tenant's administrator enters. Keep out: which are valid, and comparing
them with charges (application/invoices.py).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Query
from starlette.responses import Response

from finops_pipeline.application.invoices import (
    InvoiceEffect,
    enter_invoice_total,
    list_invoices,
)
from finops_pipeline.reconciliation.invoice_comparison import EnteredInvoice, describe_invoice
from finops_pipeline.serve.api.data_request import Data
from finops_pipeline.serve.api.request_parameters import (
    InvoiceParameters,
    InvoiceTotal,
    InvoiceWithdrawal,
)
from finops_pipeline.serve.api.tenant_changes import (
    administered,
    answer_changed,
    changing,
    listed,
    taking_turn,
)


def list_invoice_totals(data: Data, asked: Annotated[InvoiceParameters, Query()]) -> Response:
    """List the invoice totals that were entered; with `history` also those that were replaced."""
    own = administered(data)
    own.read()
    invoices = list_invoices(own.installation, own.name, asked.history)
    return listed(data, ({**asdict(each), "invoice_id": each.invoice_id or None}
                         for each in invoices))  # fmt: skip


def enter_invoice(data: Data, asked: InvoiceTotal) -> Response:
    """Enter the total of a month's invoice; the charges are compared with it at once.

    A later total for the same source, month, currency and invoice id replaces an earlier one.
    """
    return _enter(data, asked, asked.amount)


def withdraw_invoice(data: Data, asked: Annotated[InvoiceWithdrawal, Query()]) -> Response:
    """Withdraw an invoice total; its history stays."""
    return _enter(data, asked, None)


def _enter(data: Data, asked: InvoiceWithdrawal, amount: str | None) -> Response:
    own = administered(data)
    entered = EnteredInvoice(asked.source, asked.month, amount, asked.currency, asked.invoice_id)
    subject = f"invoice of {asked.source} {asked.month}"
    with taking_turn(data), changing(data, subject) as lines:
        own.read()
        effect = enter_invoice_total(own.installation, own.name, entered)
        lines.append(f"{asked.source} {asked.month}: {_without_amount(effect)}")
    return answer_changed(data, **_described(effect))


def _without_amount(effect: InvoiceEffect) -> str:
    """Return what happened, for the audit log, which has no amounts."""
    return "withdrawn" if effect.entry.amount is None else "entered"


def _described(effect: InvoiceEffect) -> dict[str, Any]:
    entry = effect.entry
    return {
        "source": entry.source,
        "billing_period": entry.billing_period,
        "invoice_id": entry.invoice_id or None,
        "billing_currency": entry.billing_currency,
        "amount": entry.amount,
        "replaced": describe_invoice(effect.replaced) if effect.replaced else None,
        "is_compared": not effect.failure,
        "comparisons": [
            {"state": each.state, "charges": each.ours, "note": each.note}
            for each in effect.comparisons
        ],
    }
