"""Answers of Cost Explorer: a cost per day, service and account.

Put here: the rows into which answers of the API and the console's CSV are parsed, and the columns
of their landing. Keep out: parsing them (sources), storing them (landing), the table for users
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
    """The cost of one account's use of one service on a day (UTC).

    `account` or `service` is None where the answer is not broken down by it; a metric is None where
    the answer does not have it.
    """

    day: date
    account: str | None
    service: str | None
    currency: str
    unblended: Decimal | None
    amortized: Decimal | None


@dataclass(frozen=True)
class Answer:
    """The complete costs of certain days, and no others.

    `days`: day -> whether AWS calls it estimated (None where the answer does not state it).
    `origin`: the API operation or file it was read from, for the ledger.
    """

    days: dict[date, bool | None]
    rows: tuple[DayCost, ...]
    metrics: frozenset[Metric]
    origin: str
    values_rounded: int = 0


LANDED = (
    Column("charge_date", DAY, "Day (UTC).", False),
    Column("sub_account_id", TEXT, "AWS account."),
    Column("service_name", TEXT, "Service as Cost Explorer names it."),
    Column("billing_currency", TEXT, "Currency.", False),
    Column("unblended_cost", MONEY, "UnblendedCost."),
    Column("amortized_cost", MONEY, "AmortizedCost."),
    Column("estimated", FLAG, "Whether AWS calls the day estimated."),
    Column("asked_at", TEXT, "When AWS was asked for it (UTC)."),
)
"""Columns of the landing of a Cost Explorer source."""
