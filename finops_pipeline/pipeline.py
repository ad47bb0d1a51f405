"""The order of the stages: land, conform, refresh. The one path for CLI, Python and Dagster.

Put here: which tenants, sources, projects and months a piece of work covers, and what is done
when one of them fails. Keep out: the stages' own work; words of a doorway (cli, orchestration).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from finops_pipeline import clock
from finops_pipeline.errors import DeliveryRefused, FinopsError, RegistryError, Transient
from finops_pipeline.focus.conform import Conformed, conform
from finops_pipeline.focus.reconcile import Status, statuses
from finops_pipeline.lake import ledger
from finops_pipeline.lake.duck import Limits
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.ledger import Ledger, Refusal
from finops_pipeline.lake.publish import Writer, settle, tenant_writer
from finops_pipeline.landing.by_hand import land_files
from finops_pipeline.landing.land import Landed, land
from finops_pipeline.marts.build import Refreshed, refresh
from finops_pipeline.settings import Settings
from finops_pipeline.sources.data_exports import billing_periods, read_delivery
from finops_pipeline.sources.location import open_location
from finops_pipeline.tenants.model import Source, Tenant
from finops_pipeline.tenants.registry import Registry


@dataclass(frozen=True)
class Months:
    """A range of billing periods, ends included; None is open."""

    first: str | None = None
    last: str | None = None

    def __contains__(self, month: object) -> bool:
        return (
            isinstance(month, str)
            and (self.first is None or self.first <= month)
            and (self.last is None or month <= self.last)
        )


@dataclass(frozen=True)
class Step:
    """One thing that was done, for progress and reports.

    `stage` is landing, costs or warehouse; `what` the source, project or tenant; `outcome`
    landed, built, unchanged, empty, or refused with the `reason`.
    """

    stage: str
    what: str
    month: str
    outcome: str
    rows: int = 0
    seconds: float = 0.0
    reason: str = ""


OnStep = Callable[[Step], None]


def _silent(step: Step) -> None:
    """Report nothing."""


@dataclass
class Report:
    """All steps of a piece of work."""

    steps: list[Step] = field(default_factory=list)

    @property
    def refused(self) -> list[Step]:
        """Steps that failed, with their reasons."""
        return [step for step in self.steps if step.outcome == "refused"]


class House:
    """An installation: its settings, registry and tenants' folders."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.limits = Limits(settings.memory_limit, settings.threads)

    @property
    def registry(self) -> Registry:
        """The registry; made on first use."""
        return Registry(self.settings.registry)

    def folder(self, tenant: str) -> TenantFolder:
        """The folder of a tenant's name (which need not be registered)."""
        return TenantFolder(self.settings.data_folder, tenant)

    @contextmanager
    def writer(self, tenant: str) -> Iterator[Writer]:
        """Become the one writer of a tenant's folder.

        Raises:
            TenantBusy: another process kept it too long.
        """
        with tenant_writer(self.folder(tenant), self.settings.lock_wait_seconds) as writer:
            yield writer

    def status(self, tenant: str) -> list[Status]:
        """The state of every source and month of a tenant.

        Raises:
            Unknown: there is no such tenant.
        """
        known = self.registry.tenant(tenant)
        folder = self.folder(tenant)
        settle(folder)
        return statuses(known, Ledger(folder.ledger))


def ingest(
    house: House,
    tenant: Tenant,
    project: str | None = None,
    months: Months | None = None,
    on_step: OnStep = _silent,
) -> Report:
    """Bring a tenant (or one of its projects) up to date: land, conform, refresh.

    A month that cannot be taken is reported and noted; the others go on, and what was
    published of it before stays.

    Raises:
        TenantBusy: another process is writing this tenant.
        Unknown: there is no such project.
        RegistryError: the months asked for are in no source.
    """
    span = months or Months()
    chosen = [tenant.project(project)] if project else list(tenant.all_projects)
    reads = {name for p in chosen for name in tenant.sources_of(p)}
    report = Report()

    def note(step: Step) -> None:
        report.steps.append(step)
        on_step(step)

    with house.writer(tenant.name) as writer:
        for source in tenant.sources:
            if source.name in reads and source.location:
                land_source(writer, tenant, source, span, house.limits, note)
        landed = {d.billing_period for d in writer.ledger.deliveries() if d.source in reads}
        asked = sorted(month for month in landed if month in span)
        if not asked and not report.steps:
            raise RegistryError(
                f"no source of tenant {tenant.name} has a delivery of the months asked for",
                "billing periods that were delivered",
                f"See what is there: finops status {tenant.name}",
            )
        build_costs(writer, tenant, [p.name for p in chosen], asked, house.limits, note)
        refresh_warehouse(writer, tenant, house.limits, note)
    return report


