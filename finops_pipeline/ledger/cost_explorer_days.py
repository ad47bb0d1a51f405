"""Days for which Cost Explorer has answered, and the paid requests that were sent.

Put here: reading and writing these two tables of ledger.sqlite. Keep out: sending requests
(sources, landing) and the answers themselves (the Parquet files of landing).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal

import sqlalchemy as sa

from finops_pipeline.ledger.ledger import Ledger, Write
from finops_pipeline.ledger.schema import API_REQUESTS, COST_EXPLORER_DAYS


@dataclass(frozen=True)
class RequestRecord:
    """Requests sent for one month of a source, and what they cost at most (USD)."""

    asked_at: str
    source: str
    service: str
    billing_period: str
    requests: int
    cost_usd: Decimal


def read_requests(ledger: Ledger) -> list[RequestRecord]:
    """Read all requests of a tenant, in the order they were sent."""
    rows = sorted(ledger.rows(API_REQUESTS), key=lambda row: int(row["id"]))
    return [
        RequestRecord(
            row["asked_at"],
            row["source"],
            row["service"],
            row["billing_period"],
            row["requests"],
            Decimal(row["cost_usd"]),
        )
        for row in rows
    ]


def record_requests(record: RequestRecord) -> Write:
    """Record that requests were sent."""

    def write(db: sa.Connection) -> None:
        row = asdict(record) | {"cost_usd": format(record.cost_usd, "f")}
        db.execute(sa.insert(API_REQUESTS), row)

    return write


def read_days(ledger: Ledger, source: str) -> dict[date, bool | None]:
    """Read the answered days of a source: day -> whether it is estimated (None: not stated)."""
    rows = ledger.rows(COST_EXPLORER_DAYS, COST_EXPLORER_DAYS.c.source == source)
    return {row["day"]: row["is_estimated"] for row in rows}


def record_days(source: str, days: Mapping[date, bool | None]) -> Write:
    """Record that these days have been answered, in place of earlier records of them."""

    def write(db: sa.Connection) -> None:
        table = COST_EXPLORER_DAYS
        for day, estimated in days.items():
            db.execute(sa.delete(table).where((table.c.source == source) & (table.c.day == day)))
            db.execute(sa.insert(table), {"source": source, "day": day, "is_estimated": estimated})

    return write


def forget_days(source: str, days: Iterable[date]) -> Write:
    """Remove the records of days whose costs are lost, so that they are missing days again."""

    def write(db: sa.Connection) -> None:
        table = COST_EXPLORER_DAYS
        for day in days:
            db.execute(sa.delete(table).where((table.c.source == source) & (table.c.day == day)))

    return write
