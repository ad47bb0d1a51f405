"""The work of a run for one tenant: land, build, refresh, and record what has been published.

Put here: the calls to application/ of landing, costs and warehouse. Keep out: the definitions of
these assets (assets.py), how a finished partition is shown (shown_metadata.py).

The newest months come first, a year at a time: what people look at is there early, and what is
finished is recorded before older months begin.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from finops_pipeline.application.ingest import (
    MONTHS_PER_PUBLICATION,
    build_costs,
    refresh_warehouse,
)
from finops_pipeline.application.installation import TenantSession
from finops_pipeline.application.landing import SourceLanding
from finops_pipeline.application.progress import Stage, Step
from finops_pipeline.application.published_partitions import WAREHOUSE, PublicationDiary
from finops_pipeline.lake.duck import parquet_columns
from finops_pipeline.lake.layout import COSTS, LANDING
from finops_pipeline.ledger.stored_files import Place, read_stored_files
from finops_pipeline.orchestration.month_checks import MonthChecks
from finops_pipeline.orchestration.partitions import TenantRequest
from finops_pipeline.orchestration.shown_metadata import Extra, ShownTenant
from finops_pipeline.orchestration.tenant_parts import (
    Event,
    FailedSteps,
    TenantPart,
    raise_failures,
)
from finops_pipeline.tenants.lifecycle import require_active

Done = set[tuple[str, str]]
"""(name, month) of what is finished."""


def land_part(part: TenantPart) -> Iterator[Event]:
    """Land a tenant's part of a run, and build what follows if the run asks for it.

    Raises:
        FailedSteps: a month was refused, or has no delivery.
        RegistryError: the tenant has been disabled or removed since the run was requested.
    """
    request, steps, done = part.request, list[Step](), Done()
    with part.installation.writing(request.tenant) as session:
        require_active("tenant", request.tenant, session.tenant)
        landing = SourceLanding(session, steps.append)
        diary = PublicationDiary(session.writer.ledger, request.tenant)
        for months in newest_first(request.months):
            landed = Done()
            for name in request.names:
                wanted = frozenset(p.month for p in request.partitions if p.name == name)
                for one_month in landing.land(session.tenant.source(name), wanted & set(months)):
                    landed.add((name, one_month.record.billing_period))
            _build_after_landing(part, session, landed, steps)
            done |= landed
            confirmed = {Place(LANDING, name, month) for name, month in landed}
            extra = _landing_extra(session, landed, steps)
            yield from _shown(part).show(diary.changes(confirmed), extra)
    raise_failures(
        request, steps, _expected(part, done), "the source has no delivery for this month"
    )


def _build_after_landing(
    part: TenantPart, session: TenantSession, landed: Done, steps: list[Step]
) -> None:
    """Build what follows in every project; otherwise only the days of Cost Explorer.

    Cost Explorer feeds no charges, so no other asset would give its days to projects.
    """
    if part.follows:
        months = {month for _, month in landed}
        names = [project.name for project in session.tenant.all_projects]
    else:
        cost_explorer_sources = session.tenant.cost_explorer_sources
        months = {month for name, month in landed if name in cost_explorer_sources}
        names = []
    if months:
        build_costs(session, names, sorted(months, reverse=True), steps.append)


def _landing_extra(session: TenantSession, landed: Done, steps: list[Step]) -> Extra:
    files = read_stored_files(session.writer.ledger)
    seconds = {
        (step.subject.partition("/")[2], step.month): step.seconds
        for step in steps
        if step.stage is Stage.LANDING
    }
    extra: dict[tuple[str, str], dict[str, Any]] = {}
    for key in landed:
        extra[key] = {"duration_seconds": seconds.get(key, 0.0)}
        file = files.get(Place(LANDING, *key))
        if file is not None:
            extra[key] |= _landed_schema(session.writer.folder.stored(file))
    return extra


def _landed_schema(path: Path) -> dict[str, Any]:
    columns = [dg.TableColumn(name, kind) for name, kind in parquet_columns(path).items()]
    return {"dagster/column_schema": dg.TableSchema(columns=columns)}


def build_part(part: TenantPart) -> Iterator[Event]:
    """Build a tenant's part of a run, and what else has to change with it.

    Raises:
        FailedSteps: a month does not add up, or nothing has landed of it.
    """
    request, steps, done = part.request, list[Step](), Done()
    with part.installation.writing(request.tenant) as session:
        diary = PublicationDiary(session.writer.ledger, request.tenant)
        for months in newest_first(request.months):
            outcomes = build_costs(session, request.names, months, steps.append)
            built = {(outcome.record.key, outcome.record.billing_period) for outcome in outcomes}
            done |= built
            confirmed = {Place(COSTS, *key) for key in built & _wanted(request)}
            seconds = {(step.subject.partition("/")[2], step.month): step.seconds for step in steps}
            extra = {key: {"duration_seconds": seconds.get(key, 0.0)} for key in built}
            yield from _shown(part).show(diary.changes(confirmed), extra)
    missing = "nothing has landed for this month; materialize landing first"
    raise_failures(request, steps, _expected(part, done), missing)


def refresh_part(part: TenantPart) -> Iterator[Event]:
    """Refresh a tenant's file once, however many months a run covers.

    Raises:
        FailedSteps: a check refused the new file.
    """
    request, steps = part.request, list[Step]()
    with part.installation.writing(request.tenant) as session:
        diary = PublicationDiary(session.writer.ledger, request.tenant)
        with session.writer.publication() as publication:
            refreshed = refresh_warehouse(session, publication, steps.append)
        failed = [step for step in steps if step.has_failed]
        if refreshed is None:
            yield from _refused_checks(part, failed)
            raise FailedSteps(failed)
        common = {
            "outcome": str(refreshed.outcome),
            "slices_rebuilt": len(refreshed.slices),
            "size_bytes": refreshed.size_bytes,
            "duration_seconds": steps[-1].seconds,
            "warnings": "\n".join(refreshed.warnings) or "none",
        }
        confirmed = {Place(WAREHOUSE, request.tenant, month) for month in request.months}
        extra = {(request.tenant, month): common for month in request.months}
        parts = diary.changes(confirmed)
        yield from _shown(part).show(parts, extra)
    done = {("", p.place.billing_period) for p in parts if p.place.table_name == WAREHOUSE}
    raise_failures(request, failed, _expected(part, done), "nothing has landed for this month")


def _refused_checks(part: TenantPart, failed: Sequence[Step]) -> Iterator[Event]:
    """Yield that the months of a file that was refused failed its checks."""
    checks = MonthChecks(part.request.tenant, part.prefix)
    for step in failed:
        if step.is_failed_check:
            for month in part.request.months:
                yield checks.refused(month, step.reason)


def _shown(part: TenantPart) -> ShownTenant:
    return ShownTenant(part.installation, part.request.tenant, part.prefix)


def _expected(part: TenantPart, done: Done) -> Done:
    """Return what counts as finished.

    An automatic run covers all from the first to the last partition that is due. What has no
    delivery among them is not missing.
    """
    return done | _wanted(part.request) if part.follows else done


def _wanted(request: TenantRequest) -> Done:
    return {(partition.name, partition.month) for partition in request.partitions}


def newest_first(months: Collection[str]) -> list[list[str]]:
    """Divide months into parts of a publication each, the newest first."""
    ordered = sorted(months, reverse=True)
    size = MONTHS_PER_PUBLICATION
    return [ordered[begin : begin + size] for begin in range(0, len(ordered), size)]
