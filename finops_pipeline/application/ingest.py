"""The order of the stages: land, build costs, refresh; the same for CLI, Python and Dagster.

Put here: the order of the stages, and what happens to a month when a stage fails. Keep out: the
work of each stage, which projects and months a run covers (plan.py), how a command or Dagster
shows it (cli, orchestration).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

from finops_pipeline import clock
from finops_pipeline.application.files_by_hand import FilesByHand
from finops_pipeline.application.installation import Installation, TenantSession
from finops_pipeline.application.landing import SourceLanding, landing_step, landing_task
from finops_pipeline.application.plan import (
    RunScope,
    list_landed_months,
    plan_run,
    require_months,
)
from finops_pipeline.application.progress import (
    OnStep,
    Report,
    Reporter,
    Stage,
    Step,
    StepOutcome,
    silent,
)
from finops_pipeline.application.refusals import failed_step
from finops_pipeline.application.resource_collection import (
    build_collected,
    collect_inventories,
    import_inventory,
)
from finops_pipeline.application.usage_collection import collect_usage
from finops_pipeline.contracts.tag_spellings import tag_spellings
from finops_pipeline.errors import counted
from finops_pipeline.focus.conformance import summarize_violations
from finops_pipeline.focus.costs_partitions import build_costs_partitions
from finops_pipeline.lake.layout import COST_EXPLORER_DAYS, COSTS
from finops_pipeline.lake.partition_builder import PartitionOutcome
from finops_pipeline.lake.publish import Publication
from finops_pipeline.landing.imported_files import list_bills
from finops_pipeline.landing.landers import FILE_LANDERS
from finops_pipeline.ledger.invoice_entries import Invoice, record_invoice
from finops_pipeline.ledger.month_plan import MonthPlan, plan_month
from finops_pipeline.marts.build import Refreshed, StatusRows, refresh
from finops_pipeline.marts.library import find_check, find_mart
from finops_pipeline.marts.price_list import read_price_list
from finops_pipeline.reconciliation.comparisons import STORED_COMPARISONS
from finops_pipeline.reconciliation.cost_explorer_comparison import (
    Rules,
    compare_charges,
)
from finops_pipeline.reconciliation.cost_explorer_daily import build_cost_explorer_days
from finops_pipeline.reconciliation.failed_check_notes import note_failed_checks
from finops_pipeline.reconciliation.invoice_comparison import check_bill
from finops_pipeline.reconciliation.statuses import Pending, reconcile
from finops_pipeline.tenants.lifecycle import require_active
from finops_pipeline.tenants.model import SourceFormat, Tenant

MONTHS_PER_PUBLICATION = 12
"""Changed months that are published at once; an interruption loses at most this much work."""


def ingest(
    installation: Installation,
    tenant: Tenant,
    scope: RunScope | None = None,
    on_step: OnStep = silent,
) -> Report:
    """Bring a tenant (or only `scope` of it) up to date: land, build costs, refresh.

    When a month fails, the failure is reported and recorded, the other months continue, and what
    was published of the failed month stays.

    Raises:
        TenantBusy: another process is writing this tenant.
        Unknown: there is no such project.
        RegistryError: the tenant or project is disabled, or no source has the requested months.
    """
    scope = scope or RunScope()
    require_active("tenant", tenant.name, tenant)
    plan_run(tenant, scope)  # refuse an unknown project before waiting for the lock
    reporter = Reporter(on_step)
    with installation.writing(tenant.name) as session:
        require_active("tenant", tenant.name, session.tenant)
        run = plan_run(session.tenant, scope)
        landing = SourceLanding(session, reporter)
        for source in run.sources:
            if source.location and source.is_active:
                landing.land(source, scope.months)
        collect_inventories(session, reporter, scope.is_collected_again)
        collect_usage(session, reporter, scope.is_collected_again)
        landed = list_landed_months(run, session.writer.ledger)
        if not reporter.report.steps:
            require_months(run, landed)
        build_costs(session, run.projects, landed, reporter)
    return reporter.report


def ingest_files(
    installation: Installation, imported: FilesByHand, on_step: OnStep = silent
) -> Report:
    """Land files as deliveries of a source, then build costs and refresh.

    Raises:
        DeliveryRefused: the files cannot be accepted; the message explains why.
        Unknown: there is no such tenant or source.
        RegistryError: the tenant or source is disabled or removed.
    """
    tenant = installation.registry.tenant(imported.tenant)  # refuse before waiting for anything
    require_active("tenant", tenant.name, tenant)
    require_active("source", imported.name, tenant.source(imported.source))
    reporter = Reporter(on_step)
    if tenant.source(imported.source).format is SourceFormat.INVENTORY:
        installation.check_files(imported.tenant, imported.paths)
        with installation.writing(imported.tenant) as session:
            source = session.tenant.source(imported.source)
            import_inventory(session, source, imported.paths, reporter)
            build_costs(session, (), (), reporter)
        return reporter.report
    files, left_out = list_bills(imported.paths)
    if left_out:
        reason = counted(len(left_out), "file that is not a bill", "files that are not bills")
        reason += f": {', '.join(left_out[:20])}"
        reporter(Step(Stage.LANDING, imported.name, "", StepOutcome.LEFT_OUT, reason=reason))
    installation.check_files(imported.tenant, files)
    with installation.writing(imported.tenant) as session:
        start = clock.stopwatch()
        months = []
        require_active("tenant", tenant.name, session.tenant)
        source = session.tenant.source(imported.source)
        require_active("source", imported.name, source)
        try:
            task = landing_task(session, source)
            for landed in FILE_LANDERS[source.kind](task, files, imported.metric):
                reporter(landing_step(imported.name, landed, clock.stopwatch() - start))
                months.append(landed.record.billing_period)
        finally:
            if months:
                names = [project.name for project in session.tenant.all_projects]
                build_costs(session, names, months, reporter)
    return reporter.report


@dataclass(frozen=True)
class MonthWork:
    """A month to build for some projects; `is_forced`: even if nothing has changed since."""

    month: str
    projects: tuple[str, ...]
    is_forced: bool = False


def build_costs(
    session: TenantSession,
    projects: Iterable[str],
    months: Iterable[str],
    on_step: OnStep = silent,
) -> list[PartitionOutcome]:
    """Build the costs partitions that are out of date, and the tenant's file from them.

    Charges and aggregated tables become visible in one publication, a year of changed months at
    a time, so that a reader never sees one without the other.
    """
    builder = _CostsBuilder(session, on_step)
    names = tuple(projects)
    waiting = deque(MonthWork(month, names) for month in months)
    while True:
        with session.writer.publication() as publication:
            changed = 0
            while waiting and changed < MONTHS_PER_PUBLICATION:
                changed += builder.build(publication, waiting.popleft())
            refresh_warehouse(session, publication, on_step)
        if not waiting:
            return builder.outcomes


def build_anew(session: TenantSession, work: Iterable[MonthWork], on_step: OnStep = silent) -> None:
    """Build months, and the tenant's file from scratch, and publish all of it together."""
    builder = _CostsBuilder(session, on_step)
    with session.writer.publication(is_fresh=True) as publication:
        for month_work in work:
            builder.build(publication, month_work)
        refresh_warehouse(session, publication, on_step)


