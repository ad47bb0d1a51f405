"""Running marts and checks on the file that is being built, a few months at a time.

Put here: replacing the due slices of each mart, running each check on the months that it concerns.
Keep out: which slices are due (due_slices.py), what SQL sees (shown_slices.py), what becomes of a
failed check (results.py).

Reads: costs, marts   Writes: marts of the file being built
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from finops_pipeline.contracts.focus import COSTS
from finops_pipeline.contracts.tables import MARTS
from finops_pipeline.lake.duck import Connection
from finops_pipeline.lake.warehouse import WAREHOUSE
from finops_pipeline.marts.day_parts import EVERY_DAY, Days, parts_of
from finops_pipeline.marts.due_slices import Change, Due, Slice, Window, months_of, window_of
from finops_pipeline.marts.library import Check, Mart, SliceKind, checks
from finops_pipeline.marts.results import CheckResult, pass_check, run_check
from finops_pipeline.marts.shown_slices import ShownSlices
from finops_pipeline.marts.slice_conditions import among_months, among_slices

PORTION_CHARGES = 600_000
"""Charges that one statement reads, unless one month (of some marts, one day) has more.

It bounds the memory of a refresh: with 1,500,000 charges that all have resources of their own, 1 GB
was not enough.
"""

SORTED_BY = 4
"""Columns of the grain by which new rows are sorted: enough for readers to skip most row groups."""


@dataclass(frozen=True)
class Refresh:
    """One refresh: what changed, the marts in reading order, and which of their slices are due.

    `charges`: the number of charges of each slice after the change.
    """

    change: Change
    ordered: Sequence[Mart]
    plan: Sequence[Due]
    charges: Mapping[Slice, int]

    def portions(self, months: Collection[str]) -> Iterator[list[str]]:
        """Yield months in order, grouped so that each group has few enough charges."""
        by_month: dict[str, int] = {}
        for (_, month), count in self.charges.items():
            by_month[month] = by_month.get(month, 0) + count
        portion, size = list[str](), 0
        for month in sorted(months):
            count = by_month.get(month, 0)
            if portion and size + count > PORTION_CHARGES:
                yield portion
                portion, size = [], 0
            portion.append(month)
            size += count
        if portion:
            yield portion

    def parts(self, mart: Mart, months: Collection[str]) -> Iterator[Days]:
        """Yield the days that one statement builds: all of them, unless one month is too large."""
        if not mart.has_days_apart or len(months) > 1:
            yield EVERY_DAY
            return
        (month,) = months
        charges = sum(count for (_, of_month), count in self.charges.items() if of_month == month)
        yield from parts_of(month, -(-charges // PORTION_CHARGES))

    @property
    def unused(self) -> frozenset[str]:
        """The marts that have no rows, because a table that they need has none."""
        return frozenset(m.name for m in self.ordered if m.needs & self.change.unused)

    def months_of_check(self, check: Check) -> set[str]:
        """Return the months that changed, and those of replaced slices of marts that it reads."""
        months = months_of(self.change.changed)
        for due in self.plan:
            if due.mart.name in check.reads and due.mart.slices is not SliceKind.NEWEST:
                months |= months_of(due.replaced)
        return months


def replace_slices(connection: Connection, shown: ShownSlices, refresh: Refresh) -> frozenset[str]:
    """Replace the due slices of each mart, after those of the marts that it reads.

    Returns:
        the marts that were not rebuilt, because they look back to a month that has lost a file.
        Such a month must not stop the others.
    """
    stale = set[str]()
    present = months_of(refresh.change.after)
    for due in refresh.plan:
        mart = due.mart
        if mart.reads & stale or _looks_back_at_lost_charges(due, shown, present):
            stale.add(mart.name)
            continue
        table = MARTS[mart.name]
        target = f"{WAREHOUSE}.{table.name}"
        names = ", ".join(column.name for column in table.columns)
        connection.execute(f"delete from {target} where {_replaced_rows(due, refresh.change)}")
        for months in _portions(due, refresh):
            for days in refresh.parts(mart, months):
                shown.show_slices(due.inputs(months, present), mart, days)
                if not shown.has_rows(mart.rows_from):
                    continue
                connection.execute(
                    f"insert into {target} ({names}) select {names} from ({mart.sql})"
                    f" where {_new_rows(due, months)} order by {', '.join(table.grain[:SORTED_BY])}"
                )
    return frozenset(stale)


def _looks_back_at_lost_charges(due: Due, shown: ShownSlices, present: Collection[str]) -> bool:
    is_reader = not due.mart.lookback.is_none and COSTS.name in due.mart.reads
    return is_reader and shown.has_lost_charges(due.inputs(months_of(due.built), present))


def _portions(due: Due, refresh: Refresh) -> Iterator[list[str]]:
    months = months_of(due.built)
    if due.mart.slices is SliceKind.NEWEST:
        return iter([sorted(months)] if months else [])
    return refresh.portions(months)


def _replaced_rows(due: Due, change: Change) -> str:
    if change.is_everything or due.mart.slices is SliceKind.NEWEST:
        return "true"
    is_by_month = due.mart.slices is SliceKind.MONTH
    return among_months(months_of(due.replaced)) if is_by_month else among_slices(due.replaced)


def _new_rows(due: Due, months: Collection[str]) -> str:
    """Write the condition for the rows of a statement that belong to the slices it builds.

    A mart that looks back also computes rows of earlier months, from only part of their input.
    """
    if due.mart.slices is SliceKind.NEWEST or due.mart.lookback.is_none:
        return "true"
    if due.mart.slices is SliceKind.MONTH:
        return among_months(months)
    return among_slices(frozenset(key for key in due.built if key[1] in months))


def run_checks(
    connection: Connection, shown: ShownSlices, refresh: Refresh, stale: frozenset[str]
) -> list[CheckResult]:
    """Run every check on the months that it concerns, except checks of marts that were not rebuilt.

    Returns:
        the results, by check and month.
    """
    groups: dict[tuple[frozenset[str], Window], list[Check]] = {}
    results: list[CheckResult] = []
    for check in (check for check in checks() if not check.reads & stale):
        if check.reads & refresh.unused:
            results += pass_check(check, refresh.months_of_check(check))
            continue
        window = window_of(check.reads, refresh.ordered)
        key = (frozenset(refresh.months_of_check(check)), window)
        groups.setdefault(key, []).append(check)
    present = months_of(refresh.change.after)
    for (months, window), same in groups.items():
        names = frozenset[str]().union(*(check.reads for check in same))
        for portion in refresh.portions(months):
            shown.show_months(names, window.months(portion, present))
            for check in same:
                if shown.has_rows(check.rows_from):
                    results += run_check(connection, check, portion, not window.is_none)
                else:
                    results += pass_check(check, portion)
    return sorted(results, key=lambda result: (result.check_name, result.billing_period))
