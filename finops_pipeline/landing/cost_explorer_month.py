"""Merge an answer of Cost Explorer with the days that have landed: one Parquet file per month.

Put here: what an answer replaces, a month's fingerprint, its record and file. Keep out: obtaining
answers (cost_explorer_answers.py), assigning costs to projects
(reconciliation/cost_explorer_daily.py).

Reads: landing, ledger   Writes: landing, ledger
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

from finops_pipeline import clock
from finops_pipeline.contracts.cost_explorer import LANDED, Answer, DayCost, Metric
from finops_pipeline.errors import EmptyDelivery, FileProblem, counted
from finops_pipeline.lake.duck import PARQUET, Limits, ident, scratch_connection, text
from finops_pipeline.lake.landing_records import LandingRecord
from finops_pipeline.lake.layout import LANDING
from finops_pipeline.lake.publish import Publication
from finops_pipeline.landing.landing_task import Landed, LandingOutcome, LandingTask
from finops_pipeline.ledger import cost_explorer_days, ledger
from finops_pipeline.ledger.ledger import DeliveryRecord, FileRecord, TotalRecord
from finops_pipeline.ledger.stored_files import Place
from finops_pipeline.money import exact_sum, plain
from finops_pipeline.tenants.model import Source
from finops_pipeline.tenants.months import month_of

_Key = tuple[date, str, str, str]
"""(day, account, service, currency); empty where the answer is not broken down by it."""


@dataclass(frozen=True)
class _Delivery:
    """A merged month of a source."""

    source: Source
    month: str
    id: str


@dataclass(frozen=True)
class _Amounts:
    """A landed row's amounts, whether AWS calls them estimated, and when they were requested."""

    unblended: Decimal | None
    amortized: Decimal | None
    estimated: bool | None
    requested_at: str


def land_answer(
    task: LandingTask, month: str, answer: Answer, file: FileRecord | None = None
) -> Landed:
    """Merge an answer for days of one month with what has landed of it, and publish the month.

    Args:
        file: the file that the answer was read from, if any.

    Raises:
        EmptyDelivery: a month that has published costs would have none.
        FileProblem: the days have landed with another breakdown, so costs would count twice.
        DamagedFile: what has landed of the month was changed.
    """
    writer, source = task.writer, task.source
    before = writer.ledger.delivery(source.name, month)
    with writer.publication() as publication:
        landed = _read_landed(publication, task, month)
        merged = _merge(landed or {}, answer, clock.now().isoformat())
        _check_breakdown(merged, answer, source.name)
        if before and before.rows_kept and not merged:
            raise EmptyDelivery(
                f"{answer.origin} reports no costs for {month}, which has"
                f" {counted(before.rows_kept, 'published row')}",
                "an answer with costs",
                "The published month stays; run again later",
            )
        answered = cost_explorer_days.read_days(writer.ledger, source.name)
        before_days = {day: flag for day, flag in answered.items() if month_of(day) == month}
        lost = before_days.keys() - answer.days.keys() if landed is None else set()
        days = {day: flag for day, flag in before_days.items() if day not in lost} | answer.days
        delivery_id = _fingerprint(source, month, merged, days)
        if before and before.delivery_id == delivery_id and (landed or not merged):
            return Landed(LandingOutcome.UNCHANGED, before)
        record = _record(_Delivery(source, month, delivery_id), merged, answer, file)
        place = Place(LANDING, source.name, month)
        if merged:
            staged = publication.scratch("landing.parquet")
            _write(publication, merged, staged, task.limits)
            file_in_store = publication.put(place, staged)
            publication.record_landing(LandingRecord(record, file_in_store, days=days))
        else:
            publication.drop(place)
        publication.record(
            ledger.record_delivery(record),
            cost_explorer_days.record_days(source.name, answer.days),
            cost_explorer_days.forget_days(source.name, lost),
        )
        publication.commit()
    note = _describe_lost(month, lost, answer) if landed is None else ""
    return Landed(LandingOutcome.LANDED if merged else LandingOutcome.EMPTY, record, note)


def _describe_lost(month: str, lost: Iterable[date], answer: Answer) -> str:
    """Say what was lost with the landed file and is not in the answer either."""
    count = len(set(lost))
    parts = [counted(count, "other day")] if count else []
    parts += [f"the {metric.value} costs" for metric in Metric if metric not in answer.metrics]
    if not parts:
        return ""
    return f"what had landed of {month} is lost; import again: {' and '.join(parts)}"


def _read_landed(
    publication: Publication, task: LandingTask, month: str
) -> dict[_Key, _Amounts] | None:
    """Read the rows that have landed of a month; None if their file is lost.

    Raises:
        DamagedFile, ForeignFile: the file is not the one that was published.
    """
    path = publication.current(LANDING, task.source.name, month)
    if path is None:
        return {}
    if not path.exists():
        return None
    publication.checked(LANDING, task.source.name, month)
    names = ", ".join(ident(column.name) for column in LANDED)
    with scratch_connection(publication.spill, task.limits) as connection:
        rows = connection.execute(
            f"select {names} from read_parquet({text(str(path))}, hive_partitioning = false)"
        ).fetchall()
    return {
        (row[0], row[1] or "", row[2] or "", row[3]): _Amounts(row[4], row[5], row[6], row[7])
        for row in rows
    }


