"""Comparisons of a delivery with all its counterparts, from the ledger alone.

Put here: gathering the comparisons of a source's month, including stored ones. Keep out: comparing
with charges (cost_explorer_comparison.py), the resulting state (statuses.py).
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
    """The counterparts of all bills of a tenant, read once.

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
        stored = [
            self._without_expired_explanation(c)
            for c in (read_comparisons(record) if record else [])
        ]
        comparisons += [c for c in stored if c.against == CounterpartKind.OTHER_BILL]
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

    def _without_expired_explanation(self, comparison: Comparison) -> Comparison:
        """Count a difference that was explained by estimated days once the month is closed.

        The console's CSV does not state whether days are estimated, and importing the same file
        again changes nothing, so the explanation expires when the month closes.
        """
        month = comparison.billing_period
        note = comparison.note or ""
        is_explained_by_estimates = (
            comparison.state == ComparisonState.EXPLAINED and DIFFERENCE_REASONS[ESTIMATED] in note
        )
        if (
            not is_explained_by_estimates
            or self.count_estimated_days(comparison.counterpart, month)
            or may_change(month)
        ):
            return comparison
        note = "its days may have been exported before the month was closed; import them again"
        return replace(comparison, state=ComparisonState.DIFFERS, note=note)


def may_change(month: str) -> bool:
    """Return whether AWS may still change a billing period, judged by today's date."""
    return clock.now().date() < closed_from(month)
