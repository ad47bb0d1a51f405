"""Sums of a month's charges by invoice id, for invoices that were entered with one.

Put here: the sums, and which ids there are where one is unknown. Keep out: comparing them with the
entered totals (invoice_comparison.py), when they are computed (cost_explorer_comparison.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from finops_pipeline.lake import layout
from finops_pipeline.lake.duck import Connection
from finops_pipeline.ledger.ledger import DeliveryRecord
from finops_pipeline.reconciliation.comparisons import Basis, Comparison, CounterpartKind

_LISTED_IDS = 10
"""Invoice ids that a note lists."""


def sum_by_invoice(
    connection: Connection,
    month: str,
    bills: Mapping[str, DeliveryRecord],
    invoice_ids: Sequence[str],
) -> Iterator[Comparison]:
    """Sum the charges of each entered invoice id; 0 and a note where no charge has the id.

    Args:
        connection: one with the view `costs` of the month's charges.
        bills: the landed bills by source.
        invoice_ids: the ids that were entered.
    """
    rows = connection.execute(
        "select x_Source, BillingCurrency, InvoiceId, sum(BilledCost),"
        " case when count(x_NetUnblendedCost) = count(*) then sum(x_NetUnblendedCost) end"
        f" from {layout.COSTS} where InvoiceId in (select unnest(?::varchar[])) group by all",
        [invoice_ids],
    ).fetchall()
    billed = {tuple(key): cost for *key, cost, _ in rows}
    net = {tuple(key): cost for *key, _, cost in rows if cost is not None}
    present = _list_invoice_ids(connection)
    for source, delivery in sorted(bills.items()):
        for currency in delivery.billed_by_currency():
            for invoice_id in invoice_ids:
                key = (source, currency, invoice_id)
                base = Comparison(source, month, currency, CounterpartKind.INVOICE, invoice_id)
                amount, note = billed.get(key, Decimal(0)), None
                if key not in billed:
                    note = _describe_ids(present.get((source, currency), []))
                yield replace(base, cost_basis=Basis.BILLED, ours=amount, note=note)
                if key in net:
                    yield replace(base, cost_basis=Basis.NET_BILLED, ours=net[key])


def _list_invoice_ids(connection: Connection) -> dict[tuple[str, str], list[str]]:
    """List the invoice ids that charges have, by source and currency."""
    rows = connection.execute(
        "select x_Source, BillingCurrency, list(distinct InvoiceId order by InvoiceId)"
        f" from {layout.COSTS} where InvoiceId is not null group by all"
    ).fetchall()
    return {(source, currency): ids for source, currency, ids in rows}


def _describe_ids(ids: Sequence[str]) -> str:
    """Describe which invoice ids there are, for an invoice whose id no charge has."""
    more = f" and {len(ids) - _LISTED_IDS} more" if len(ids) > _LISTED_IDS else ""
    present = f"they have {', '.join(ids[:_LISTED_IDS])}{more}" if ids else "they have none yet"
    return f"no charge has this InvoiceId: {present}"
