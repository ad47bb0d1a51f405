"""Whether a month's numbers can be trusted: one answer, why, and what to do.

Put here: the verdict on a month of a tenant from its states, comparisons and evidence. Keep out:
the states themselves (reconcile.py), how it is shown (cli/status.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from finops_pipeline import clock
from finops_pipeline.reconciliation.comparisons import (
    AGREES,
    ALL_DAYS,
    EXPLORER,
    FILES,
    INVOICE,
    MANIFEST,
    NOT_CHECKED,
    WORDS,
    Comparison,
)
from finops_pipeline.reconciliation.states import (
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


@dataclass(frozen=True)
class Doubts:
    """What else is known of a month, beside what it was compared with.

    `failed`: checks that found rows and make its sums doubtful; `told`: those that found rows and
    change no sum. `are_checked`: every check was run on the month as it is published.
    `broken_rules`: FOCUS rules that charges break, known gaps of exports left out; the sums hold
    all the same. `changed`: files that are not as they were written. `refused`: sources whose
    newer delivery could not be taken. `absent`: sources that delivered the month before, and
    nothing of this one.
    """

    failed: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    are_checked: bool = True
    broken_rules: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()

    def reasons(self) -> Iterator[str]:
        """Why the month cannot be trusted."""
        yield from (f"{name} has delivered nothing of it yet" for name in self.absent)
        yield from (f"a newer delivery of {name} was refused" for name in self.refused)
        yield from (f"{name} is not as it was written" for name in self.changed)
        yield from (f"the check {name} found rows" for name in self.failed)
        if not self.are_checked:
            yield "not every check was run on it"

    def todo(self, tenant: str, month: str) -> Iterator[str]:
        """What to do about them."""
        if self.broken_rules:
            yield f"finops validate {tenant} --month {month} names the rows that break rules"
        if self.failed or self.told:
            yield f"finops check {tenant} --month {month} names the rows"
        if self.changed:
            yield f"Remove {', '.join(self.changed)}; then finops ingest {tenant}"
        if self.refused or self.absent:
            yield f"finops status {tenant} and finops gaps {tenant} say why; finops ingest {tenant}"
        elif not self.are_checked:
            yield f"finops ingest {tenant} runs every check"


def verdict(
    tenant: str,
    month: str,
    statuses: Sequence[Status],
    comparisons: Sequence[Comparison],
    doubts: Doubts,
) -> Verdict:
    """The verdict on a month.

    Args:
        statuses: of the month; at least one.
    """
    bills = [status for status in statuses if status.state != LANDED]
    wrong = [status for status in bills if status.state not in (RECONCILED, OPEN)]
    todo = (*doubts.todo(tenant, month), *_todo(tenant, month, bills, comparisons))
    if not bills:
        return Verdict(Trust.NOT_YET, "no bill of it has landed, only Cost Explorer's days", todo)
    reasons = [f"{s.source} {_STATES[s.state]} ({_first(s)})" for s in _once(wrong)]
    if not any(status.state in (INCOMPLETE, EMPTY, REFUSED) for status in wrong):
        reasons += doubts.reasons()
    if reasons:
        return Verdict(Trust.NOT_YET, "; ".join(reasons), todo)
    count = len({status.source for status in bills})
    bill = "its bill" if count == 1 else f"its {count} bills"
    sums = f"every row of {bill} is in the charges and they bill the same, to the last decimal"
    beside = "; ".join([*_beside(comparisons), *_beside_sums(doubts)])
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
        if states == {AGREES} and not any(map(_is_of_all, mine)):
            part = "on the days that it has" if against == EXPLORER else "for the ids entered"
            yield f"{WORDS[against]} agrees {part}, which is not all of the month"
        elif states == {AGREES}:
            yield f"{WORDS[against]} agrees"
        elif AGREES in states:
            yield f"{WORDS[against]} agrees where it was compared"
        elif states <= {NOT_CHECKED}:
            yield f"{WORDS[against]} was not checked"
        else:
            yield f"{WORDS[against]} differs, and its days are not final"


def _beside_sums(doubts: Doubts) -> Iterator[str]:
    if doubts.told:
        yield f"{' and '.join(doubts.told)} found rows, which changes no sum"
    if doubts.broken_rules:
        yield f"FOCUS rules that charges break: {len(doubts.broken_rules)}, which changes no sum"


def _is_of_all(one: Comparison) -> bool:
    """Whether a comparison is of all that was billed: every day, every invoice."""
    if one.against == INVOICE:
        return one.counterpart is None
    return (one.note or "").startswith(ALL_DAYS)


def _todo(
    tenant: str,
    month: str,
    bills: Sequence[Status],
    comparisons: Sequence[Comparison],
) -> Iterator[str]:
    states = {status.state for status in bills}
    if states & {INCOMPLETE, REFUSED} or not bills:
        yield f"finops ingest {tenant}, after what the reasons say"
    if DIFFERS in states:
        yield "docs/runbook.md, A month differs: from the amounts to their cause"
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