class _CostsBuilder:
    """Builds months of charges and Cost Explorer days, and reports each step."""

    def __init__(self, session: TenantSession, on_step: OnStep) -> None:
        self._session = session
        self._tenant = session.tenant
        self._on_step = on_step
        self.outcomes: list[PartitionOutcome] = []
        self._tag_spellings: dict[str, str] | None = None

    def build(self, publication: Publication, work: MonthWork) -> bool:
        """Add a month's changed partitions to the publication; return whether there are any."""
        month = work.month
        try:
            plan = plan_month(self._tenant, month, publication.ledger.deliveries(month=month))
            spellings = self._read_tag_spellings(publication)
            plan = replace(plan, is_forced=work.is_forced, tag_spellings=spellings)
        except Exception as error:
            self._on_step(failed_step(error, Stage.COSTS, self._tenant.name, month))
            return False
        has_new_charges = self._build_charges(publication, plan, work.projects)
        return self._build_days(publication, plan) or has_new_charges

    def _read_tag_spellings(self, publication: Publication) -> dict[str, str]:
        """Read them once for all months: every delivery has landed before the first is built."""
        if self._tag_spellings is None:
            self._tag_spellings = tag_spellings(publication.ledger.legacy_columns())
        return self._tag_spellings

    def _build_charges(
        self, publication: Publication, plan: MonthPlan, projects: tuple[str, ...]
    ) -> bool:
        start = clock.stopwatch()
        limits = self._session.limits
        try:
            outcomes = build_costs_partitions(publication, plan, projects, limits)
        except Exception as error:
            self._on_step(failed_step(error, Stage.COSTS, self._tenant.name, plan.month))
            return False
        seconds = (clock.stopwatch() - start) / max(len(outcomes), 1)
        for partition in outcomes:
            self._on_step(_costs_step(self._tenant, partition, seconds))
        self.outcomes += outcomes
        return any(partition.outcome != StepOutcome.UNCHANGED for partition in outcomes)

    def _build_days(self, publication: Publication, plan: MonthPlan) -> bool:
        """Assign each of Cost Explorer's days to a project, whichever projects the run covers."""
        stage, name, start = Stage.COST_EXPLORER_DAYS, self._tenant.name, clock.stopwatch()
        try:
            outcomes = build_cost_explorer_days(publication, plan, self._session.limits)
        except Exception as error:
            self._on_step(failed_step(error, stage, name, plan.month))
            return False
        if not outcomes:
            return False
        rows = sum(partition.record.rows for partition in outcomes)
        is_changed = any(partition.outcome != StepOutcome.UNCHANGED for partition in outcomes)
        outcome = (
            (StepOutcome.BUILT if rows else StepOutcome.EMPTY)
            if is_changed
            else StepOutcome.UNCHANGED
        )
        self._on_step(Step(stage, name, plan.month, outcome, rows, clock.stopwatch() - start))
        return is_changed


