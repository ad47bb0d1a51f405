"""The order of the stages: land, conform, refresh. The one path for CLI, Python and Dagster.

Put here: which tenants, sources, projects and months a piece of work covers, and what is done
when one of them fails. Keep out: the stages' own work; words of a doorway (cli, orchestration).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from finops_pipeline import clock
from finops_pipeline.errors import FinopsError, RegistryError
from finops_pipeline.focus.conform import Conformed, conform
from finops_pipeline.focus.reconcile import Status, statuses
from finops_pipeline.lake import ledger
from finops_pipeline.lake.duck import DuckDBError, Limits
from finops_pipeline.lake.layout import COSTS, TenantFolder
from finops_pipeline.lake.ledger import Ledger, LedgerError, Refusal
from finops_pipeline.lake.publish import Publication, Writer, settle, tenant_writer
from finops_pipeline.landing.by_hand import land_files
from finops_pipeline.landing.land import Landed, land
from finops_pipeline.marts.build import Refreshed, refresh
from finops_pipeline.settings import Settings
from finops_pipeline.sources.data_exports import billing_periods, read_delivery
from finops_pipeline.sources.location import open_location
from finops_pipeline.tenants.model import Source, Tenant
from finops_pipeline.tenants.registry import Registry

SURPRISES = (
    FinopsError,
    DuckDBError,
    LedgerError,
    OSError,
    ValueError,
    TypeError,
    ArithmeticError,
)
"""What may go wrong with one month without stopping the others: refusals, and what no one
foresaw of a bill or a disk. A month that meets it is reported; what was published stays."""


def _reason(error: BaseException) -> str:
    """Why, in one line; what was not foreseen says what it is."""
    first = (str(error).splitlines() or [""])[0]
    return str(error) if isinstance(error, FinopsError) else f"{type(error).__name__}: {first}"


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

    def check_location(self, tenant: Tenant, source: Source) -> None:
        """See that a source's location leads, now, to no other tenant's exports nor to the lake.

        Raises:
            RegistryError: it does (a link that was laid since it was declared, say).
        """
        if not source.location or "://" in source.location:
            return
        here = Path(source.location).resolve()
        others = [
            Path(other.location).resolve()
            for another in self.registry.tenants()
            if another.name != tenant.name
            for other in another.sources
            if other.location and "://" not in other.location
        ]
        for place in (*others, (self.settings.data_folder / "lake").resolve()):
            if here.is_relative_to(place) or place.is_relative_to(here):
                raise RegistryError(
                    f"source {tenant.name}/{source.name}: {source.location} leads to a folder that"
                    " is not its own",
                    "a folder that only this tenant reads, outside the lake",
                    "Correct the location",
                )

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
                land_source(house, writer, tenant, source, span, note)
        landed = {d.billing_period for d in writer.ledger.deliveries() if d.source in reads}
        asked = sorted(month for month in landed if month in span)
        if not asked and not report.steps and span != Months():
            raise RegistryError(
                f"no source of tenant {tenant.name} has a delivery of the months asked for",
                "billing periods that were delivered",
                f"See what is there: finops status {tenant.name}",
            )
        build_costs(house, writer, tenant, [p.name for p in chosen], asked, note)
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
        months = []
        try:
            for one in land_files(writer, source, [p.absolute() for p in paths], house.limits):
                note(_landing_step(tenant, source, one, clock.stopwatch() - start))
                months.append(one.record.billing_period)
        finally:
            if months:
                names = [project.name for project in tenant.all_projects]
                build_costs(house, writer, tenant, names, months, note)
    return report


def land_source(
    house: House,
    writer: Writer,
    tenant: Tenant,
    source: Source,
    months: Container[str],
    on_step: OnStep = _silent,
) -> list[Landed]:
    """Land what a source has delivered of these months; refusals are noted in the ledger."""
    what = f"{tenant.name}/{source.name}"
    try:
        house.check_location(tenant, source)
        location = open_location(source.location, what)
        there = [month for month in billing_periods(source, location) if month in months]
    except SURPRISES as error:
        on_step(Step("landing", what, "", "refused", reason=_reason(error)))
        return []
    landed = []
    for month in there:
        start = clock.stopwatch()
        try:
            one = land(writer, source, read_delivery(source, location, month), house.limits)
            if (source.name, month) in writer.ledger.refusals():
                writer.ledger.write(ledger.accepted(source.name, month))
        except SURPRISES as error:
            reason = _reason(error)
            with suppress(LedgerError):  # a full disk must not hide its own cause
                at = clock.now().isoformat()
                writer.ledger.write(ledger.refused(Refusal(source.name, month, reason, at)))
            on_step(Step("landing", what, month, "refused", reason=reason))
            continue
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


MONTHS_TOGETHER = 12
"""Months whose charges are published at once: more would be lost by an interruption."""


def build_costs(
    house: House,
    writer: Writer,
    tenant: Tenant,
    projects: list[str],
    months: list[str],
    on_step: OnStep = _silent,
) -> list[Conformed]:
    """Build the costs partitions that are out of date, and the tenant's file with them.

    Charges and aggregated tables become visible in one publication, a year of months at a time:
    a reader never finds one without the other.
    """
    done: list[Conformed] = []
    for begin in range(0, max(len(months), 1), MONTHS_TOGETHER):
        with writer.publication() as publication:
            for month in months[begin : begin + MONTHS_TOGETHER]:
                done += _conform_month(house, publication, tenant, projects, month, on_step)
            refresh_warehouse(house, publication, tenant, on_step)
    return done


def _conform_month(
    house: House,
    publication: Publication,
    tenant: Tenant,
    projects: list[str],
    month: str,
    on_step: OnStep,
) -> list[Conformed]:
    start = clock.stopwatch()
    chosen = [tenant.project(name) for name in projects]
    try:
        done = conform(publication, tenant, chosen, month, house.limits)
    except SURPRISES as error:
        on_step(Step("costs", tenant.name, month, "refused", reason=_reason(error)))
        return []
    seconds = (clock.stopwatch() - start) / max(len(done), 1)
    for one in done:
        what = f"{tenant.name}/{one.record.key}"
        on_step(Step("costs", what, month, one.outcome, one.record.rows, seconds))
    return done


def refresh_warehouse(
    house: House, publication: Publication, tenant: Tenant, on_step: OnStep = _silent
) -> Refreshed | None:
    """Bring the tenant's file up to date and publish it with all that is on the publication.

    Returns:
        what was done; None when it was refused, and then nothing of the publication is visible.
    """
    start = clock.stopwatch()
    try:
        status = statuses(tenant, publication.ledger, publication.partitions(COSTS))
        done = refresh(publication, tenant, status, house.limits)
        publication.commit()
    except SURPRISES as error:
        reason = f"{_reason(error)} Nothing of this was published."
        on_step(Step("warehouse", tenant.name, "", "refused", reason=reason))
        return None
    seconds = clock.stopwatch() - start
    reason = "; ".join(done.warnings)
    rows = sum(total["rows"] for total in done.totals)
    on_step(Step("warehouse", tenant.name, "", done.outcome, rows, seconds, reason))
    return done
