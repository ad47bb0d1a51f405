"""Changes in a bill's columns since the month before, and differences from AWS's dictionary.

Put here: comparing landed columns and describing the differences. Keep out: where they are shown
(statuses.py, marts), recording the columns (landing, focus/normalise.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from finops_pipeline.contracts import cur
from finops_pipeline.contracts.bills import FORMS, BillForm
from finops_pipeline.contracts.headers import header_of
from finops_pipeline.ledger.ledger import DeliveryRecord
from finops_pipeline.tenants.model import SourceFormat

_LISTED = 8
"""Maximum number of columns listed by name; the rest are only counted."""

_EFFECTIVE_COST_COLUMNS = {
    "SavingsPlanCoveredUsage": "savings_plan_savings_plan_effective_cost",
    "DiscountedUsage": "reservation_effective_cost",
}
"""Line item types whose effective cost has its own column."""

_BILL_FORMATS = tuple(form.value for form in FORMS)

_Columns = dict[str, tuple[str, str]]
"""Canonical name -> header as delivered, type as landed."""


def describe_drifts(deliveries: Iterable[DeliveryRecord]) -> dict[tuple[str, str], str]:
    """Describe how columns differ from the month before, by (source, month).

    A month without differences has no entry. Tag and cost category columns, which customers
    create, are only counted.

    Args:
        deliveries: the current deliveries, by source and month.
    """
    drifts: dict[tuple[str, str], str] = {}
    before: DeliveryRecord | None = None
    undocumented: dict[tuple[str, ...], str] = {}
    for delivery in deliveries:
        if delivery.format not in _BILL_FORMATS or not delivery.columns:
            continue
        form = FORMS[SourceFormat(delivery.format)]
        key = (delivery.format, *delivery.columns)
        if key not in undocumented:
            undocumented[key] = _describe_undocumented(form, delivery)
        missing = _missing_columns(form, delivery)
        parts = [*_describe_changes(form, delivery, before)] if before else []
        parts += [undocumented[key], _listed("missing, so costs are not amortized", missing)]
        if drift := "; ".join(filter(None, parts)):
            drifts[delivery.source, delivery.billing_period] = drift
        before = delivery
    return drifts


def _describe_undocumented(form: BillForm, delivery: DeliveryRecord) -> str:
    lower = {name.lower() for name in delivery.columns}
    headers = [header_of(name, lower) for name in form.unknown(delivery.columns)]
    return _listed("not in AWS's dictionary, kept in x_UnknownColumns", headers)


def _describe_changes(
    form: BillForm, delivery: DeliveryRecord, before: DeliveryRecord
) -> list[str]:
    """Describe columns that were added, removed or changed type; empty for another source."""
    if (before.source, before.format) != (delivery.source, delivery.format):
        return []
    if before.columns == delivery.columns:
        return []
    new, old = _by_canonical_name(form, delivery), _by_canonical_name(form, before)
    added = {name: column for name, column in new.items() if name not in old}
    removed = {name: column for name, column in old.items() if name not in new}
    changed = [
        f"{new[name][0]} ({old[name][1]}, now {new[name][1]})"
        for name in new
        if name in old and _type_family(new[name][1]) != _type_family(old[name][1])
    ]
    parts = [
        _listed("columns added", _headers_without_tags(form, added)),
        _listed("columns removed", _headers_without_tags(form, removed)),
        _listed("types changed", changed),
        _listed("tag columns", _count_tags(form, added=added, removed=removed)),
    ]
    parts = [part for part in parts if part]
    return [f"since {before.billing_period}, {parts[0]}", *parts[1:]] if parts else []


def _by_canonical_name(form: BillForm, delivery: DeliveryRecord) -> _Columns:
    """Return a delivery's columns by canonical name; headers that differ by case stay apart."""
    lower = {name.lower() for name in delivery.columns}
    columns: _Columns = {}
    for name, type_ in delivery.columns.items():
        header = header_of(name, lower)
        canonical = form.canonical(header)
        columns[header if canonical in columns else canonical] = (header, type_)
    return columns


def _headers_without_tags(form: BillForm, columns: _Columns) -> list[str]:
    return [header for name, (header, _) in columns.items() if not _is_tag(form, name)]


def _count_tags(form: BillForm, *, added: _Columns, removed: _Columns) -> list[str]:
    return [
        f"{count} {change}"
        for columns, change in ((added, "added"), (removed, "removed"))
        if (count := len(columns) - len(_headers_without_tags(form, columns)))
    ]


def _is_tag(form: BillForm, name: str) -> bool:
    return form.is_tag(form.canonical(name))


def _type_family(type_: str) -> str:
    """Return a type's family; changes within it (times of any precision) are not reported."""
    return "TIMESTAMP" if type_.startswith("TIMESTAMP") else type_


def _missing_columns(form: BillForm, delivery: DeliveryRecord) -> Sequence[str]:
    """List columns that the export omits although its rows need them for amortized cost."""
    if form.total != cur.TOTAL:
        return ()
    types = {total.line_item_type for total in delivery.totals} & set(_EFFECTIVE_COST_COLUMNS)
    if not types:
        return ()
    present = form.find(delivery.columns)
    needed = [_EFFECTIVE_COST_COLUMNS[line_item_type] for line_item_type in sorted(types)]
    return [column for column in needed if column not in present]


def _listed(label: str, names: Sequence[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{label}: {', '.join(names[:_LISTED])}{more}"