def _costs_step(tenant: Tenant, partition: PartitionOutcome, seconds: float) -> Step:
    record, outcome = partition.record, StepOutcome(partition.outcome)
    reason = summarize_violations(record) if outcome is StepOutcome.BUILT else ""
    name = f"{tenant.name}/{record.key}"
    return Step(Stage.COSTS, name, record.billing_period, outcome, record.rows, seconds, reason)


def refresh_warehouse(
    session: TenantSession, publication: Publication, on_step: OnStep = silent
) -> Refreshed | None:
    """Bring the tenant's file up to date, and publish it with the rest of the publication.

    Returns:
        the refresh; None when it failed. The step says whether that was after the commit.
    """
    start = clock.stopwatch()
    name = session.tenant.name
    build_collected(session, publication, on_step)
    try:
        refreshed = _refresh(session, publication)
        publication.commit()
    except Exception as error:
        step = failed_step(error, Stage.WAREHOUSE, name)
        outcome = (
            "All of this was published; the next command finishes what is left to do."
            if publication.is_committed
            else "None of this was published."
        )
        on_step(replace(step, reason=f"{step.reason} {outcome}"))
        return None
    on_step(
        Step(
            Stage.WAREHOUSE,
            name,
            "",
            StepOutcome(refreshed.outcome),
            rows=sum(total["rows"] for total in refreshed.totals),
            seconds=clock.stopwatch() - start,
            reason="; ".join(refreshed.warnings),
        )
    )
    for reason in refreshed.left_out:
        on_step(Step(Stage.WAREHOUSE, name, "", StepOutcome.REFUSED, reason=reason))
    return refreshed


def _refresh(session: TenantSession, publication: Publication) -> Refreshed:
    tenant, limits = session.tenant, session.limits
    rules = Rules(find_check("bills_apart").sql, find_mart("unused_commitment_days").sql)
    compare_charges(publication, limits, rules)
    tables = (COSTS, COST_EXPLORER_DAYS, STORED_COMPARISONS)
    pending = Pending(*(publication.partitions(table) for table in tables))
    reconciled = reconcile(tenant, publication.ledger, pending)
    prices = read_price_list(session.installation.settings.prices)
    status = StatusRows(reconciled.statuses, reconciled.comparisons, note_failed_checks, prices)
    return refresh(publication, tenant, status, limits)


def enter_invoice(
    installation: Installation, tenant: Tenant, entry: Invoice, on_step: OnStep = silent
) -> Refreshed | None:
    """Record an invoice's total, or that it is withdrawn, and show it in the tenant's file.

    Returns:
        the refresh; None when it failed, in which case the entry is recorded nonetheless.

    Raises:
        RegistryError: there is no bill of the month, or it has no charges in the currency.
        TenantBusy: another process is writing this tenant.
    """
    with installation.writing(tenant.name) as session:
        writer = session.writer
        if entry.amount is not None:
            check_bill(
                tenant.name, entry, writer.ledger.delivery(entry.source, entry.billing_period)
            )
        writer.ledger.write(record_invoice(entry))
        with writer.publication() as publication:
            return refresh_warehouse(session, publication, on_step)
