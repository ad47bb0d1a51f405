"""A look at a source: which of its months have been delivered and not landed.

Put here: which months a look examines, and how long a source is left alone. Keep out: what a tenant
needs altogether (tenant_due.py), fairness between tenants (watch_round.py), landing (landing.py).

Only listings and manifests are read, never a bill. An open month is looked at every few hours; a
closed one daily until it has not changed for two weeks, and weekly after that, because AWS delivers
some months again long after they were closed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from finops_pipeline.application.reopened_months import recent_months
from finops_pipeline.application.watch_state import Requested, SourceWatch
from finops_pipeline.errors import DeliveryMoving, DeliveryRefused
from finops_pipeline.landing.delivery_order import why_older
from finops_pipeline.ledger.ledger import DeliveryRecord, Ledger, fingerprint_of
from finops_pipeline.sources.available_months import list_months
from finops_pipeline.sources.data_exports import read_delivery
from finops_pipeline.sources.location import Location
from finops_pipeline.sources.location_kinds import open_location
from finops_pipeline.tenants.model import Source, SourceKind, Tenant
from finops_pipeline.tenants.months import closed_from

SETTLED_AFTER = timedelta(days=14)
SETTLED_EVERY = timedelta(days=7)
FAILED_AGAIN = timedelta(minutes=15)
"""How long a source that could not be looked at is left alone."""

DAILY = timedelta(hours=24)


@dataclass(frozen=True)
class LookTime:
    """When a look is taken, how often open and closed months are due, and the confirmed round.

    `first_month`: earlier ones are left alone.
    """

    now: datetime
    open_every: timedelta
    closed_every: timedelta
    confirmed: int = 0
    first_month: str = ""

    def covers(self, month: str) -> bool:
        """Return whether a month is one that an orchestrator has partitions for."""
        return self.first_month <= month <= f"{self.now:%Y-%m}"


def is_due(source: Source, watch: SourceWatch, moment: LookTime) -> bool:
    """Return whether a source has not been looked at for so long that it is due."""
    if not (source.location and source.is_active) or source.kind in _NOT_LANDED:
        return False
    is_lost = any(request.round > moment.confirmed for request in watch.requested.values())
    if watch.looked_at is None or is_lost:
        return True
    every = moment.open_every
    if watch.failure or watch.unready.keys() - watch.requested.keys():
        every = min(FAILED_AGAIN, every)
    elif source.kind is SourceKind.COST_EXPLORER_API:
        every = max(DAILY, every)  # every request is paid for
    return moment.now - watch.looked_at >= every


_NOT_LANDED = (SourceKind.INVENTORY_API, SourceKind.INVENTORY_FILES, SourceKind.CLOUDWATCH)


def look(
    tenant: Tenant, source: Source, ledger: Ledger, known: tuple[SourceWatch, LookTime]
) -> tuple[SourceWatch, dict[str, str]]:
    """Look at a source.

    Returns:
        what is remembered of it, without what is requested now; month -> a mark of its delivery,
        for each month that is to be landed and has not been requested.

    Raises:
        FinopsError: the source cannot be listed.
    """
    watch, moment = known
    listed = [month for month in list_months(tenant, source) if source.covers(month)]
    months = [month for month in listed if moment.covers(month)]
    landed = {delivery.billing_period: delivery for delivery in ledger.deliveries(source.name)}
    turns = _Turns.at(watch, moment)
    seen = watch.model_copy(
        update={
            "looked_at": moment.now,
            "closed_at": moment.now if turns.closed else watch.closed_at,
            "settled_at": moment.now if turns.settled else watch.settled_at,
            "first_month": min([*listed, *landed], default=""),
            "failure": "",
            "unready": {},
            "requested": {},
        }
    )
    if source.kind is SourceKind.COST_EXPLORER_API:
        marks = _paid_marks(months, landed, moment.now)
    else:
        examined = [
            month for month in months if turns.include(month, landed.get(month), moment.now)
        ]
        examination = _Examination(source, open_location(tenant, source), ledger, (watch, seen))
        marks = dict(examination.marks(examined, landed))
    refused = {month for name, month in ledger.refusals() if name == source.name}
    due = dict[str, str]()
    for month, mark in marks.items():
        before = watch.requested.get(month)
        if before and _is_requested(before, mark, moment, month in refused):
            seen.requested[month] = before
        else:
            due[month] = mark
    return seen, due


def _is_requested(before: Requested, mark: str, moment: LookTime, is_refused: bool) -> bool:
    """Return whether a delivery need not be requested: it was, and was refused, within a day.

    If it was neither refused nor landed, its run was lost.
    """
    is_recent = moment.now - before.at < DAILY
    return is_refused and is_recent and before.counts(mark, moment.confirmed)


def _paid_marks(
    months: list[str], landed: Mapping[str, DeliveryRecord], now: datetime
) -> dict[str, str]:
    """Ask Cost Explorer for recent months every day, and once for those that never landed."""
    due = {month for month in months if month not in landed} | {*recent_months()} & {*months}
    return {month: f"{month} {now:%Y-%m-%d}" for month in due}


@dataclass(frozen=True)
class _Turns:
    """Whether closed months, and settled ones, are looked at this time."""

    closed: bool
    settled: bool

    @staticmethod
    def at(watch: SourceWatch, moment: LookTime) -> _Turns:
        closed, settled = watch.closed_at, watch.settled_at
        return _Turns(
            closed is None or moment.now - closed >= moment.closed_every,
            settled is None or moment.now - settled >= max(SETTLED_EVERY, moment.closed_every),
        )

    def include(self, month: str, before: DeliveryRecord | None, now: datetime) -> bool:
        if before is None or now.date() < closed_from(month):
            return True
        is_settled = now - datetime.fromisoformat(before.landed_at) >= SETTLED_AFTER
        return self.settled if is_settled else self.closed


class _Examination:
    """Comparing the manifests of a source's months with what has landed."""

    def __init__(
        self,
        source: Source,
        location: Location,
        ledger: Ledger,
        watches: tuple[SourceWatch, SourceWatch],
    ) -> None:
        self._source = source
        self._location = location
        self._ledger = ledger
        self._before, self._seen = watches

    def marks(
        self, months: list[str], landed: Mapping[str, DeliveryRecord]
    ) -> Iterator[tuple[str, str]]:
        for month in months:
            before = landed.get(month)
            try:
                delivery = read_delivery(self._source, self._location, month)
            except DeliveryMoving:
                continue
            except DeliveryRefused as error:
                yield from self._incomplete(month, fingerprint_of(str(error)))
                continue
            mark = delivery.listing_fingerprint
            if before is None:
                yield month, mark
            elif before.listing_fingerprint != mark:
                versions = self._ledger.delivery_versions(self._source.name, month)
                superseded = [record for record in versions if not record.current]
                if why_older(before, superseded, delivery) is None:
                    yield month, mark

    def _incomplete(self, month: str, mark: str) -> Iterator[tuple[str, str]]:
        """Yield a delivery that was just as incomplete at the last look: it may be arriving."""
        self._seen.unready[month] = mark
        if self._before.unready.get(month) == mark:
            yield month, mark
