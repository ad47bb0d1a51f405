"""The module that Dagster loads: `finops_pipeline.definitions`.

Put here: putting assets, schedule and resources together. Keep out: everything else; nothing
is read before `defs()` is called.
"""

from __future__ import annotations

import dagster as dg

from finops_pipeline.application.first_month import find_first_month
from finops_pipeline.application.installation import Installation
from finops_pipeline.orchestration.assets import build_assets
from finops_pipeline.orchestration.automation import (
    COLLECT_JOB,
    LAND_JOB,
    collecting_schedule,
    landing_schedule,
)
from finops_pipeline.orchestration.collected_assets import METRICS_ASSET, RESOURCES_ASSET
from finops_pipeline.orchestration.partitions import partitions
from finops_pipeline.orchestration.resources import InstallationResource
from finops_pipeline.settings import Settings, load_settings


def build_definitions(settings: Settings) -> dg.Definitions:
    """Build the definitions for the tenants that are registered now."""
    installation = Installation(settings)
    parts = partitions(installation.registry.tenants(), find_first_month(installation))
    assets = build_assets(parts)
    return dg.Definitions(
        assets=assets,
        jobs=[
            dg.define_asset_job(LAND_JOB, selection=["landing"]),
            dg.define_asset_job(COLLECT_JOB, selection=[RESOURCES_ASSET, METRICS_ASSET]),
        ],
        schedules=[landing_schedule(), collecting_schedule()],
        resources={"finops": InstallationResource()},
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Return the definitions that `dagster dev -w workspace.yaml` serves."""
    return build_definitions(load_settings())
