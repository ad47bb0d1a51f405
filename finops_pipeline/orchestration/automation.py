"""Automatic runs: landing and collecting on schedules, costs and warehouse after their inputs.

Put here: schedules, jobs, automation conditions. Keep out: partitions and assets.

The schedule looks up which of the last two months each source has delivered (AWS restates a month
for two weeks after its end) and starts one run per source. It also starts one run for each older
month that has been delivered again since it landed. Costs and warehouse follow by their automation
condition once their inputs are new. Resources and metrics are asked for once a day, with one run
per tenant. All of it is off until switched on.
"""

# No `from __future__ import annotations`: Dagster reads the annotation of `context` itself.
import dagster as dg

from finops_pipeline import clock
from finops_pipeline.application.first_month import find_first_month
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.reopened_months import (
    ReopenedMonth,
    find_reopened,
    recent_months,
)
from finops_pipeline.errors import FinopsError
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.orchestration.partitions import key, range_tags
from finops_pipeline.orchestration.resources import InstallationResource
from finops_pipeline.sources.available_months import list_months
from finops_pipeline.sources.location_kinds import open_location
from finops_pipeline.tenants.model import Source, SourceKind, Tenant

LAND_JOB = "land"
"""Name of the job that lands partitions."""

COLLECT_JOB = "collect"
"""Name of the job that asks for resources and metrics."""

ASKED_DAILY = frozenset({SourceKind.INVENTORY_API, SourceKind.CLOUDWATCH})

LOOK_SECONDS = 20
"""How many seconds a tick spends on older months; Dagster gives a tick a minute."""

Readable = tuple[Tenant, Source, list[str]]
"""A source that could be listed, its tenant, and the months that it has delivered."""


def follow() -> dg.AutomationCondition[dg.AssetKey]:
    """Rebuild when an input of the same tenant and month is new; any month, not the last only."""
    return dg.AutomationCondition.eager().without(dg.AutomationCondition.in_latest_time_window())


def landing_schedule() -> dg.ScheduleDefinition:
    """Every six hours: land the last two months, and older ones that were delivered again."""

    @dg.schedule(
        job_name=LAND_JOB,
        cron_schedule="15 */6 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.STOPPED,
    )
    def land_deliveries(
        context: dg.ScheduleEvaluationContext, finops: InstallationResource
    ) -> list[dg.RunRequest]:
        return landing_requests(context, finops)

    return land_deliveries


def collecting_schedule() -> dg.ScheduleDefinition:
    """Every day: ask for resources and metrics, with one run per tenant."""

    @dg.schedule(
        job_name=COLLECT_JOB,
        cron_schedule="45 4 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.STOPPED,
    )
    def collect_from_aws(finops: InstallationResource) -> list[dg.RunRequest]:
        return collecting_requests(finops)

    return collect_from_aws


def collecting_requests(finops: InstallationResource) -> list[dg.RunRequest]:
    """Return one run, over the projects and the running month, per tenant with such a source."""
    requests, month = [], clock.this_month()
    for tenant in finops.open().registry.tenants():
        sources = [s for s in tenant.sources if s.is_active and s.kind in ASKED_DAILY]
        if tenant.is_active and sources:
            projects = sorted(f"{tenant.name}/{project.name}" for project in tenant.all_projects)
            tags = range_tags(key(month, projects[0]), key(month, projects[-1]), tenant.name)
            requests.append(dg.RunRequest(tags=tags))
    return requests


def landing_requests(
    context: dg.ScheduleEvaluationContext, finops: InstallationResource
) -> list[dg.RunRequest]:
    """Return one run per source for those of the last two months that it has delivered.

    There is also one run for each older month that has been delivered again since it landed.
    """
    installation = finops.open()
    requests = []
    readable: list[Readable] = []
    for tenant in installation.registry.tenants():
        for source in tenant.sources:
            if not (source.location and source.is_active and tenant.is_active):
                continue
            try:
                delivered = list_months(tenant, source)
            except FinopsError as error:
                context.log.warning(f"{tenant.name}/{source.name}: {error}")
                continue
            readable.append((tenant, source, delivered))
            months = [month for month in recent_months() if month in delivered]
            if months:
                requests.append(_request(tenant, source, months[0], months[-1]))
    return requests + _reopened_requests(context, installation, readable)


def _reopened_requests(
    context: dg.ScheduleEvaluationContext, installation: Installation, readable: list[Readable]
) -> list[dg.RunRequest]:
    """Return one run per older month that has been delivered again since it landed."""
    requests = []
    start, first = clock.stopwatch(), find_first_month(installation)
    for tenant, source, delivered in _rotated(readable):
        if clock.stopwatch() - start > LOOK_SECONDS:
            context.log.warning("a later tick looks at the older months of the remaining sources")
            break
        months = [month for month in delivered if month >= first]
        name = f"{tenant.name}/{source.name}"
        try:
            for reopened in _find_reopened(installation, tenant, source, months):
                month = reopened.billing_period
                context.log.info(f"{name} {month}: {reopened.detail}")
                requests.append(_request(tenant, source, month, month))
        except FinopsError as error:
            context.log.warning(f"{name}: {error}")
    return requests


def _find_reopened(
    installation: Installation, tenant: Tenant, source: Source, months: list[str]
) -> list[ReopenedMonth]:
    if not source.is_bill:
        return []
    ledger = open_ledger(installation.folder(tenant.name))
    return list(find_reopened(ledger, source, open_location(tenant, source), months))


def _rotated(readable: list[Readable]) -> list[Readable]:
    """Begin with another source in each tick, so that none is always left out."""
    first = int(clock.now().timestamp()) // 3600 // 6 % max(len(readable), 1)
    return [*readable[first:], *readable[:first]]


def _request(tenant: Tenant, source: Source, first: str, last: str) -> dg.RunRequest:
    name = f"{tenant.name}/{source.name}"
    return dg.RunRequest(tags=range_tags(key(first, name), key(last, name), tenant.name))
