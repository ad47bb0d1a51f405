"""Reconcile: do the charges of all projects add up to the delivery, and to what else is known?

Put here: the state of each source and month, from the ledger alone. Keep out: checks inside a
partition (conform.py), comparing with charges (versus_explorer.py), how it is shown (marts, cli).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from finops_pipeline.lake import layout
from finops_pipeline.ledger.claims import is_reclaimed
from finops_pipeline.ledger.ledger import (
    DeliveryRecord,
    Ledger,
    PartitionRecord,
    Refusal,
    fewer_rows,
)
from finops_pipeline.ledger.month_plan import plan_month
from finops_pipeline.money import exact_sum, plain
from finops_pipeline.reconciliation.comparisons import (
    BILLED,
    EXPLAINED,
    EXPLORER,
    FILES,
    KEPT,
    Comparison,
    worst_first,
)
from finops_pipeline.reconciliation.cost_explorer_daily import (
    days_fingerprint,
    explorer_cost,
)
from finops_pipeline.reconciliation.counterparts import Counterparts, may_change
from finops_pipeline.reconciliation.schema_drift import drifts
from finops_pipeline.reconciliation.states import (
    DIFFERS,
    EMPTY,
    INCOMPLETE,
    LANDED,
    OLDER,
    OPEN,
    RECONCILED,
    REFUSED,
    Status,
)
from finops_pipeline.tenants.model import SourceFormat, Tenant
from finops_pipeline.tenants.months import closed_from

Records = dict[tuple[str, str], PartitionRecord]
"""Partitions of a table by (key, month)."""


@dataclass(frozen=True)
class Pending:
    """Partitions as a publication will leave them: of costs, of Cost Explorer, of comparisons."""

    costs: Records
    explorer: Records
    kept: Records


@dataclass(frozen=True)
class Reconciled:
    """All of a tenant: rows of `data_status` and of `reconciliation`, in order.

    `refused`: (source, month) of which a delivery newer than the published one was refused.
    """

    statuses: tuple[Status, ...]
    comparisons: tuple[Comparison, ...]
    refused: tuple[tuple[str, str], ...] = ()


def reconcile(tenant: Tenant, ledger: Ledger, pending: Pending | None = None) -> Reconciled:
    """The state of every source, month and currency that landed or was refused, and why.

    Args:
        pending: what a publication will change; None: what is published.
    """
    here = pending or Pending(
        *(ledger.partitions(t) for t in (layout.COSTS, layout.EXPLORER, KEPT))
    )
    work = _Tenant(tenant, ledger, here)
    refusals = ledger.refusals()
    refused = tuple(sorted(key for key, one in refusals.items() if one.kind != OLDER))
    before = {(t.source, t.billing_period): t.rows_read for t in ledger.told() if not t.current}
    rows: list[Status] = []
    deliveries = ledger.deliveries()
    drifted = drifts(deliveries)
    for delivery in deliveries:
        key = (delivery.source, delivery.billing_period)
        refusal = refusals.pop(key, None)
        if delivery.format == SourceFormat.COST_EXPLORER:
            split_up = list(here.explorer.values())
            rows += _of_explorer(tenant, delivery, split_up, ledger, refusal)
            continue
        fewer = fewer_rows(before.get(key, 0), delivery)
        told = work.of_delivery(delivery, refusal, fewer)
        rows += [replace(status, drift=drifted.get(key)) for status in told]
    rows += [Status(r.source, r.billing_period, None, REFUSED, r.reason) for r in refusals.values()]
    rows.sort(key=lambda s: (s.source, s.billing_period, s.billing_currency or ""))
    return Reconciled(tuple(rows), tuple(work.comparisons), refused)


class _Tenant:
    """What the ledger knows of a tenant's bills; gathers comparisons as states are asked."""

    def __init__(self, tenant: Tenant, ledger: Ledger, here: Pending) -> None:
        self._tenant = tenant
        self._costs: dict[str, list[PartitionRecord]] = {}
        for partition in here.costs.values():
            self._costs.setdefault(partition.billing_period, []).append(partition)
        self._counterparts = Counterparts(tenant, ledger, here.kept)
        self.comparisons: list[Comparison] = []

    def of_delivery(
        self, delivery: DeliveryRecord, refusal: Refusal | None, fewer: str
    ) -> list[Status]:
        said = _said(delivery)
        key = (delivery.source, delivery.billing_period)
        if not delivery.rows_kept:
            note = _notes(delivery, 0, refusal, fewer) or "the delivery has a header and no rows"
            return [Status(*key, None, EMPTY, note, **said)]
        mine = self._costs.get(delivery.billing_period, [])
        missing = _not_built(self._tenant, delivery, mine)
        totals = [t for p in mine for t in p.totals if t["source"] == delivery.source]
        of_files = delivery.billed_by_currency()
        of_charges = {
            currency: exact_sum(
                t["billed_cost"] for t in totals if t["billing_currency"] == currency
            )
            for currency in of_files
        }
        found = self._counterparts.compared(
            delivery, of_files, of_charges, _net(totals, of_files), missing
        )
        self.comparisons += found
        rows = []
        for currency, billed_by_files in of_files.items():
            here = [t for t in totals if t["billing_currency"] == currency]
            unknown = sum(total["unknown_line_items"] for total in here)
            state, reason = self._state(delivery, currency, missing, found)
            if state == RECONCILED and refusal and refusal.kind != OLDER:
                state = OPEN  # right as far as it goes, and AWS has said more since
            notes = _notes(delivery, unknown, refusal, fewer)
            rows.append(
                Status(
                    *key,
                    currency,
                    state,
                    "; ".join(filter(None, [reason, notes])) or None,
                    **said,
                    unknown_line_items=unknown,
                    source_cost=billed_by_files,
                    billed_cost=of_charges[currency],
                    effective_cost=exact_sum(total["effective_cost"] for total in here),
                )
            )
        return rows

    def _state(
        self,
        delivery: DeliveryRecord,
        currency: str,
        missing: list[str],
        found: list[Comparison],
    ) -> tuple[str, str]:
        """The state of a currency of a delivery, and why it is not `reconciled`."""
        if missing:
            words = f"charges of {', '.join(missing)} are not built from it as it stands yet"
            return INCOMPLETE, words
        # An invoice in a currency that is not billed is nobody's, and must not go unseen.
        others = delivery.billed_by_currency().keys() - {currency}
        mine = [one for one in found if one.billing_currency not in others]
        differing = worst_first(mine)
        if differing:
            return DIFFERS, "; ".join(_why_differs(delivery, differing))
        month = delivery.billing_period
        reasons = []
        if may_change(month):
            reasons.append(f"AWS may still change it; it counts as closed on {closed_from(month)}")
        explorers = {one.counterpart for one in mine if one.against == EXPLORER}
        days = sum(self._counterparts.estimated(name, month) for name in explorers)
        if days:
            reasons.append(f"Cost Explorer calls {days} of its days estimated")
        early = [c for c in mine if (c.against, c.state, c.is_whole) == (EXPLORER, EXPLAINED, True)]
        reasons += [f"{one.words()}, as its days were not final" for one in early]
        return (OPEN, "; ".join(reasons)) if reasons else (RECONCILED, "")


