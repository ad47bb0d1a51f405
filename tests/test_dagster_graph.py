"""The asset graph, jobs, schedules and sensors, pinned: a change of any is a decision.

Put here: their names and what Dagster shows of them; column lineage. Keep out: what they do
(test_dagster.py, test_automatic_runs.py).
"""

from __future__ import annotations

from typing import Any

import dagster as dg

from finops_pipeline.contracts.tables import MARTS
from finops_pipeline.definitions import build_definitions
from finops_pipeline.settings import Settings
from tests.conftest import TemporaryInstallation
from tests.support.column_lineage import FILE, lineage_file

ASSETS = {
    "landing": ([], ["aws", "parquet"], "exports"),
    "costs": (["landing"], ["duckdb", "parquet"], None),
    "warehouse": (["costs"], ["duckdb", "sql"], None),
    "resources": ([], ["aws", "parquet"], "inventory"),
    "resource_metrics": (["resources"], ["aws", "parquet"], "cloudwatch"),
}
"""Asset -> what it depends on, its kinds, its pool."""

AUTOMATION = {
    "collect_from_aws": ("45 4 * * *", "RUNNING", ["collect"]),
    "send_due_alerts": ("25 * * * *", "RUNNING", ["alerts"]),
    "record_published": (60, "RUNNING", []),
    "watch_tenants": (60, "RUNNING", ["build", "land", "refresh"]),
}
"""Schedule or sensor -> when it is evaluated, whether it is on, its jobs."""


def shown(name: str, definitions: dg.Definitions) -> tuple[list[str], list[str], str | None]:
    asset = definitions.resolve_assets_def(name)
    spec = asset.get_asset_spec()
    assert spec.group_name == "finops" and spec.owners == ["team:finops"] and spec.description
    (pool,) = asset.op.pools or {None}  # type: ignore[var-annotated]
    return sorted(d.asset_key.to_user_string() for d in spec.deps), sorted(spec.kinds), pool


def test_assets_jobs_schedules_and_sensors(built: TemporaryInstallation) -> None:
    definitions = build_definitions(Settings(data=built.data))
    repository = definitions.get_repository_def()
    keys = sorted(key.to_user_string() for key in definitions.resolve_all_asset_keys())
    assert {key: shown(key, definitions) for key in keys} == ASSETS
    checks = {key.name for key in repository.asset_graph.asset_check_keys}
    assert checks == {"checks", "conformance", "reconciliation"}
    jobs = {job.name for job in repository.get_all_jobs() if not job.name.startswith("__")}
    assert jobs == {"alerts", "build", "collect", "land", "refresh"}
    found: dict[str, Any] = {
        schedule.name: (schedule.cron_schedule, schedule.default_status.name, [schedule.job_name])
        for schedule in repository.schedule_defs
    }
    for sensor in repository.sensor_defs:
        names = sorted(target.job_name for target in sensor.targets)
        found[sensor.name] = (sensor.minimum_interval_seconds, sensor.default_status.name, names)
    assert found == AUTOMATION


def test_the_lineage_of_columns_is_that_of_the_sql(built: TemporaryInstallation) -> None:
    assert FILE.read_text(encoding="utf-8") == lineage_file(), (
        "run python -m tests.support.column_lineage"
    )
    definitions = build_definitions(Settings(data=built.data))
    metadata = definitions.resolve_assets_def("warehouse").get_asset_spec().metadata
    origins = metadata["dagster/column_lineage"].deps_by_column
    assert [dep.column_name for dep in origins["billed_cost"]] == ["BilledCost"]
    columns = {column.name for column in MARTS["monthly_costs"].columns}
    assert origins.keys() <= columns