def _merge(landed: dict[_Key, _Amounts], answer: Answer, now: str) -> dict[_Key, _Amounts]:
    """Merge an answer with landed rows: its own days are replaced, all others stay."""
    merged: dict[_Key, _Amounts] = {}
    for key, row in landed.items():
        if key[0] in answer.days:
            row = replace(
                row,
                unblended=None if Metric.UNBLENDED in answer.metrics else row.unblended,
                amortized=None if Metric.AMORTIZED in answer.metrics else row.amortized,
            )
        merged[key] = row
    for cost in answer.rows:
        key = (cost.day, cost.account or "", cost.service or "", cost.currency)
        other = merged.get(key, _Amounts(None, None, None, now))
        merged[key] = _Amounts(
            cost.unblended if Metric.UNBLENDED in answer.metrics else other.unblended,
            cost.amortized if Metric.AMORTIZED in answer.metrics else other.amortized,
            answer.days[cost.day],
            now,
        )
    has_amount = {k for k, r in merged.items() if (r.unblended, r.amortized) != (None, None)}
    return {key: merged[key] for key in sorted(has_amount)}


def _check_breakdown(merged: Iterable[_Key], answer: Answer, source: str) -> None:
    """Check that a day has one breakdown only: with two, its costs would count twice.

    A day is broken down by account, by service or by both.
    """
    breakdowns: dict[date, tuple[bool, bool]] = {}
    for day, account, service, _ in merged:
        breakdown = (bool(account), bool(service))
        if day in answer.days and breakdowns.setdefault(day, breakdown) != breakdown:
            raise FileProblem(
                f"{answer.origin} breaks {day} down by {_breakdown_of(answer)}, but source"
                f" {source} has costs of that day with another breakdown",
                "one breakdown for a day: by service, by account, or by both",
                "Declare a source for each breakdown (format cost-explorer, no location)",
            )


def _breakdown_of(answer: Answer) -> str:
    first: DayCost = answer.rows[0]
    dimensions = {"service": first.service, "account": first.account}
    return " and ".join(name for name, value in dimensions.items() if value)


def _fingerprint(
    source: Source, month: str, rows: dict[_Key, _Amounts], days: dict[date, bool | None]
) -> str:
    """Compute a delivery's fingerprint from its amounts and its days, final or not."""
    hasher = hashlib.sha256(f"{source.name}\n{source.format.value}\n{month}".encode())
    for day, estimated in sorted(days.items()):
        hasher.update(f"\n{day}|{estimated}".encode())
    for key, row in rows.items():
        amounts = [a if a is None else plain(a) for a in (row.unblended, row.amortized)]
        hasher.update(f"\n{[str(part) for part in key]}|{amounts}".encode())
    return hasher.hexdigest()


def _record(
    delivery: _Delivery, rows: dict[_Key, _Amounts], answer: Answer, file: FileRecord | None
) -> DeliveryRecord:
    by_breakdown: dict[tuple[str, str, str], list[Decimal]] = {}
    for (_, account, service, currency), row in rows.items():
        amounts = by_breakdown.setdefault((currency, account, service), [])
        amounts.append(row.unblended if row.unblended is not None else Decimal(0))
    return DeliveryRecord(
        delivery_id=delivery.id,
        source=delivery.source.name,
        billing_period=delivery.month,
        format=delivery.source.format.value,
        execution_id="",
        manifest=answer.origin,
        listing_fingerprint=delivery.id,
        landed_at=clock.now().isoformat(),
        size_bytes=file.size_bytes if file else 0,
        rows_read=len(rows),
        rows_kept=len(rows),
        rows_quarantined=0,
        values_rounded=answer.values_rounded,
        files=(replace(file, rows=len(answer.rows)),) if file else (),
        totals=tuple(
            TotalRecord(currency, account, "", len(amounts), exact_sum(amounts), service)
            for (currency, account, service), amounts in sorted(by_breakdown.items())
        ),
        columns={column.name: column.type for column in LANDED},
    )


def _write(
    publication: Publication, rows: dict[_Key, _Amounts], target: Path, limits: Limits
) -> None:
    """Write rows as Parquet; an amount with more than 18 decimals raises `pyarrow.ArrowInvalid`."""
    table = pa.Table.from_pylist(
        [
            {
                "charge_date": day,
                "sub_account_id": account or None,
                "service_name": service or None,
                "billing_currency": currency,
                "unblended_cost": amounts.unblended,
                "amortized_cost": amounts.amortized,
                "estimated": amounts.estimated,
                "asked_at": amounts.requested_at,
            }
            for (day, account, service, currency), amounts in rows.items()
        ],
        schema=_SCHEMA,
    )
    names = ", ".join(f"{ident(c.name)}::{c.type} as {ident(c.name)}" for c in LANDED)
    with scratch_connection(publication.spill, limits) as connection:
        connection.register("x_answer", table)
        connection.execute(
            f"copy (select {names} from x_answer) to {text(str(target))} ({PARQUET})"
        )


_SCHEMA = pa.schema(
    [
        ("charge_date", pa.date32()),
        ("sub_account_id", pa.string()),
        ("service_name", pa.string()),
        ("billing_currency", pa.string()),
        ("unblended_cost", pa.decimal128(38, 18)),
        ("amortized_cost", pa.decimal128(38, 18)),
        ("estimated", pa.bool_()),
        ("asked_at", pa.string()),
    ]
)
"""The columns of `LANDED` (contracts/cost_explorer.py) in Arrow's types."""
