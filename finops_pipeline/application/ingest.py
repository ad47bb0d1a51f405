"""The order of the stages: land, conform, refresh. The one path for CLI, Python and Dagster.

Put here: which tenants, sources, projects and months a piece of work covers, and what is done
when one of them fails. Keep out: the stages' own work; words of a doorway (cli, orchestration).
"""

from __future__ import annotations

from pathlib import Path

from finops_pipeline import clock
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.landing import land_by_hand, land_source, landing_step
from finops_pipeline.application.progress import Months, OnStep, Report, Step, silent
from finops_pipeline.application.refusals import SURPRISES, reason_of
from finops_pipeline.contracts.cost_explorer import Metric
from finops_pipeline.errors import RegistryError
from finops_pipeline.focus.conformance import summarize_violations
from finops_pipeline.focus.costs_partitions import Conformed, conform
from finops_pipeline.lake.layout import COSTS, EXPLORER
from finops_pipeline.lake.publish import Publication, Writer
from finops_pipeline.landing.by_hand import files_below
from finops_pipeline.ledger.invoice_entries import Invoice, entered
from finops_pipeline.marts.build import Refreshed, StatusRows, refresh
from finops_pipeline.reconciliation.comparisons import KEPT
from finops_pipeline.reconciliation.cost_explorer_comparison import compare_charges
from finops_pipeline.reconciliation.cost_explorer_daily import split
from finops_pipeline.reconciliation.invoice_comparison import check_currency
from finops_pipeline.reconciliation.statuses import Pending, reconcile
from finops_pipeline.sources.cost_explorer_api import Budget
from finops_pipeline.tenants.model import Project, Source, Tenant


