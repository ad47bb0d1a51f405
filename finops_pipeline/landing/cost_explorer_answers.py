"""Land Cost Explorer's answers: choose months and days to request, and import console files.

Put here: which days are not final, the cost of a run's requests. Keep out: sending requests and
parsing answers (sources), storing them (cost_explorer_month.py).

Reads: Cost Explorer or the console's CSV, ledger   Writes: landing, ledger
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

from finops_pipeline import clock
from finops_pipeline.contracts.cost_explorer import Answer, Metric
from finops_pipeline.errors import FileProblem, counted
from finops_pipeline.lake import files
from finops_pipeline.lake.changed_files import has_file
from finops_pipeline.lake.layout import LANDING
from finops_pipeline.landing.cost_explorer_month import land_answer
from finops_pipeline.landing.landing_task import Landed, LandingOutcome, LandingTask
from finops_pipeline.ledger import cost_explorer_days
from finops_pipeline.ledger.cost_explorer_days import RequestRecord
from finops_pipeline.ledger.ledger import FileRecord
from finops_pipeline.ledger.stored_files import Place
from finops_pipeline.sources.aws import make_access
from finops_pipeline.sources.console_csv import read_console_csv
from finops_pipeline.sources.cost_explorer_api import (
    PRICE_USD,
    Budget,
    CostExplorer,
    available_months,
)
from finops_pipeline.tenants.months import end_day, first_day, month_of

LATEST_MONTHS = 2
"""Months that are requested when none are selected: the current one and the one before it."""


class CostExplorerLander:
    """One run's requests for one source: which months, and the days of each that are due.

    Args:
        budget: shared by all sources of a run.
    """

    def __init__(self, task: LandingTask, budget: Budget) -> None:
        self._task = task
        self._writer = task.writer
        self._source = task.source
        self._budget = budget
        self._cost_explorer = CostExplorer(make_access(task.tenant, task.source), budget)
        self._today = clock.now().date()
        self._requests = 0

    def list_months(self, selected: Container[str] | None) -> list[str]:
        """List the months to request, newest first, as the budget may not suffice for all of them.

        Args:
            selected: only these; None: the latest, and those with days that are not final.
        """
        available = available_months(self._today)
        if selected is None:
            days = cost_explorer_days.read_days(self._writer.ledger, self._source.name)
            open_months = {month_of(day) for day, estimated in days.items() if estimated}
            selected = open_months.union(available[-LATEST_MONTHS:])
        return [month for month in reversed(available) if month in selected]

    def land_month(self, month: str) -> Landed:
        """Request the days of a month that are due, and merge the answer with what has landed.

        Raises:
            BudgetSpent: the answer is incomplete and was discarded.
            DeliveryRefused: the answer cannot be accepted, or AWS denies access.
        """
        due = self._list_due_days(month)
        before = self._writer.ledger.delivery(self._source.name, month)
        if not due and before:
            return Landed(LandingOutcome.UNCHANGED, before)
        sent = self._budget.sent
        try:
            answers = [
                self._cost_explorer.request_costs(first, end) for first, end in _group_days(due)
            ]
        finally:
            self._record_requests(month, self._budget.sent - sent)
        merged = Answer(
            days={day: flag for answer in answers for day, flag in answer.days.items()},
            rows=tuple(row for answer in answers for row in answer.rows),
            metrics=frozenset(Metric),
            origin="GetCostAndUsage",
            values_rounded=sum(answer.values_rounded for answer in answers),
        )
        return land_answer(self._task, month, merged)

    @property
    def requests_report(self) -> str:
        """The number and price of this run's requests; empty when none were sent."""
        cost = PRICE_USD * self._requests
        return f"{counted(self._requests, 'request')}, USD {cost}" if self._requests else ""

    def _list_due_days(self, month: str) -> list[date]:
        """List the days up to yesterday that have not landed or are not final."""
        end = min(end_day(month), self._today)
        days = [first_day(month) + timedelta(days=n) for n in range((end - first_day(month)).days)]
        before = self._writer.ledger.delivery(self._source.name, month)
        place = Place(LANDING, self._source.name, month)
        if before and before.rows_kept and not has_file(self._writer, place):
            return days  # pruned or lost, and with it the costs of final days
        estimated = cost_explorer_days.read_days(self._writer.ledger, self._source.name)
        return [day for day in days if estimated.get(day) is not False]

    def _record_requests(self, month: str, requests: int) -> None:
        """Record paid requests at once: AWS charges for them even if the answer is not used."""
        if not requests:
            return
        self._requests += requests
        at = clock.now().isoformat()
        cost = PRICE_USD * requests
        record = RequestRecord(at, self._source.name, "Cost Explorer", month, requests, cost)
        self._writer.ledger.write(cost_explorer_days.record_requests(record))


def _group_days(days: list[date]) -> Iterator[tuple[date, date]]:
    """Group days into ranges without gaps, ends excluded, so that final days are not requested."""
    start = None
    for position, day in enumerate(days):
        start = start or day
        after = day + timedelta(days=1)
        if position + 1 == len(days) or days[position + 1] != after:
            yield start, after
            start = None


def land_console_files(task: LandingTask, paths: list[Path], metric: Metric) -> Iterator[Landed]:
    """Land CSV files from Cost Explorer's console; every month in them is a delivery.

    The days in a file replace earlier values of the same metric; the other metric stays.

    Raises:
        FileProblem: a file cannot be read; then none of the files has landed.
    """
    answers = []
    with task.writer.publication() as publication:
        for number, path in enumerate(paths):
            if not path.is_file():
                raise FileProblem(f"{path} is not a file", "a CSV from Cost Explorer's console")
            flat = publication.scratch(f"{number}.csv")
            files.inflate(path, flat, path.name)
            file = FileRecord(path.name, path.stat().st_size, files.fingerprint(path), 0)
            answers.append((read_console_csv(_decode(flat, path), path.name, metric), file))
    for answer, file in answers:
        for month in sorted({month_of(day) for day in answer.days}):
            part = replace(
                answer,
                days={day: flag for day, flag in answer.days.items() if month_of(day) == month},
                rows=tuple(row for row in answer.rows if month_of(row.day) == month),
            )
            yield land_answer(task, month, part, file)


def _decode(flat: Path, path: Path) -> str:
    try:
        return flat.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileProblem(f"{path.name} is not UTF-8 text ({error})", "a CSV in UTF-8") from error
