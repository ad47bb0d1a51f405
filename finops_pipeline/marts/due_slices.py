"""Which slices of each mart depend on a change, and which part of its input they need.

Put here: computing sets of slices. Keep out: SQL (mart_runner.py), fingerprints of slices
(build.py).

A change of a month makes that month's slices of a mart due, those of later months that look back to
it, and then the slices of the marts that read this mart. Nothing else is rebuilt.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from finops_pipeline.marts.library import Mart, SliceKind
from finops_pipeline.marts.lookback import Lookback

Slice = tuple[str, str]
"""Project and billing period."""

Slices = frozenset[Slice]


@dataclass(frozen=True)
class Change:
    """The slices of charges that changed, and all slices before and after the change.

    `tables`: tables that users fill -> the months of which they changed. `unused`: those of these
    tables that have no rows, before and after; marts that need one have none either.
    """

    changed: Slices
    before: Slices
    after: Slices
    tables: Mapping[str, frozenset[str]] = field(default_factory=dict)
    unused: frozenset[str] = frozenset()

    @property
    def is_everything(self) -> bool:
        """Whether nothing of the previous file can be kept."""
        return self.changed >= self.before | self.after

    def slices_of_tables(self, names: Collection[str]) -> Slices:
        """Return the slices of the months of which one of these tables changed."""
        months = frozenset[str]().union(*(self.tables.get(name, ()) for name in names))
        return _every_project(months, self.before | self.after)

    @property
    def added_or_removed_months(self) -> set[str]:
        """The months that the file has only before or only after the change."""
        return months_of(self.before) ^ months_of(self.after)


@dataclass(frozen=True)
class Due:
    """What a refresh does to a mart.

    `replaced`: slices whose rows are deleted; `built`: slices that get new rows. For a mart with
    monthly slices, only the months count.
    """

    mart: Mart
    replaced: Slices
    built: Slices

    def inputs(self, months: Collection[str], present: Collection[str]) -> Slices:
        """Return the slices of the input that are needed to build some months.

        Args:
            months: the months; for a mart with slice `newest`, all months that are built.
            present: every month that has charges.
        """
        built = frozenset(key for key in self.built if key[1] in months)
        if self.mart.slices is SliceKind.NEWEST:
            return built
        lookback = self.mart.lookback
        windows = {month: lookback.inputs(month, present) for month in months_of(built)}
        return frozenset((name, m) for name, month in built for m in windows[month])


def plan_marts(ordered: Sequence[Mart], change: Change) -> list[Due]:
    """Plan a refresh of marts, each of which comes after those that it reads.

    Returns:
        the marts that have something to do.
    """
    plan: dict[str, Due] = {}
    slices: dict[str, Slices] = {}
    for mart in ordered:
        if mart.needs & change.unused:
            continue
        present = change.after.union(*(slices[name] for name in mart.reads & slices.keys()))
        slices[mart.name] = _slices_of(mart, present, change)
        touched = change.changed.union(
            change.slices_of_tables(mart.reads),
            *(_as_read(plan[name], change) for name in mart.reads & plan.keys()),
        )
        replaced = _replaced(mart, touched, change)
        if replaced:
            in_scope = replaced
            if mart.slices is not SliceKind.PROJECT_MONTH:
                in_scope = _every_project(months_of(replaced), slices[mart.name])
            plan[mart.name] = Due(mart, replaced, slices[mart.name] & in_scope)
    return list(plan.values())


def _slices_of(mart: Mart, present: Slices, change: Change) -> Slices:
    """Return every slice of a mart after the change, given those of its input."""
    months = months_of(change.after)
    if mart.slices is SliceKind.NEWEST:
        window = newest_window(mart.lookback, months)
        return frozenset(key for key in present if key[1] in window)
    reached = {month: mart.lookback.reached(month, months) for month in months_of(present)}
    return frozenset((name, m) for name, month in present for m in reached[month])


def _replaced(mart: Mart, touched: Slices, change: Change) -> Slices:
    every = change.before | change.after
    if mart.slices is SliceKind.NEWEST:
        windows = (
            newest_window(mart.lookback, months_of(s)) for s in (change.before, change.after)
        )
        is_reached = months_of(touched) & {month for window in windows for month in window}
        return every if is_reached else frozenset()
    months = months_of(every)
    reached = {month: mart.lookback.reached(month, months) for month in months_of(touched)}
    replaced = {(name, m) for name, month in touched for m in reached[month]}
    if not mart.lookback.is_none:
        # A month that is added or removed may have rows of projects without charges in it.
        names = {name for name, _ in every}
        replaced |= {(name, month) for name in names for month in change.added_or_removed_months}
    return frozenset(replaced)


def _as_read(due: Due, change: Change) -> Slices:
    """Return a mart's replaced slices as its readers see them: a month stands for every project."""
    if due.mart.slices is SliceKind.PROJECT_MONTH:
        return due.replaced
    return due.replaced | _every_project(months_of(due.replaced), change.before | change.after)


def _every_project(months: Collection[str], every: Slices) -> Slices:
    return frozenset(key for key in every if key[1] in months)


def newest_window(lookback: Lookback, months: Collection[str]) -> list[str]:
    """Return the months that a mart with slice `newest` reads."""
    return lookback.inputs(max(months), months) if months else []


def months_of(slices: Iterable[Slice]) -> set[str]:
    """Return the months of slices."""
    return {month for _, month in slices}


@dataclass(frozen=True)
class Window:
    """The months that a query over marts and charges must see besides those that it is about."""

    lookback: Lookback = field(default_factory=Lookback)
    is_newest: bool = False

    @property
    def is_none(self) -> bool:
        """Whether it sees no other months."""
        return self.lookback.is_none and not self.is_newest

    def months(self, about: Collection[str], present: Collection[str]) -> set[str]:
        """Return which of the present months to show to a query about some months."""
        seen = {m for month in about for m in self.lookback.inputs(month, present)}
        newest = newest_window(self.lookback, present) if self.is_newest else []
        return {*about, *seen, *newest}


def window_of(reads: Collection[str], ordered: Iterable[Mart]) -> Window:
    """Return the window of a query that reads marts, down to the charges that these come from.

    Args:
        reads: the tables that the query reads.
        ordered: all marts, each after those that it reads.
    """
    windows: dict[str, Window] = {}
    for mart in ordered:
        behind = _widest(windows, mart.reads)
        is_newest = behind.is_newest or mart.slices is SliceKind.NEWEST
        windows[mart.name] = Window(mart.lookback + behind.lookback, is_newest)
    return _widest(windows, reads)


def _widest(windows: Mapping[str, Window], names: Collection[str]) -> Window:
    read = [windows[name] for name in windows.keys() & set(names)]
    furthest = max((w.lookback for w in read), key=lambda b: (b.months, b.days), default=Lookback())
    return Window(furthest, any(window.is_newest for window in read))
