"""The right outcome of a mutated delivery, known without the pipeline, and its comparison.

Put here: the three right outcomes (ingested exactly, bad rows set aside, refused) and their
comparison with what was seen. Keep out: how a delivery is mutated; how it is ingested (bench.py).
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from tests.support.mutations.bill import Delivery, Row

Charge = tuple[Decimal, str, str, str, str]
"""Cost, currency, start, account and description of a charge."""

WIDE = Context(prec=60, rounding=ROUND_HALF_UP)

INTERNAL = re.compile(r"\b\w*(Error|Exception|Warning): |Traceback|line \d+, in ")
"""What a refusal must not contain: an exception's name means that its cause was not foreseen."""


@dataclass(frozen=True)
class Ingested:
    """These rows of the delivery are kept, to the last decimal, and `lost` are quarantined."""

    charges: tuple[Charge, ...]
    lost: int = 0


@dataclass(frozen=True)
class Refused:
    """The delivery is refused with a message that contains all of these."""

    message_parts: tuple[str, ...]


Verdict = Ingested | Refused


def ingested(rows: list[Row], lost: int = 0) -> Ingested:
    """The outcome that keeps exactly these rows."""
    return Ingested(tuple(sorted(map(charge, rows))), lost)


def refused(*message_parts: str) -> Refused:
    """Return the outcome of a refusal whose message contains these parts."""
    return Refused(message_parts)


def charge(row: Row) -> Charge:
    """Return the charge that a kept row must give."""
    cost = Decimal(row["cost"]).quantize(Decimal("1e-18"), context=WIDE)
    start = row["start"].replace("T", " ").removesuffix("Z")
    return cost, row["currency"], start, row["account"], row.get("words", "")


@dataclass(frozen=True)
class Mutation:
    """One mutated delivery: `mutate` edits the files and returns the right outcomes."""

    family: str
    name: str
    form: str
    mutate: Callable[[Delivery, random.Random], Verdict | tuple[Verdict, ...]]


@dataclass
class Seen:
    """What was seen of a month after an ingest."""

    reason: str = ""
    """Of a refusal; empty when it was ingested."""
    charges: tuple[Charge, ...] = ()
    bill: dict[str, Decimal] = field(default_factory=dict)
    """Currency -> billed cost in monthly_bill."""
    quarantined: int = 0
    status: list[dict[str, Any]] = field(default_factory=list)


def fault(allowed: tuple[Verdict, ...], seen: Seen, before: Seen) -> tuple[str, str]:
    """Which outcome it was (`exact`, `aside`, `refused`), and what is wrong with it, if anything.

    Args:
        before: what was served of the month before the mutated delivery came.
    """
    if seen.reason:
        return "refused", _fault_of_refusal(allowed, seen, before)
    faults = [_fault_of_rows(verdict, seen) for verdict in allowed if isinstance(verdict, Ingested)]
    ending = "aside" if seen.quarantined else "exact"
    return ending, "" if "" in faults else "; ".join(faults) or "should have been refused"


def _fault_of_refusal(allowed: tuple[Verdict, ...], seen: Seen, before: Seen) -> str:
    expected = [verdict for verdict in allowed if isinstance(verdict, Refused)]
    if not expected:
        return f"should have been ingested, but: {seen.reason}"
    if INTERNAL.search(seen.reason) or "\n" in seen.reason:
        return f"refused with an internal message: {seen.reason}"
    lacks = [
        [part for part in verdict.message_parts if part not in seen.reason] for verdict in expected
    ]
    if [] not in lacks:
        return f"refusal does not name {lacks}: {seen.reason}"
    if _served(seen) != _served(before):
        return "refused, but the month that is served changed"
    return ""


def _served(seen: Seen) -> tuple[Any, ...]:
    return seen.charges, seen.bill, seen.quarantined


def _fault_of_rows(expected: Ingested, seen: Seen) -> str:
    if seen.charges != expected.charges:
        missing = [c for c in expected.charges if c not in seen.charges][:2]
        extra = [c for c in seen.charges if c not in expected.charges][:2]
        return (
            f"{len(seen.charges)} charges instead of {len(expected.charges)};"
            f" missing {missing}, too many {extra}"
        )
    sums: dict[str, Decimal] = {}
    for cost, currency, *_ in expected.charges:
        sums[currency] = WIDE.add(sums.get(currency, Decimal(0)), cost)
    if seen.bill != sums:
        return f"monthly_bill is {seen.bill}, the rows sum to {sums}"
    if seen.quarantined != expected.lost:
        return f"{seen.quarantined} rows quarantined instead of {expected.lost}"
    read = {s["rows_read"] for s in seen.status}
    if expected.charges and read != {len(expected.charges) + expected.lost}:
        return f"rows read {read}, kept {len(expected.charges)}, set aside {expected.lost}"
    state = {s["state"] for s in seen.status}
    if expected.charges and state != {"differs" if expected.lost else "reconciled"}:
        return f"state {state} with {expected.lost} rows set aside"
    return ""
