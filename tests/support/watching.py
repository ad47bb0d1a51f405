"""The sensors and runs of Dagster in the process of a test, as its daemon would do them.

Put here: definitions that are loaded anew, cursors of sensors, doing a requested run. Keep out: the
tenants (polled_tenants.py), Dagster's own processes (dagster_processes.py).
"""

from __future__ import annotations

from typing import Any

import dagster as dg

from finops_pipeline.definitions import build_definitions
from finops_pipeline.orchestration.resources import InstallationResource
from finops_pipeline.settings import Settings
from tests.conftest import TemporaryInstallation

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Watching:
    """Definitions as a process has loaded them, and the cursors of its sensors."""

    def __init__(self, made: TemporaryInstallation, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.made = made
        self.cursors = dict[str, str]()
        self.load()

    def load(self) -> None:
        """Load the definitions anew, as the daemon does every minute."""
        self.definitions = build_definitions(Settings(data=self.made.data, dagster_url=""))
        self.repository = self.definitions.get_repository_def()

    def evaluate(self, name: str) -> Any:
        """Evaluate a sensor, and keep its cursor."""
        sensor = self.repository.get_sensor_def(name)
        with dg.build_sensor_context(
            self.instance,
            self.cursors.get(name),
            repository_def=self.repository,
            resources={"finops": InstallationResource()},
        ) as context:
            data = sensor.evaluate_tick(context)
        self.cursors[name] = data.cursor or ""
        return data

    def run_due(self) -> list[dg.ExecuteInProcessResult]:
        """Look for what is due, and do it."""
        requests = self.evaluate("watch_tenants").run_requests or []
        return [self.run(request) for request in requests]

    def run(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        """Do a run that was requested."""
        job = self.definitions.resolve_job_def(str(request.job_name))
        return job.execute_in_process(
            instance=self.instance, tags=dict(request.tags), run_config=QUIET, raise_on_error=False
        )