def _net(totals: list[dict[str, Any]], currencies: Iterable[str]) -> dict[str, Decimal]:
    """What charges bill net of private discounts, in currencies of which each charge states it."""
    found = {}
    for currency in currencies:
        mine = [t.get("net_billed_cost") for t in totals if t["billing_currency"] == currency]
        stated = [net for net in mine if net is not None]
        if mine and len(stated) == len(mine):
            found[currency] = exact_sum(stated)
    return found


_TOLD = 3
"""Differences that a reason tells; the table `reconciliation` has all."""


def _why_differs(delivery: DeliveryRecord, differing: list[Comparison]) -> Iterable[str]:
    """Each difference with its exact amounts, those with the files first."""
    others = []
    for one in differing:
        if one.against != FILES:
            others.append(one)
        elif one.cost_basis == BILLED:
            off = plain(one.difference or Decimal(0))
            yield f"charges differ from the files by {off} {one.billing_currency}"
        else:
            yield f"{delivery.rows_quarantined} rows are in quarantine, not in the charges"
    yield from (one.words() for one in others[:_TOLD])
    if len(others) > _TOLD:
        yield f"{len(others) - _TOLD} more differences are in the table reconciliation"


def _said(delivery: DeliveryRecord) -> dict[str, Any]:
    return {
        "delivery_id": delivery.delivery_id,
        "execution_id": delivery.execution_id,
        "landed_at": delivery.landed_at,
        "rows_read": delivery.rows_read,
        "rows_kept": delivery.rows_kept,
        "rows_quarantined": delivery.rows_quarantined,
        "values_rounded": delivery.values_rounded,
    }


def _of_explorer(
    tenant: Tenant,
    delivery: DeliveryRecord,
    partitions: list[PartitionRecord],
    ledger: Ledger,
    refusal: Refusal | None,
) -> list[Status]:
    """Cost Explorer's days make no charges: they have landed, and each is in one project."""
    month = delivery.billing_period
    mine = [p for p in partitions if p.billing_period == month]
    wanted = days_fingerprint(plan_month(tenant, month, ledger.deliveries(month=month)))
    built = bool(mine) and all(p.fingerprint == wanted for p in mine)
    notes = [] if built else ["its days are not given to projects as they stand yet"]
    notes.append(_notes(delivery, 0, refusal, ""))
    currencies: dict[str, Decimal] = delivery.billed_by_currency()
    if not currencies:
        note = "; ".join(filter(None, notes)) or "no costs on the days that were asked"
        return [Status(delivery.source, month, None, EMPTY, note, **_said(delivery))]
    return [
        Status(
            delivery.source,
            month,
            currency,
            LANDED if built else INCOMPLETE,
            "; ".join(filter(None, notes)) or None,
            **_said(delivery),
            source_cost=landed,
            billed_cost=explorer_cost(mine, delivery.source, currency),
            effective_cost=explorer_cost(mine, delivery.source, currency, "effective_cost"),
        )
        for currency, landed in currencies.items()
    ]


def _not_built(
    tenant: Tenant, delivery: DeliveryRecord, partitions: list[PartitionRecord]
) -> list[str]:
    """Projects whose charges of this month are not of this delivery and the present claims."""
    built = {
        p.key
        for p in partitions
        if p.inputs.get(delivery.source) == delivery.delivery_id and not is_reclaimed(tenant, p)
    }
    return [
        project.name
        for project in tenant.all_projects
        if delivery.source in tenant.sources_of(project) and project.name not in built
    ]


def _notes(delivery: DeliveryRecord, unknown: int, refusal: Refusal | None, fewer: str) -> str:
    notes: list[str] = [fewer] if fewer else []
    if delivery.values_rounded:
        notes.append(f"{delivery.values_rounded} values rounded to 18 decimals")
    if unknown:
        notes.append(f"{unknown} line items of an unknown type kept as Adjustment")
    if refusal and refusal.kind == OLDER:
        notes.append(refusal.reason)
    elif refusal:
        notes.append(f"a newer delivery was refused: {refusal.reason}")
    return "; ".join(notes)
