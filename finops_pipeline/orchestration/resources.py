"""The resource of every asset: the installation, opened when a run needs it.

Put here: Dagster resources. Keep out: values of settings; a registry URL may hold a password,
and Dagster shows resource values, so they are read where they are used.
"""

from __future__ import annotations

import dagster as dg

from finops_pipeline.application.installation import Installation
from finops_pipeline.log import configure_logging
from finops_pipeline.settings import load_settings


class InstallationResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The installation that the environment of the run describes."""

    def open(self) -> Installation:
        """Open the installation, and configure its log from the settings."""
        settings = load_settings()
        configure_logging(settings.log_format)
        return Installation(settings)
