"""A backfill through Dagster's webserver and daemon, as an operator starts it.

The test starts both on 127.0.0.1, on a free port, and ends them.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from finops_pipeline.orchestration.runs import materialize_tenant
from tests.conftest import TemporaryInstallation
from tests.support.dagster_home import MONTHS, REPOSITORY, home
from tests.support.published_files import is_published

__all__ = ["home"]

DAEMON = """
from dagster._daemon import controller
from dagster._daemon.cli import main
controller.DEFAULT_DAEMON_INTERVAL_SECONDS = 2
main()
"""
"""Dagster's own daemon; it looks for backfills every 2 seconds, instead of every 30."""


@pytest.fixture
def served(home: Path) -> Iterator[str]:
    """GraphQL address of a webserver with a daemon beside it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    web = ["-m", "dagster_webserver", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)]
    daemon = ["-c", DAEMON, "run", "-w", "workspace.yaml"]
    # Create the instance before two processes do so at once: on a fresh SQLite both would stamp its
    # schema, and then no code location would load ("more than one head present").
    with dg.DagsterInstance.get():
        pass
    with (home / "served.log").open("w") as log:
        started = [
            subprocess.Popen(
                [sys.executable, *arguments],
                cwd=REPOSITORY,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            for arguments in (web, daemon)
        ]
    try:
        yield f"http://127.0.0.1:{port}/graphql"
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGTERM)
        for process in started:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(20)


def ask(address: str, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
    body = json.dumps({"query": query, "variables": variables or {}}).encode()
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        loaded: dict[str, Any] = json.loads(answer.read())
    assert "errors" not in loaded, loaded
    data: dict[str, Any] = loaded["data"]
    return data


def until(seconds: float, condition: Any, log: Path) -> Any:
    """Wait for a condition and return its value; after so many seconds, fail with the log."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if value := condition():
                return value
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.5)
    raise AssertionError(f"not within {seconds} s:\n{log.read_text()[-6000:]}")


LAUNCH = """
mutation ($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
    ... on PartitionKeysNotFoundError { message }
  }
}
"""
STATUS = """
query ($id: String!) {
  partitionBackfillOrError(backfillId: $id) {
    ... on PartitionBackfill { status runs(limit: 10) { id status } }
  }
}
"""


def test_a_backfill_covers_a_project_over_its_months(
    served: str, home: Path, fresh: TemporaryInstallation
) -> None:
    """A backfill as the UI launches it: one project's months in one run, no other tenant."""
    installation = fresh.installation
    with dg.DagsterInstance.get() as instance:
        tenant = installation.registry.tenant("globex")
        materialize_tenant(instance, installation, tenant, MONTHS)
    until(60, lambda: ask(served, "{ version }"), home / "served.log")
    assert ask(served, "{ shouldShowNux }") == {"shouldShowNux": False}
    shutil.rmtree(fresh.folder("globex") / ".store/costs/project=prod")
    params = {
        "assetSelection": [{"path": ["costs"]}],
        "partitionNames": [f"{month}|globex/prod" for month in MONTHS],
        "tags": [{"key": "finops/tenant", "value": "globex"}],
    }
    launched = ask(served, LAUNCH, {"params": params})["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched

    def finished() -> Any:
        backfill = ask(served, STATUS, {"id": launched["backfillId"]})["partitionBackfillOrError"]
        done = backfill["status"] in (
            "COMPLETED_SUCCESS",
            "COMPLETED",
            "COMPLETED_FAILED",
            "FAILED",
        )
        return backfill if done else None

    backfill = until(150, finished, home / "served.log")
    assert backfill["status"] == "COMPLETED_SUCCESS", backfill
    assert [run["status"] for run in backfill["runs"]] == ["SUCCESS"]
    for month in MONTHS:
        assert is_published(fresh.folder("globex"), "costs", "prod", month)
    assert not fresh.folder("acme").exists()
