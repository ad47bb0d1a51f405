"""What was believed of a month when, and what changed between two of its deliveries.

Put here: reading the ledger's deliveries as a history. Keep out: the state of the published one
(reconcile.py), months that are missing (gaps.py), how it is shown (cli).

Reads: ledger
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from finops_pipeline.errors import Unknown
from finops_pipeline.ledger.ledger import DeliveryRecord, Ledger, TotalRecord
from finops_pipeline.money import difference, exact_sum

BY_HAND = "by hand"
"""What stands for AWS's id of a delivery that was brought by `finops ingest-file`."""


@dataclass(frozen=True)
class Believed:
    """What one delivery of a month billed in one currency.

    `id` names it in `finops diff`; `change` is the difference to the delivery before it, None
    for the first. `state` is current or superseded. Rows are those of all currencies.
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
    """One line of what differs between two deliveries; costs are unblended (FOCUS: billed)."""

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
class Comparison:
    """Two deliveries of a month and what differs, largest difference first.

    `changes` holds every line whose rows or cost differ: their differences add up to the
    difference of the two bills, exactly. `note` says what could not be told apart.
    """

    before: DeliveryRecord
    after: DeliveryRecord
    changes: tuple[Change, ...]
    note: str = ""


def short_id(record: DeliveryRecord) -> str:
    """The first letters of a delivery's checksum, with the count of a repeated one."""
    digest, dot, count = record.delivery_id.partition(".")
    return digest[:10] + dot + count


def deliveries_of(ledger: Ledger, what: str, source: str, month: str) -> list[DeliveryRecord]:
    """A month's deliveries in the order they landed; the last is the published one.

    Raises:
        Unknown: none has landed.
    """
    found = ledger.delivery_versions(source, month)
    if found:
        return found
    landed = sorted(d.billing_period for d in ledger.deliveries(source))
    there = f"it has {landed[0]} to {landed[-1]}" if landed else "nothing of it has landed"
    raise Unknown(
        f"no delivery of {what}/{source} {month} has landed ({there})",
        cure=f"See what is missing and why: finops gaps {what}",
    )


def believed(records: list[DeliveryRecord]) -> list[Believed]:
    """One row per delivery and currency, in the order the deliveries landed."""
    rows: list[Believed] = []
    before: dict[str, Decimal] | None = None
    for record in records:
        now = record.billed_by_currency()
        said = (
            record.landed_at,
            short_id(record),
            record.execution_id or BY_HAND,
            "current" if record.current else "superseded",
            record.rows_read,
            record.rows_quarantined,
        )
        for currency in sorted({*now, *(before or {})}):
            cost = now.get(currency, Decimal(0))
            was = None if before is None else before.get(currency, Decimal(0))
            change = None if was is None else difference(cost, was)
            rows.append(Believed(*said, currency, cost, change))
        if not now and not before:
            rows.append(Believed(*said, None, Decimal(0), None))
        before = now
    return rows


def choose(records: list[DeliveryRecord], name: str) -> DeliveryRecord:
    """The delivery of that id: as `history` shows it, AWS's own, or the beginning of either.

    Raises:
        Unknown: there is none, or more than one.
    """
    exact = [r for r in records if name in (short_id(r), r.delivery_id, r.execution_id)]
    begins = [
        r for r in records if r.delivery_id.startswith(name) or r.execution_id.startswith(name)
    ]
    found = exact or begins
    if name and len(found) == 1:
        return found[0]
    there = ", ".join(f"{short_id(r)} ({r.execution_id or BY_HAND})" for r in records)
    raise Unknown(
        f"{len(found) if name else 'no'} deliveries are named {name!r}",
        "one of the month's deliveries",
        f"There are {there}",
    )


def compare(before: DeliveryRecord, after: DeliveryRecord) -> Comparison:
    """What differs between two deliveries, by currency, line item type, service and account."""
    # Deliveries that landed before services were kept have none: then no line tells them apart.
    known = [any(t.service for t in r.totals) or not r.totals for r in (before, after)]
    by_service = all(known)
    was, now = _sums(before.totals, by_service), _sums(after.totals, by_service)
    changes = []
    for key in sorted(was.keys() | now.keys()):
        rows_before, cost_before = was.get(key, (0, Decimal(0)))
        rows_after, cost_after = now.get(key, (0, Decimal(0)))
        if (rows_before, cost_before) != (rows_after, cost_after):
            off = difference(cost_after, cost_before)
            changes.append(Change(*key, rows_before, rows_after, cost_before, cost_after, off))
    changes.sort(key=lambda change: -abs(change.difference))
    note = (
        ""
        if by_service
        else "one of them landed before services were kept, so services are not told apart"
    )
    return Comparison(before, after, tuple(changes), note)


_Key = tuple[str, str, str, str]


def _sums(totals: Iterable[TotalRecord], by_service: bool) -> dict[_Key, tuple[int, Decimal]]:
    rows: dict[_Key, int] = defaultdict(int)
    costs: dict[_Key, list[Decimal]] = defaultdict(list)
    for total in totals:
        service = total.service if by_service else ""
        key = (total.billing_currency, total.line_item_type, service, total.sub_account_id)
        rows[key] += total.rows
        costs[key].append(total.billed_cost)
    return {key: (rows[key], exact_sum(costs[key])) for key in rows}
