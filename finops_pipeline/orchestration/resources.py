"""The resource of every asset: the installation, opened when a run needs it.

Put here: Dagster resources. Keep out: values of settings; a registry URL may hold a password,
and Dagster shows resource values, so they are read where they are used.
"""

from __future__ import annotations

import dagster as dg
from pydantic import PrivateAttr

from finops_pipeline.application.installation import Installation
from finops_pipeline.lake.run_lock import RunLock
from finops_pipeline.log import configure_logging
from finops_pipeline.orchestration.orphaned_runs import run_lock
from finops_pipeline.settings import load_settings


class InstallationResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The installation that the environment of the run describes.

    As long as a run has it, the process of the run holds the run's lock.
    """

    _lock: RunLock | None = PrivateAttr(default=None)

    def open(self) -> Installation:
        """Open the installation, and configure its log from the settings."""
        settings = load_settings()
        configure_logging(settings.log_format)
        return Installation(settings)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Hold the lock of the run; a sensor has none."""
        if context.run is not None:
            self._lock = run_lock(self.open(), context.run.run_id)
            self._lock.hold()

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Give the lock back."""
        if self._lock is not None:
            self._lock.release()
