"""The verdict on a month's numbers: whether to trust them, why, and what to do.

Put here: the verdict on a tenant's month from its states, comparisons and evidence. Keep out:
the states themselves (statuses.py), how the verdict is shown (cli/status.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from finops_pipeline import clock
from finops_pipeline.errors import counted
from finops_pipeline.reconciliation.comparisons import (
    ALL_DAYS,
    COUNTERPART_NAMES,
    Comparison,
    ComparisonState,
    CounterpartKind,
)
from finops_pipeline.reconciliation.repeated_bills import cure_repeated
from finops_pipeline.reconciliation.states import ReconciliationState, Status
from finops_pipeline.tenants.months import closed_from


class Trust(StrEnum):
    """The three possible answers."""

    TRUSTED = "can be trusted"
    OPEN = "is right so far, but AWS may still change it"
    NOT_YET = "cannot be trusted yet"


@dataclass(frozen=True)
class Verdict:
    """The answer, the reason for it (one sentence), and the actions to take (one per line)."""

    trust: Trust
    why: str
    todo: tuple[str, ...]


@dataclass(frozen=True)
class MonthOutcome:
    """The states of a tenant's month (at least one) and the comparisons that led to them."""

    tenant: str
    month: str
    statuses: Sequence[Status]
    comparisons: Sequence[Comparison]

    @property
    def bills(self) -> list[Status]:
        """The states of bills (Cost Explorer's months are not bills)."""
        return [s for s in self.statuses if s.state != ReconciliationState.LANDED]


@dataclass(frozen=True)
class Doubts:
    """Evidence about a month, apart from its comparisons.

    `failed_checks`: checks that found rows and make its sums doubtful; `harmless_checks`: checks
    that found rows but affect no sum. `are_checked`: every check was run on the published month.
    `broken_rules`: FOCUS rules that charges break, except known gaps of exports; they affect no
    sum. `changed_files`: files that changed after they were written. `refused_sources` and
    `crashed_sources`: sources whose newer delivery was refused, or crashed. `absent_sources`:
    sources that delivered the month before, but nothing of this one.
    """

    failed_checks: tuple[str, ...] = ()
    harmless_checks: tuple[str, ...] = ()
    are_checked: bool = True
    broken_rules: tuple[str, ...] = ()
    changed_files: tuple[str, ...] = ()
    refused_sources: tuple[str, ...] = ()
    crashed_sources: tuple[str, ...] = ()
    absent_sources: tuple[str, ...] = ()

    def reasons(self) -> Iterator[str]:
        """Yield why the month cannot be trusted."""
        yield from (f"{name} has not delivered this month yet" for name in self.absent_sources)
        yield from (f"a newer delivery of {name} was refused" for name in self.refused_sources)
        yield from (f"landing a newer delivery of {name} crashed" for name in self.crashed_sources)
        yield from (f"{name} has changed since it was written" for name in self.changed_files)
        yield from (f"the check {name} failed" for name in self.failed_checks)
        if not self.are_checked:
            yield "not every check has been run on it"

    def remarks(self) -> Iterator[str]:
        """Yield remarks that affect no sum."""
        if self.harmless_checks:
            yield f"{' and '.join(self.harmless_checks)} found rows, but no sum is affected"
        if self.broken_rules:
            rules = counted(len(self.broken_rules), "FOCUS rule")
            yield f"charges break {rules}, but no sum is affected"

    def todo(self, tenant: str, month: str) -> Iterator[str]:
        """Yield the actions that these doubts call for."""
        if self.broken_rules:
            yield f"finops validate {tenant} --month {month} lists the rows that break rules"
        if self.failed_checks or self.harmless_checks:
            yield f"finops check {tenant} --month {month} lists the rows"
        if self.changed_files:
            yield f"Build them again: finops rebuild {tenant} --month {month}"
        if self.refused_sources or self.crashed_sources or self.absent_sources:
            yield (
                f"See the reason: finops status {tenant} and finops gaps {tenant};"
                f" then run finops ingest {tenant}"
            )
        elif not self.are_checked:
            yield f"Run every check: finops ingest {tenant}"


def reach_verdict(outcome: MonthOutcome, doubts: Doubts) -> Verdict:
    """Decide whether a month can be trusted."""
    todo = (*doubts.todo(outcome.tenant, outcome.month), *_todo(outcome))
    if not outcome.bills:
        why = "no bill of this month has landed, only Cost Explorer's days"
        return Verdict(Trust.NOT_YET, why, todo)
    if reasons := _doubtful(outcome.bills, doubts):
        return Verdict(Trust.NOT_YET, "; ".join(reasons), todo)
    count = len({status.source for status in outcome.bills})
    bills = "its bill" if count == 1 else f"its {count} bills"
    sums = f"every row of {bills} is in the charges, and the sums are equal to the last decimal"
    why = "; ".join([sums, *_second_opinions(outcome.comparisons), *doubts.remarks()])
    is_open = any(status.state == ReconciliationState.OPEN for status in outcome.bills)
    return Verdict(Trust.OPEN if is_open else Trust.TRUSTED, why, todo)


