"""A Dagster instance of its own for a test, and what it has materialized.

Put here: DAGSTER_HOME, the `dagster` command, reading materializations. Keep out: what a test
expects of them (test_dagster.py, test_dagster_backfill.py).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tests.conftest import TemporaryInstallation

REPOSITORY = Path(__file__).parents[2]
MONTHS = ["2026-09", "2026-10"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh: TemporaryInstallation) -> Path:
    """DAGSTER_HOME of this test, and FINOPS_DATA of its installation."""
    return make_home(tmp_path, monkeypatch, fresh)


def make_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: TemporaryInstallation) -> Path:
    """Set both for an installation; return DAGSTER_HOME."""
    folder = tmp_path / "dagster_home"
    folder.mkdir()
    shutil.copy(REPOSITORY / "dagster_home/dagster.yaml", folder)
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    monkeypatch.setenv("FINOPS_DATA", str(made.data))
    return folder


def dagster(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dagster", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def materialized(key: str) -> dict[str, dict[str, Any]]:
    """Partition -> metadata values of an asset's materializations."""
    with dg.DagsterInstance.get() as instance:
        records = instance.fetch_materializations(dg.AssetKey(key), limit=1000).records
    by_partition: dict[str, dict[str, Any]] = {}
    for record in records:
        event = record.asset_materialization
        assert event is not None and event.partition is not None
        by_partition.setdefault(event.partition, {k: v.value for k, v in event.metadata.items()})
    return by_partition
