"""Take in what Cost Explorer says: which months and days are asked, which files are read.

Put here: which days are not final, what a run's questions cost. Keep out: asking and reading
(sources), keeping the answers (explorer_month.py).

Reads: Cost Explorer or the console's CSV, ledger   Writes: landing, ledger
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

from finops_pipeline import clock
from finops_pipeline.contracts.cost_explorer import Answer, Metric
from finops_pipeline.errors import FileProblem, RegistryError
from finops_pipeline.lake import files
from finops_pipeline.lake.duck import Limits
from finops_pipeline.lake.layout import LANDING
from finops_pipeline.lake.publish import Writer
from finops_pipeline.landing.cost_explorer_month import land_answer
from finops_pipeline.landing.land import Landed
from finops_pipeline.ledger import cost_explorer_days as explorer
from finops_pipeline.ledger.cost_explorer_days import RequestRecord
from finops_pipeline.ledger.ledger import FileRecord
from finops_pipeline.sources.aws import access_of
from finops_pipeline.sources.console_csv import read_console_csv
from finops_pipeline.sources.cost_explorer_api import PRICE_USD, Budget, Explorer, months_there_are
from finops_pipeline.tenants.model import Source, Tenant
from finops_pipeline.tenants.months import end_day, first_day, month_of

LATEST = 2
"""Months that are asked when none are named: the running one and the one before it."""


class Asking:
    """One run's questions for one source: which months, and each month's days that are due.

    Args:
        budget: shared by all sources of a run.

    Raises:
        RegistryError: the source is fed by hand only.
    """

    def __init__(
        self, writer: Writer, tenant: Tenant, source: Source, budget: Budget, limits: Limits
    ) -> None:
        if not source.location:
            raise RegistryError(
                f"source {tenant.name}/{source.name} has no location",
                "the endpoint of Cost Explorer, https://ce.us-east-1.amazonaws.com",
                "Set it, or bring the console's CSV: finops ingest-file"
                f" {tenant.name}/{source.name} FILE",
            )
        self._writer = writer
        self._source = source
        self._budget = budget
        self._limits = limits
        self._explorer = Explorer(access_of(tenant, source), budget)
        self._today = clock.now().date()
        self.sent = 0

    def months(self, wanted: Container[str] | None) -> list[str]:
        """Months to look at, newest first, as a budget may not reach all of them.

        Args:
            wanted: only these; None: the latest, and those with days that are not final.
        """
        there = months_there_are(self._today)
        if wanted is None:
            known = explorer.read_days(self._writer.ledger, self._source.name)
            open_months = {month_of(day) for day, estimated in known.items() if estimated}
            wanted = open_months.union(there[-LATEST:])
        return [month for month in reversed(there) if month in wanted]

    def land(self, month: str) -> Landed:
        """Ask for the days of a month that are due and lay the answer over what has landed.

        Raises:
            BudgetSpent: the answer is not whole; nothing of it was kept.
            DeliveryRefused: an answer that cannot be taken, or AWS denies it.
        """
        due = self._due(month)
        before = self._writer.ledger.delivery(self._source.name, month)
        if not due and before:
            return Landed("unchanged", before)
        sent = self._budget.sent
        try:
            answers = [self._explorer.ask(first, end) for first, end in _runs(due)]
        finally:
            self._note(month, self._budget.sent - sent)
        whole = Answer(
            days={day: said for answer in answers for day, said in answer.days.items()},
            rows=tuple(row for answer in answers for row in answer.rows),
            metrics=frozenset(Metric),
            said_by="GetCostAndUsage",
            values_rounded=sum(answer.values_rounded for answer in answers),
        )
        return land_answer(self._writer, self._source, month, whole, self._limits)

    @property
    def words(self) -> str:
        """What this run's requests come to, for its report; empty when none were sent."""
        return f"{self.sent} requests, USD {PRICE_USD * self.sent}" if self.sent else ""

    def _due(self, month: str) -> list[date]:
        """Days until yesterday that are not known, or not final."""
        end = min(end_day(month), self._today)
        days = [first_day(month) + timedelta(days=n) for n in range((end - first_day(month)).days)]
        before = self._writer.ledger.delivery(self._source.name, month)
        path = self._writer.folder.partition(LANDING, self._source.name, month)
        if before and before.rows_kept and not path.exists():
            return days  # pruned or lost: what was known of it is gone with it
        known = explorer.read_days(self._writer.ledger, self._source.name)
        return [day for day in days if known.get(day) is not False]

    def _note(self, month: str, requests: int) -> None:
        """AWS charges for requests whatever comes of them, so they are written down at once."""
        if not requests:
            return
        self.sent += requests
        at = clock.now().isoformat()
        cost = PRICE_USD * requests
        record = RequestRecord(at, self._source.name, "Cost Explorer", month, requests, cost)
        self._writer.ledger.write(explorer.record_requests(record))


def _runs(days: list[date]) -> Iterator[tuple[date, date]]:
    """Days as ranges without gaps, ends excluded: days that are final are not asked again."""
    start = None
    for position, day in enumerate(days):
        start = start or day
        after = day + timedelta(days=1)
        if position + 1 == len(days) or days[position + 1] != after:
            yield start, after
            start = None


def land_console(
    writer: Writer, source: Source, paths: list[Path], metric: Metric, limits: Limits
) -> Iterator[Landed]:
    """Land CSVs that Cost Explorer's console made; every month they hold is a delivery.

    Days that a file holds replace what was there of the same metric; the other metric stays.

    Raises:
        FileProblem: a file cannot be taken; says why. Nothing of any of them has landed then.
    """
    answers = []
    with writer.publication() as publication:
        for number, path in enumerate(paths):
            if not path.is_file():
                raise FileProblem(f"{path} is no file", "a CSV from Cost Explorer's console")
            flat = publication.scratch(f"{number}.csv")
            files.inflate(path, flat, path.name)
            file = FileRecord(path.name, path.stat().st_size, files.checksum(path), 0)
            answers.append((read_console_csv(_decoded(flat, path), path.name, metric), file))
    for answer, file in answers:
        for month in sorted({month_of(day) for day in answer.days}):
            part = replace(
                answer,
                days={day: said for day, said in answer.days.items() if month_of(day) == month},
                rows=tuple(row for row in answer.rows if month_of(row.day) == month),
            )
            yield land_answer(writer, source, month, part, limits, file)


def _decoded(flat: Path, path: Path) -> str:
    try:
        return flat.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileProblem(f"{path.name} is no UTF-8 text ({error})", "a CSV in UTF-8") from error