_STATE_PHRASES = {
    ReconciliationState.DIFFERS: "differs",
    ReconciliationState.INCOMPLETE: "is incomplete",
    ReconciliationState.EMPTY: "is empty",
    ReconciliationState.REFUSED: "was refused",
}
"""States of a bill that is not right, as verbs of a sentence."""

_WITHOUT_SUMS = frozenset(
    {ReconciliationState.INCOMPLETE, ReconciliationState.EMPTY, ReconciliationState.REFUSED}
)
"""States in which there are no sums to doubt."""


def _doubtful(bills: Sequence[Status], doubts: Doubts) -> list[str]:
    """List why the month cannot be trusted; empty when it can."""
    wrong = [status for status in bills if status.state in _STATE_PHRASES]
    reasons = [
        f"{status.source} {_STATE_PHRASES[status.state]} ({_first_reason(status)})"
        for status in _distinct(wrong)
    ]
    if not any(status.state in _WITHOUT_SUMS for status in wrong):
        already = {_first_reason(status) for status in wrong}
        reasons += (
            r for r in doubts.reasons() if not any(first.startswith(r) for first in already)
        )
    outdated = [status for status in bills if status.state == ReconciliationState.OUTDATED]
    return reasons or [
        f"{status.source} is outdated ({_first_reason(status)})" for status in _distinct(outdated)
    ]


def _first_reason(status: Status) -> str:
    """Return the first reason of a state, which has the amounts."""
    return (status.reason or "no reason was recorded").split("; ")[0]


def _distinct(statuses: Sequence[Status]) -> list[Status]:
    """Keep the last status of each source and state, since every currency repeats the same."""
    return list({(status.source, status.state): status for status in statuses}.values())


def _second_opinions(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """Describe whether Cost Explorer and invoices agree, or were not checked."""
    for kind in (CounterpartKind.COST_EXPLORER, CounterpartKind.INVOICE):
        wholes = [c for c in comparisons if c.against == kind and c.is_whole]
        yield f"{COUNTERPART_NAMES[kind]} {_agreement(kind, wholes)}"


def _agreement(kind: CounterpartKind, wholes: Sequence[Comparison]) -> str:
    states = {comparison.state for comparison in wholes}
    if states == {ComparisonState.AGREES}:
        if any(map(_covers_everything, wholes)):
            return "agrees"
        part = (
            "on the days that it has"
            if kind == CounterpartKind.COST_EXPLORER
            else "for the invoice ids that were entered"
        )
        return f"agrees {part}, which do not cover the whole month"
    if ComparisonState.AGREES in states:
        return "agrees where it was compared"
    if states <= {ComparisonState.NOT_CHECKED}:
        return "was not checked"
    return "differs, but its days are not final"


def _covers_everything(comparison: Comparison) -> bool:
    """Return whether a comparison covers every day, or every invoice, of the bill."""
    if comparison.against == CounterpartKind.INVOICE:
        return comparison.counterpart is None
    return (comparison.note or "").startswith(ALL_DAYS)


def _todo(outcome: MonthOutcome) -> Iterator[str]:
    tenant, month = outcome.tenant, outcome.month
    states = {status.state for status in outcome.bills}
    closing_day = closed_from(month)
    has_closed = clock.now().date() >= closing_day
    if states & {ReconciliationState.INCOMPLETE, ReconciliationState.REFUSED} or not states:
        yield f"Follow the advice in the reasons, then run finops ingest {tenant}"
    repeated = [c for c in outcome.comparisons if c.against == CounterpartKind.OTHER_BILL]
    if repeated:
        source, other = repeated[0].source, repeated[0].counterpart
        cure = cure_repeated(tenant, source, month)
        yield f"Count one of {source} and {other}: {cure}"
    if ReconciliationState.DIFFERS in states:
        yield "Find the cause: docs/runbook.md, A month differs"
    if ReconciliationState.OPEN in states and not has_closed:
        yield f"Run finops ingest {tenant} on or after {closing_day}"
    elif ReconciliationState.OPEN in states:
        yield f"Query Cost Explorer again: run finops ingest {tenant}, or import its CSV by hand"
    if has_closed:  # before that day AWS has sent no invoice
        for source in _unchecked_sources(outcome.comparisons, CounterpartKind.INVOICE):
            yield f"Enter the invoice's total: finops invoice set {tenant}/{source} {month} AMOUNT"
    no_counterpart = [c for c in outcome.comparisons if c.counterpart is None]
    if _unchecked_sources(no_counterpart, CounterpartKind.COST_EXPLORER):
        yield "Add Cost Explorer to confirm the bill: see docs/cost-explorer.md"


def _unchecked_sources(comparisons: Sequence[Comparison], kind: CounterpartKind) -> list[str]:
    return sorted(
        {
            comparison.source
            for comparison in comparisons
            if comparison.against == kind and comparison.state == ComparisonState.NOT_CHECKED
        }
    )
