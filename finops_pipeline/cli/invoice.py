"""Commands for invoice totals that an operator enters.

Put here: `invoice set`, `invoice list`, `invoice remove`. Keep out: what they do
(application/invoices.py).
"""

from __future__ import annotations

from typing import Annotated

import typer

from finops_pipeline.application.invoices import (
    InvoiceEffect,
    enter_invoice_total,
    list_invoices,
)
from finops_pipeline.cli.show import (
    ExactOption,
    Format,
    open_installation,
    refuse_parquet,
    say,
    split,
    table,
    write_rows,
)
from finops_pipeline.cli.text_table import Layout
from finops_pipeline.errors import RegistryError
from finops_pipeline.ledger.invoice_entries import Invoice
from finops_pipeline.money import plain
from finops_pipeline.reconciliation.invoice_comparison import (
    WHOLE_BILL,
    EnteredInvoice,
    describe_invoice,
)

SourceName = Annotated[str, typer.Argument(metavar="TENANT/SOURCE")]
Month = Annotated[str, typer.Argument(metavar="YYYY-MM", help="Billing period.")]
Currency = Annotated[str, typer.Option(metavar="ISO", help="Currency of the invoice.")]
InvoiceId = Annotated[
    str,
    typer.Option(metavar="ID", help="Only charges of this invoice; default: the whole bill."),
]

_NAMES = ("source", "billing_period", "invoice_id", "billing_currency", "amount", "entered_at")


def set_command(
    source: SourceName,
    month: Month,
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="Total, such as 12345.67.")],
    currency: Currency = "USD",
    invoice_id: InvoiceId = WHOLE_BILL,
) -> None:
    """Enter the total of a month's invoice; the charges are compared with it at once."""
    tenant, name = split(source, "SOURCE")
    _enter(tenant, EnteredInvoice(name, month, amount, currency, invoice_id))


def remove_command(
    source: SourceName, month: Month, currency: Currency = "USD", invoice_id: InvoiceId = WHOLE_BILL
) -> None:
    """Withdraw an invoice total; its history stays."""
    tenant, name = split(source, "SOURCE")
    _enter(tenant, EnteredInvoice(name, month, None, currency, invoice_id))


def _enter(tenant: str, entered: EnteredInvoice) -> None:
    effect = enter_invoice_total(open_installation(), tenant, entered)
    for line in _lines(f"{tenant}/{entered.source} {entered.month}", effect):
        say(line)
    if effect.failure:
        raise RegistryError(f"the file of tenant {tenant} was not refreshed: {effect.failure}")


def _lines(source_month: str, effect: InvoiceEffect) -> list[str]:
    before = f" (it was {describe_invoice(effect.replaced)})" if effect.replaced else ""
    lines = [f"{source_month}: {describe_invoice(effect.entry)}{before}"]
    for comparison in effect.comparisons:
        charges = f", charges {plain(comparison.ours)}" if comparison.ours is not None else ""
        lines.append(f"{comparison.state}{charges}: {comparison.note}")
    return lines


def list_command(
    tenant: Annotated[str, typer.Argument(metavar="TENANT")],
    history: Annotated[
        bool, typer.Option("--history", help="Include entries that were replaced.")
    ] = False,
    format: Annotated[Format, typer.Option(help="table, csv or json.")] = Format.TABLE,
    exact: ExactOption = False,
) -> None:
    """List the invoice totals that were entered."""
    refuse_parquet(format)
    rows = [_row(invoice) for invoice in list_invoices(open_installation(), tenant, history)]
    if format is Format.TABLE:
        empty = (
            "No invoice total has been entered. Enter one:"
            f" finops invoice set {tenant}/SOURCE YYYY-MM AMOUNT"
        )
        table(_NAMES, rows, layout=Layout(f"{tenant}: invoices", exact, if_empty=empty))
    else:
        write_rows(format, _NAMES, rows)


def _row(invoice: Invoice) -> tuple[object, ...]:
    return (
        invoice.source,
        invoice.billing_period,
        invoice.invoice_id or None,
        invoice.billing_currency,
        invoice.amount,
        invoice.entered_at,
    )
