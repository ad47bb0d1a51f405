"""AWS Cost Explorer's API: the costs of each day by service and account, for a price per request.

Put here: calling GetCostAndUsage, following its pages, parsing them, counting paid requests. Keep
out: access to AWS (aws.py), choosing the days to request (landing), what the answer is for.

Source: "GetCostAndUsage" in the AWS Billing and Cost Management API reference. An answer has
every day that was requested, even one without costs; amounts are text; each page is a request and
each request costs USD 0.01. AWS has the current month and the 13 months before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from finops_pipeline.contracts.cost_explorer import Answer, DayCost, Metric
from finops_pipeline.errors import BudgetSpent, DeliveryRefused, counted
from finops_pipeline.money import read_amount
from finops_pipeline.sources.aws import Access, open_client, translate_errors
from finops_pipeline.tenants.months import month_of, months_between, shift

PRICE_USD = Decimal("0.01")
"""What AWS charges for one request."""

MONTHS_BACK = 13
"""Months before the current one for which AWS has daily costs."""

_METRICS = {"UnblendedCost": Metric.UNBLENDED, "AmortizedCost": Metric.AMORTIZED}
_KEYS = ("SERVICE", "LINKED_ACCOUNT")
_QUERY = {
    "Granularity": "DAILY",
    "Metrics": [*_METRICS],
    "GroupBy": [{"Type": "DIMENSION", "Key": key} for key in _KEYS],
}
_RUN_LATER = "The published costs stay; run again later"


def available_months(today: date) -> list[str]:
    """List the billing periods of which AWS has complete days, oldest first."""
    yesterday = month_of(today - timedelta(days=1))
    return months_between(shift(month_of(today), -MONTHS_BACK), yesterday)


class Budget:
    """The number of requests that one run may send, shared by everything the run requests."""

    def __init__(self, requests: int) -> None:
        self.limit = requests
        self.sent = 0

    def count_request(self) -> None:
        """Count one request that is about to be sent.

        Raises:
            BudgetSpent: the run has sent as many as it is allowed to.
        """
        if self.sent >= self.limit:
            raise BudgetSpent(
                f"this run's limit of {counted(self.limit, 'request')} to Cost Explorer is used up",
                cure="Run again to continue from here, or raise FINOPS_COST_EXPLORER_REQUESTS"
                f" (a request costs USD {PRICE_USD})",
            )
        self.sent += 1


class CostExplorer:
    """Cost Explorer as one source reaches it; `request_costs` sends the first request.

    Args:
        budget: counts every request that leaves this machine, including pages and retries.
    """

    def __init__(self, access: Access, budget: Budget) -> None:
        self._access = access
        self._budget = budget
        self._client: Any = None

    def request_costs(self, first: date, end: date) -> Answer:
        """Request the costs of the days from `first` to `end` (excluded), with all pages.

        Raises:
            BudgetSpent: the budget was used up before the last page.
            DeliveryRefused: the answer is inconsistent or cannot be read.
            AccessRefused: AWS denied access.
            Unreachable: AWS did not answer.
        """
        label = f"Cost Explorer's answer for {first} to {end - timedelta(days=1)}"
        is_full_budget = not self._budget.sent
        try:
            pages = list(self._read_pages(first, end, label))
        except BudgetSpent as error:
            if not is_full_budget:
                raise
            # Running again would pay for the same pages again and never reach the last one.
            raise BudgetSpent(
                f"{label} has more pages than a run may request"
                f" ({counted(self._budget.limit, 'request')})",
                "a budget that covers all pages of a month",
                "Raise FINOPS_COST_EXPLORER_REQUESTS",
            ) from error
        return read_pages(pages, first, end, label)

    def _read_pages(self, first: date, end: date, label: str) -> Iterator[dict[str, Any]]:
        period = {"Start": first.isoformat(), "End": end.isoformat()}
        token, seen = "", set[str]()
        while True:
            more = {"NextPageToken": token} if token else {}
            with translate_errors(self._access, "call Cost Explorer (ce:GetCostAndUsage)"):
                page = self._open_client().get_cost_and_usage(TimePeriod=period, **_QUERY, **more)
            yield page
            token = page.get("NextPageToken") or ""
            if not token:
                return
            if token in seen:
                raise DeliveryRefused(
                    f"{label} never ends: page {len(seen) + 1} leads to a page that was already"
                    " read",
                    "a last page that leads to no other",
                    _RUN_LATER,
                )
            seen.add(token)

    def _open_client(self) -> Any:
        if self._client is None:
            self._client = open_client(self._access, "ce")
            # Counted when sent: boto retries on its own, and AWS charges for every request.
            self._client.meta.events.register(
                "before-send.cost-explorer.GetCostAndUsage",
                lambda **_: self._budget.count_request(),
            )
        return self._client


def read_pages(pages: list[dict[str, Any]], first: date, end: date, label: str) -> Answer:
    """Parse the pages of an answer, which must have every requested day and no row twice.

    Raises:
        DeliveryRefused: a day is missing, a row appears twice or an amount cannot be read; names
            the day and the value.
    """
    days: dict[date, bool | None] = {}
    rows: dict[tuple[Any, ...], DayCost] = {}
    rounded = 0
    for page in pages:
        for entry in page.get("ResultsByTime") or []:
            day = _read_day(entry, first, end, label)
            days[day] = bool(days.get(day) or entry.get("Estimated", True))
            groups = entry.get("Groups") or []
            if not groups:
                _check_no_total(entry, day, label)
            for group in groups:
                row, more = _read_group(group, day, label)
                rounded += more
                key = row[:4]
                if key in rows:
                    raise DeliveryRefused(
                        f"{label} lists {row.service} of account {row.account} twice on {day}",
                        "each service and account once per day",
                        _RUN_LATER,
                    )
                rows[key] = row
    missing = [d for d in _list_days(first, end) if d not in days]
    if missing:
        raise DeliveryRefused(
            f"{label} lacks {counted(len(missing), 'day')}, beginning with {missing[0]}",
            "every day that was requested",
            _RUN_LATER,
        )
    return Answer(days, tuple(rows.values()), frozenset(Metric), "GetCostAndUsage", rounded)


def _list_days(first: date, end: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((end - first).days)]


def _read_day(entry: dict[str, Any], first: date, end: date, label: str) -> date:
    period = entry.get("TimePeriod") or {}
    start = str(period.get("Start"))
    try:
        day = date.fromisoformat(start)
    except ValueError as error:
        raise DeliveryRefused(
            f"{label} has {start[:40]!r} as a day", "a day as YYYY-MM-DD", _RUN_LATER
        ) from error
    if not first <= day < end:
        raise DeliveryRefused(
            f"{label} contains {day}, which was not requested", "the requested days", _RUN_LATER
        )
    if period.get("End") != (day + timedelta(days=1)).isoformat():
        raise DeliveryRefused(
            f"{label} contains a period from {day} to {period.get('End')}",
            "periods of one day",
            _RUN_LATER,
        )
    return day


def _check_no_total(entry: dict[str, Any], day: date, label: str) -> None:
    """Check that a day without groups costs nothing; otherwise AWS ignored the grouping."""
    for name, metric in (entry.get("Total") or {}).items():
        parsed = read_amount(str(metric.get("Amount")))
        if name in _METRICS and (parsed is None or parsed[0]):
            raise DeliveryRefused(
                f"{label} gives a total {name} of {metric.get('Amount')} for {day}, but no groups",
                "groups by service and account",
                _RUN_LATER,
            )


def _read_group(group: dict[str, Any], day: date, label: str) -> tuple[DayCost, int]:
    keys = group.get("Keys") or []
    if len(keys) != len(_KEYS):
        raise DeliveryRefused(
            f"{label} has a group named {keys} on {day}", "a service and an account", _RUN_LATER
        )
    service, account = keys
    amounts, units, rounded = [], set(), 0
    for name in _METRICS:
        metric = (group.get("Metrics") or {}).get(name) or {}
        parsed = read_amount(str(metric.get("Amount")))
        if parsed is None or not metric.get("Unit"):
            raise DeliveryRefused(
                f"{label} gives {metric.get('Amount')!r} {metric.get('Unit')!r} as the {name} of"
                f" {service} in account {account} on {day}",
                "a decimal number and a currency",
                _RUN_LATER,
            )
        amounts.append(parsed[0])
        rounded += parsed[1]
        units.add(str(metric["Unit"]))
    if len(units) > 1:
        raise DeliveryRefused(
            f"{label} mixes {' and '.join(sorted(units))} for {service} on {day}",
            "one currency",
            _RUN_LATER,
        )
    return DayCost(day, account or None, service or None, units.pop(), *amounts), rounded
