"""What Dagster shows of a published partition: rows, totals, reconciliation, cost by day.

Put here: a materialization event for what is published, whoever has published it. Keep out:
reading it (application/published_partitions.py), the results of checks (month_checks.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from finops_pipeline.application.installation import Installation
from finops_pipeline.application.published_partitions import (
    WAREHOUSE,
    PublishedPartition,
)
from finops_pipeline.errors import Unknown
from finops_pipeline.lake.layout import COSTS, LANDING, RESOURCE_METRICS, RESOURCES
from finops_pipeline.marts.day_totals import DayTotals, read_day_totals
from finops_pipeline.money import plain
from finops_pipeline.orchestration.day_plot import plot_days
from finops_pipeline.orchestration.month_checks import evaluate_months
from finops_pipeline.orchestration.partitions import (
    MONTH,
    PROJECT,
    SOURCE,
    TENANT,
    partition_key,
)
from finops_pipeline.orchestration.tenant_parts import DATA_VERSION, Event

DIMENSIONS = {
    LANDING: SOURCE,
    COSTS: PROJECT,
    RESOURCES: PROJECT,
    RESOURCE_METRICS: PROJECT,
    WAREHOUSE: TENANT,
}
"""Asset -> the dimension of its partitions beside the month."""

_DIMENSION_TAG = "dagster/partition/"
"""Dagster finds the events of one month or name by such a tag."""

Extra = Mapping[tuple[str, str], Mapping[str, Any]]
"""More metadata of partitions, by (name, month)."""


@dataclass(frozen=True)
class ShownMonths:
    """What is known of some months of a tenant beside its ledger: states and days."""

    states: Mapping[str, Sequence[str]] = field(default_factory=dict)
    days: Mapping[tuple[str, str], DayTotals] = field(default_factory=dict)


def show(
    installation: Installation, tenant: str, parts: Collection[PublishedPartition], extra: Extra
) -> Iterator[Event]:
    """Yield a materialization for each of these partitions, and the checks of the tenant's months.

    Args:
        extra: more metadata, of partitions of the asset that is being materialized.
    """
    months = {part.place.billing_period for part in parts if part.place.table_name == WAREHOUSE}
    shown = _read_months(installation, tenant, months) if months else ShownMonths()
    for part in parts:
        yield _materialization(tenant, part, shown, extra)
    if months:
        yield from evaluate_months(installation, tenant, months)


def _read_months(installation: Installation, tenant: str, months: Collection[str]) -> ShownMonths:
    states: dict[str, list[str]] = {}
    for status in installation.status(tenant):
        states.setdefault(status.billing_period, []).append(f"{status.source} {status.state}")
    try:
        days = read_day_totals(installation.folder(tenant), months)
    except Unknown:
        days = {}
    return ShownMonths(states, days)


def _materialization(
    tenant: str, part: PublishedPartition, shown: ShownMonths, extra: Extra
) -> dg.AssetMaterialization:
    place = part.place
    name = place.key if place.table_name == WAREHOUSE else f"{tenant}/{place.key}"
    metadata: dict[str, Any] = {"dagster/row_count": part.rows, "published_at": part.published_at}
    if part.size_bytes:
        metadata["size_bytes"] = part.size_bytes
    for (basis, currency), amount in part.totals.items():
        metadata[f"{basis}_{currency}"] = plain(amount)
    if place.table_name == LANDING:
        metadata |= {
            "delivery_id": part.delivery_id,
            "rows_quarantined": part.rows_quarantined,
        }
    if place.table_name == WAREHOUSE:
        states = sorted(set(shown.states.get(place.billing_period, ())))
        metadata["data_status"] = ", ".join(states) or "nothing landed"
        for (month, currency), days in shown.days.items():
            if month == place.billing_period:
                metadata[f"cost_by_day_{currency}"] = plot_days(days, currency)
    metadata |= extra.get((place.key, place.billing_period), {})
    dimension = DIMENSIONS[place.table_name]
    return dg.AssetMaterialization(
        dg.AssetKey(place.table_name),
        partition=partition_key(dimension, place.billing_period, name),
        metadata=metadata,
        tags={
            DATA_VERSION: part.version,
            f"{_DIMENSION_TAG}{MONTH}": place.billing_period,
            f"{_DIMENSION_TAG}{dimension}": name,
        },
    )


def recorded_version(record: dg.EventLogRecord) -> str:
    """Return the version of the partition that a recorded materialization shows."""
    event = record.asset_materialization
    return (event.tags or {}).get(DATA_VERSION, "") if event else ""
