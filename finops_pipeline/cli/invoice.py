"""Commands over invoice totals that an operator enters.

Put here: `invoice set`, `invoice list`, `invoice remove`. Keep out: what may be entered
(reconciliation/invoice_comparison.py), what follows from it (reconciliation/statuses.py).
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from finops_pipeline.application.ingest import enter_invoice
from finops_pipeline.application.progress import Step
from finops_pipeline.cli.show import Format, open_installation, split, table, write_csv, write_json
from finops_pipeline.errors import RegistryError
from finops_pipeline.ledger.invoice_entries import Invoice, read_invoice_entries, read_invoices
from finops_pipeline.ledger.ledger import Ledger
from finops_pipeline.money import plain
from finops_pipeline.reconciliation.comparisons import CounterpartKind
from finops_pipeline.reconciliation.invoice_comparison import (
    WHOLE_BILL,
    EnteredInvoice,
    describe_invoice,
    read_invoice_entry,
)

SourceName = Annotated[str, typer.Argument(metavar="TENANT/SOURCE")]
Month = Annotated[str, typer.Argument(metavar="YYYY-MM", help="Billing period.")]
Currency = Annotated[str, typer.Option(metavar="ISO", help="Currency of the invoice.")]
InvoiceId = Annotated[
    str, typer.Option(metavar="ID", help="Only charges of this invoice; else the whole bill.")
]


def register(app: typer.Typer) -> None:
    """Put these commands under `finops`."""
    group = typer.Typer(
        help="Totals of invoices, to hold charges against.",
        no_args_is_help=True,
        add_completion=False,
    )
    group.command("set", context_settings={"ignore_unknown_options": True})(set_command)
    group.command("list")(list_command)
    group.command("remove")(remove_command)
    app.add_typer(group, name="invoice")


def set_command(
    source: SourceName,
    month: Month,
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="Total, such as 12345.67.")],
    currency: Currency = "USD",
    invoice_id: InvoiceId = WHOLE_BILL,
) -> None:
    """Enter what an invoice of a month says; the month is judged by it at once."""
    _enter(source, month, amount, currency, invoice_id)


def remove_command(
    source: SourceName, month: Month, currency: Currency = "USD", invoice_id: InvoiceId = WHOLE_BILL
) -> None:
    """Take an invoice's total back; what was entered stays in the history."""
    _enter(source, month, None, currency, invoice_id)


def _enter(name: str, month: str, amount: str | None, currency: str, invoice_id: str) -> None:
    tenant_name, source = split(name, "SOURCE")
    installation = open_installation()
    tenant = installation.registry.tenant(tenant_name)
    entry = read_invoice_entry(tenant, EnteredInvoice(source, month, amount, currency, invoice_id))
    standing = {
        one.key: one for one in read_invoices(Ledger(installation.folder(tenant.name).ledger))
    }
    before = standing.get(entry.key)
    if amount is None and before is None:
        raise RegistryError(
            f"no invoice of {name} {month} is entered with this id and currency",
            cure=f"See what is: finops invoice list {tenant_name}",
        )
    steps: list[Step] = []
    enter_invoice(installation, tenant, entry, steps.append)
    was = f" (it was {describe_invoice(before)})" if before else ""
    typer.echo(f"{name} {month}: {describe_invoice(entry)}{was}")
    for one in installation.reconciled(tenant.name).comparisons:
        same = (one.source, one.billing_period, one.billing_currency, one.counterpart)
        if one.against == CounterpartKind.INVOICE and same == (
            source,
            month,
            currency,
            invoice_id or None,
        ):
            said = f", charges {plain(one.ours)}" if one.ours is not None else ""
            typer.echo(f"{one.state}{said}: {one.note}")
    if any(step.has_failed for step in steps):
        raise RegistryError(f"the file of tenant {tenant_name} stays as it was: {steps[-1].reason}")


def list_command(
    tenant: Annotated[str, typer.Argument(metavar="TENANT")],
    history: Annotated[bool, typer.Option("--history", help="Also what was replaced.")] = False,
    format: Annotated[Format, typer.Option(help="table, csv or json.")] = Format.TABLE,
) -> None:
    """List the invoices that are entered, and when; finops does not know by whom."""
    if format is Format.PARQUET:
        raise typer.BadParameter("table, csv or json", param_hint="--format")
    installation = open_installation()
    ledger = Ledger(installation.folder(installation.registry.tenant(tenant).name).ledger)
    found = read_invoice_entries(ledger) if history else read_invoices(ledger)
    names = (
        *("source", "billing_period", "invoice_id", "billing_currency", "amount", "entered_at"),
    )
    rows = [_row(one) for one in found]
    if format is Format.TABLE:
        table(names, rows, f"{tenant}: invoices")
    else:
        write = write_json if format is Format.JSON else write_csv
        write(sys.stdout, names, rows)


def _row(one: Invoice) -> tuple[object, ...]:
    whose = one.invoice_id or None
    return (one.source, one.billing_period, whose, one.billing_currency, one.amount, one.entered_at)
