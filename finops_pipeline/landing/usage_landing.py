"""Landing CloudWatch's metrics: which series and days are due, and asking for them in chunks.

Put here: the plan of a run, its estimate, and publishing what each chunk brought. Keep out: asking
(sources), months of metrics (usage_month.py), which inventories there are (inventory_snapshot.py).

The last two days that are known are asked again, because statistics may arrive late. Every chunk is
published at once, so that a run that is killed continues from there.

Reads: inventory, cloudwatch_coverage   Writes: cloudwatch, cloudwatch_coverage, ledger
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby

from finops_pipeline import clock
from finops_pipeline.contracts.resource_inventory import LANDED
from finops_pipeline.contracts.resource_usage import LANDED_ASKED, SERIES
from finops_pipeline.errors import BudgetSpent, counted
from finops_pipeline.lake.duck import Connection, scratch_connection, text
from finops_pipeline.lake.layout import CLOUDWATCH_COVERAGE, INVENTORY
from finops_pipeline.lake.publish import Publication
from finops_pipeline.landing.inventory_snapshot import newest_snapshot
from finops_pipeline.landing.landing_task import LandingTask
from finops_pipeline.landing.usage_month import (
    AskedSeriesDays,
    Chunk,
    put_chunk,
    read_landed,
)
from finops_pipeline.landing.usage_shape import shape
from finops_pipeline.ledger.cost_explorer_days import RequestRecord, record_requests
from finops_pipeline.sources.aws import make_access
from finops_pipeline.sources.cloudwatch_api import (
    METRICS_PER_REQUEST,
    PRICE_USD,
    CloudWatch,
    MetricBudget,
    Series,
)
from finops_pipeline.sources.inventory_api import Gap
from finops_pipeline.sources.inventory_records import GLOBAL, RejectedRecord
from finops_pipeline.sources.usage_metrics import METRICS, UsageMetric
from finops_pipeline.tenants.collected_source import CloudWatchSource
from finops_pipeline.tenants.months import month_of

CHUNK_METRICS = 20_000
"""Metrics of the requests that are published together: a kill loses at most USD 0.20."""

_ASKED_AGAIN = 1
"""Days before the last known one that are asked again with it."""

_KEPT_REJECTED = 10_000
_KEY = "account_id, region_id, resource_type, resource_id, metric_name"


@dataclass(frozen=True)
class DueSeries:
    """A series, and the first day that is due; the last one is yesterday."""

    series: Series
    first: date


@dataclass
class LandedUsage:
    """The result of a run: rows, series that were asked, and what was left out."""

    rows: int = 0
    series: int = 0
    rejected: int = 0
    gaps: int = 0
    months: set[str] = field(default_factory=set)

    @property
    def note(self) -> str:
        """What an operator should know about it."""
        parts = [
            f"{counted(self.rejected, 'datapoint')} quarantined" if self.rejected else "",
            f"{counted(self.gaps, 'series', 'series')} denied or failed" if self.gaps else "",
        ]
        return "; ".join(filter(None, parts))


@dataclass(frozen=True)
class UsageEstimate:
    """What the next run would request of a source, and what AWS charges for it at most."""

    source: str
    series: int
    metrics: int
    requests: int
    cost_usd: Decimal


class UsageLanding:
    """One run for one source.

    Args:
        budget: shared by all sources of a run.
        days: days before today that are asked for at first.
    """

    def __init__(self, task: LandingTask, budget: MetricBudget, days: int) -> None:
        assert isinstance(task.source, CloudWatchSource)
        self._task = task
        self._regions = task.source.regions
        self._budget = budget
        self._today = clock.now().date()
        self._first = self._today - timedelta(days=days)
        self._cloudwatch = CloudWatch(make_access(task.tenant, task.source), budget)
        self._rejected: list[RejectedRecord] = []
        self.landed = LandedUsage()

    def find_account(self) -> str:
        """Return the account of the credentials.

        Raises:
            AccessRefused: there are no usable credentials, or the role may not be assumed.
            Unreachable: AWS did not answer.
        """
        return self._cloudwatch.find_account()

    def estimate(self, account: str, is_forced: bool = False) -> UsageEstimate:
        """Return what a run would request; sends nothing."""
        series = metrics = requests = 0
        with self._planned(account, is_forced) as connection:
            for batch in self._batches(connection):
                series += len(batch)
                asked = sum(len(due.series.metric.statistics) for due in batch)
                metrics += asked
                requests += -(-asked // METRICS_PER_REQUEST)
        name = self._task.source.name
        return UsageEstimate(name, series, metrics, requests, PRICE_USD * metrics)

    def land(self, account: str, is_forced: bool = False) -> LandedUsage:
        """Ask for everything that is due, and publish it chunk by chunk.

        Raises:
            BudgetSpent: the budget is used up; what was asked before is published.
        """
        chunk, metrics = Chunk(self._task.source.name, self._today), 0
        denied: dict[str, Gap] = {}
        spent: BudgetSpent | None = None
        with self._planned(account, is_forced) as connection:
            for batch in self._batches(connection):
                try:
                    if spent is None:
                        self._ask(batch, chunk, denied)
                except BudgetSpent as error:
                    spent = error
                if spent:
                    chunk.asked += self._leave(batch, spent)
                metrics += sum(len(due.series.metric.statistics) for due in batch)
                if metrics >= CHUNK_METRICS:
                    self._publish(connection, chunk)
                    chunk, metrics = Chunk(self._task.source.name, self._today), 0
            self._publish(connection, chunk)
        if spent:
            raise spent
        return self.landed

    def _leave(self, batch: Sequence[DueSeries], spent: BudgetSpent) -> list[AskedSeriesDays]:
        """Return the record of series that the budget does not suffice for."""
        last = self._today - timedelta(days=1)
        return [
            AskedSeriesDays(each.series.key, last, last, "not asked", None, f"{spent.found}.")
            for each in batch
        ]

    def _planned(self, account: str, is_forced: bool) -> _Planned:
        return _Planned(self._task, account, (self._first, self._today), is_forced)

    def _batches(self, connection: Connection) -> Iterator[list[DueSeries]]:
        """Yield series of one region and first day, as many as fit into one request."""
        rows = connection.cursor().execute(
            "select * from x_due order by region, first_due, account_id, region_id, resource_type,"
            " resource_id, number"
        )
        due = (_read_due(row) for chunk in iter(lambda: rows.fetchmany(5000), []) for row in chunk)
        wanted = (d for d in due if not self._regions or d.series.region in self._regions)
        for _, same in groupby(wanted, key=lambda each: (each.series.region, each.first)):
            batch, metrics = list[DueSeries](), 0
            for each in same:
                count = len(each.series.metric.statistics)
                if batch and metrics + count > METRICS_PER_REQUEST:
                    yield batch
                    batch, metrics = [], 0
                batch.append(each)
                metrics += count
            if batch:
                yield batch

    def _ask(self, batch: Sequence[DueSeries], chunk: Chunk, denied: dict[str, Gap]) -> None:
        """Ask for a batch, unless its region denied an earlier one."""
        series, first = [due.series for due in batch], batch[0].first
        last, region = self._today - timedelta(days=1), series[0].region
        if region in denied:
            gaps = dict.fromkeys(range(len(series)), denied[region])
            has_rows = set[tuple[str, ...]]()
        else:
            answer = self._cloudwatch.ask(series, first, self._today)
            gaps = answer.gaps
            refused = [gap for gap in gaps.values() if gap.state == "denied" or gap.is_end]
            if len(gaps) == len(series) and refused:
                denied[region] = refused[0]
            shaped = shape(series, answer, first, self._today)
            chunk.rows.append(shaped.rows)
            self._rejected += shaped.rejected[: _KEPT_REJECTED - len(self._rejected)]
            chunk.rejected = self._rejected
            self.landed.rejected += len(shaped.rejected)
            keys = shaped.rows.select(c.name for c in SERIES).unique()
            has_rows = set(keys.iter_rows())
        self.landed.series += len(series)
        self.landed.gaps += len(gaps)
        for number, each in enumerate(series):
            gap = gaps.get(number)
            state = gap.state if gap else "collected" if each.key in has_rows else "no data"
            why = (gap.permission, gap.reason) if gap else (None, None)
            chunk.asked.append(AskedSeriesDays(each.key, first, last, state, *why))

    def _publish(self, connection: Connection, chunk: Chunk) -> None:
        self._record_requests()
        if not chunk.asked:
            return
        with self._task.writer.publication() as publication:
            self.landed.rows += put_chunk(connection, publication, chunk)
            publication.commit()
        self.landed.months |= set(chunk.months)

    def _record_requests(self) -> None:
        """Record paid requests at once: AWS charges for them even if the answer is not used."""
        sent, requests = self._budget.take_unrecorded()
        if requests:
            at, source = clock.now().isoformat(), self._task.source.name
            month, cost = month_of(self._today), PRICE_USD * sent
            record = RequestRecord(at, source, "CloudWatch", month, requests, cost)
            self._task.writer.ledger.write(record_requests(record))


class _Planned:
    """A connection with the table `x_due`: every series that is due, with its first day."""

    def __init__(
        self, task: LandingTask, account: str, days: tuple[date, date], is_forced: bool
    ) -> None:
        self._task = task
        self._account = account
        self._days = days
        self._is_forced = is_forced
        self._publication = task.writer.publication()

    def __enter__(self) -> Connection:
        publication = self._publication.__enter__()
        self._scratch = scratch_connection(publication.spill, self._task.limits)
        connection = self._scratch.__enter__()
        connection.execute("set threads = 1")  # the same statistics give the same bytes
        self._list_series(connection, publication)
        return connection

    def __exit__(self, *error: object) -> None:
        self._scratch.__exit__(None, None, None)
        self._publication.__exit__(None, None, None)

    def _list_series(self, connection: Connection, publication: Publication) -> None:
        first, today = self._days
        known = " union all ".join(
            f"({read_landed(publication, file.place, LANDED_ASKED)})"
            for file in publication.current_files(CLOUDWATCH_COVERAGE)
            if file.place.key == self._task.source.name
        )
        known = known or "select " + ", ".join(
            f"null::{column.type} as {column.name}" for column in LANDED_ASKED
        )
        rows = [
            (str(number), metric.resource_type, metric.metric_name, metric.id_prefix)
            for number, metric in enumerate(METRICS)
        ]
        columns = [list(values) for values in zip(*rows, strict=True)]
        connection.execute(
            "create table x_metrics as select unnest(?::varchar[])::integer as number,"
            " unnest(?::varchar[]) as resource_type, unnest(?::varchar[]) as metric_name,"
            " unnest(?::varchar[]) as id_prefix",
            columns,
        )
        is_due = (
            "true" if self._is_forced else f"coalesce(asked_on < date {text(str(today))}, true)"
        )
        connection.execute(
            f"create table x_due as with resource as ({self._resources(publication)}),"
            f" asked as (select {_KEY}, max(last_day) as last_day, max(asked_on) filter"
            f" (where state not in ('failed', 'not asked')) as asked_on from ({known})"
            " group by all)"
            f" select account_id, region_id, resource_type, resource_id, region, number,"
            f" greatest(date {text(str(first))},"
            f" coalesce(last_day - {_ASKED_AGAIN}, date {text(str(first))})) as first_due"
            f" from resource join x_metrics using (resource_type)"
            f" left join asked using ({_KEY})"
            f" where starts_with(resource_id, id_prefix) and {is_due}"
        )

    def _resources(self, publication: Publication) -> str:
        """Return SQL of the resources that the newest inventories list in the account."""
        names = ", ".join(column.name for column in LANDED)
        parts = []
        for name in {f.place.key for f in publication.current_files(INVENTORY)}:
            place = newest_snapshot(publication, name)
            if place:
                landed = read_landed(publication, place, LANDED)
                day = f"date {text(place.billing_period)}"
                parts.append(f"select {names} from ({landed}) where last_seen = {day}")
        listed = " union all ".join(parts) or f"{_nothing()}"
        region = f"case when region_id = {text(GLOBAL)} then attributes ->> 'region'"
        region += " else region_id end"
        return (
            f"select distinct account_id, region_id, resource_type, resource_id,"
            f" {region} as region from ({listed}) where account_id = {text(self._account)}"
            f" and {region} is not null"
        )


def _nothing() -> str:
    nulls = ", ".join(f"null::{column.type} as {column.name}" for column in LANDED)
    return f"select {nulls} where false"


def _read_due(row: tuple[object, ...]) -> DueSeries:
    account, region_id, _, resource, region, number, first = row
    metric: UsageMetric = METRICS[int(str(number))]
    assert isinstance(first, date)
    return DueSeries(
        Series(str(account), str(region_id), str(resource), metric, str(region)), first
    )
