"""The module that Dagster loads: `finops_pipeline.definitions`.

Put here: putting assets, sensors, schedule and resources together. Keep out: everything else;
nothing is read before `defs()` is called.

`workspace.yaml` names the attribute `defs`, or for several code locations `shard_1_of_4` and so on.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import dagster as dg

from finops_pipeline.application.first_month import find_first_month
from finops_pipeline.application.installation import Installation
from finops_pipeline.orchestration.alert_runs import alerts_job, alerts_schedule
from finops_pipeline.orchestration.assets import build_assets
from finops_pipeline.orchestration.automatic_runs import (
    COLLECT_JOB,
    automatic_jobs,
    collecting_schedule,
    watching_sensor,
)
from finops_pipeline.orchestration.partitions import partitions
from finops_pipeline.orchestration.recording import recording_sensor
from finops_pipeline.orchestration.resources import InstallationResource
from finops_pipeline.orchestration.shards import Shard, parse_shard
from finops_pipeline.settings import Settings, load_settings


def build_definitions(settings: Settings, shard: Shard | None = None) -> dg.Definitions:
    """Build the definitions for the tenants that are registered now, or for a share of them."""
    installation, shard = Installation(settings), shard or Shard()
    tenants = shard.of(installation.registry.tenants())
    parts = partitions(tenants, find_first_month(installation, tenants), shard)
    jobs = automatic_jobs(shard)
    watched = [job for job in jobs if not job.name.startswith(COLLECT_JOB)]
    return dg.Definitions(
        assets=build_assets(parts),
        jobs=[*jobs, alerts_job(shard)],
        schedules=[collecting_schedule(shard), alerts_schedule(shard)],
        sensors=[watching_sensor(settings, parts, watched), recording_sensor(settings, parts)],
        resources={"finops": InstallationResource()},
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Return the definitions that `dagster dev -w workspace.yaml` serves."""
    return build_definitions(load_settings())


def __getattr__(name: str) -> Any:
    """Return the definitions of a share of the tenants, named as in `workspace.yaml`."""
    shard = parse_shard(name)
    if shard is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return dg.definitions(partial(_of_share, shard))


def _of_share(shard: Shard) -> dg.Definitions:
    return build_definitions(load_settings(), shard)
