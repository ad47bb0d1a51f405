"""The section `shared_costs` of a tenant: rules between its entries, merging and renaming.

Put here: what holds for all entries together, and what changed. Keep out: one entry
(shared_cost.py), the tables made of them (marts/shared_cost_tables.py).

The section is declared as a whole: a file that has it replaces all of it, because the order of
entries decides which of them takes a charge. A file without it changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from graphlib import CycleError, TopologicalSorter
from itertools import product
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from finops_pipeline.errors import RegistryError, did_you_mean
from finops_pipeline.tenants.shared_cost import CostKind, SharedCost, SplitMethod

_MAX_ENTRIES = 200


def _list_nothing(value: object) -> object:
    return () if value is None else value


def _check_section(entries: tuple[SharedCost, ...]) -> tuple[SharedCost, ...]:
    """Check the rules between entries.

    Raises:
        RegistryError: an entry breaks one; the message names it.
    """
    if len(entries) > _MAX_ENTRIES:
        raise RegistryError(f"shared_costs: {len(entries):,} entries", f"up to {_MAX_ENTRIES}")
    names = [entry.name for entry in entries]
    for entry in entries:
        if names.count(entry.name) > 1:
            raise entry.error("is declared twice", "each name once", "Rename one of them")
        for name in entry.after:
            if name not in names:
                raise entry.error(
                    f"comes after {name!r}, which is not declared",
                    f"one of: {', '.join(n for n in names if n != entry.name) or '(none)'}",
                    did_you_mean(name, names) + "Declare it, or correct `after`",
                )
    split_order(entries)
    _check_each_takes_something(entries)
    return entries


SharedCosts = Annotated[
    tuple[SharedCost, ...], BeforeValidator(_list_nothing), AfterValidator(_check_section)
]


def split_order(entries: Iterable[SharedCost]) -> dict[str, int]:
    """Return in which step each is split: after those that it passes on.

    Raises:
        RegistryError: some come after each other in a circle.
    """
    after = {entry.name: set(entry.after) for entry in entries}
    try:
        ordered = list(TopologicalSorter(after).static_order())
    except CycleError as error:
        circle = " after ".join(repr(name) for name in reversed(error.args[1]))
        raise RegistryError(
            f"shared_costs: {circle}: they come after each other in a circle",
            "an order in which each is split before it is passed on",
            "Leave out one of the `after`",
        ) from error
    steps: dict[str, int] = {}
    for name in ordered:
        steps[name] = 1 + max((steps[other] for other in after[name]), default=0)
    return steps


def _check_each_takes_something(entries: Sequence[SharedCost]) -> None:
    """Check that earlier entries leave each entry some charges: each charge has one taker."""
    for position, entry in enumerate(entries):
        earlier = [other for other in entries[:position] if other.covers(entry)]
        taken = {cell for other in earlier for cell in _cells(other, entries)}
        if set(_cells(entry, entries)) <= taken:
            others = " and ".join(repr(other.name) for other in earlier)
            raise entry.error(
                f"takes no charge: {others}, declared before it, takes all of them",
                "the one with fewer charges first: the first that matches takes a charge",
                "Move it up, or leave it out",
            )


_OTHER = "(other)"


def _cells(entry: SharedCost, entries: Iterable[SharedCost]) -> Iterator[tuple[str, str]]:
    """Yield the pairs of kind and project that an entry takes, if entries tell them apart."""
    named = {name for each in entries for name in each.projects}
    kinds = entry.kinds or [*(kind.value for kind in CostKind), _OTHER]
    yield from product(kinds, entry.projects or [*sorted(named), _OTHER])


def check_shared_projects(
    tenant: str, entries: Iterable[SharedCost], projects: Iterable[str]
) -> None:
    """Check that every project that entries name exists.

    Raises:
        RegistryError: one does not.
    """
    names = sorted(set(projects))
    for entry in entries:
        for name in (*entry.projects, *entry.listed_receivers):
            if name not in names:
                error = entry.error(
                    f"names the project {name!r}, which is not declared",
                    f"one of: {', '.join(names)}",
                    did_you_mean(name, names) + "Declare the project, or correct the name",
                )
                found = f"tenant {tenant}, {error.found}"
                raise RegistryError(found, error.expected, error.cure)


def check_receivers(tenant: str, entries: Iterable[SharedCost], disabled: Set[str]) -> None:
    """Check that no entry lists a disabled project as a receiver.

    The charges of a disabled project are in `unassigned`: nothing may be added to it.

    Raises:
        RegistryError: one does.
    """
    for entry in entries:
        for name in entry.listed_receivers:
            if name in disabled:
                error = entry.error(f"gives a part to the project {name!r}, which is disabled", "")
                raise RegistryError(
                    f"tenant {tenant}, {error.found}",
                    "active projects as receivers",
                    f"Leave {name} out of this entry in tenants.yaml, and declare it again: finops"
                    " apply tenants.yaml",
                )


def check_metrics(
    tenant: str, entries: Iterable[SharedCost], before: Iterable[SharedCost], metrics: Iterable[str]
) -> None:
    """Check that the business metrics of new entries have been loaded.

    Raises:
        RegistryError: one has not.
    """
    names, stored = sorted(set(metrics)), list(before)
    for entry in entries:
        if entry.method is SplitMethod.METRIC and entry.metric not in names:
            if entry in stored:
                continue
            error = entry.error(
                f"is split by the metric {entry.metric!r}, which has no values",
                f"one of: {', '.join(names) or '(none loaded)'}",
                did_you_mean(entry.metric, names)
                + f"Load its values first: finops metrics load {tenant} FILE",
            )
            raise RegistryError(f"tenant {tenant}, {error.found}", error.expected, error.cure)


def rename_shared_project(
    entries: Iterable[SharedCost], old: str, new: str
) -> tuple[SharedCost, ...]:
    """Return entries that name a project by its new name."""

    def renamed(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(new if name == old else name for name in names)

    return tuple(
        entry.model_copy(
            update={
                "projects": renamed(entry.projects),
                "receivers": renamed(entry.receivers),
                "shares": dict(zip(renamed(entry.shares), entry.shares.values(), strict=True)),
            }
        )
        for entry in entries
    )


def list_shared_changes(
    tenant: str, old: Sequence[SharedCost], new: Sequence[SharedCost]
) -> list[str]:
    """Describe what a declaration changes, a line per entry; empty if nothing."""
    before, after = ({e.name: e.in_words for e in entries} for entries in (old, new))
    lines = [f"+ shared cost {tenant}/{n}: {after[n]}" for n in after if n not in before]
    lines += [
        f"~ shared cost {tenant}/{n}: {before[n]} -> {after[n]}"
        for n in after
        if n in before and before[n] != after[n]
    ]
    lines += [f"- shared cost {tenant}/{n}" for n in before if n not in after]
    common = [[n for n in names if n in before and n in after] for names in (before, after)]
    if common[0] != common[1]:
        lines.append(f"~ shared costs {tenant}: order {', '.join(common[1])}")
    return lines
