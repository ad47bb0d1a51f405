"""The assets of what is asked of AWS every day: resources and their metrics (project x month).

Put here: one call to application/ per asset, and the metadata of the run. Keep out: the work.

AWS tells what exists today only, so a run asks for today, whatever months it covers; each month
shows its newest snapshot.
"""

# No `from __future__ import annotations`: Dagster reads the annotation of `context` itself.
from collections.abc import Iterator

import dagster as dg

from finops_pipeline import clock
from finops_pipeline.application.daily_collection import (
    CollectedRows,
    collect_metrics,
    collect_resources,
)
from finops_pipeline.application.progress import Step
from finops_pipeline.orchestration.partitions import (
    PROJECT,
    Partitions,
    partition_key,
)
from finops_pipeline.orchestration.resources import InstallationResource
from finops_pipeline.orchestration.tenant_parts import (
    CLOUDWATCH_POOL,
    GROUP,
    INVENTORY_POOL,
    OWNERS,
    Event,
    Events,
    TenantPart,
    do_tenant_by_tenant,
    raise_failures,
    record_at_end,
    retry_policy,
)

RESOURCES_ASSET, METRICS_ASSET = "resources", "resource_metrics"


def collected_assets(parts: Partitions) -> list[dg.AssetsDefinition]:
    """Return both assets; their partitions are those of costs."""
    return [_resources(parts), _resource_metrics(parts)]


def _resources(parts: Partitions) -> dg.AssetsDefinition:
    @dg.asset(
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=retry_policy(),
        group_name=GROUP,
        owners=OWNERS,
        key_prefix=parts.prefix,
        partitions_def=parts.costs,
        pool=INVENTORY_POOL,
        kinds={"parquet", "aws"},
        description="A project's resources, as the newest inventory of a month lists them.",
    )
    def resources(context: dg.AssetExecutionContext, finops: InstallationResource) -> Events:
        # Dagster records the partitions, because metrics would be skipped without its output.
        yield from record_at_end(context, do_tenant_by_tenant(context, finops, resources_part))

    return resources


def _resource_metrics(parts: Partitions) -> dg.AssetsDefinition:
    @dg.asset(
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=retry_policy(),
        group_name=GROUP,
        owners=OWNERS,
        output_required=False,
        key_prefix=parts.prefix,
        partitions_def=parts.costs,
        deps=[[*parts.shard.prefix, RESOURCES_ASSET]],
        pool=CLOUDWATCH_POOL,
        kinds={"parquet", "aws"},
        description="Daily statistics of CloudWatch for a project's resources.",
    )
    def resource_metrics(context: dg.AssetExecutionContext, finops: InstallationResource) -> Events:
        yield from do_tenant_by_tenant(context, finops, metrics_part)

    return resource_metrics


def resources_part(part: TenantPart) -> Iterator[Event]:
    """Ask for a tenant's inventories that are due, and record its projects' partitions.

    Raises:
        FailedSteps: an inventory was refused, or a month has none.
        RegistryError: the tenant has been disabled or removed since the run was requested.
    """
    steps: list[Step] = []
    rows = collect_resources(part.installation, part.request.tenant, steps.append)
    missing = "no inventory was taken in this month"
    yield from _finish(part, RESOURCES_ASSET, (rows, steps), missing)


def metrics_part(part: TenantPart) -> Iterator[Event]:
    """Ask CloudWatch for a tenant's metrics that are due, and record its projects' partitions.

    Raises:
        FailedSteps: a source was refused, or a month has no metrics.
        RegistryError: the tenant has been disabled or removed since the run was requested.
    """
    steps: list[Step] = []
    rows = collect_metrics(part.installation, part.request.tenant, steps.append)
    missing = "CloudWatch was not asked for this month"
    yield from _finish(part, METRICS_ASSET, (rows, steps), missing)


def _finish(
    part: TenantPart, asset: str, run: tuple[CollectedRows, list[Step]], missing: str
) -> Iterator[Event]:
    request, (rows, steps) = part.request, run
    done = set(rows)
    if not any(step.has_failed for step in steps):  # on its first day, a month has no metrics yet
        done |= {(name, clock.this_month()) for name in request.names}
    for partition in request.partitions:
        if (partition.name, partition.month) in done:
            name = f"{request.tenant}/{partition.name}"
            yield dg.AssetMaterialization(
                dg.AssetKey([*part.prefix, asset]),
                partition=partition_key(PROJECT, partition.month, name),
                metadata={"dagster/row_count": rows.get((partition.name, partition.month), 0)},
            )
    raise_failures(request, steps, done, missing)
