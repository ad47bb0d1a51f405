"""Conditions in SQL for the rows of some months or slices.

Put here: their text, which a scan can use to skip rows. Keep out: which slices (due_slices.py).
"""

from __future__ import annotations

from collections.abc import Collection

from finops_pipeline.lake.duck import text


def among_months(months: Collection[str]) -> str:
    """Write the condition that a row is of one of these months."""
    return f"billing_period in ({_list(months)})" if months else "false"


def among_slices(slices: Collection[tuple[str, str]]) -> str:
    """Write the condition that a row is of one of these slices (project and month)."""
    names_of: dict[str, set[str]] = {}
    for name, month in slices:
        names_of.setdefault(month, set()).add(name)
    months_by_names: dict[frozenset[str], list[str]] = {}
    for month, names in names_of.items():
        months_by_names.setdefault(frozenset(names), []).append(month)
    parts = (
        f"{among_months(months)} and project in ({_list(names)})"
        for names, months in months_by_names.items()
    )
    return f"({' or '.join(sorted(parts)) or 'false'})"


def _list(values: Collection[str]) -> str:
    return ", ".join(map(text, sorted(values)))
