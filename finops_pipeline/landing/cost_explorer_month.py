"""Lay an answer of Cost Explorer over the days that have landed: one Parquet file per month.

Put here: what is replaced and what stays, a month's identity, its record and file. Keep out:
where answers come from (cost_explorer_answers.py), whose costs they are
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

from finops_pipeline import clock
from finops_pipeline.contracts.cost_explorer import LANDED, Answer, DayCost, Metric
from finops_pipeline.errors import EmptyDelivery, FileProblem
from finops_pipeline.lake import files
from finops_pipeline.lake.duck import PARQUET, Limits, ident, scratch_connection, text
from finops_pipeline.lake.layout import LANDING
from finops_pipeline.lake.publish import Publication, Writer
from finops_pipeline.landing.land import Landed
from finops_pipeline.ledger import cost_explorer_days as explorer
from finops_pipeline.ledger import ledger
from finops_pipeline.ledger.ledger import DeliveryRecord, FileRecord, TotalRecord
from finops_pipeline.money import exact_sum, plain
from finops_pipeline.tenants.model import Source
from finops_pipeline.tenants.months import month_of

_Key = tuple[date, str, str, str]
"""(day, account, service, currency); empty where the answer is not cut by it."""


@dataclass(frozen=True)
class _Kept:
    """A landed row's amounts, and what was said of them when."""

    unblended: Decimal | None
    amortized: Decimal | None
    estimated: bool | None
    asked_at: str


def land_answer(
    writer: Writer,
    source: Source,
    month: str,
    answer: Answer,
    limits: Limits,
    file: FileRecord | None = None,
) -> Landed:
    """Lay an answer for days of one month over what has landed of it, and publish the month.

    Raises:
        EmptyDelivery: nothing would be left where costs are published.
        FileProblem: the days have landed in another cut; both would count twice.
    """
    before = writer.ledger.delivery(source.name, month)
    with writer.publication() as publication:
        kept = _landed_rows(publication, source, month, limits)
        merged = _merge(kept, answer, clock.now().isoformat())
        _one_cut(merged, answer, source.name)
        if before and before.rows_kept and not merged:
            raise EmptyDelivery(
                f"{answer.said_by} says nothing was spent in {month}, where {before.rows_kept}"
                " rows are published",
                "an answer with costs",
                "The published month stays; ask again later",
            )
        known = explorer.read_days(writer.ledger, source.name) | answer.days
        days = {day: said for day, said in known.items() if month_of(day) == month}
        identity = _identity(source, month, merged, days)
        if before and before.delivery_id == identity and (kept or not merged):
            return Landed("unchanged", before)
        record = _record(source, month, merged, answer, identity, file)
        final = writer.folder.partition(LANDING, source.name, month)
        if merged:
            _write(publication, merged, publication.stage(final), limits)
        else:
            publication.drop(final)
        publication.record(
            ledger.record_delivery(record), explorer.record_days(source.name, answer.days)
        )
        publication.commit()
    return Landed("landed" if merged else "empty", record)


def _landed_rows(
    publication: Publication, source: Source, month: str, limits: Limits
) -> dict[_Key, _Kept]:
    path = publication.folder.partition(LANDING, source.name, month)
    if not path.exists():
        return {}
    names = ", ".join(ident(column.name) for column in LANDED)
    with scratch_connection(publication.spill, limits) as connection:
        rows = connection.execute(
            f"select {names} from read_parquet({text(str(path))}, hive_partitioning = false)"
        ).fetchall()
    return {
        (row[0], row[1] or "", row[2] or "", row[3]): _Kept(row[4], row[5], row[6], row[7])
        for row in rows
    }


def _merge(kept: dict[_Key, _Kept], answer: Answer, now: str) -> dict[_Key, _Kept]:
    """What is known after an answer: other days as they were, its own days as it says."""
    merged: dict[_Key, _Kept] = {}
    for key, row in kept.items():
        if key[0] in answer.days:
            row = replace(
                row,
                unblended=None if Metric.UNBLENDED in answer.metrics else row.unblended,
                amortized=None if Metric.AMORTIZED in answer.metrics else row.amortized,
            )
        merged[key] = row
    for said in answer.rows:
        key = (said.day, said.account or "", said.service or "", said.currency)
        other = merged.get(key, _Kept(None, None, None, now))
        merged[key] = _Kept(
            said.unblended if Metric.UNBLENDED in answer.metrics else other.unblended,
            said.amortized if Metric.AMORTIZED in answer.metrics else other.amortized,
            answer.days[said.day],
            now,
        )
    return {k: r for k, r in sorted(merged.items()) if (r.unblended, r.amortized) != (None, None)}


