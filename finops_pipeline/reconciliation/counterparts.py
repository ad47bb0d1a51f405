"""What a delivery is held against, as far as the ledger knows: files, Cost Explorer, invoices.

Put here: gathering the comparisons of a source's month, also those that were kept. Keep out:
making those that read charges (versus_explorer.py), what follows for the month (reconcile.py).
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from finops_pipeline import clock
from finops_pipeline.contracts.known_differences import DIFFERENCE_REASONS, ESTIMATED
from finops_pipeline.ledger.cost_explorer_days import days_of
from finops_pipeline.ledger.invoice_entries import invoices_of
from finops_pipeline.ledger.ledger import DeliveryRecord, Ledger, PartitionRecord
from finops_pipeline.reconciliation.comparisons import (
    DIFFERS,
    EXPLAINED,
    EXPLORER,
    INVOICE,
    Comparison,
    kept_of,
    with_files,
    with_manifest,
)
from finops_pipeline.reconciliation.invoice_comparison import in_other_currencies, with_invoices
from finops_pipeline.tenants.model import Tenant
from finops_pipeline.tenants.months import closed_from, month_of


class Counterparts:
    """Of all of a tenant's bills; read once.

    Args:
        kept: comparisons with charges, by (source, month).
    """

    def __init__(
        self, tenant: Tenant, ledger: Ledger, kept: dict[tuple[str, str], PartitionRecord]
    ) -> None:
        self._kept = kept
        self._invoices = invoices_of(ledger)
        self._estimated: dict[tuple[str, str], int] = {}
        for source in tenant.explorers:
            for day, said in days_of(ledger, source).items():
                month = (source, month_of(day))
                self._estimated[month] = self._estimated.get(month, 0) + bool(said)

    def estimated(self, explorer: str | None, month: str) -> int:
        """Days of a month that AWS calls estimated."""
        return self._estimated.get((explorer or "", month), 0)

    def compared(
        self,
        delivery: DeliveryRecord,
        of_files: dict[str, Decimal],
        of_charges: dict[str, Decimal],
        net: dict[str, Decimal],
        missing: list[str],
    ) -> list[Comparison]:
        """All comparisons of a delivery.

        Args:
            of_files, of_charges: billed cost per currency.
            net: of the charges, net of private discounts, where each states it.
            missing: projects whose charges are not built as they stand; then nothing is compared.
        """
        key = (delivery.source, delivery.billing_period)
        both = {currency: (of_charges[currency], of_files[currency]) for currency in of_files}
        found = [*with_files(delivery, both, missing), with_manifest(delivery)]
        if missing:
            return found
        record = self._kept.get(key)
        kept = [self._closed(one) for one in (kept_of(record) if record else [])]
        by_id = [one for one in kept if one.against == INVOICE]
        for currency in of_files:
            explorer = [c for c in kept if (c.against, c.billing_currency) == (EXPLORER, currency)]
            note = "no Cost Explorer source has days of this month"
            nothing = Comparison(*key, currency, EXPLORER, note=note)
            found += explorer or [nothing]
            bills = (of_charges[currency], net.get(currency))
            found += with_invoices(*key, currency, bills, self._invoices, by_id)
        found += in_other_currencies(*key, of_files, self._invoices)
        return found

    def _closed(self, one: Comparison) -> Comparison:
        """What was excused while days could change is a difference when they can no more.

        The console's CSV does not say whether days are estimated, and bringing the same one again
        changes nothing: so it is the clock that ends the excuse.
        """
        month = one.billing_period
        excused = one.state == EXPLAINED and DIFFERENCE_REASONS[ESTIMATED] in (one.note or "")
        if not excused or self.estimated(one.counterpart, month) or may_change(month):
            return one
        note = "its days may be from before the month was closed: bring them in again"
        return replace(one, state=DIFFERS, note=note)


def may_change(month: str) -> bool:
    """Whether AWS may still change a billing period, by the clock."""
    return clock.now().date() < closed_from(month)
