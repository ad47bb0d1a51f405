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
from finops_pipeline.orchestration.month_checks import MonthChecks
from finops_pipeline.orchestration.partitions import (
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

Extra = Mapping[tuple[str, str], dict[str, Any]]
"""More metadata of partitions, by (name, month)."""


@dataclass(frozen=True)
class ShownMonths:
    """What is known of some months of a tenant beside its ledger: states and days."""

    states: Mapping[str, Sequence[str]] = field(default_factory=dict)
    days: Mapping[tuple[str, str], DayTotals] = field(default_factory=dict)


class ShownTenant:
    """Shows what is published of a tenant.

    Args:
        prefix: that of the assets' keys.
    """

    def __init__(self, installation: Installation, tenant: str, prefix: Sequence[str]) -> None:
        self._installation = installation
        self._tenant = tenant
        self._prefix = prefix

    def show(
        self, parts: Collection[PublishedPartition], extra: Extra | None = None
    ) -> Iterator[Event]:
        """Yield a materialization for each of these partitions, and the checks of their months.

        Args:
            extra: more metadata, of partitions of the asset that is being materialized.
        """
        months = {part.place.billing_period for part in parts if part.place.table_name == WAREHOUSE}
        shown = self._read_months(months) if months else ShownMonths()
        for part in parts:
            yield self._materialization(part, shown, extra or {})
        if months:
            yield from MonthChecks(self._tenant, self._prefix).evaluate(self._installation, months)

    def _read_months(self, months: Collection[str]) -> ShownMonths:
        states: dict[str, list[str]] = {}
        for status in self._installation.status(self._tenant):
            states.setdefault(status.billing_period, []).append(f"{status.source} {status.state}")
        try:
            days = read_day_totals(self._installation.folder(self._tenant), months)
        except Unknown:
            days = {}
        return ShownMonths(states, days)

    def key_of(self, part: PublishedPartition) -> tuple[dg.AssetKey, dg.MultiPartitionKey]:
        """Return the asset and the partition key of a partition."""
        place = part.place
        name = place.key if place.table_name == WAREHOUSE else f"{self._tenant}/{place.key}"
        dimension = DIMENSIONS[place.table_name]
        partition = partition_key(dimension, place.billing_period, name)
        return dg.AssetKey([*self._prefix, place.table_name]), partition

    def _materialization(
        self, part: PublishedPartition, shown: ShownMonths, extra: Extra
    ) -> dg.AssetMaterialization:
        place = part.place
        asset, partition = self.key_of(part)
        metadata = _metadata(part, shown) | extra.get((place.key, place.billing_period), {})
        tags = {f"{_DIMENSION_TAG}{name}": key for name, key in partition.keys_by_dimension.items()}
        return dg.AssetMaterialization(
            asset, partition=partition, metadata=metadata, tags=tags | {DATA_VERSION: part.version}
        )


def _metadata(part: PublishedPartition, shown: ShownMonths) -> dict[str, Any]:
    place = part.place
    metadata: dict[str, Any] = {"dagster/row_count": part.rows, "published_at": part.published_at}
    if part.size_bytes:
        metadata["size_bytes"] = part.size_bytes
    for (basis, currency), amount in part.totals.items():
        metadata[f"{basis}_{currency}"] = plain(amount)
    if place.table_name == LANDING:
        metadata |= {"delivery_id": part.delivery_id, "rows_quarantined": part.rows_quarantined}
    if place.table_name == WAREHOUSE:
        states = sorted(set(shown.states.get(place.billing_period, ())))
        metadata["data_status"] = ", ".join(states) or "nothing landed"
        for (month, currency), days in shown.days.items():
            if month == place.billing_period:
                metadata[f"cost_by_day_{currency}"] = plot_days(days, currency)
    return metadata
