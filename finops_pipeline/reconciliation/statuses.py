"""The state of every source and month: whether charges equal the bill and other evidence agrees.

Put here: the state of each source and month, computed from the ledger alone and used wherever a
state is shown. Keep out: checks inside a partition (focus/conformance.py), comparing with charges
(cost_explorer_comparison.py), how a state is shown (marts, cli).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from finops_pipeline.errors import counted
from finops_pipeline.lake import layout
from finops_pipeline.ledger.claims import is_reclaimed
from finops_pipeline.ledger.ledger import (
    DeliveryRecord,
    Ledger,
    PartitionRecord,
    describe_fewer_rows,
)
from finops_pipeline.ledger.month_plan import plan_month
from finops_pipeline.ledger.records import RefusalKind
from finops_pipeline.money import exact_sum, plain
from finops_pipeline.reconciliation.comparisons import (
    STORED_COMPARISONS,
    Basis,
    BilledAmounts,
    Comparison,
    ComparisonState,
    CounterpartKind,
    list_differences,
    not_built_reason,
)
from finops_pipeline.reconciliation.cost_explorer_daily import (
    days_fingerprint,
    sum_cost_explorer_days,
)
from finops_pipeline.reconciliation.counterparts import Counterparts, may_change
from finops_pipeline.reconciliation.landed_delivery import LandedDelivery, describe_refusal
from finops_pipeline.reconciliation.repeated_bills import cure_repeated
from finops_pipeline.reconciliation.schema_drift import describe_drifts
from finops_pipeline.reconciliation.states import ReconciliationState, Status
from finops_pipeline.tenants.model import SourceFormat, Tenant
from finops_pipeline.tenants.months import closed_from

_LISTED = 3
"""Differences that a reason lists; the table `reconciliation` holds all of them."""

_AGREEING_STATES = (ReconciliationState.RECONCILED, ReconciliationState.OPEN)
"""States in which everything that was compared agrees."""

Records = dict[tuple[str, str], PartitionRecord]
"""Partitions of a table by (key, month)."""


@dataclass(frozen=True)
class Pending:
    """Partitions as a publication will leave them."""

    costs: Records
    cost_explorer: Records
    comparisons: Records


@dataclass(frozen=True)
class Reconciled:
    """The rows of `data_status` and `reconciliation` of a tenant, in order.

    `refused`, `crashed`: each (source, month) whose latest delivery was refused, or crashed, and so
    did not land.
    """

    statuses: tuple[Status, ...]
    comparisons: tuple[Comparison, ...]
    refused: tuple[tuple[str, str], ...] = ()
    crashed: tuple[tuple[str, str], ...] = ()


def reconcile(tenant: Tenant, ledger: Ledger, pending: Pending | None = None) -> Reconciled:
    """Compute the state, and its reason, of every source, month and currency with a delivery.

    Args:
        pending: what a publication will change; None: what is published.
    """
    if pending is None:
        tables = (layout.COSTS, layout.COST_EXPLORER_DAYS, STORED_COMPARISONS)
        pending = Pending(*(ledger.partitions(table) for table in tables))
    refusals = {
        key: refusal for key, refusal in ledger.refusals().items() if not tenant.leaves_out(*key)
    }
    rows_before = {
        (d.source, d.billing_period): d.rows_read
        for d in ledger.delivery_summaries()
        if not d.current
    }
    deliveries = [
        d for d in ledger.deliveries() if not tenant.leaves_out(d.source, d.billing_period)
    ]
    drifts = describe_drifts(deliveries)
    tenant_status = _TenantStatus(tenant, ledger, pending, deliveries)
    statuses: list[Status] = []
    for delivery in deliveries:
        key = (delivery.source, delivery.billing_period)
        if delivery.format == SourceFormat.COST_EXPLORER:
            landed = LandedDelivery(delivery, refusals.get(key))
            statuses += tenant_status.assess_cost_explorer(landed)
        else:
            fewer = describe_fewer_rows(rows_before.get(key, 0), delivery)
            landed = LandedDelivery(delivery, refusals.get(key), fewer)
            bill_statuses = tenant_status.assess_bill(landed)
            statuses += [replace(status, drift=drifts.get(key)) for status in bill_statuses]
    landed_keys = {(delivery.source, delivery.billing_period) for delivery in deliveries}
    statuses += [
        Status(*key, None, ReconciliationState.REFUSED, describe_refusal(refusal))
        for key, refusal in refusals.items()
        if key not in landed_keys
    ]
    statuses.sort(key=lambda s: (s.source, s.billing_period, s.billing_currency or ""))
    refused, crashed = (
        tuple(sorted(key for key, refusal in refusals.items() if refusal.kind == kind))
        for kind in (RefusalKind.REFUSED, RefusalKind.CRASHED)
    )
    return Reconciled(tuple(statuses), tuple(tenant_status.comparisons), refused, crashed)


class _TenantStatus:
    """A tenant's ledger data; collects comparisons while states are computed."""

    def __init__(
        self, tenant: Tenant, ledger: Ledger, pending: Pending, deliveries: list[DeliveryRecord]
    ) -> None:
        self._tenant = tenant
        self._deliveries = deliveries
        self._days_fingerprints: dict[str, str] = {}
        self._costs = _by_month(pending.costs)
        self._cost_explorer = _by_month(pending.cost_explorer)
        self._counterparts = Counterparts(tenant, ledger, pending.comparisons)
        self.comparisons: list[Comparison] = []

    def assess_bill(self, landed: LandedDelivery) -> list[Status]:
        """Compute a bill's state in each of its currencies."""
        delivery = landed.delivery
        if not delivery.rows_kept:
            return [landed.empty_status([], "the delivery has a header and no rows")]
        partitions = self._costs[delivery.billing_period]
        totals = [t for p in partitions for t in p.totals if t["source"] == delivery.source]
        files = delivery.billed_by_currency()
        totals_by_currency = {
            currency: [t for t in totals if t["billing_currency"] == currency] for currency in files
        }
        amounts = BilledAmounts(
            delivery,
            files,
            {
                currency: exact_sum(t["billed_cost"] for t in rows)
                for currency, rows in totals_by_currency.items()
            },
            _net_amounts(totals_by_currency),
            _projects_not_built(self._tenant, delivery, partitions),
        )
        comparisons = self._counterparts.compare(amounts)
        self.comparisons += comparisons
        return [
            self._bill_status(landed, amounts, comparisons, (currency, rows))
            for currency, rows in totals_by_currency.items()
        ]

    def _bill_status(
        self,
        landed: LandedDelivery,
        amounts: BilledAmounts,
        comparisons: list[Comparison],
        currency_totals: tuple[str, list[dict[str, Any]]],
    ) -> Status:
        currency, totals = currency_totals
        state, reasons = self._assess_currency(amounts, currency, comparisons)
        unknown_line_items = sum(total["unknown_line_items"] for total in totals)
        reasons += landed.notes(unknown_line_items)
        if state in _AGREEING_STATES and landed.is_outdated:
            state = ReconciliationState.OUTDATED
            others = [reason for reason in reasons if reason != landed.refusal_note]
            reasons = [landed.refusal_note, *others]
        return Status(
            landed.delivery.source,
            landed.delivery.billing_period,
            currency,
            state,
            "; ".join(reasons) or None,
            **landed.facts(),
            unknown_line_items=unknown_line_items,
            source_cost=amounts.files[currency],
            billed_cost=amounts.charges[currency],
            effective_cost=exact_sum(total["effective_cost"] for total in totals),
        )

    def _assess_currency(
        self, amounts: BilledAmounts, currency: str, comparisons: list[Comparison]
    ) -> tuple[ReconciliationState, list[str]]:
        """Compute the state of a currency of a bill, and why it is not `reconciled`."""
        if amounts.projects_not_built:
            return ReconciliationState.INCOMPLETE, [not_built_reason(amounts.projects_not_built)]
        # An invoice in a currency without charges counts against every currency of the bill.
        other_currencies = amounts.files.keys() - {currency}
        relevant = [c for c in comparisons if c.billing_currency not in other_currencies]
        if differing := list_differences(relevant):
            reasons = list(self._describe_differences(amounts.delivery, differing))
            return ReconciliationState.DIFFERS, reasons
        reasons = list(self._open_reasons(amounts.delivery.billing_period, relevant))
        return ReconciliationState.OPEN if reasons else ReconciliationState.RECONCILED, reasons

    def _describe_differences(
        self, delivery: DeliveryRecord, differing: Sequence[Comparison]
    ) -> Iterable[str]:
        """Describe each difference with its exact amounts, those with the files first."""
        elsewhere = [c for c in differing if c.against != CounterpartKind.FILES]
        for comparison in differing:
            if comparison.against != CounterpartKind.FILES:
                continue
            if comparison.cost_basis == Basis.BILLED:
                gap = plain(comparison.difference or Decimal(0))
                yield f"the charges differ from the files by {gap} {comparison.billing_currency}"
            else:
                yield _describe_quarantine(delivery.rows_quarantined)
        for comparison in elsewhere[:_LISTED]:
            description = comparison.describe_difference()
            if comparison.against == CounterpartKind.OTHER_BILL:
                cure = cure_repeated(self._tenant.name, delivery.source, delivery.billing_period)
                description += f": end one of the two, for example with {cure}"
            yield description
        if len(elsewhere) > _LISTED:
            more = counted(len(elsewhere) - _LISTED, "more difference is", "more differences are")
            yield f"{more} in the table reconciliation"

    def _open_reasons(self, month: str, comparisons: list[Comparison]) -> Iterator[str]:
        """Yield why a month that agrees may still change."""
        if may_change(month):
            closing_day = closed_from(month)
            yield f"AWS may still change this month; it counts as closed on {closing_day}"
        with_cost_explorer = [c for c in comparisons if c.against == CounterpartKind.COST_EXPLORER]
        sources = {comparison.counterpart for comparison in with_cost_explorer}
        days = sum(self._counterparts.count_estimated_days(name, month) for name in sources)
        if days:
            yield f"Cost Explorer marks {days} of its days as estimated"
        for comparison in with_cost_explorer:
            if comparison.is_whole and comparison.state == ComparisonState.EXPLAINED:
                yield f"{comparison.describe_difference()}; its days were not final"

    def assess_cost_explorer(self, landed: LandedDelivery) -> list[Status]:
        """Compute the state of a month of Cost Explorer: whether its days are in projects.

        Its days are not charges, so they need not add up to a bill.
        """
        delivery = landed.delivery
        month = delivery.billing_period
        partitions = self._cost_explorer[month]
        fingerprint = self._days_fingerprint(month)
        is_built = bool(partitions) and all(p.fingerprint == fingerprint for p in partitions)
        reasons = [] if is_built else ["its days have not been assigned to projects yet"]
        currencies = delivery.billed_by_currency()
        if not currencies:
            return [landed.empty_status(reasons, "no costs on the requested days")]
        state = ReconciliationState.LANDED if is_built else ReconciliationState.INCOMPLETE
        return [
            Status(
                delivery.source,
                month,
                currency,
                state,
                "; ".join([*reasons, *landed.notes()]) or None,
                **landed.facts(),
                source_cost=landed_cost,
                billed_cost=sum_cost_explorer_days(partitions, delivery.source, currency),
                effective_cost=sum_cost_explorer_days(
                    partitions, delivery.source, currency, "effective_cost"
                ),
            )
            for currency, landed_cost in currencies.items()
        ]

    def _days_fingerprint(self, month: str) -> str:
        """Plan a month once, however many Cost Explorer sources have a delivery for it."""
        if month not in self._days_fingerprints:
            of_month = [d for d in self._deliveries if d.billing_period == month]
            plan = plan_month(self._tenant, month, of_month)
            self._days_fingerprints[month] = days_fingerprint(plan)
        return self._days_fingerprints[month]


