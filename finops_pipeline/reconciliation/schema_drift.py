"""What changed in a bill's columns: against the month before, and against AWS's dictionary.

Put here: comparing the columns that landed and saying it in plain words. Keep out: where it is
shown (reconcile.py, marts), keeping the columns themselves (landing, normalise.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from finops_pipeline.contracts import cur
from finops_pipeline.contracts.bills import FORMS, BillForm
from finops_pipeline.contracts.headers import header_of
from finops_pipeline.ledger.ledger import DeliveryRecord
from finops_pipeline.tenants.model import SourceFormat

_NAMED = 8
"""Columns that are named; of more only the number is told."""

_SAVED = {
    "SavingsPlanCoveredUsage": "savings_plan_savings_plan_effective_cost",
    "DiscountedUsage": "reservation_effective_cost",
}
"""Line item types whose effective cost stands in a column of its own."""


def drifts(deliveries: Iterable[DeliveryRecord]) -> dict[tuple[str, str], str]:
    """How columns differ from the source's month before, by (source, month); none: not there.

    Tag and cost category columns, which customers make, are only counted.

    Args:
        deliveries: the published ones of bills, by source and month.
    """
    told: dict[tuple[str, str], str] = {}
    before: DeliveryRecord | None = None
    known: dict[tuple[str, ...], list[str]] = {}
    for delivery in deliveries:
        if delivery.format not in _BILLS or not delivery.columns:
            continue
        form = FORMS[SourceFormat(delivery.format)]
        key = (delivery.format, *delivery.columns)
        if key not in known:
            known[key] = _unknown(form, delivery)
        said = _against(form, delivery, before) if _comparable(delivery, before) else []
        said += [*known[key], _list("costs are not amortized without", _missed(form, delivery))]
        words = "; ".join(filter(None, said))
        if words:
            told[delivery.source, delivery.billing_period] = words
        before = delivery
    return told


_BILLS = tuple(form.value for form in FORMS)


def _comparable(delivery: DeliveryRecord, before: DeliveryRecord | None) -> bool:
    same = before is not None and (before.source, before.format) == (
        delivery.source,
        delivery.format,
    )
    return same and before is not None and before.columns != delivery.columns


def _unknown(form: BillForm, delivery: DeliveryRecord) -> list[str]:
    lower = {name.lower() for name in delivery.columns}
    unknown = [header_of(name, lower) for name in form.unknown(delivery.columns)]
    return [_list("not in AWS's dictionary, kept in x_UnknownColumns", unknown)]


def _against(form: BillForm, delivery: DeliveryRecord, before: DeliveryRecord | None) -> list[str]:
    if before is None:
        return []
    now, then = _by_name(form, delivery), _by_name(form, before)
    added = {name: told for name, told in now.items() if name not in then}
    gone = {name: told for name, told in then.items() if name not in now}
    changed = [
        f"{now[name][0]} ({then[name][1]}, now {now[name][1]})"
        for name in now
        if name in then and _kind(now[name][1]) != _kind(then[name][1])
    ]

    def plain(columns: dict[str, tuple[str, str]]) -> list[str]:
        return [told[0] for name, told in columns.items() if not _is_tag(form, name)]

    tags = [
        f"{count} {word}"
        for columns, word in ((added, "added"), (gone, "gone"))
        if (count := len(columns) - len(plain(columns)))
    ]
    said = [
        _list("columns added", plain(added)),
        _list("columns gone", plain(gone)),
        _list("types changed", changed),
        _list("tag columns", tags),
    ]
    said = [part for part in said if part]
    return [f"since {before.billing_period} {said[0]}", *said[1:]] if said else []


def _by_name(form: BillForm, delivery: DeliveryRecord) -> dict[str, tuple[str, str]]:
    """Canonical name -> header and type; headers that differ only by case stay apart."""
    lower = {name.lower() for name in delivery.columns}
    found: dict[str, tuple[str, str]] = {}
    for name, kind in delivery.columns.items():
        header = header_of(name, lower)
        canonical = form.canonical(header)
        found[header if canonical in found else canonical] = (header, kind)
    return found


def _is_tag(form: BillForm, name: str) -> bool:
    return form.is_tag(form.canonical(name))


def _kind(type_: str) -> str:
    """Types between which a column may go unnoticed are one kind: times of any precision."""
    return "TIMESTAMP" if type_.startswith("TIMESTAMP") else type_


def _missed(form: BillForm, delivery: DeliveryRecord) -> Sequence[str]:
    """Columns that a subset lacks although its rows need them to be amortized."""
    if form.total != cur.TOTAL:
        return ()
    types = {total.line_item_type for total in delivery.totals} & set(_SAVED)
    if not types:
        return ()
    found = form.find(delivery.columns)
    return [_SAVED[kind] for kind in sorted(types) if _SAVED[kind] not in found]


def _list(words: str, names: Sequence[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{words}: {', '.join(names[:_NAMED])}{more}"