def ingest_files(
    house: House, tenant: Tenant, source: Source, paths: list[Path], on_step: OnStep = _silent
) -> Report:
    """Take files brought by hand as deliveries of a source, then conform and refresh.

    Raises:
        DeliveryRefused: the files cannot be taken; says why.
    """
    report = Report()

    def note(step: Step) -> None:
        report.steps.append(step)
        on_step(step)

    with house.writer(tenant.name) as writer:
        start = clock.stopwatch()
        landed = land_files(writer, source, [path.absolute() for path in paths], house.limits)
        for one in landed:
            note(_landing_step(tenant, source, one, clock.stopwatch() - start))
        names = [project.name for project in tenant.all_projects]
        months = [one.record.billing_period for one in landed]
        build_costs(writer, tenant, names, months, house.limits, note)
        refresh_warehouse(writer, tenant, house.limits, note)
    return report


def land_source(
    writer: Writer,
    tenant: Tenant,
    source: Source,
    months: Container[str],
    limits: Limits,
    on_step: OnStep = _silent,
) -> list[Landed]:
    """Land what a source has delivered of these months; refusals are noted in the ledger."""
    what = f"{tenant.name}/{source.name}"
    try:
        location = open_location(source.location, what)
        there = [month for month in billing_periods(source, location) if month in months]
    except FinopsError as error:
        on_step(Step("landing", what, "", "refused", reason=str(error)))
        return []
    landed = []
    for month in there:
        start = clock.stopwatch()
        try:
            one = land(writer, source, read_delivery(source, location, month), limits)
        except (DeliveryRefused, Transient) as error:
            at = clock.now().isoformat()
            writer.ledger.write(ledger.refused(Refusal(source.name, month, str(error), at)))
            on_step(Step("landing", what, month, "refused", reason=str(error)))
            continue
        if (source.name, month) in writer.ledger.refusals():
            writer.ledger.write(ledger.accepted(source.name, month))
        landed.append(one)
        on_step(_landing_step(tenant, source, one, clock.stopwatch() - start))
    return landed


def _landing_step(tenant: Tenant, source: Source, one: Landed, seconds: float) -> Step:
    record = one.record
    what = f"{tenant.name}/{source.name}"
    reason = f"{record.rows_quarantined} rows quarantined" if record.rows_quarantined else ""
    return Step(
        "landing", what, record.billing_period, one.outcome, record.rows_kept, seconds, reason
    )


def build_costs(
    writer: Writer,
    tenant: Tenant,
    projects: list[str],
    months: list[str],
    limits: Limits,
    on_step: OnStep = _silent,
) -> list[Conformed]:
    """Build the costs partitions of these projects and months that are out of date."""
    done: list[Conformed] = []
    chosen = [tenant.project(name) for name in projects]
    for month in months:
        start = clock.stopwatch()
        try:
            of_month = conform(writer, tenant, chosen, [month], limits)
        except FinopsError as error:
            on_step(Step("costs", tenant.name, month, "refused", reason=str(error)))
            continue
        seconds = (clock.stopwatch() - start) / max(len(of_month), 1)
        for one in of_month:
            what = f"{tenant.name}/{one.record.key}"
            on_step(Step("costs", what, month, one.outcome, one.record.rows, seconds))
        done += of_month
    return done


def refresh_warehouse(
    writer: Writer, tenant: Tenant, limits: Limits, on_step: OnStep = _silent
) -> Refreshed | None:
    """Refresh the tenant's DuckDB file from what is published; None when it was refused."""
    start = clock.stopwatch()
    try:
        done = refresh(writer, tenant, statuses(tenant, writer.ledger), limits)
    except FinopsError as error:
        on_step(Step("warehouse", tenant.name, "", "refused", reason=str(error)))
        return None
    seconds = clock.stopwatch() - start
    reason = "; ".join(done.warnings)
    rows = sum(total["rows"] for total in done.totals)
    on_step(Step("warehouse", tenant.name, "", done.outcome, rows, seconds, reason))
    return done