def _by_month(records: Records) -> defaultdict[str, list[PartitionRecord]]:
    by_month = defaultdict(list)
    for record in records.values():
        by_month[record.billing_period].append(record)
    return by_month


def _net_amounts(totals_by_currency: dict[str, list[dict[str, Any]]]) -> dict[str, Decimal]:
    """Sum net billed cost by currency, for currencies in which every charge states it."""
    amounts = {}
    for currency, totals in totals_by_currency.items():
        stated = [t["net_billed_cost"] for t in totals if t.get("net_billed_cost") is not None]
        if totals and len(stated) == len(totals):
            amounts[currency] = exact_sum(stated)
    return amounts


def _describe_quarantine(row_count: int) -> str:
    verb = "is" if row_count == 1 else "are"
    return f"{counted(row_count, 'row')} {verb} in quarantine and not in the charges"


def _projects_not_built(
    tenant: Tenant, delivery: DeliveryRecord, partitions: list[PartitionRecord]
) -> list[str]:
    """List the projects whose charges were not built from this delivery and present claims."""
    built = {
        partition.key
        for partition in partitions
        if partition.inputs.get(delivery.source) == delivery.delivery_id
        and not is_reclaimed(tenant, partition)
    }
    return [
        project.name
        for project in tenant.all_projects
        if delivery.source in tenant.sources_of(project) and project.name not in built
    ]
