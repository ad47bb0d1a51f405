"""Rebuilding a tenant: what cannot be used is moved away, what depends on it is built again.

Put here: the order of a rebuild, which landings are landed again, which months are built. Keep out:
moving and restoring files (lake/repair.py), building (ingest.py), how steps are printed (cli).
"""

from __future__ import annotations

from collections.abc import Iterable

from finops_pipeline.application.ingest import MonthWork, build_anew
from finops_pipeline.application.installation import Installation, TenantSession
from finops_pipeline.application.landing import SourceLanding
from finops_pipeline.application.plan import (
    RunPlan,
    RunScope,
    list_landed_months,
    plan_run,
    require_months,
)
from finops_pipeline.application.progress import (
    Months,
    OnStep,
    Report,
    Reporter,
    Stage,
    Step,
    StepOutcome,
    silent,
)
from finops_pipeline.lake.changed_files import lost_files
from finops_pipeline.lake.layout import LANDING, QUARANTINE, SNAPSHOTS
from finops_pipeline.lake.ledger_restore import LedgerOrigin
from finops_pipeline.lake.repair import Repair
from finops_pipeline.tenants.model import Tenant
from finops_pipeline.tenants.source import COLLECTED_KINDS

SourceMonths = dict[str, set[str]]
"""Months by source."""

_RESTORED = {
    LedgerOrigin.COPY: "the ledger was restored from its copy",
    LedgerOrigin.FILES: (
        "the ledger was rebuilt from the files in the store; they do not contain the invoice"
        " totals that were entered, the history of deliveries and the paid requests"
    ),
}


def rebuild(
    installation: Installation,
    tenant: Tenant,
    scope: RunScope | None = None,
    on_step: OnStep = silent,
) -> Report:
    """Rebuild a tenant (or only `scope` of it) from its landings; land lost ones again first.

    Damage outside the scope is repaired as well: the tenant's file cannot be built without it.

    Raises:
        TenantBusy: another process is writing this tenant.
        SchemaTooNew: a newer version of finops_pipeline wrote the folder.
        Unknown: there is no such project.
        RegistryError: no source has the requested months.
    """
    scope = scope or RunScope()
    plan_run(tenant, scope)  # refuse an unknown project before waiting for the lock
    reporter = Reporter(on_step)
    with installation.repairing(tenant.name) as (session, repair):
        _report_repair(session, repair, reporter)
        if repair.ledger_origin is LedgerOrigin.FILES:
            everything = {source.name: None for source in session.tenant.sources}
            _land_again(session, everything, reporter)
        lost_before = _lost_landings(session)
        _land_again(session, lost_before, reporter)
        still_lost = _lost_landings(session)
        _report_lost(session, still_lost, reporter)
        run = plan_run(session.tenant, scope)
        landed = list_landed_months(run, session.writer.ledger)
        if not reporter.report.steps:
            require_months(run, landed)
        others = _months_of(lost_before)
        if repair.ledger_origin is not LedgerOrigin.INTACT:
            others |= {d.billing_period for d in session.writer.ledger.deliveries()}
        works = _plan_works(session, run, landed, others)
        unavailable = _months_of(still_lost)
        build_anew(session, [work for work in works if work.month not in unavailable], reporter)
    return reporter.report


def _report_repair(session: TenantSession, repair: Repair, reporter: Reporter) -> None:
    name, folder = session.tenant.name, session.writer.folder
    for unusable in repair.set_aside:
        reason = f"{unusable.path} {unusable.reason}; it was moved to {folder.set_aside}"
        reporter(Step(Stage.FOLDER, name, "", StepOutcome.SET_ASIDE, reason=reason))
    if note := _RESTORED.get(repair.ledger_origin):
        reporter(Step(Stage.FOLDER, name, "", StepOutcome.RESTORED, reason=note))


def _lost_landings(session: TenantSession) -> SourceMonths:
    """Return the months whose landing or quarantine has lost its file."""
    lost: SourceMonths = {}
    for place in lost_files(session.writer):
        if place.table_name in (LANDING, QUARANTINE):
            lost.setdefault(place.key, set()).add(place.billing_period)
    return lost


def _months_of(by_source: SourceMonths) -> set[str]:
    return {month for months in by_source.values() for month in months}


def _land_again(
    session: TenantSession, due: SourceMonths | dict[str, None], reporter: Reporter
) -> None:
    """Land months from the deliveries of their sources; None means all delivered months."""
    landing = SourceLanding(session, reporter)
    for source in session.tenant.sources:
        is_landed = source.location and source.kind not in COLLECTED_KINDS
        if is_landed and source.is_active and source.name in due:
            months = due[source.name]
            landing.land(source, Months() if months is None else months)


def _report_lost(session: TenantSession, lost: SourceMonths, reporter: Reporter) -> None:
    """Report the landings that no delivery can replace; what is published of them stays."""
    tenant, ledger = session.tenant.name, session.writer.ledger
    for source, months in sorted(lost.items()):
        for month in sorted(months):
            delivery = ledger.delivery(source, month)
            origin = f" ({delivery.manifest})" if delivery and delivery.manifest else ""
            reason = (
                f"The landing of {tenant}/{source} {month} is lost, and its delivery{origin} cannot"
                " be landed again; what is published of the month stays. Put the delivery back and"
                f" run finops rebuild {tenant} --month {month}, or load its files:"
                f" finops ingest-file {tenant}/{source} FILE."
            )
            name = f"{tenant}/{source}"
            reporter(Step(Stage.LANDING, name, month, StepOutcome.REFUSED, reason=reason))


def _plan_works(
    session: TenantSession, run: RunPlan, landed: Iterable[str], others: set[str]
) -> list[MonthWork]:
    """Plan the months of the scope, and other months that are out of date or have lost files."""
    everyone = tuple(project.name for project in session.tenant.all_projects)
    lost = {p.billing_period for p in lost_files(session.writer) if p.table_name not in SNAPSHOTS}
    forced = set(landed)
    covered = forced if run.projects == everyone else set()
    return [
        *(MonthWork(month, run.projects, is_forced=True) for month in sorted(forced)),
        *(MonthWork(month, everyone) for month in sorted((others | lost) - covered)),
    ]
