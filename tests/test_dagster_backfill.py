"""A backfill through Dagster's webserver and daemon, as an operator starts it.

The test starts both on 127.0.0.1, on a free port, and ends them.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from finops_pipeline.orchestration.runs import materialize_tenant
from tests.conftest import TemporaryInstallation
from tests.support.dagster_home import MONTHS, home
from tests.support.dagster_processes import DagsterProcesses
from tests.support.published_files import is_published
from tests.support.servers import free_port

__all__ = ["home"]


@pytest.fixture
def served(home: Path) -> Iterator[DagsterProcesses]:
    """A webserver with a daemon beside it."""
    processes = DagsterProcesses(home, free_port())
    processes.start()
    try:
        yield processes
    finally:
        processes.end()


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
    served: DagsterProcesses, home: Path, fresh: TemporaryInstallation
) -> None:
    """A backfill as the UI launches it: one project's months in one run, no other tenant."""
    installation = fresh.installation
    with dg.DagsterInstance.get() as instance:
        tenant = installation.registry.tenant("globex")
        materialize_tenant(instance, installation, tenant, MONTHS)
    served.until(60, lambda: served.ask("{ version }"))
    assert served.ask("{ shouldShowNux }") == {"shouldShowNux": False}
    shutil.rmtree(fresh.folder("globex") / ".store/costs/project=prod")
    params = {
        "assetSelection": [{"path": ["costs"]}],
        "partitionNames": [f"{month}|globex/prod" for month in MONTHS],
        "tags": [{"key": "finops/tenant", "value": "globex"}],
    }
    launched = served.ask(LAUNCH, {"params": params})["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched

    def finished() -> Any:
        backfill = served.ask(STATUS, {"id": launched["backfillId"]})["partitionBackfillOrError"]
        done = backfill["status"] in (
            "COMPLETED_SUCCESS",
            "COMPLETED",
            "COMPLETED_FAILED",
            "FAILED",
        )
        return backfill if done else None

    backfill = served.until(150, finished)
    assert backfill["status"] == "COMPLETED_SUCCESS", backfill
    assert [run["status"] for run in backfill["runs"]] == ["SUCCESS"]
    for month in MONTHS:
        assert is_published(fresh.folder("globex"), "costs", "prod", month)
    with dg.DagsterInstance.get() as instance:
        wanted = {"dagster/backfill": launched["backfillId"]}
        (run,) = instance.get_runs(dg.RunsFilter(tags=wanted))
    ends = [run.tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end")]
    assert ends == [f"{month}|globex/prod" for month in (MONTHS[0], MONTHS[-1])]
