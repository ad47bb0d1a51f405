"""What a delivery is compared with, as far as the ledger knows: files, Cost Explorer, invoices.

Put here: gathering the comparisons of a source's month, including stored ones. Keep out: making
those that read charges (cost_explorer_comparison.py), the state that follows (statuses.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from finops_pipeline import clock
from finops_pipeline.contracts.known_differences import DIFFERENCE_REASONS, ESTIMATED
from finops_pipeline.ledger.cost_explorer_days import read_days
from finops_pipeline.ledger.invoice_entries import read_invoices
from finops_pipeline.ledger.ledger import Ledger, PartitionRecord
from finops_pipeline.reconciliation.comparisons import (
    BilledAmounts,
    Comparison,
    ComparisonState,
    CounterpartKind,
    compare_with_files,
    compare_with_manifest,
    read_comparisons,
)
from finops_pipeline.reconciliation.invoice_comparison import (
    BillAmount,
    compare_unbilled_currencies,
    compare_with_invoices,
)
from finops_pipeline.tenants.model import Tenant
from finops_pipeline.tenants.months import closed_from, month_of


class Counterparts:
    """The counterparts of all of a tenant's bills, read once.

    Args:
        stored: comparisons with charges, by (source, month).
    """

    def __init__(
        self, tenant: Tenant, ledger: Ledger, stored: dict[tuple[str, str], PartitionRecord]
    ) -> None:
        self._stored = stored
        self._invoices = read_invoices(ledger)
        self._estimated_days: Counter[tuple[str, str]] = Counter()
        for source in tenant.cost_explorer_sources:
            for day, is_estimated in read_days(ledger, source).items():
                if is_estimated:
                    self._estimated_days[source, month_of(day)] += 1

    def count_estimated_days(self, cost_explorer: str | None, month: str) -> int:
        """Count the days of a month that AWS marks as estimated."""
        return self._estimated_days[cost_explorer or "", month]

    def compare(self, amounts: BilledAmounts) -> list[Comparison]:
        """Compare a delivery with all its counterparts."""
        delivery = amounts.delivery
        comparisons = [*compare_with_files(amounts), compare_with_manifest(delivery)]
        if amounts.projects_not_built:
            return comparisons
        record = self._stored.get((delivery.source, delivery.billing_period))
        stored = [self._without_excuse(c) for c in (read_comparisons(record) if record else [])]
        for currency in amounts.files:
            comparisons += self._compare_currency(amounts, currency, stored)
        comparisons += compare_unbilled_currencies(delivery, amounts.files, self._invoices)
        return comparisons

    def _compare_currency(
        self, amounts: BilledAmounts, currency: str, stored: Sequence[Comparison]
    ) -> list[Comparison]:
        """Compare one currency's charges with Cost Explorer, then with invoices."""
        key = (amounts.delivery.source, amounts.delivery.billing_period, currency)
        kind = CounterpartKind.COST_EXPLORER
        with_cost_explorer = [
            c for c in stored if c.against == kind and c.billing_currency == currency
        ] or [Comparison(*key, kind, note="no Cost Explorer source has days of this month")]
        bill = BillAmount(*key, amounts.charges[currency], amounts.net_charges.get(currency))
        sums_by_id = [c for c in stored if c.against == CounterpartKind.INVOICE]
        return [*with_cost_explorer, *compare_with_invoices(bill, self._invoices, sums_by_id)]

    def _without_excuse(self, comparison: Comparison) -> Comparison:
        """Turn a difference excused by days that could change into one that counts.

        The console's CSV does not say whether days are estimated, and importing the same file
        again changes nothing; so the clock ends the excuse.
        """
        month = comparison.billing_period
        note = comparison.note or ""
        is_excused = (
            comparison.state == ComparisonState.EXPLAINED and DIFFERENCE_REASONS[ESTIMATED] in note
        )
        if (
            not is_excused
            or self.count_estimated_days(comparison.counterpart, month)
            or may_change(month)
        ):
            return comparison
        note = "its days may date from before the month was closed: import them again"
        return replace(comparison, state=ComparisonState.DIFFERS, note=note)


def may_change(month: str) -> bool:
    """Whether AWS may still change a billing period, by the clock."""
    return clock.now().date() < closed_from(month)