def _one_cut(merged: Iterable[_Key], answer: Answer, source: str) -> None:
    """A day is cut by account, by service or by both: the sum over two cuts would be double."""
    cuts: dict[date, tuple[bool, bool]] = {}
    for day, account, service, _ in merged:
        cut = (bool(account), bool(service))
        if day in answer.days and cuts.setdefault(day, cut) != cut:
            raise FileProblem(
                f"{answer.said_by} cuts {day} by {_cut_words(answer)}, and source {source} has"
                " costs of that day cut otherwise",
                "one cut for a day: by service, by account, or by both",
                "Give each cut a source of its own (format cost-explorer, without a location)",
            )


def _cut_words(answer: Answer) -> str:
    one: DayCost = answer.rows[0]
    return " and ".join(
        word for word, said in (("service", one.service), ("account", one.account)) if said
    )


def _identity(
    source: Source, month: str, rows: dict[_Key, _Kept], days: dict[date, bool | None]
) -> str:
    """The same amounts and the same days, final or not, are the same delivery."""
    digest = hashlib.sha256(f"{source.name}\n{source.format.value}\n{month}".encode())
    for day, said in sorted(days.items()):
        digest.update(f"\n{day}|{said}".encode())
    for key, row in rows.items():
        amounts = [a if a is None else plain(a) for a in (row.unblended, row.amortized)]
        digest.update(f"\n{[str(part) for part in key]}|{amounts}".encode())
    return digest.hexdigest()


def _record(
    source: Source,
    month: str,
    rows: dict[_Key, _Kept],
    answer: Answer,
    identity: str,
    file: FileRecord | None,
) -> DeliveryRecord:
    by_cut: dict[tuple[str, str, str], list[Decimal]] = {}
    for (_, account, service, currency), row in rows.items():
        amounts = by_cut.setdefault((currency, account, service), [])
        amounts.append(row.unblended if row.unblended is not None else Decimal(0))
    return DeliveryRecord(
        delivery_id=identity,
        source=source.name,
        billing_period=month,
        format=source.format.value,
        execution_id="",
        manifest=answer.said_by,
        listing_fingerprint=identity,
        landed_at=clock.now().isoformat(),
        size_bytes=file.size_bytes if file else 0,
        rows_read=len(rows),
        rows_kept=len(rows),
        rows_quarantined=0,
        values_rounded=answer.values_rounded,
        files=(replace(file, rows=len(answer.rows)),) if file else (),
        totals=tuple(
            TotalRecord(currency, account, "", len(amounts), exact_sum(amounts), service)
            for (currency, account, service), amounts in sorted(by_cut.items())
        ),
        columns={column.name: column.type for column in LANDED},
    )


def _write(publication: Publication, rows: dict[_Key, _Kept], target: Path, limits: Limits) -> None:
    """Rows as Parquet, by way of a CSV: DuckDB takes single rows from Python slowly."""
    scratch = publication.scratch("explorer.csv")
    files.write_csv(
        scratch,
        (
            [
                *(key[0].isoformat(), key[1], key[2], key[3]),
                *("" if a is None else format(a, "f") for a in (row.unblended, row.amortized)),
                "" if row.estimated is None else str(row.estimated).lower(),
                row.asked_at,
            ]
            for key, row in rows.items()
        ),
    )
    names = ", ".join(f"{text(column.name)}: 'VARCHAR'" for column in LANDED)
    typed = ", ".join(
        f"cast(nullif({ident(c.name)}, '') as {c.type}) as {ident(c.name)}" for c in LANDED
    )
    with scratch_connection(publication.spill, limits) as connection:
        connection.execute(
            f"copy (select {typed} from read_csv({text(str(scratch))}, auto_detect = false,"
            " header = false, delim = ',', quote = '\"', escape = '\"', new_line = '\\n',"
            f" allow_quoted_nulls = false, columns = {{{names}}})) to {text(str(target))}"
            f" ({PARQUET})"
        )
