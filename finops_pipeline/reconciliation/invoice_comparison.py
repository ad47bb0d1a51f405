"""Invoice totals that an operator enters: their validation and comparison with the charges.

Put here: validating an entry, its tolerance, the comparison. Keep out: storing it
(ledger/invoice_entries.py), the sums by invoice id (cost_explorer_comparison.py), the
commands (cli/invoice.py).
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from finops_pipeline import clock
from finops_pipeline.errors import RegistryError
from finops_pipeline.ledger.invoice_entries import Invoice
from finops_pipeline.ledger.ledger import DeliveryRecord
from finops_pipeline.money import digits_of, plain, read_amount
from finops_pipeline.reconciliation.comparisons import (
    Basis,
    Comparison,
    ComparisonState,
    CounterpartKind,
)
from finops_pipeline.tenants.model import Tenant
from finops_pipeline.tenants.months import check_month

_AMOUNT = re.compile(r"-?\d{1,18}(\.\d{1,18})?", re.ASCII)
_INVOICE_ID = re.compile(r"[\x21-\x7e]{1,100}")
WHOLE_BILL = ""
"""The invoice id of an entry for all that a source bills in a month."""


@dataclass(frozen=True)
class EnteredInvoice:
    """An invoice total as an operator types it.

    `amount` is text such as `12345.67`; None withdraws an earlier entry. `invoice_id` is
    WHOLE_BILL for all that the source bills in the month.
    """

    source: str
    month: str
    amount: str | None
    currency: str = "USD"
    invoice_id: str = WHOLE_BILL


def read_invoice_entry(tenant: Tenant, entered: EnteredInvoice) -> Invoice:
    """Check an entry and return it as the ledger stores it, with the present time.

    Raises:
        Unknown: there is no such source.
        RegistryError: the source has no bills, or a value is not valid.
    """
    source = tenant.source(entered.source)
    if not source.is_bill:
        raise RegistryError(
            f"source {tenant.name}/{entered.source} is Cost Explorer, which sends no invoices",
            "a source of bills",
            f"See the sources: finops source list {tenant.name}",
        )
    check_month(entered.month)
    if not re.fullmatch(r"[A-Z]{3}", entered.currency):
        raise RegistryError(
            f"currency {entered.currency!r} is not a currency code",
            "three capital letters of ISO 4217, such as USD",
        )
    if entered.invoice_id != WHOLE_BILL and not _INVOICE_ID.fullmatch(entered.invoice_id):
        raise RegistryError(
            f"invoice id {entered.invoice_id!r} is not valid",
            "up to 100 ASCII characters without spaces, as on the invoice",
        )
    return Invoice(
        source=entered.source,
        billing_period=entered.month,
        invoice_id=entered.invoice_id,
        billing_currency=entered.currency,
        amount=_parse_amount(entered.amount),
        entered_at=clock.now().isoformat(),
    )


def _parse_amount(text: str | None) -> Decimal | None:
    if text is None:
        return None
    parsed = read_amount(text) if _AMOUNT.fullmatch(text) else None
    if parsed is None:
        raise RegistryError(
            f"amount {text!r} is not a decimal number",
            "a decimal number with a point and no thousands separators, such as 12345.67",
        )
    return parsed[0]


def check_bill(tenant: str, invoice: Invoice, delivery: DeliveryRecord | None) -> None:
    """Check that the bill has landed, and has charges in the invoice's currency.

    Raises:
        RegistryError: it has not, or has none.
    """
    if delivery is None:
        raise RegistryError(
            f"{tenant}/{invoice.source} has no bill for {invoice.billing_period} to compare with",
            "the month of a bill that has landed",
            f"See the months: finops status {tenant}",
        )
    billed = sorted(delivery.billed_by_currency())
    if billed and invoice.billing_currency not in billed:
        raise RegistryError(
            f"{invoice.source} bills {invoice.billing_period} in {' and '.join(billed)}, but the"
            f" invoice is in {invoice.billing_currency}",
            "the currency of the charges (sums are never converted)",
            "Enter the total that the invoice states in that currency",
        )


def tolerance_of(currency: str) -> Decimal:
    """Return half of the currency's smallest unit, to which an invoice is rounded."""
    return Decimal("0.5").scaleb(-digits_of(currency))


