"""AWS Cost Explorer's API: what each day cost by service and account, for a price per request.

Put here: asking GetCostAndUsage, its pages, reading its answer, counting what that costs. Keep
out: access to AWS (aws.py), which days are asked (landing), what the answer is for.

Source: "GetCostAndUsage" in the AWS Billing and Cost Management API reference. An answer holds
every day asked, also those without costs; amounts are texts; each page is a request and each
request costs USD 0.01. AWS has the running month and the 13 before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from finops_pipeline.contracts.cost_explorer import Answer, DayCost, Metric
from finops_pipeline.errors import BudgetSpent, DeliveryRefused
from finops_pipeline.money import read_amount
from finops_pipeline.sources.aws import Access, calling, client
from finops_pipeline.tenants.months import month_of, months_between, shift

PRICE_USD = Decimal("0.01")
"""What AWS charges for one request."""

MONTHS_BACK = 13
"""Months before the running one that AWS answers for, day by day."""

_METRICS = {"UnblendedCost": Metric.UNBLENDED, "AmortizedCost": Metric.AMORTIZED}
_KEYS = ("SERVICE", "LINKED_ACCOUNT")
_QUERY = {
    "Granularity": "DAILY",
    "Metrics": [*_METRICS],
    "GroupBy": [{"Type": "DIMENSION", "Key": key} for key in _KEYS],
}
_STAYS = "What is published stays; ask again later"


def available_months(today: date) -> list[str]:
    """Billing periods that AWS has whole days of, oldest first."""
    yesterday = month_of(today - timedelta(days=1))
    return months_between(shift(month_of(today), -MONTHS_BACK), yesterday)


class Budget:
    """How many requests one run may send; one object for all that the run asks."""

    def __init__(self, requests: int) -> None:
        self.limit = requests
        self.sent = 0

    def take(self) -> None:
        """Count one request that is about to be sent.

        Raises:
            BudgetSpent: the run has sent as many as it may.
        """
        if self.sent >= self.limit:
            raise BudgetSpent(
                f"this run's {self.limit} requests to Cost Explorer are used up",
                cure="Run again to go on from here, or raise FINOPS_COST_EXPLORER_REQUESTS"
                f" (a request costs USD {PRICE_USD})",
            )
        self.sent += 1


class CostExplorer:
    """Cost Explorer as one source reaches it. No request is sent before the first call of `ask`.

    Args:
        budget: takes every request that leaves this machine, a page's and a repetition's too.
    """

    def __init__(self, access: Access, budget: Budget) -> None:
        self._access = access
        self._budget = budget
        self._client: Any = None

    def ask(self, first: date, end: date) -> Answer:
        """What the days from `first` to `end` (excluded) cost, whole.

        Raises:
            BudgetSpent: before the answer was whole.
            DeliveryRefused: an answer that cannot be taken, or AWS denies or fails.
        """
        label = f"Cost Explorer's answer for {first} to {end - timedelta(days=1)}"
        fresh = not self._budget.sent
        try:
            pages = list(self._pages(first, end, label))
        except BudgetSpent as error:
            if not fresh:
                raise
            # Running again would pay for the same pages again and never come to the last.
            raise BudgetSpent(
                f"{label} has more pages than the {self._budget.limit} requests a run may send",
                "a budget that holds a month's pages",
                "Raise FINOPS_COST_EXPLORER_REQUESTS",
            ) from error
        return read_pages(pages, first, end, label)

    def _pages(self, first: date, end: date, label: str) -> Iterator[dict[str, Any]]:
        period = {"Start": first.isoformat(), "End": end.isoformat()}
        token, seen = "", set[str]()
        while True:
            more = {"NextPageToken": token} if token else {}
            with calling(self._access, "ask Cost Explorer (ce:GetCostAndUsage)"):
                page = self._open_client().get_cost_and_usage(TimePeriod=period, **_QUERY, **more)
            yield page
            token = page.get("NextPageToken") or ""
            if not token:
                return
            if token in seen:
                raise DeliveryRefused(
                    f"{label} repeats itself: page {len(seen) + 1} names the next page by a token"
                    " that was followed already",
                    "pages that end",
                    _STAYS,
                )
            seen.add(token)

    def _open_client(self) -> Any:
        if self._client is None:
            self._client = client(self._access, "ce")
            # At the wire: boto repeats a request by itself, and AWS counts requests.
            self._client.meta.events.register(
                "before-send.cost-explorer.GetCostAndUsage", lambda **_: self._budget.take()
            )
        return self._client


def read_pages(pages: list[dict[str, Any]], first: date, end: date, label: str) -> Answer:
    """An answer's pages as rows: every day asked is there, no day, service and account twice.

    Raises:
        DeliveryRefused: it is not so, or an amount cannot be read; names day and value.
    """
    days: dict[date, bool | None] = {}
    rows: dict[tuple[Any, ...], DayCost] = {}
    rounded = 0
    for page in pages:
        for entry in page.get("ResultsByTime") or []:
            day = _day(entry, first, end, label)
            days[day] = bool(days.get(day) or entry.get("Estimated", True))
            groups = entry.get("Groups") or []
            if not groups:
                _check_no_total(entry, day, label)
            for group in groups:
                row, more = _row(group, day, label)
                rounded += more
                key = row[:4]
                if key in rows:
                    raise DeliveryRefused(
                        f"{label} has {row.service}, account {row.account}, twice on {day}",
                        "each service and account once a day",
                        _STAYS,
                    )
                rows[key] = row
    missing = [d for d in _days(first, end) if d not in days]
    if missing:
        raise DeliveryRefused(
            f"{label} lacks {len(missing)} of its days, {missing[0]} the first",
            "every day that was asked",
            _STAYS,
        )
    return Answer(days, tuple(rows.values()), frozenset(Metric), "GetCostAndUsage", rounded)


def _days(first: date, end: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((end - first).days)]


def _day(entry: dict[str, Any], first: date, end: date, label: str) -> date:
    period = entry.get("TimePeriod") or {}
    start = str(period.get("Start"))
    try:
        day = date.fromisoformat(start)
    except ValueError as error:
        raise DeliveryRefused(f"{label} has a day {start[:40]!r}", "YYYY-MM-DD", _STAYS) from error
    if not first <= day < end:
        raise DeliveryRefused(f"{label} has a day {day}", "the days that were asked", _STAYS)
    if period.get("End") != (day + timedelta(days=1)).isoformat():
        raise DeliveryRefused(
            f"{label} has a period from {day} to {period.get('End')}",
            "periods of one day",
            _STAYS,
        )
    return day


def _check_no_total(entry: dict[str, Any], day: date, label: str) -> None:
    """A day without groups costs nothing; one that has a cost was not cut as asked."""
    for name, metric in (entry.get("Total") or {}).items():
        parsed = read_amount(str(metric.get("Amount")))
        if name in _METRICS and (parsed is None or parsed[0]):
            raise DeliveryRefused(
                f"{label} has on {day} a total {name} of {metric.get('Amount')} and no groups",
                "groups by service and account",
                _STAYS,
            )


def _row(group: dict[str, Any], day: date, label: str) -> tuple[DayCost, int]:
    keys = group.get("Keys") or []
    if len(keys) != len(_KEYS):
        raise DeliveryRefused(f"{label} has a group {keys} on {day}", "service and account", _STAYS)
    service, account = keys
    amounts, units, rounded = [], set(), 0
    for name in _METRICS:
        metric = (group.get("Metrics") or {}).get(name) or {}
        parsed = read_amount(str(metric.get("Amount")))
        if parsed is None or not metric.get("Unit"):
            raise DeliveryRefused(
                f"{label} says that {service}, account {account}, has on {day} a {name} of"
                f" {metric.get('Amount')!r} {metric.get('Unit')!r}",
                "a decimal number and a currency",
                _STAYS,
            )
        amounts.append(parsed[0])
        rounded += parsed[1]
        units.add(str(metric["Unit"]))
    if len(units) > 1:
        raise DeliveryRefused(
            f"{label} is in {' and '.join(sorted(units))} for {service} on {day}",
            "one currency",
        )
    return DayCost(day, account or None, service or None, units.pop(), *amounts), rounded
