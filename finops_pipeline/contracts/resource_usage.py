"""How resources are used: daily statistics of CloudWatch's metrics, and which of them are unknown.

Put here: the contracts of these tables, in column order, and the columns of landed months. Keep
out: what exists (resource_inventory.py), business metrics (metric_marts.py), calls (sources).
"""

from __future__ import annotations

from finops_pipeline.contracts.column import COUNT, DAY, TEXT, Column, Table
from finops_pipeline.contracts.mart_columns import PERIOD
from finops_pipeline.contracts.resource_inventory import (
    ACCOUNT,
    IDENTIFIER,
    KIND,
    PERMISSION,
    REGION,
)

STATISTIC = "DOUBLE"
"""Statistics of usage are no money: CloudWatch itself computes them as floats."""

METRIC = Column("metric_name", TEXT, "Namespace and name: AWS/EC2 CPUUtilization, …", False)
SERIES = (ACCOUNT, REGION, KIND, IDENTIFIER, METRIC)
"""What identifies a metric of a resource."""

STATISTICS = {
    "average": "Average",
    "maximum": "Maximum",
    "minimum": "Minimum",
    "total": "Sum",
    "p50": "p50",
    "p95": "p95",
    "p99": "p99",
    "sample_count": "SampleCount",
}
"""Columns of statistics, and what CloudWatch calls each."""

LANDED_DAYS = (
    Column("day", DAY, "Day (UTC).", False),
    *SERIES,
    Column("unit", TEXT, "Unit of the statistics: Percent, Bytes, Count, …", False),
    Column("average", STATISTIC, "Mean of the day's samples; null: not asked."),
    Column("maximum", STATISTIC, "Highest sample; null: not asked."),
    Column("minimum", STATISTIC, "Lowest sample; null: not asked."),
    Column("total", STATISTIC, "Sum of the samples; null: not asked."),
    Column("p50", STATISTIC, "Median of the samples; null: not asked."),
    Column("p95", STATISTIC, "95th percentile of the samples; null: not asked."),
    Column("p99", STATISTIC, "99th percentile of the samples; null: not asked."),
    Column("sample_count", STATISTIC, "Number of samples; null: not asked."),
)
"""The columns of a landed month of metrics. A day without a row is a gap: unknown, not 0."""

RESOURCE_METRICS = Table(
    name="resource_metrics",
    kind="dimension",
    meaning="Daily statistics of CloudWatch: how resources are used; a missing day is unknown.",
    grain=(
        "day", "project", "source", "account_id", "region_id", "resource_type", "resource_id",
        "metric_name",
    ),
    columns=(
        PERIOD,
        LANDED_DAYS[0],
        Column("project", TEXT, "Project that claims the resource on that day.", False),
        Column("source", TEXT, "Source (CloudWatch) of the statistics.", False),
        *LANDED_DAYS[1:],
    ),
)  # fmt: skip

METRIC_STATES = ("collected", "denied", "failed", "not asked", "no data")

LANDED_ASKED = (
    *SERIES,
    Column("first_day", DAY, "First day of the month that was asked."),
    Column("last_day", DAY, "Last day of the month that was asked."),
    Column("asked_on", DAY, "Day (UTC) on which it was asked last.", False),
    Column("state", TEXT, "How the newest request ended.", False, METRIC_STATES),
    PERMISSION,
    Column("reason", TEXT, "Why it is not collected."),
)
"""The columns of a landed month's record of what was asked."""

METRIC_COVERAGE = Table(
    name="metric_coverage",
    kind="status",
    meaning="Which metrics of which resources are known on which days, and why others are not.",
    grain=("source", "account_id", "region_id", "resource_type", "resource_id", "metric_name"),
    columns=(
        Column("source", TEXT, "Source (CloudWatch) that was asked.", False),
        *SERIES,
        Column("first_day", DAY, "First day with statistics; null: none."),
        Column("last_day", DAY, "Last day with statistics; null: none."),
        Column("days", COUNT, "Days with statistics.", False),
        Column("state", TEXT, "Whether it is known; unless `collected`, unknown.", False,
               METRIC_STATES),
        PERMISSION,
        Column("reason", TEXT, "Why it is not collected."),
    ),
)  # fmt: skip
