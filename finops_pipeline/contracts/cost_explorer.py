"""What Cost Explorer says: a cost per day, service and account, as its readers hand it on.

Put here: the rows that the API's answer and the console's CSV come down to, and the columns they
land in. Keep out: reading either (sources), keeping them (landing), the table for people
(tables.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from finops_pipeline.contracts.column import DAY, FLAG, MONEY, TEXT, Column


class Metric(StrEnum):
    """The two of Cost Explorer's metrics that are kept."""

    UNBLENDED = "unblended"
    AMORTIZED = "amortized"


class DayCost(NamedTuple):
    """What one account's use of one service cost on a day (UTC).

    `account` or `service` is None where the answer is not cut by it; a metric is None where the
    answer does not say it.
    """

    day: date
    account: str | None
    service: str | None
    currency: str
    unblended: Decimal | None
    amortized: Decimal | None


@dataclass(frozen=True)
class Answer:
    """All that was said of these days, and nothing of others.

    `days`: day -> whether AWS calls it estimated (None where the answer does not say).
    `said_by`: what it was read from, for the ledger.
    """

    days: dict[date, bool | None]
    rows: tuple[DayCost, ...]
    metrics: frozenset[Metric]
    said_by: str
    values_rounded: int = 0


LANDED = (
    Column("charge_date", DAY, "Day (UTC).", False),
    Column("sub_account_id", TEXT, "AWS account."),
    Column("service_name", TEXT, "Service in Cost Explorer's own words."),
    Column("billing_currency", TEXT, "Currency.", False),
    Column("unblended_cost", MONEY, "UnblendedCost."),
    Column("amortized_cost", MONEY, "AmortizedCost."),
    Column("estimated", FLAG, "Whether AWS calls the day estimated."),
    Column("asked_at", TEXT, "When AWS said so (UTC)."),
)
"""Columns of the landing of a Cost Explorer source."""
