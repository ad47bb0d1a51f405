"""The shape of CloudWatch's answers: one row per day and series, one column per statistic.

Put here: which datapoints count, and the table of those that do, with Polars. Keep out: asking
(sources/cloudwatch_api.py), merging with what has landed (usage_month.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

import polars as pl

from finops_pipeline.contracts.resource_usage import LANDED_DAYS, SERIES, STATISTICS
from finops_pipeline.sources.cloudwatch_api import Datapoint, MetricAnswer
from finops_pipeline.sources.cloudwatch_api import Series as AskedSeries
from finops_pipeline.sources.inventory_records import RejectedRecord, as_json

_KEY = [column.name for column in SERIES]


@dataclass(frozen=True)
class ShapedAnswer:
    """The rows of an answer in the columns of a landed month, and what was left out."""

    rows: pl.DataFrame
    rejected: tuple[RejectedRecord, ...]


def shape(
    asked: Sequence[AskedSeries], answer: MetricAnswer, first: date, end: date
) -> ShapedAnswer:
    """Shape an answer for the days from `first` to `end` (excluded).

    A statistic that is negative or no number, is of another day or is stated twice is left out; the
    series then has a gap, not a wrong value.
    """
    kept: dict[tuple[int, str, date], float] = {}
    rejected: list[RejectedRecord] = []
    for point in answer.points:
        if point.series in answer.gaps:
            continue
        day = _day_of(point.at)
        fault = _find_fault(point, day, (first, end))
        key = (point.series, point.statistic, day)
        if not fault and key in kept:
            if kept[key] == point.value:
                continue
            fault = "the same statistic of the day is stated twice, with different values"
        if fault:
            rejected.append(_reject(asked[point.series], point, fault, len(rejected) + 1))
        else:
            kept[key] = point.value
    return ShapedAnswer(_pivot(asked, kept), tuple(rejected))


def _day_of(at: datetime) -> date:
    return (at.astimezone(UTC) if at.tzinfo else at).date()


def _find_fault(point: Datapoint, day: date, days: tuple[date, date]) -> str:
    if not math.isfinite(point.value):
        return "it is not a number"
    if point.value < 0:
        return "it is negative"
    if not days[0] <= day < days[1]:
        return "it is of a day that was not asked"
    if point.at.astimezone(UTC).time() != time():
        return "it does not begin with a day"
    return ""


def _reject(series: AskedSeries, point: Datapoint, fault: str, number: int) -> RejectedRecord:
    raw = {
        "series": series.key,
        "statistic": point.statistic,
        "at": point.at,
        "value": repr(point.value),
    }
    return RejectedRecord("GetMetricData", number, fault, as_json(raw))


def _pivot(asked: Sequence[AskedSeries], kept: dict[tuple[int, str, date], float]) -> pl.DataFrame:
    """Make the rows: series and days as rows, statistics as columns."""
    frame = pl.DataFrame(
        {
            "number": [number for number, _, _ in kept],
            "statistic": [statistic for _, statistic, _ in kept],
            "day": [day for _, _, day in kept],
            "value": list(kept.values()),
        },
        schema={
            "number": pl.Int64,
            "statistic": pl.String,
            "day": pl.Date,
            "value": pl.Float64,
        },
        strict=False,
    )
    known = pl.DataFrame(
        {
            "number": list(range(len(asked))),
            **{name: [series.key[n] for series in asked] for n, name in enumerate(_KEY)},
            "unit": [series.metric.unit for series in asked],
        },
        schema={"number": pl.Int64, **dict.fromkeys([*_KEY, "unit"], pl.String)},
    )
    statistics = [
        pl.col("value").filter(pl.col("statistic") == name).first().alias(name)
        for name in STATISTICS
    ]
    shaped = frame.group_by("number", "day").agg(statistics).join(known, on="number")
    return shaped.select([column.name for column in LANDED_DAYS]).sort(*_KEY, "day")
