"""Invoice totals that an operator enters: what may be entered, and how they meet the charges.

Put here: checking an entry, its tolerance, the comparison. Keep out: keeping it
(ledger/invoice_entries.py), the sums by invoice id (cost_explorer_comparison.py), the
commands (cli/invoice.py).
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import replace
from decimal import Decimal

from finops_pipeline import clock
from finops_pipeline.errors import RegistryError
from finops_pipeline.ledger.invoice_entries import Invoice
from finops_pipeline.ledger.ledger import DeliveryRecord
from finops_pipeline.money import plain, read_amount
from finops_pipeline.reconciliation.comparisons import AGREES, BILLED, INVOICE, NET, Comparison
from finops_pipeline.tenants.model import Tenant
from finops_pipeline.tenants.months import check_month

_WITHOUT_CENTS = frozenset({"CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF"})
"""Currencies whose smallest coin is 1 (ISO 4217, exponent 0)."""

_AMOUNT = re.compile(r"-?\d{1,18}(\.\d{1,18})?", re.ASCII)
_INVOICE_ID = re.compile(r"[\x21-\x7e]{1,100}")
WHOLE_BILL = ""
"""The invoice id of an entry for all that a source bills in a month."""


def invoice_entry(
    tenant: Tenant, source: str, month: str, amount: str | None, currency: str, invoice_id: str
) -> Invoice:
    """An entry as it is kept, when it can be one.

    Args:
        amount: as on the invoice, such as `12345.67`; None takes an entry back.

    Raises:
        Unknown: there is no such source.
        RegistryError: the source has no bills, or a word is not what it should be.
    """
    known = tenant.source(source)
    if not known.is_bill:
        raise RegistryError(
            f"source {tenant.name}/{source} is Cost Explorer, which sends no invoices",
            "a source of bills",
            f"See the sources: finops source list {tenant.name}",
        )
    check_month(month)
    if not re.fullmatch(r"[A-Z]{3}", currency):
        raise RegistryError(
            f"Currency {currency!r} is not one", "three capitals of ISO 4217, such as USD"
        )
    if invoice_id != WHOLE_BILL and not _INVOICE_ID.fullmatch(invoice_id):
        raise RegistryError(
            f"Invoice id {invoice_id!r} cannot be one",
            "up to 100 signs without spaces, as the invoice shows it",
        )
    at = clock.now().isoformat()
    return Invoice(source, month, invoice_id, currency, _amount(amount), at)


def _amount(words: str | None) -> Decimal | None:
    if words is None:
        return None
    found = read_amount(words) if _AMOUNT.fullmatch(words) else None
    if found is None:
        raise RegistryError(
            f"Amount {words!r} is not one",
            "a decimal number with a point and no thousands separators, such as 12345.67",
        )
    return found[0]


def check_currency(invoice: Invoice, delivery: DeliveryRecord | None) -> None:
    """See that the bill, if it has landed, has charges in the invoice's currency.

    Raises:
        RegistryError: it has none.
    """
    billed = sorted(delivery.billed_by_currency()) if delivery else []
    if billed and invoice.billing_currency not in billed:
        raise RegistryError(
            f"{invoice.source} bills {invoice.billing_period} in {' and '.join(billed)}, the"
            f" invoice is in {invoice.billing_currency}",
            "the currency of the charges (sums are never converted)",
            "Enter the total that the invoice states in that currency",
        )


def tolerance_of(currency: str) -> Decimal:
    """Half of the smallest coin: an invoice is rounded to it."""
    return Decimal("0.5") if currency in _WITHOUT_CENTS else Decimal("0.005")


def with_invoices(
    source: str,
    month: str,
    currency: str,
    bills: tuple[Decimal, Decimal | None],
    entries: Sequence[Invoice],
    by_id: Sequence[Comparison],
) -> list[Comparison]:
    """Entries of one source, month and currency with what its charges bill.

    Args:
        bills: what all charges bill, and net of private discounts where each states it.
        entries: as they stand.
        by_id: what the charges of single invoices were found to bill, in `ours`, on either basis.

    An invoice is net of private discounts. Where a bill has them as lines, billed cost is that too;
    where it has them in net columns alone, net billed cost is. Billed cost is asked first.
    """
    said = Comparison(source, month, currency, INVOICE)
    mine = [one for one in entries if (one.source, one.billing_period) == (source, month)]
    mine = [one for one in mine if one.billing_currency == currency]
    if not mine:
        return [replace(said, note="no invoice is entered (finops invoice set)")]
    mine_by_id = [one for one in by_id if one.billing_currency == currency]
    sums = {(one.counterpart, one.cost_basis): one.ours for one in mine_by_id}
    sums |= {(WHOLE_BILL, BILLED): bills[0], (WHOLE_BILL, NET): bills[1]}
    found = []
    for entry in mine:
        one = replace(said, cost_basis=BILLED, counterpart=entry.invoice_id or None)
        ours, net = (sums.get((entry.invoice_id, basis)) for basis in (BILLED, NET))
        if ours is None or entry.amount is None:
            note = "its charges were not summed yet; finops ingest does"
            found.append(replace(one, note=note))
            continue
        note = (
            "all charges of the source, whoever issues their invoice"
            if entry.invoice_id == WHOLE_BILL
            else "the charges with this InvoiceId"
        )
        judged = one.judged(ours, entry.amount, tolerance_of(currency))
        if judged.state != AGREES and net is not None:
            other = replace(one, cost_basis=NET).judged(net, entry.amount, tolerance_of(currency))
            judged = other if other.state == AGREES else judged
        found.append(replace(judged, note=f"{note}; entered {entry.entered_at[:10]}"))
    return found


def in_other_currencies(
    source: str, month: str, currencies: Container[str], entries: Sequence[Invoice]
) -> list[Comparison]:
    """Entries in a currency that the bill, which landed later, has no charges in: they differ."""
    return [
        replace(
            Comparison(source, month, entry.billing_currency, INVOICE, entry.invoice_id or None),
            cost_basis=BILLED,
            note="the bill has no charges in this currency",
        ).judged(Decimal(0), entry.amount, tolerance_of(entry.billing_currency))
        for entry in entries
        if (entry.source, entry.billing_period) == (source, month)
        and entry.billing_currency not in currencies
        and entry.amount is not None
    ]


def words_of(invoice: Invoice) -> str:
    """An entry in a few words."""
    whose = f" of {invoice.invoice_id}" if invoice.invoice_id else ""
    amount = "nothing" if invoice.amount is None else plain(invoice.amount)
    return f"{amount} {invoice.billing_currency}{whose}"
