"""Whether a month's numbers can be trusted: one answer, why, and what to do.

Put here: the verdict on a month of a tenant from its states, comparisons and evidence. Keep out:
the states themselves (reconcile.py), how it is shown (cli/status.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from finops_pipeline import clock
from finops_pipeline.focus.comparisons import (
    AGREES,
    EXPLORER,
    FILES,
    INVOICE,
    MANIFEST,
    NOT_CHECKED,
    WORDS,
    Comparison,
)
from finops_pipeline.focus.states import (
    DIFFERS,
    EMPTY,
    INCOMPLETE,
    LANDED,
    OPEN,
    RECONCILED,
    REFUSED,
    Status,
)
from finops_pipeline.tenants.months import closed_from


class Trust(StrEnum):
    """The three answers."""

    TRUSTED = "can be trusted"
    OPEN = "is right so far, and AWS may still change it"
    NOT_YET = "cannot be trusted yet"


@dataclass(frozen=True)
class Verdict:
    """`trust` in a word, `why` in a sentence, `todo` as lines."""

    trust: Trust
    why: str
    todo: tuple[str, ...]


def verdict(
    tenant: str,
    month: str,
    statuses: Sequence[Status],
    comparisons: Sequence[Comparison],
    failed_checks: Sequence[str],
    broken_rules: Sequence[str] = (),
) -> Verdict:
    """The verdict on a month.

    Args:
        statuses: of the month; at least one.
        failed_checks: names of checks that found rows in the published charges or tables.
        broken_rules: names of FOCUS rules that charges break, known gaps of exports left out;
            the sums hold all the same, so they are told and change nothing.
    """
    bills = [status for status in statuses if status.state != LANDED]
    wrong = [status for status in bills if status.state not in (RECONCILED, OPEN)]
    todo = (*_todo(tenant, month, bills, comparisons, failed_checks),)
    if broken_rules:
        todo = (f"finops validate {tenant} --month {month} names the rows that break rules", *todo)
    if not bills:
        return Verdict(Trust.NOT_YET, "no bill of it has landed, only Cost Explorer's days", todo)
    if wrong or failed_checks:
        reasons = [f"{s.source} {_STATES[s.state]} ({_first(s)})" for s in _once(wrong)]
        reasons += [f"the check {name} found rows" for name in failed_checks]
        return Verdict(Trust.NOT_YET, "; ".join(reasons), todo)
    count = len({status.source for status in bills})
    bill = "its bill" if count == 1 else f"its {count} bills"
    sums = f"every row of {bill} is in the charges and they bill the same, to the last decimal"
    beside = "; ".join([*_beside(comparisons), *_broken(broken_rules)])
    if any(status.state == OPEN for status in bills):
        return Verdict(Trust.OPEN, f"{sums}; {beside}", todo)
    return Verdict(Trust.TRUSTED, f"{sums}; {beside}", todo)


_STATES = {
    DIFFERS: "differs",
    INCOMPLETE: "is incomplete",
    EMPTY: "is empty",
    REFUSED: "was refused",
}


def _first(status: Status) -> str:
    """The first of a state's reasons: it tells the amounts."""
    return (status.reason or "no reason is noted").split("; ")[0]


def _once(statuses: Sequence[Status]) -> list[Status]:
    """One of each source and state: currencies apart would say it twice."""
    return list({(status.source, status.state): status for status in statuses}.values())


def _beside(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """Whether Cost Explorer and invoices agree, or were not there."""
    for against in (EXPLORER, INVOICE):
        mine = [one for one in comparisons if one.against == against and one.is_whole]
        states = {one.state for one in mine}
        if states == {AGREES}:
            yield f"{WORDS[against]} agrees"
        elif AGREES in states:
            yield f"{WORDS[against]} agrees where it was compared"
        elif states <= {NOT_CHECKED}:
            yield f"{WORDS[against]} was not checked"
        else:
            yield f"{WORDS[against]} differs for a known reason"


def _broken(rules: Sequence[str]) -> Iterator[str]:
    if rules:
        yield f"FOCUS rules that charges break: {len(rules)}, which changes no sum"


def _todo(
    tenant: str,
    month: str,
    bills: Sequence[Status],
    comparisons: Sequence[Comparison],
    failed_checks: Sequence[str],
) -> Iterator[str]:
    states = {status.state for status in bills}
    if states & {INCOMPLETE, REFUSED} or not bills:
        yield f"finops ingest {tenant}, after what the reasons say"
    if DIFFERS in states:
        yield "docs/runbook.md, A month differs: from the amounts to their cause"
    if failed_checks:
        yield f"finops check {tenant} --month {month} names the rows"
    if OPEN in states and clock.now().date() < closed_from(month):
        yield f"finops ingest {tenant} on or after {closed_from(month)}"
    elif OPEN in states:
        yield f"Ask Cost Explorer again: finops ingest {tenant}, or bring its days by hand"
    ended = clock.now().date() >= closed_from(month)  # before that AWS has sent no invoice
    for source in sorted({one.source for one in comparisons if ended and _open(one, INVOICE)}):
        yield f"Enter the invoice's total: finops invoice set {tenant}/{source} {month} AMOUNT"
    if any(_open(one, EXPLORER) and one.counterpart is None for one in comparisons):
        yield "Bring in Cost Explorer's days, a second opinion of AWS: docs/cost-explorer.md"


def _open(one: Comparison, against: str) -> bool:
    return one.against == against and one.state == NOT_CHECKED


ORDER = (FILES, MANIFEST, EXPLORER, INVOICE)
"""Counterparts in the order in which they are told."""