def ingest(
    installation: Installation,
    tenant: Tenant,
    project: str | None = None,
    months: Months | None = None,
    on_step: OnStep = silent,
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
    _asked_for(tenant, project)  # what is not there is said before waiting
    report = Report()

    def note(step: Step) -> None:
        report.steps.append(step)
        on_step(step)

    with installation.writer(tenant.name) as writer:
        # Whoever wrote before may have taken minutes: what counts is what is declared now.
        tenant = installation.registry.tenant(tenant.name)
        chosen, reads = _asked_for(tenant, project)
        budget = Budget(installation.settings.cost_explorer_requests)
        for source in tenant.sources:
            if source.name in reads and source.location:
                land_source(installation, writer, tenant, source, span, note, budget)
        landed = {d.billing_period for d in writer.ledger.deliveries() if d.source in reads}
        asked = sorted(month for month in landed if month in span)
        if not asked and not report.steps and span != Months():
            raise RegistryError(
                f"no source of tenant {tenant.name} has a delivery of the months asked for",
                "billing periods that were delivered",
                f"See what is there: finops status {tenant.name}",
            )
        build_costs(installation, writer, tenant, [p.name for p in chosen], asked, note)
    return report


def _asked_for(tenant: Tenant, project: str | None) -> tuple[list[Project], set[str]]:
    """The projects of a run, and the names of the sources that they read."""
    chosen = [tenant.project(project)] if project else list(tenant.all_projects)
    return chosen, {n for p in chosen for n in tenant.sources_of(p)} | {*tenant.explorers}


def ingest_files(
    installation: Installation,
    tenant: Tenant,
    source: Source,
    paths: list[Path],
    on_step: OnStep = silent,
    metric: Metric | None = None,
) -> Report:
    """Take files brought by hand as deliveries of a source, then conform and refresh.

    Args:
        paths: files, or folders whose files are all taken, whatever lies how deep.
        metric: what a CSV of Cost Explorer's console shows (unblended when not said).

    Raises:
        DeliveryRefused: the files cannot be taken; says why.
    """
    report = Report()

    def note(step: Step) -> None:
        report.steps.append(step)
        on_step(step)

    absolute, left_out = files_below(paths)
    if left_out:
        said = f"{len(left_out)} files that are no bills: {', '.join(left_out[:20])}"
        note(Step("landing", f"{tenant.name}/{source.name}", "", "left out", reason=said))
    installation.check_files(tenant.name, absolute)
    with installation.writer(tenant.name) as writer:
        tenant = installation.registry.tenant(tenant.name)
        source = tenant.source(source.name)
        start = clock.stopwatch()
        months = []
        try:
            for one in land_by_hand(installation, writer, source, absolute, metric):
                note(landing_step(tenant, source, one, clock.stopwatch() - start))
                months.append(one.record.billing_period)
        finally:
            if months:
                names = [project.name for project in tenant.all_projects]
                build_costs(installation, writer, tenant, names, months, note)
    return report


MONTHS_TOGETHER = 12
"""Months whose charges are published at once: more would be lost by an interruption."""


def build_costs(
    installation: Installation,
    writer: Writer,
    tenant: Tenant,
    projects: list[str],
    months: list[str],
    on_step: OnStep = silent,
) -> list[Conformed]:
    """Build the costs partitions that are out of date, and the tenant's file with them.

    Charges and aggregated tables become visible in one publication, a year of changed months at
    a time: a reader never finds one without the other.
    """
    done: list[Conformed] = []
    waiting = list(months)
    while True:
        with writer.publication() as publication:
            changed = 0
            while waiting and changed < MONTHS_TOGETHER:
                month = waiting.pop(0)
                here = _conform_month(installation, publication, tenant, projects, month, on_step)
                split_up = _split_month(installation, publication, tenant, month, on_step)
                changed += split_up or any(one.outcome != "unchanged" for one in here)
                done += here
            refresh_warehouse(installation, publication, tenant, on_step)
        if not waiting:
            return done


def _conform_month(
    installation: Installation,
    publication: Publication,
    tenant: Tenant,
    projects: list[str],
    month: str,
    on_step: OnStep,
) -> list[Conformed]:
    start = clock.stopwatch()
    chosen = [tenant.project(name) for name in projects]
    try:
        done = conform(publication, tenant, chosen, month, installation.limits)
    except SURPRISES as error:
        on_step(Step("costs", tenant.name, month, "refused", reason=reason_of(error)))
        return []
    seconds = (clock.stopwatch() - start) / max(len(done), 1)
    for one in done:
        what = f"{tenant.name}/{one.record.key}"
        told = summarize_violations(one.record) if one.outcome == "built" else ""
        on_step(Step("costs", what, month, one.outcome, one.record.rows, seconds, told))
    return done


def _split_month(
    installation: Installation,
    publication: Publication,
    tenant: Tenant,
    month: str,
    on_step: OnStep,
) -> bool:
    """Give the days of Cost Explorer to all projects, whichever are built: each day to one.

    Returns:
        whether that changed anything.
    """
    start = clock.stopwatch()
    try:
        done = split(publication, tenant, month, installation.limits)
    except SURPRISES as error:
        on_step(Step(EXPLORER, tenant.name, month, "refused", reason=reason_of(error)))
        return False
    if done.outcome:
        seconds = clock.stopwatch() - start
        on_step(Step(EXPLORER, tenant.name, month, done.outcome, done.rows, seconds))
    return done.outcome not in ("", "unchanged")


def refresh_warehouse(
    installation: Installation, publication: Publication, tenant: Tenant, on_step: OnStep = silent
) -> Refreshed | None:
    """Bring the tenant's file up to date and publish it with all that is on the publication.

    Returns:
        what was done; None when it was refused, and then nothing of the publication is visible.
    """
    start = clock.stopwatch()
    try:
        compare_charges(publication, installation.limits)
        pending = Pending(*(publication.partitions(t) for t in (COSTS, EXPLORER, KEPT)))
        found = reconcile(tenant, publication.ledger, pending)
        status = StatusRows(found.statuses, found.comparisons)
        done = refresh(publication, tenant, status, installation.limits)
        publication.commit()
    except SURPRISES as error:
        reason = f"{reason_of(error)} Nothing of this was published."
        on_step(Step("warehouse", tenant.name, "", "refused", reason=reason))
        return None
    seconds = clock.stopwatch() - start
    reason = "; ".join(done.warnings)
    rows = sum(total["rows"] for total in done.totals)
    on_step(Step("warehouse", tenant.name, "", done.outcome, rows, seconds, reason))
    return done


def enter_invoice(
    installation: Installation, tenant: Tenant, entry: Invoice, on_step: OnStep = silent
) -> Refreshed | None:
    """Note an invoice's total, or that it is taken back, and tell it in the tenant's file at once.

    Returns:
        what the refresh did; None when it was refused, and then the entry is noted all the same.

    Raises:
        RegistryError: the bill has no charges in the invoice's currency.
        TenantBusy: another process is writing this tenant.
    """
    with installation.writer(tenant.name) as writer:
        tenant = installation.registry.tenant(tenant.name)
        if entry.amount is not None:
            check_currency(entry, writer.ledger.delivery(entry.source, entry.billing_period))
        writer.ledger.write(entered(entry))
        with writer.publication() as publication:
            return refresh_warehouse(installation, publication, tenant, on_step)
