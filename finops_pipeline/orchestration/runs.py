"""Runs started from Python on a Dagster instance: one per stage, over many partitions.

Put here: runs over a range of a tenant's months. Keep out: the work of a run (assets.py).
"""

from __future__ import annotations

import dagster as dg

from finops_pipeline.application.first_month import find_first_month
from finops_pipeline.application.installation import Installation
from finops_pipeline.errors import Terminal
from finops_pipeline.orchestration.assets import build_assets
from finops_pipeline.orchestration.partitions import key, partitions, range_tags
from finops_pipeline.orchestration.resources import InstallationResource
from finops_pipeline.tenants.model import Tenant
from finops_pipeline.tenants.source import COLLECTED_KINDS

_QUIET = {"loggers": {"console": {"config": {"log_level": "WARNING"}}}}


def materialize_tenant(
    instance: dg.DagsterInstance, installation: Installation, tenant: Tenant, months: list[str]
) -> list[str]:
    """Materialize landing, costs and warehouse of a tenant: three runs, whatever the months.

    Args:
        instance: where runs and materializations are recorded.
        months: billing periods, in order and without gaps.

    Returns:
        the ids of the runs.

    Raises:
        Terminal: a run failed; the message has its id.
    """
    sources = sorted(
        f"{tenant.name}/{source.name}"
        for source in tenant.sources
        if source.is_active and source.kind not in COLLECTED_KINDS
    )
    projects = sorted(f"{tenant.name}/{project.name}" for project in tenant.all_projects)
    parts = partitions(
        installation.registry.tenants(), min(months[0], find_first_month(installation))
    )
    assets = build_assets(parts)
    runs = []
    for stage, names in (("landing", sources), ("costs", projects), ("warehouse", [tenant.name])):
        first, last = key(months[0], names[0]), key(months[-1], names[-1])
        result = dg.materialize(
            assets,
            instance=instance,
            selection=[stage],
            resources={"finops": InstallationResource()},
            tags=range_tags(first, last, tenant.name),
            run_config=_QUIET,
            raise_on_error=False,
        )
        if not result.success:
            raise Terminal(
                f"Dagster run {result.run_id} of {stage} for {tenant.name} failed",
                cure="See the reason in the Dagster UI, or run finops status",
            )
        runs.append(result.run_id)
    return runs
