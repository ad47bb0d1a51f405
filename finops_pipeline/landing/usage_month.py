"""Months of metrics: what a run asked replaces the same days of the same series, all else stays.

Put here: merging rows and the record of what was asked, and writing the files of a month. Keep out:
asking (usage_landing.py), the shape of rows (usage_shape.py), projects
(focus/resource_metric_partitions.py).

Reads: cloudwatch, cloudwatch_coverage   Writes: cloudwatch, cloudwatch_coverage, quarantine
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from finops_pipeline.contracts.column import Column
from finops_pipeline.contracts.resource_usage import LANDED_ASKED, LANDED_DAYS, SERIES
from finops_pipeline.errors import DamagedFile, ForeignFile
from finops_pipeline.lake.duck import PARQUET, Connection, text
from finops_pipeline.lake.file_owners import owner_option
from finops_pipeline.lake.layout import CLOUDWATCH, CLOUDWATCH_COVERAGE, QUARANTINE
from finops_pipeline.lake.publish import Publication
from finops_pipeline.ledger.stored_files import Place
from finops_pipeline.sources.inventory_records import RejectedRecord
from finops_pipeline.tenants.months import end_day, first_day, month_of

_KEY = "account_id, region_id, resource_type, resource_id, metric_name"


@dataclass(frozen=True)
class AskedSeriesDays:
    """A series, the days that were asked (first and last), and how the request ended."""

    key: tuple[str, ...]
    first: date
    last: date
    state: str
    permission: str | None = None
    reason: str | None = None


@dataclass
class Chunk:
    """What some requests to a source brought: rows, what was asked, and what was left out."""

    source: str
    today: date
    rows: list[pl.DataFrame] = field(default_factory=list)
    asked: list[AskedSeriesDays] = field(default_factory=list)
    rejected: list[RejectedRecord] = field(default_factory=list)

    @property
    def months(self) -> list[str]:
        """The months of the asked days."""
        return sorted({month for each in self.asked for month in _months_of(each)})


def _months_of(asked: AskedSeriesDays) -> set[str]:
    days = (asked.last - asked.first).days + 1
    return {month_of(asked.first + timedelta(days=n)) for n in (*range(0, days, 28), days - 1)}


def put_chunk(connection: Connection, publication: Publication, chunk: Chunk) -> int:
    """Put the changed months of a source on a publication; return how many rows it now has new."""
    frame = pl.concat(chunk.rows) if chunk.rows else None
    new = 0
    connection.execute("create or replace temp table x_new as " + _empty(LANDED_DAYS))
    if frame is not None and frame.height:
        connection.register("x_rows", frame.to_arrow())
        names = ", ".join(column.name for column in LANDED_DAYS)
        connection.execute(f"insert into x_new select {names} from x_rows")
        connection.unregister("x_rows")
        new = frame.height
    for month in chunk.months:
        _store_asked(connection, chunk, month)
        _put_rows(connection, publication, Place(CLOUDWATCH, chunk.source, month))
        _put_asked(connection, publication, Place(CLOUDWATCH_COVERAGE, chunk.source, month))
    _put_rejected(connection, publication, chunk)
    return new


def _empty(columns: Sequence[Column]) -> str:
    nulls = ", ".join(f"null::{column.type} as {column.name}" for column in columns)
    return f"select {nulls} where false"


def _store_asked(connection: Connection, chunk: Chunk, month: str) -> None:
    """Create the table `x_asked`: what was asked of a month."""
    first, last = first_day(month), end_day(month) - timedelta(days=1)
    rows = [
        (
            *each.key,
            max(each.first, first).isoformat(),
            min(each.last, last).isoformat(),
            chunk.today.isoformat(),
            each.state,
            each.permission,
            each.reason,
        )
        for each in chunk.asked
        if each.first <= last and each.last >= first
    ]
    columns = [list(values) for values in zip(*rows, strict=True)]
    casts = ", ".join(f"unnest(?::varchar[])::{c.type} as {c.name}" for c in LANDED_ASKED)
    connection.execute(f"create or replace temp table x_asked as select {casts}", columns)


def _put_rows(connection: Connection, publication: Publication, place: Place) -> None:
    """Replace the asked days of a month, unless the request failed: then what was known stays."""
    month, names = place.billing_period, ", ".join(c.name for c in LANDED_DAYS)
    known = read_landed(publication, place, LANDED_DAYS)
    answered = f"select {_KEY}, first_day, last_day from x_asked where state in"
    answered += " ('collected', 'no data')"
    merged = (
        f"select {names} from ({known}) as known where not exists (select 1 from ({answered}) as a"
        f" where {_same('a', 'known')} and known.day between a.first_day and a.last_day)"
        f" union all select {names} from x_new where strftime(day, '%Y-%m') = {text(month)}"
    )
    ((count,),) = connection.execute(f"select count(*) from ({merged})").fetchall()
    if not count:
        publication.drop(place)
        return
    staged = publication.scratch(f"cloudwatch-{month}.parquet")
    _copy(connection, publication, (f"{merged} order by {_KEY}, day", staged))
    publication.put_values(place, staged)


def _put_asked(connection: Connection, publication: Publication, place: Place) -> None:
    """Merge what was asked with earlier requests; a failure does not forget what is known."""
    names = ", ".join(column.name for column in LANDED_ASKED)
    known = read_landed(publication, place, LANDED_ASKED)
    is_answer = "fresh.state in ('collected', 'no data')"
    merged = (
        f"select {names} from ({known}) as known where not exists"
        f" (select 1 from x_asked where {_same('x_asked', 'known')}) union all"
        f" select {', '.join(f'fresh.{c.name}' for c in SERIES)},"
        f" case when {is_answer} then least(fresh.first_day, known.first_day)"
        " else known.first_day end,"
        f" case when {is_answer} then greatest(fresh.last_day, known.last_day)"
        " else known.last_day end,"
        " fresh.asked_on, fresh.state, fresh.permission, fresh.reason"
        f" from x_asked as fresh left join ({known}) as known on {_same('fresh', 'known')}"
    )
    staged = publication.scratch(f"asked-{place.billing_period}.parquet")
    _copy(connection, publication, (f"{merged} order by {_KEY}", staged))
    publication.put_values(place, staged)


def _same(one: str, other: str) -> str:
    return " and ".join(f"{one}.{c.name} = {other}.{c.name}" for c in SERIES)


def _copy(connection: Connection, publication: Publication, work: tuple[str, Path]) -> None:
    query, staged = work
    owner = owner_option(publication.folder.identity)
    connection.execute(f"copy ({query}) to {text(str(staged))} ({PARQUET}, {owner})")


def read_landed(publication: Publication, place: Place, columns: Sequence[Column]) -> str:
    """Return SQL of a landed month; a file that is lost is as if it had never been asked."""
    names = ", ".join(column.name for column in columns)
    try:
        path = publication.checked(place.table_name, place.key, place.billing_period)
    except (DamagedFile, ForeignFile):
        path = None
    if path is None:
        return _empty(columns)
    return f"select {names} from read_parquet({text(str(path))}, hive_partitioning = false)"


def _put_rejected(connection: Connection, publication: Publication, chunk: Chunk) -> None:
    """Put what a run left out into the quarantine of the newest month that it asked."""
    if not chunk.rejected:
        return
    place = Place(QUARANTINE, chunk.source, chunk.months[-1])
    columns: list[list[object]] = [
        [record.place for record in chunk.rejected],
        [record.number for record in chunk.rejected],
        [record.reason for record in chunk.rejected],
        [record.raw_text for record in chunk.rejected],
    ]
    staged = publication.scratch("rejected.parquet")
    connection.execute(
        "create or replace temp table x_rejected as select unnest(?::varchar[]) as source_file,"
        " unnest(?::bigint[]) as line, unnest(?::varchar[]) as reason,"
        " unnest(?::varchar[]) as raw_text",
        columns,
    )
    connection.execute(f"copy x_rejected to {text(str(staged))} ({PARQUET})")
    publication.put(place, staged)
