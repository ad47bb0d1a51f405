"""What is published of a tenant, month by month, as an orchestrator shows it: rows, totals, state.

Put here: reading it from the ledger, and which of it has changed since it was last read. Keep out:
how it is shown (orchestration), whether a month is right (month_status.py).

A version is a fingerprint of what a partition holds, so that the same work is shown once whether a
command or an orchestrator has done it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from finops_pipeline.lake.layout import COSTS, LANDING, RESOURCE_METRICS, RESOURCES
from finops_pipeline.ledger.ledger import DeliveryRecord, Ledger, PartitionRecord, fingerprint_of
from finops_pipeline.ledger.stored_files import Place, read_stored_files
from finops_pipeline.money import exact_sum

WAREHOUSE = "warehouse"
"""The place of a month in the tenant's file; its key is the tenant's name."""

COST_BASES = ("billed_cost", "effective_cost", "list_cost", "contracted_cost")


@dataclass(frozen=True)
class PublishedPartition:
    """A month of a source, a project or the tenant's file, as it is published.

    `totals`: (cost basis, currency) -> exact sum. `delivery_id` and `rows_quarantined`: of a
    delivery.
    """

    place: Place
    version: str
    published_at: str
    rows: int
    size_bytes: int
    totals: Mapping[tuple[str, str], Decimal] = field(default_factory=dict)
    delivery_id: str = ""
    rows_quarantined: int = 0


Published = Mapping[Place, PublishedPartition]


def read_published(ledger: Ledger, tenant: str) -> Published:
    """Read every published partition of a tenant."""
    sizes = {place: file.size_bytes for place, file in read_stored_files(ledger).items()}
    landed = [_of_delivery(delivery, sizes) for delivery in ledger.deliveries()]
    costs = ledger.partitions(COSTS).values()
    built = [_of_partition(record, record.billing_period) for record in costs]
    collected = [
        _of_partition(record, record.billing_period[:7])
        for table in (RESOURCES, RESOURCE_METRICS)
        for record in sorted(ledger.partitions(table).values(), key=lambda r: r.billing_period)
    ]
    months = _of_months(tenant, costs)
    return {part.place: part for part in (*landed, *built, *collected, *months)}


def _of_delivery(delivery: DeliveryRecord, sizes: Mapping[Place, int]) -> PublishedPartition:
    place = Place(LANDING, delivery.source, delivery.billing_period)
    billed = delivery.billed_by_currency().items()
    return PublishedPartition(
        place,
        fingerprint_of([delivery.delivery_id, delivery.landed_at]),
        delivery.landed_at,
        delivery.rows_kept,
        sizes.get(place, 0),
        {("billed_cost", currency): cost for currency, cost in billed},
        delivery.delivery_id,
        delivery.rows_quarantined,
    )


def _of_partition(record: PartitionRecord, month: str) -> PublishedPartition:
    return PublishedPartition(
        Place(record.table_name, record.key, month),
        fingerprint_of([record.fingerprint, record.built_at, record.billing_period]),
        record.built_at,
        record.rows,
        record.size_bytes,
        _totals([record]),
    )


def _of_months(tenant: str, costs: Iterable[PartitionRecord]) -> list[PublishedPartition]:
    by_month: dict[str, list[PartitionRecord]] = {}
    for record in costs:
        by_month.setdefault(record.billing_period, []).append(record)
    return [
        PublishedPartition(
            Place(WAREHOUSE, tenant, month),
            fingerprint_of(sorted((r.key, r.fingerprint, r.built_at) for r in records)),
            max(record.built_at for record in records),
            sum(record.rows for record in records),
            0,
            _totals(records),
        )
        for month, records in sorted(by_month.items())
    ]


def _totals(records: Collection[PartitionRecord]) -> dict[tuple[str, str], Decimal]:
    totals = [total for record in records for total in record.totals if "billed_cost" in total]
    return {
        (basis, currency): exact_sum(
            total[basis] for total in totals if total["billing_currency"] == currency
        )
        for currency in sorted({total["billing_currency"] for total in totals})
        for basis in COST_BASES
    }


class PublicationDiary:
    """Notices what a piece of work has published."""

    def __init__(self, ledger: Ledger, tenant: str) -> None:
        self._ledger = ledger
        self._tenant = tenant
        self._before = read_published(ledger, tenant)

    def changes(self, confirmed: Collection[Place] = ()) -> list[PublishedPartition]:
        """Return what has changed since the last call, and what is confirmed to be up to date."""
        before, self._before = self._before, read_published(self._ledger, self._tenant)
        return [
            part
            for place, part in sorted(self._before.items())
            if place in confirmed or place not in before or before[place].version != part.version
        ]
