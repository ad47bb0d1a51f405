"""The command that runs the demo in a process of its own.

Put here: `demo`. Keep out: what the demo does (demo.py).
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from finops_pipeline.settings import child_environment, load_settings

_INSTANCE = "telemetry:\n  enabled: false\nnux:\n  enabled: false\n"
"""Dagster's settings in a folder that has none: no telemetry, no dialog at the first visit."""


def demo_command(
    seed: Annotated[int, typer.Option(help="Seed of the synthetic estate.")] = 7,
    months: Annotated[int, typer.Option(min=1, max=36, help="Number of billing periods.")] = 7,
) -> None:
    """Create bills for two organisations, run the pipeline in Dagster, and show the result."""
    # A process of its own, because it needs DAGSTER_HOME and other settings before it starts.
    command = [sys.executable, "-m", "finops_pipeline.demo", str(seed), str(months)]
    home = Path("dagster_home").absolute()
    if not home.is_dir():
        home = load_settings().data_folder / "dagster_home"
        home.mkdir(parents=True, exist_ok=True)
        instance = home / "dagster.yaml"
        if not instance.exists():
            instance.write_text(_INSTANCE, encoding="utf-8")
    raise typer.Exit(subprocess.call(command, env=child_environment(home)))
