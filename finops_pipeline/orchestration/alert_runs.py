"""Alerts and reports in Dagster: after the automatic run of a tenant, and every hour for all.

Put here: the job, its schedule, and what an automatic run does at its end. Keep out: what is sent
to whom (application/alert_rounds.py).

The round of every hour is for what no run brings: a delivery that is late, the end of quiet hours,
a digest, a report.
"""

# No `from __future__ import annotations`: Dagster reads the annotation of `context` itself.
from collections.abc import Sequence

import dagster as dg

from finops_pipeline.application.alert_rounds import tell_people
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.progress import Step
from finops_pipeline.errors import FinopsError
from finops_pipeline.orchestration.resources import InstallationResource
from finops_pipeline.orchestration.shards import Shard
from finops_pipeline.orchestration.step_failures import failure_of

ALERTS_JOB = "alerts"
"""Name of the job that sends what is due."""


def alerts_job(shard: Shard) -> dg.JobDefinition:
    """Return the job that sends the alerts and reports that are due, tenant by tenant."""

    @dg.op(
        name=f"send_alerts{shard.suffix}",
        description="Sends alerts and reports that are due. A tenant that fails stops no other.",
    )
    def send_alerts(context: dg.OpExecutionContext, finops: InstallationResource) -> None:
        installation = finops.open()
        done = tell_people(installation, shard.of(installation.registry.tenants()))
        context.add_output_metadata({"tenants": done.tenants, "messages": done.messages})
        if done.failed:
            raise failure_of(list(done.failed))

    @dg.job(name=f"{ALERTS_JOB}{shard.suffix}", description="Sends alerts and reports.")
    def alerts() -> None:
        send_alerts()

    return alerts


def alerts_schedule(shard: Shard) -> dg.ScheduleDefinition:
    """Return the schedule of every hour that sends what is due."""
    return dg.ScheduleDefinition(
        name=f"send_due_alerts{shard.suffix}",
        job_name=f"{ALERTS_JOB}{shard.suffix}",
        cron_schedule="25 * * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Sends alerts and reports that are due, every hour.",
    )


def tell_after_run(
    context: dg.AssetExecutionContext,
    installation: Installation,
    tenant: str,
    failed: Sequence[Step],
) -> None:
    """Send a tenant's alerts at the end of its run; what cannot be sent is a warning of the run."""
    try:
        done = tell_people(installation, [installation.registry.tenant(tenant)], failed)
    except FinopsError as error:  # such as a registry that cannot be read; the data is published
        context.log.warning(f"no alerts of {tenant} were sent: {error}")
        return
    for step in done.failed:
        context.log.warning(f"no alerts of {tenant} were sent: {step.reason}")
