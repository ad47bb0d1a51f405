"""Reconcile: do the charges of all projects add up to the delivery they came from?

Put here: the state of each source and month, from the ledger alone. Keep out: checks inside a
partition (conform.py), how the state is shown (marts, cli).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from finops_pipeline.focus.claims import reclaimed
from finops_pipeline.focus.drift import drifts
from finops_pipeline.focus.explorer import explorer_cost, explorer_deliveries, split_mark
from finops_pipeline.lake.layout import COSTS, EXPLORER
from finops_pipeline.lake.ledger import (
    DeliveryRecord,
    Ledger,
    PartitionRecord,
    Refusal,
    fewer_rows,
)
from finops_pipeline.money import difference, exact_sum, plain
from finops_pipeline.tenants.model import SourceFormat, Tenant

OLDER = "older"
"""The kind of a refusal of a delivery that came before the published one."""

RECONCILED, DIFFERS, INCOMPLETE, EMPTY, REFUSED = (
    "reconciled",
    "differs",
    "incomplete",
    "empty",
    "refused",
)
LANDED = "landed"
"""The state of a month of Cost Explorer, which is no bill: there is nothing to add up."""


@dataclass(frozen=True)
class Status:
    """One row of `data_status`; see contracts/tables.py for each field."""

    source: str
    billing_period: str
    billing_currency: str | None
    state: str
    reason: str | None
    delivery_id: str | None = None
    execution_id: str | None = None
    landed_at: str | None = None
    rows_read: int | None = None
    rows_kept: int | None = None
    rows_quarantined: int | None = None
    values_rounded: int | None = None
    unknown_line_items: int | None = None
    source_cost: Decimal | None = None
    billed_cost: Decimal | None = None
    effective_cost: Decimal | None = None
    drift: str | None = None


def statuses(
    tenant: Tenant,
    ledger: Ledger,
    pending: dict[tuple[str, str], PartitionRecord] | None = None,
    pending_explorer: dict[tuple[str, str], PartitionRecord] | None = None,
) -> list[Status]:
    """The state of every source, month and currency that landed or was refused, in order.

    Args:
        pending: costs partitions as a publication will leave them, by (project, month).
        pending_explorer: those of cost_explorer_daily likewise.
    """
    split_up = list((pending_explorer or ledger.partitions(EXPLORER)).values())
    refusals = ledger.refusals()
    before = {(t.source, t.billing_period): t.rows_read for t in ledger.told() if not t.current}
    partitions = list((pending or ledger.partitions(COSTS)).values())
    rows: list[Status] = []
    deliveries = ledger.deliveries()
    drifted = drifts(deliveries)
    for delivery in deliveries:
        refusal = refusals.pop((delivery.source, delivery.billing_period), None)
        if delivery.format == SourceFormat.COST_EXPLORER:
            rows += _of_explorer(tenant, delivery, split_up, ledger, refusal)
            continue
        fewer = fewer_rows(before.get((delivery.source, delivery.billing_period), 0), delivery)
        told = _of_delivery(tenant, delivery, partitions, refusal, fewer)
        words = drifted.get((delivery.source, delivery.billing_period))
        rows += [replace(status, drift=words) for status in told]
    rows += [Status(r.source, r.billing_period, None, REFUSED, r.reason) for r in refusals.values()]
    return sorted(rows, key=lambda s: (s.source, s.billing_period, s.billing_currency or ""))


def _of_delivery(
    tenant: Tenant,
    delivery: DeliveryRecord,
    partitions: list[PartitionRecord],
    refusal: Refusal | None,
    fewer: str,
) -> list[Status]:
    said = _said(delivery)
    key = (delivery.source, delivery.billing_period)
    if not delivery.rows_kept:
        note = _notes(delivery, 0, refusal, fewer) or "the delivery has a header and no rows"
        return [Status(*key, None, EMPTY, note, **said)]
    mine = [p for p in partitions if p.billing_period == delivery.billing_period]
    missing = _not_built(tenant, delivery, mine)
    rows = []
    for currency, billed_by_files in delivery.billed_by_currency().items():
        totals = [
            total
            for partition in mine
            for total in partition.totals
            if total["source"] == delivery.source and total["billing_currency"] == currency
        ]
        billed = exact_sum(total["billed_cost"] for total in totals)
        unknown = sum(total["unknown_line_items"] for total in totals)
        state, reason = _state(
            missing, delivery.rows_quarantined, billed_by_files, billed, currency
        )
        rows.append(
            Status(
                *key,
                currency,
                state,
                "; ".join(filter(None, [reason, _notes(delivery, unknown, refusal, fewer)]))
                or None,
                **said,
                unknown_line_items=unknown,
                source_cost=billed_by_files,
                billed_cost=billed,
                effective_cost=exact_sum(total["effective_cost"] for total in totals),
            )
        )
    return rows


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
    wanted = split_mark(tenant, explorer_deliveries(ledger.deliveries(month=month), month), month)
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
        if p.inputs.get(delivery.source) == delivery.delivery_id and not reclaimed(tenant, p)
    }
    return [
        project.name
        for project in tenant.all_projects
        if delivery.source in tenant.sources_of(project) and project.name not in built
    ]


def _state(
    missing: list[str], quarantined: int, of_files: Decimal, of_charges: Decimal, currency: str
) -> tuple[str, str]:
    if missing:
        return INCOMPLETE, f"charges of {', '.join(missing)} are not built from it as it stands yet"
    if quarantined:
        return DIFFERS, f"{quarantined} rows are in quarantine, not in the charges"
    if of_files != of_charges:
        off = plain(difference(of_charges, of_files))
        return DIFFERS, f"charges differ from the files by {off} {currency}"
    return RECONCILED, ""


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