@dataclass(frozen=True)
class BillAmount:
    """The sum that all charges of a source bill in a month and currency.

    `net_billed_cost` is net of private discounts; None unless every charge states it.
    """

    source: str
    billing_period: str
    billing_currency: str
    billed_cost: Decimal
    net_billed_cost: Decimal | None


_Sums = Mapping[tuple[str | None, Basis | None], Decimal | None]
"""(invoice id, basis) -> sum of the charges of that invoice."""


def compare_with_invoices(
    bill: BillAmount, invoices: Sequence[Invoice], sums_by_id: Sequence[Comparison]
) -> list[Comparison]:
    """Compare the entries of one source, month and currency with its charges.

    Args:
        invoices: all entries of the tenant that are in force.
        sums_by_id: sums of the charges of single invoices, in `ours`, on either basis.
    """
    key = (bill.source, bill.billing_period, bill.billing_currency)
    base = Comparison(*key, CounterpartKind.INVOICE)
    entries = [
        invoice
        for invoice in invoices
        if (invoice.source, invoice.billing_period, invoice.billing_currency) == key
    ]
    if not entries:
        return [replace(base, note="no invoice has been entered (finops invoice set)")]
    sums = {
        (row.counterpart, row.cost_basis): row.ours
        for row in sums_by_id
        if row.billing_currency == bill.billing_currency
    }
    unknown_ids = {row.counterpart: row.note for row in sums_by_id if row.note}
    sums[WHOLE_BILL, Basis.BILLED] = bill.billed_cost
    sums[WHOLE_BILL, Basis.NET_BILLED] = bill.net_billed_cost
    return [
        _compare_with_invoice(
            replace(base, note=unknown_ids.get(invoice.invoice_id)), invoice, sums
        )
        for invoice in entries
    ]


def _compare_with_invoice(base: Comparison, invoice: Invoice, sums: _Sums) -> Comparison:
    """Compare on the basis that fits: billed cost, else net billed cost where it agrees.

    The note of `base` says which ids there are, if no charge has that of the invoice.

    An invoice is net of private discounts. Where a bill has discounts as lines, its billed cost is
    already net; where it has them only in net columns, its net billed cost is.
    """
    base = replace(base, cost_basis=Basis.BILLED, counterpart=invoice.invoice_id or None)
    billed, net = (sums.get((invoice.invoice_id, b)) for b in (Basis.BILLED, Basis.NET_BILLED))
    if billed is None or invoice.amount is None:
        return replace(base, note="its charges have not been summed yet; run finops ingest")
    tolerance = tolerance_of(invoice.billing_currency)
    comparison = base.with_amounts(billed, invoice.amount, tolerance)
    if comparison.state != ComparisonState.AGREES and net is not None:
        on_net = replace(base, cost_basis=Basis.NET_BILLED)
        on_net = on_net.with_amounts(net, invoice.amount, tolerance)
        comparison = on_net if on_net.state == ComparisonState.AGREES else comparison
    scope = (
        "all charges of the source, whichever company invoices them"
        if invoice.invoice_id == WHOLE_BILL
        else base.note or "the charges with this InvoiceId"
    )
    return replace(comparison, note=f"{scope}; entered on {invoice.entered_at[:10]}")


def compare_unbilled_currencies(
    delivery: DeliveryRecord, currencies: Container[str], invoices: Sequence[Invoice]
) -> list[Comparison]:
    """Compare entries in currencies in which the bill has no charges; all of them differ.

    Args:
        currencies: those in which the bill has charges.
    """
    key = (delivery.source, delivery.billing_period)
    kind = CounterpartKind.INVOICE
    return [
        replace(
            Comparison(*key, invoice.billing_currency, kind, invoice.invoice_id or None),
            cost_basis=Basis.BILLED,
            note="the bill has no charges in this currency",
        ).with_amounts(Decimal(0), invoice.amount, tolerance_of(invoice.billing_currency))
        for invoice in invoices
        if (invoice.source, invoice.billing_period) == key
        and invoice.billing_currency not in currencies
        and invoice.amount is not None
    ]


def describe_invoice(invoice: Invoice) -> str:
    """Describe an entry: `726 USD for invoice 1001`, or `no total in USD` when it is withdrawn."""
    label = f" for invoice {invoice.invoice_id}" if invoice.invoice_id else ""
    amount = "no total in" if invoice.amount is None else plain(invoice.amount)
    return f"{amount} {invoice.billing_currency}{label}"
