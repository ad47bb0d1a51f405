"""The assets of what is asked of AWS every day: resources and their metrics (project x month).

Put here: one call to application/ per asset, and the metadata of the run. Keep out: the work.

AWS tells what exists today only, so a run asks for today, whatever months it covers; each month
shows its newest snapshot.
"""

# No `from __future__ import annotations`: Dagster reads the annotation of `context` itself.
import dagster as dg

from finops_pipeline import clock
from finops_pipeline.application.daily_collection import (
    CollectedRows,
    collect_metrics,
    collect_resources,
)
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.progress import Step
from finops_pipeline.orchestration.partitions import Partitions, TenantRequest
from finops_pipeline.orchestration.resources import InstallationResource
from finops_pipeline.orchestration.tenant_parts import (
    GROUP,
    Events,
    Finish,
    do_tenant_by_tenant,
    raise_failures,
    retry_policy,
)

RESOURCES_ASSET, METRICS_ASSET = "resources", "resource_metrics"


def collected_assets(parts: Partitions) -> list[dg.AssetsDefinition]:
    """Return both assets; their partitions are those of costs."""
    return [_resources(parts), _resource_metrics(parts)]


def _resources(parts: Partitions) -> dg.AssetsDefinition:
    @dg.asset(
        partitions_def=parts.costs,
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=retry_policy(),
        group_name=GROUP,
        kinds={"parquet", "aws"},
        description="A project's resources, as the newest inventory of a month lists them.",
    )
    def resources(context: dg.AssetExecutionContext, finops: InstallationResource) -> Events:
        yield from do_tenant_by_tenant(context, finops, resources_part)
        yield dg.MaterializeResult()

    return resources


def _resource_metrics(parts: Partitions) -> dg.AssetsDefinition:
    @dg.asset(
        partitions_def=parts.costs,
        deps=[RESOURCES_ASSET],
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=retry_policy(),
        group_name=GROUP,
        kinds={"parquet", "aws"},
        description="Daily statistics of CloudWatch for a project's resources.",
    )
    def resource_metrics(context: dg.AssetExecutionContext, finops: InstallationResource) -> Events:
        yield from do_tenant_by_tenant(context, finops, metrics_part)
        yield dg.MaterializeResult()

    return resource_metrics


def resources_part(finish: Finish, installation: Installation, request: TenantRequest) -> None:
    """Ask for a tenant's inventories that are due, and record its projects' partitions.

    Raises:
        FailedSteps: an inventory was refused, or a month has none.
        RegistryError: the tenant has been disabled or removed since the run was requested.
    """
    steps: list[Step] = []
    rows = collect_resources(installation, request.tenant, steps.append)
    _finish(finish, request, (rows, steps), "no inventory was taken in this month")


def metrics_part(finish: Finish, installation: Installation, request: TenantRequest) -> None:
    """Ask CloudWatch for a tenant's metrics that are due, and record its projects' partitions.

    Raises:
        FailedSteps: a source was refused, or a month has no metrics.
        RegistryError: the tenant has been disabled or removed since the run was requested.
    """
    steps: list[Step] = []
    rows = collect_metrics(installation, request.tenant, steps.append)
    _finish(finish, request, (rows, steps), "CloudWatch was not asked for this month")


def _finish(
    finish: Finish, request: TenantRequest, run: tuple[CollectedRows, list[Step]], missing: str
) -> None:
    rows, steps = run
    done = set(rows)
    if not any(step.has_failed for step in steps):  # on its first day, a month has no metrics yet
        done |= {(name, clock.this_month()) for name in request.names}
    for partition in request.partitions:
        if (partition.name, partition.month) in done:
            count = rows.get((partition.name, partition.month), 0)
            finish(partition.key, {"dagster/row_count": count})
    raise_failures(request, steps, done, missing)
