"""CloudWatch's GetMetricData: daily statistics of many metrics per request, for a price per metric.

Put here: requests of at most 500 metrics, their pages, what a status means, counting what AWS
charges. Keep out: access to AWS (aws.py), which metrics and days are asked (landing).

Source: "GetMetricData" in the CloudWatch API reference, and "Amazon CloudWatch pricing": USD 0.01
for 1,000 metrics requested. Every statistic counts as a metric here, and a request that is sent
again counts again, so that AWS never charges more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from finops_pipeline.contracts.resource_usage import STATISTICS
from finops_pipeline.errors import BudgetSpent, counted
from finops_pipeline.sources.aws import Access, Clients, caller_arn, translate_errors
from finops_pipeline.sources.inventory_api import Gap, explain_failure
from finops_pipeline.sources.usage_metrics import UsageMetric

PRICE_USD = Decimal("0.01") / 1000
"""What AWS charges for one metric of a request."""

METRICS_PER_REQUEST = 500
ACTION = "cloudwatch:GetMetricData"
_DAY_SECONDS = 86_400
_FAILURES = (ClientError, BotoCoreError, ResponseParserError, RuntimeError)


class MetricBudget:
    """The number of metrics that one run may request, shared by everything that it requests."""

    def __init__(self, metrics: int) -> None:
        self.limit = metrics
        self.sent = 0
        self.requests = 0
        self._recorded = (0, 0)

    def take_unrecorded(self) -> tuple[int, int]:
        """Return the metrics and requests that were sent since the last call."""
        before, self._recorded = self._recorded, (self.sent, self.requests)
        return self.sent - before[0], self.requests - before[1]

    def count(self, metrics: int) -> None:
        """Count the metrics of a request that is about to be sent.

        Raises:
            BudgetSpent: the run would request more than it is allowed to.
        """
        if self.sent + metrics > self.limit:
            raise BudgetSpent(
                f"this run's limit of {counted(self.limit, 'metric')} of CloudWatch is used up",
                cure="Run finops ingest again to continue from here, or raise"
                f" FINOPS_CLOUDWATCH_METRICS (1,000 metrics cost USD {PRICE_USD * 1000:.2f})",
            )
        self.sent += metrics
        self.requests += 1


@dataclass(frozen=True)
class Series:
    """A metric of one resource; `region` is where CloudWatch has it."""

    account_id: str
    region_id: str
    resource_id: str
    metric: UsageMetric
    region: str

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """Its values of the columns that identify it in tables."""
        metric = self.metric
        return (
            self.account_id,
            self.region_id,
            metric.resource_type,
            self.resource_id,
            metric.metric_name,
        )


@dataclass(frozen=True)
class Datapoint:
    """One statistic of a series as CloudWatch states it."""

    series: int
    statistic: str
    at: datetime
    value: float


@dataclass
class MetricAnswer:
    """The answer for some series; `gaps` are by number of the series."""

    points: list[Datapoint] = field(default_factory=list)
    gaps: dict[int, Gap] = field(default_factory=dict)


class CloudWatch:
    """CloudWatch as one source reaches it.

    Args:
        budget: counts every metric that is requested, including those of repeated requests.
    """

    def __init__(self, access: Access, budget: MetricBudget) -> None:
        self._access = access
        self._clients = Clients(access)
        self._budget = budget
        self._metrics = 0
        self._counted: set[str] = set()

    def find_account(self) -> str:
        """Return the account of the credentials.

        Raises:
            AccessRefused: there are no usable credentials, or the role may not be assumed.
            Unreachable: AWS did not answer.
        """
        with translate_errors(self._access, "identify the owner of the credentials"):
            return caller_arn(self._clients.open("sts")).split(":")[4]

    def ask(self, asked: Sequence[Series], first: date, end: date) -> MetricAnswer:
        """Ask for the days from `first` to `end` (excluded) of series in one region.

        A failure is a gap of every series that it concerns.

        Raises:
            BudgetSpent: the budget does not suffice for another request.
        """
        queries = [
            (number, statistic)
            for number, series in enumerate(asked)
            for statistic in series.metric.statistics
        ]
        answer = MetricAnswer()
        for start in range(0, len(queries), METRICS_PER_REQUEST):
            part = queries[start : start + METRICS_PER_REQUEST]
            try:
                self._ask_part(asked, part, (first, end), answer)
            except _FAILURES as error:
                gap = explain_failure(error, ACTION)
                answer.gaps |= {number: gap for number, _ in part}
        return answer

    def _ask_part(
        self,
        asked: Sequence[Series],
        part: Sequence[tuple[int, str]],
        days: tuple[date, date],
        answer: MetricAnswer,
    ) -> None:
        client = self._open(asked[0].region)
        first, end = (datetime.combine(day, time(), UTC) for day in days)
        request = {
            "MetricDataQueries": [
                _query(f"q{position}", asked[number], statistic)
                for position, (number, statistic) in enumerate(part)
            ],
            "StartTime": first,
            "EndTime": end,
            "ScanBy": "TimestampAscending",
        }
        token, seen, partial = "", set[str](), set[tuple[int, str]]()
        while True:
            # AWS charges for the metrics of a page again.
            self._metrics = len(part)
            page = client.get_metric_data(**request, **({"NextToken": token} if token else {}))
            for result in page.get("MetricDataResults", ()):
                number, statistic = part[int(result["Id"][1:])]
                _read_result(result, (number, statistic), answer, partial)
            token = page.get("NextToken") or ""
            if not token or token in seen:
                break
            seen.add(token)
        for number, _ in partial:
            answer.gaps[number] = Gap("failed", "CloudWatch sent only a part of the statistics.")

    def _open(self, region: str) -> Any:
        client = self._clients.open("cloudwatch", region)
        if region not in self._counted:
            self._counted.add(region)
            client.meta.events.register(
                "before-send.cloudwatch.GetMetricData",
                lambda **_: self._budget.count(self._metrics),
            )
        return client


def _query(name: str, series: Series, statistic: str) -> dict[str, Any]:
    values = {"id": series.resource_id, "account": series.account_id}
    metric = series.metric
    return {
        "Id": name,
        "MetricStat": {
            "Metric": {
                "Namespace": metric.namespace,
                "MetricName": metric.name,
                "Dimensions": [
                    {"Name": key, "Value": template.format(**values)}
                    for key, template in metric.dimensions.items()
                ],
            },
            "Period": _DAY_SECONDS,
            "Stat": STATISTICS[statistic],
            "Unit": metric.unit,
        },
    }


def _read_result(
    result: Mapping[str, Any],
    query: tuple[int, str],
    answer: MetricAnswer,
    partial: set[tuple[int, str]],
) -> None:
    number, statistic = query
    status = str(result.get("StatusCode", "Complete"))
    if status == "Forbidden":
        answer.gaps[number] = Gap("denied", f"AWS denies {ACTION} for the metric.", ACTION)
    elif status == "InternalError":
        answer.gaps[number] = Gap("failed", "CloudWatch could not compute the statistics.")
    elif status == "PartialData":
        partial.add(query)
    else:
        partial.discard(query)
    points = zip(result.get("Timestamps", ()), result.get("Values", ()), strict=False)
    answer.points += [Datapoint(number, statistic, at, value) for at, value in points]
