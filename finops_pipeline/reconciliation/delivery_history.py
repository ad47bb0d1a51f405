"""The history of a month's deliveries: what each billed, and what changed between two.

Put here: reading the ledger's deliveries as a history. Keep out: the state of the published one
(statuses.py), months that are missing (application/gaps.py), how it is shown (cli).

Reads: ledger
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from finops_pipeline.errors import Unknown
from finops_pipeline.ledger.ledger import DeliveryRecord, Ledger, TotalRecord
from finops_pipeline.money import difference, exact_sum

BY_HAND = "by hand"
"""Shown instead of AWS's id for a delivery from `finops ingest-file`."""


@dataclass(frozen=True)
class DeliveryVersion:
    """The billed cost of one delivery of a month in one currency.

    `id` is its name in `finops diff`; `change` is the difference from the delivery before it,
    None for the first. `state` is current or superseded. Rows are those of all currencies.
    """

    landed_at: str
    id: str
    execution_id: str
    state: str
    rows: int
    rows_quarantined: int
    billing_currency: str | None
    billed_cost: Decimal
    change: Decimal | None


@dataclass(frozen=True)
class Change:
    """One difference between two deliveries; costs are unblended (FOCUS: billed)."""

    billing_currency: str
    line_item_type: str
    service: str
    sub_account_id: str
    rows_before: int
    rows_after: int
    cost_before: Decimal
    cost_after: Decimal
    difference: Decimal


@dataclass(frozen=True)
class DeliveryComparison:
    """Two deliveries of a month and their differences, largest first.

    `changes` holds every key whose rows or cost differ; their differences add up exactly to the
    difference between the two bills. `note` names what could not be distinguished.
    """

    before: DeliveryRecord
    after: DeliveryRecord
    changes: tuple[Change, ...]
    note: str = ""


def short_id(record: DeliveryRecord) -> str:
    """Return the start of a delivery's fingerprint, with the count of a repeated one."""
    fingerprint, dot, count = record.delivery_id.partition(".")
    return fingerprint[:10] + dot + count


def list_deliveries(ledger: Ledger, tenant: str, source: str, month: str) -> list[DeliveryRecord]:
    """List a month's deliveries in the order they landed; the last is the published one.

    Raises:
        Unknown: none has landed.
    """
    deliveries = ledger.delivery_versions(source, month)
    if deliveries:
        return deliveries
    months = sorted(delivery.billing_period for delivery in ledger.deliveries(source))
    extent = f"its months are {months[0]} to {months[-1]}" if months else "nothing of it has landed"
    raise Unknown(
        f"no delivery of {tenant}/{source} {month} has landed ({extent})",
        cure=f"See what is missing and why: finops gaps {tenant}",
    )


def list_versions(records: Sequence[DeliveryRecord]) -> list[DeliveryVersion]:
    """List one row per delivery and currency, in the order the deliveries landed."""
    versions: list[DeliveryVersion] = []
    before: dict[str, Decimal] | None = None
    for record in records:
        billed = record.billed_by_currency()
        versions += _versions_of(record, billed, before)
        before = billed
    return versions


def _versions_of(
    record: DeliveryRecord, billed: dict[str, Decimal], before: dict[str, Decimal] | None
) -> list[DeliveryVersion]:
    """List a delivery's versions: one without currency if neither it nor the last bills."""
    shared = (
        record.landed_at,
        short_id(record),
        record.execution_id or BY_HAND,
        "current" if record.current else "superseded",
        record.rows_read,
        record.rows_quarantined,
    )
    if not billed and not before:
        return [DeliveryVersion(*shared, None, Decimal(0), None)]
    versions = []
    for currency in sorted({*billed, *(before or {})}):
        cost = billed.get(currency, Decimal(0))
        previous = None if before is None else before.get(currency, Decimal(0))
        change = None if previous is None else difference(cost, previous)
        versions.append(DeliveryVersion(*shared, currency, cost, change))
    return versions


def choose_delivery(records: Sequence[DeliveryRecord], name: str) -> DeliveryRecord:
    """Choose a delivery by its id as `history` shows it, AWS's own id, or a prefix of either.

    Raises:
        Unknown: no delivery has it, or more than one.
    """
    exact = [r for r in records if name in (short_id(r), r.delivery_id, r.execution_id)]
    by_prefix = [
        r for r in records if r.delivery_id.startswith(name) or r.execution_id.startswith(name)
    ]
    matches = exact or by_prefix
    if name and len(matches) == 1:
        return matches[0]
    choices = ", ".join(f"{short_id(r)} ({r.execution_id or BY_HAND})" for r in records)
    raise Unknown(
        f"{len(matches)} deliveries are named {name!r}"
        if name and matches
        else f"no delivery is named {name!r}",
        "one of the month's deliveries",
        f"Choose from {choices}",
    )


def compare_deliveries(before: DeliveryRecord, after: DeliveryRecord) -> DeliveryComparison:
    """Compare two deliveries by currency, line item type, service and account."""
    # Deliveries that landed before services were recorded cannot be compared by service.
    by_service = all(
        any(total.service for total in record.totals) or not record.totals
        for record in (before, after)
    )
    sums_before, sums_after = _sums(before.totals, by_service), _sums(after.totals, by_service)
    changes = []
    for key in sorted(sums_before.keys() | sums_after.keys()):
        rows_before, cost_before = sums_before.get(key, (0, Decimal(0)))
        rows_after, cost_after = sums_after.get(key, (0, Decimal(0)))
        if (rows_before, cost_before) != (rows_after, cost_after):
            gap = difference(cost_after, cost_before)
            changes.append(Change(*key, rows_before, rows_after, cost_before, cost_after, gap))
    changes.sort(key=lambda change: -abs(change.difference))
    note = (
        ""
        if by_service
        else "one of them landed before services were recorded, so services are not distinguished"
    )
    return DeliveryComparison(before, after, tuple(changes), note)


_Key = tuple[str, str, str, str]
"""(currency, line item type, service, account)"""


def _sums(totals: Iterable[TotalRecord], by_service: bool) -> dict[_Key, tuple[int, Decimal]]:
    """Sum rows and exact cost by key; without services, the key's service is empty."""
    rows: dict[_Key, int] = defaultdict(int)
    costs: dict[_Key, list[Decimal]] = defaultdict(list)
    for total in totals:
        service = total.service if by_service else ""
        key = (total.billing_currency, total.line_item_type, service, total.sub_account_id)
        rows[key] += total.rows
        costs[key].append(total.billed_cost)
    return {key: (rows[key], exact_sum(costs[key])) for key in rows}
