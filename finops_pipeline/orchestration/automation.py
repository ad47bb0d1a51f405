"""Automatic runs: landing on a schedule, costs and warehouse when their inputs are new.

Put here: schedules, jobs, automation conditions. Keep out: partitions and assets.

The schedule looks up which of the last two months each source has delivered (AWS restates a month
for two weeks after its end) and starts one run per source. Costs and warehouse follow by
their automation condition once their inputs are new. All of it is off until switched on.
"""

# No `from __future__ import annotations`: Dagster reads the annotation of `context` itself.
import dagster as dg

from finops_pipeline import clock
from finops_pipeline.errors import FinopsError
from finops_pipeline.orchestration.partitions import key, range_tags
from finops_pipeline.orchestration.resources import InstallationResource
from finops_pipeline.sources.available_months import list_months
from finops_pipeline.tenants.months import shift

LAND_JOB = "land"
"""Name of the job that lands partitions."""


def follow() -> dg.AutomationCondition[dg.AssetKey]:
    """Rebuild when an input of the same tenant and month is new; any month, not the last only."""
    return dg.AutomationCondition.eager().without(dg.AutomationCondition.in_latest_time_window())


def landing_schedule() -> dg.ScheduleDefinition:
    """Every six hours: land what the sources have delivered of the last two months."""

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


def landing_requests(
    context: dg.ScheduleEvaluationContext, finops: InstallationResource
) -> list[dg.RunRequest]:
    """Return one run per source over those of the last two months that it has delivered."""
    this_month = clock.this_month()
    requests = []
    for tenant in finops.open().registry.tenants():
        for source in tenant.sources:
            name = f"{tenant.name}/{source.name}"
            if not (source.location and source.is_active and tenant.is_active):
                continue
            try:
                delivered = list_months(tenant, source)
            except FinopsError as error:
                context.log.warning(f"{name}: {error}")
                continue
            months = [m for m in (shift(this_month, -1), this_month) if m in delivered]
            if months:
                tags = range_tags(key(months[0], name), key(months[-1], name), tenant.name)
                requests.append(dg.RunRequest(tags=tags))
    return requests
