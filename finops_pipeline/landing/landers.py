"""The landing of each kind of source: of its own deliveries, and of imported files.

Put here: the two tables of landers by source kind. Keep out: the landing of a delivery
(delivery_landing.py), of files (imported_files.py) and of Cost Explorer (cost_explorer_answers.py).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import Protocol

from finops_pipeline.contracts.cost_explorer import Metric
from finops_pipeline.errors import FileProblem, RegistryError
from finops_pipeline.landing.cost_explorer_answers import CostExplorerLander, land_console_files
from finops_pipeline.landing.delivery_landing import land
from finops_pipeline.landing.imported_files import land_imported_files
from finops_pipeline.landing.landing_task import Landed, LandingTask
from finops_pipeline.sources.cost_explorer_api import Budget
from finops_pipeline.sources.data_exports import billing_periods, read_delivery
from finops_pipeline.sources.location_kinds import open_location
from finops_pipeline.tenants.model import SourceKind
from finops_pipeline.tenants.source import BILL_KINDS, COLLECTED_KINDS


class Lander(Protocol):
    """Lands the months of one source."""

    def list_months(self, selected: Container[str] | None) -> list[str]:
        """List the months to land, in order; `selected` None means those that are due."""

    def land_month(self, month: str) -> Landed:
        """Land what the source delivers for a month.

        Raises:
            DeliveryRefused: it cannot be accepted. What has been published stays.
        """

    @property
    def requests_report(self) -> str:
        """The number and price of the paid requests that were sent; empty for none."""


class ExportLander:
    """Lands the billing periods of a report in a folder or S3.

    Raises:
        RegistryError: the source's location cannot be opened.
    """

    def __init__(self, task: LandingTask, budget: Budget) -> None:
        self._task = task
        self._location = open_location(task.tenant, task.source)

    def list_months(self, selected: Container[str] | None) -> list[str]:
        """List the billing periods of the report, oldest first; all when `selected` is None."""
        months = billing_periods(self._task.source, self._location)
        return [month for month in months if selected is None or month in selected]

    def land_month(self, month: str) -> Landed:
        """Land the current delivery of a billing period."""
        return land(self._task, read_delivery(self._task.source, self._location, month))

    @property
    def requests_report(self) -> str:
        """Always empty: requests for exports are not reported."""
        return ""


def _refuse_without_location(task: LandingTask, budget: Budget) -> Lander:
    raise RegistryError(
        f"source {task.name} has no location",
        "the endpoint of Cost Explorer, https://ce.us-east-1.amazonaws.com",
        f"Set it, or import the console's CSV: finops ingest-file {task.name} FILE",
    )


def _refuse_collected(task: LandingTask, budget: Budget) -> Lander:
    raise RegistryError(
        f"source {task.name} has the format {task.source.format.value}, which has no bills to land",
        "a source of costs",
        f"What it tells is collected once a day: finops ingest {task.tenant.name}",
    )


LANDERS: dict[SourceKind, Callable[[LandingTask, Budget], Lander]] = {
    **dict.fromkeys(BILL_KINDS, ExportLander),
    SourceKind.COST_EXPLORER_API: CostExplorerLander,
    SourceKind.COST_EXPLORER_CSV: _refuse_without_location,
    **dict.fromkeys(COLLECTED_KINDS, _refuse_collected),
}
"""What lands the deliveries of each kind of source, within a run's budget of paid requests."""


def _land_bills(task: LandingTask, paths: list[Path], metric: Metric | None) -> Iterator[Landed]:
    if metric:
        raise FileProblem(
            f"--metric {metric.value} is given for source {task.source.name}, whose format is"
            f" {task.source.format.value}",
            "--metric only with a source of the format cost-explorer",
        )
    return land_imported_files(task, paths)


def _land_console(task: LandingTask, paths: list[Path], metric: Metric | None) -> Iterator[Landed]:
    return land_console_files(task, paths, metric or Metric.UNBLENDED)


def _refuse_files(task: LandingTask, paths: list[Path], metric: Metric | None) -> Iterator[Landed]:
    raise FileProblem(
        f"source {task.name} has the format {task.source.format.value}, which takes no bills",
        "a source of the format inventory for inventories, and of another one for bills",
    )


FILE_LANDERS: dict[
    SourceKind, Callable[[LandingTask, list[Path], Metric | None], Iterator[Landed]]
] = {
    **dict.fromkeys(BILL_KINDS, _land_bills),
    SourceKind.COST_EXPLORER_API: _land_console,
    SourceKind.COST_EXPLORER_CSV: _land_console,
    **dict.fromkeys(COLLECTED_KINDS, _refuse_files),
}
"""What imports files into each kind of source; a metric is only given for CSV files of Cost
Explorer's console (unblended by default)."""
