"""Months that AWS has delivered again long after they were closed.

Put here: comparing the manifests of older months with what landed. Keep out: months that never
landed (gaps.py), landing (landing.py).

Only manifests and listings are read, no bill: two or three requests for a month in S3. An ingest
looks at every month anyway; this is for callers that look only at recent ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from finops_pipeline import clock
from finops_pipeline.errors import FinopsError
from finops_pipeline.landing.delivery_order import why_older
from finops_pipeline.ledger.ledger import DeliveryRecord, Ledger
from finops_pipeline.sources.data_exports import Delivery, read_delivery
from finops_pipeline.sources.location import Location
from finops_pipeline.tenants.model import Source
from finops_pipeline.tenants.months import shift


@dataclass(frozen=True)
class ReopenedMonth:
    """A month whose current delivery is not the one that landed, and what shows it."""

    billing_period: str
    detail: str


def recent_months() -> tuple[str, str]:
    """Return the previous and the current month, which AWS delivers again all the time."""
    this_month = clock.this_month()
    return shift(this_month, -1), this_month


def find_reopened(
    ledger: Ledger, source: Source, location: Location, months: Iterable[str]
) -> Iterator[ReopenedMonth]:
    """Yield the older months that have been delivered again since they landed.

    A delivery that cannot be read, or is older than the one that landed, does not count, because
    an ingest would not land it.

    Args:
        months: the billing periods to look at; recent ones, and those without a landing, are
            left out.
    """
    landed = {delivery.billing_period: delivery for delivery in ledger.deliveries(source.name)}
    for month in months:
        before = landed.get(month)
        if before is None or month >= recent_months()[0] or not source.covers(month):
            continue
        try:
            delivery = read_delivery(source, location, month)
        except FinopsError:
            continue
        if _is_newer(ledger, before, delivery):
            yield ReopenedMonth(month, _describe(before, delivery))


def _is_newer(ledger: Ledger, before: DeliveryRecord, delivery: Delivery) -> bool:
    if before.listing_fingerprint == delivery.listing_fingerprint:
        return False
    versions = ledger.delivery_versions(before.source, before.billing_period)
    return (
        why_older(before, [record for record in versions if not record.current], delivery) is None
    )


def _describe(before: DeliveryRecord, delivery: Delivery) -> str:
    landed_at = before.landed_at[:16].replace("T", " ")
    if delivery.execution_id and delivery.execution_id != before.execution_id:
        return (
            f"AWS has delivered this closed month again ({delivery.execution_id}); the published"
            f" delivery is {before.execution_id or 'an import by hand'}, which landed at"
            f" {landed_at}"
        )
    return f"the manifest or a file of this closed month has changed since it landed at {landed_at}"
