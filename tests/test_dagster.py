"""Dagster for real: definitions load over gRPC, partitions materialize, a backfill runs.

Each test has a Dagster instance of its own, made from the repository's dagster.yaml. The backfill
test starts the webserver and the daemon on 127.0.0.1 and ends them.
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
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from finops_pipeline.definitions import build_definitions
from finops_pipeline.marts.library import checks
from finops_pipeline.orchestration.asset_checks import check_results, check_specs
from finops_pipeline.orchestration.automation import landing_requests
from finops_pipeline.orchestration.partitions import partitions, requests_by_tenant
from finops_pipeline.orchestration.resources import InstallationResource as Resource
from finops_pipeline.orchestration.runs import materialize_tenant
from finops_pipeline.settings import Settings
from tests.conftest import LAST_MONTH, TemporaryInstallation
from tests.support.bills import deliver, row

REPOSITORY = Path(__file__).parent.parent
MONTHS = ["2026-08", "2026-09", "2026-10"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh: TemporaryInstallation) -> Path:
    """DAGSTER_HOME of this test, and FINOPS_DATA of its installation."""
    folder = tmp_path / "dagster_home"
    folder.mkdir()
    shutil.copy(REPOSITORY / "dagster_home/dagster.yaml", folder)
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    monkeypatch.setenv("FINOPS_DATA", str(fresh.data))
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


def test_definitions_load_over_grpc(home: Path) -> None:
    done = dagster("definitions", "validate", "--load-with-grpc", "-w", "workspace.yaml")
    assert done.returncode == 0, done.stderr
    assert "All code locations passed validation" in done.stdout + done.stderr


def test_definitions_load_with_an_empty_registry_and_make_nothing(tmp_path: Path) -> None:
    data = tmp_path / "nothing"
    definitions = build_definitions(Settings(data=data))
    keys = {key.to_user_string() for key in definitions.resolve_all_asset_keys()}
    assert keys == {"landing", "costs", "warehouse"}
    assert not data.exists()


def test_the_dagster_command_materializes_a_single_partition(
    home: Path, fresh: TemporaryInstallation
) -> None:
    command = ("asset", "materialize", "-m", "finops_pipeline.definitions", "--select")
    done = dagster(*command, "landing", "--partition", f"{LAST_MONTH}|globex/payer")
    assert done.returncode == 0, done.stderr
    landed = [p.relative_to(fresh.data) for p in fresh.data.rglob("delivery.parquet")]
    place = f"lake/tenant=globex/landing/source=payer/billing_period={LAST_MONTH}"
    assert landed == [Path(place) / "delivery.parquet"]
    assert not fresh.folder("acme").exists()
    assert list(materialized("landing")) == [f"{LAST_MONTH}|globex/payer"]


def test_a_refused_month_fails_its_run_with_the_reason(
    home: Path, fresh: TemporaryInstallation, own_estate: Path
) -> None:
    next(own_estate.glob("globex/payer/**/BILLING_PERIOD=2026-09/*-00001.*.parquet")).unlink()
    command = ("asset", "materialize", "-m", "finops_pipeline.definitions", "--select")
    done = dagster(*command, "landing", "--partition", "2026-09|globex/payer")
    assert done.returncode != 0
    assert "is not there" in done.stderr + done.stdout
    assert materialized("landing") == {}


def test_a_month_without_a_delivery_is_not_marked_done(home: Path) -> None:
    command = ("asset", "materialize", "-m", "finops_pipeline.definitions", "--select")
    for stage, name in (("landing", "acme/payer"), ("costs", "acme/prod")):
        done = dagster(*command, stage, "--partition", f"2025-01|{name}")
        assert done.returncode != 0
        assert materialized(stage) == {}


def test_a_whole_tenant_in_three_runs(
    home: Path, fresh: TemporaryInstallation, truth: dict[str, Any]
) -> None:
    installation = fresh.installation
    for name in ("acme", "globex"):
        with dg.DagsterInstance.get() as instance:
            runs = materialize_tenant(
                instance, installation, installation.registry.tenant(name), MONTHS
            )
            assert len(runs) == 3
            tags = [instance.get_run_by_id(run).tags for run in runs]  # type: ignore[union-attr]
        assert all(tag["finops/tenant"] == name for tag in tags)
    costs = materialized("costs")
    assert len(costs) == 3 * 5 * 2
    for tenant in ("acme", "globex"):
        sources = truth["tenants"][tenant]["sources"]
        for month in MONTHS:
            true = sum((Decimal(s[month]["billed_cost"]) for s in sources.values()), Decimal(0))
            rows = [v for k, v in costs.items() if k.startswith(f"{month}|{tenant}/")]
            reported_cost = sum(
                (Decimal(row.get("billed_cost_USD", "0")) for row in rows), Decimal(0)
            )
            assert reported_cost == true
            whole = materialized("warehouse")[f"{month}|{tenant}"]
            assert Decimal(whole["billed_cost_USD"]) == true
            assert whole["dagster/row_count"] > 0 and whole["size_bytes"] > 0
            states = whole["data_status"].split(", ")
            assert states == [f"{source} reconciled" for source in sorted(sources)]
    prod = costs["2026-09|acme/prod"]
    bases = ("billed_cost", "effective_cost", "list_cost", "contracted_cost")
    assert all(f"{basis}_USD" in prod for basis in bases)
    assert prod["dagster/row_count"] > 0 and prod["duration_seconds"] > 0 and prod["size_bytes"] > 0
    assert prod["dagster/column_schema"].columns[1].name == "BilledCost"
    assert all(status.state == "reconciled" for status in installation.status("acme"))


def checked() -> dict[str, tuple[bool, dict[str, Any]]]:
    """Check of the warehouse -> whether its latest run passed, and its metadata values."""
    specs = check_specs()
    with dg.DagsterInstance.get() as instance:
        storage = instance.event_log_storage
        records = storage.get_latest_asset_check_execution_by_key([spec.key for spec in specs])
    results = {}
    for key, record in records.items():
        assert record.event is not None and record.event.dagster_event is not None
        data = record.event.dagster_event.asset_check_evaluation_data
        results[key.name] = (data.passed, {k: v.value for k, v in data.metadata.items()})
    return results


def test_checks_of_a_tenant_appear_with_its_warehouse(
    home: Path, fresh: TemporaryInstallation, tmp_path: Path
) -> None:
    """Dagster shows the findings of a refresh; the other tenant's checks do not mention them."""
    late = row("7", day="2026-08-30", **{"bill/BillingPeriodStartDate": "2026-09-01T00:00:00Z"})
    lines = ["tenants:"]
    for name, rows in (("initech", [row("1"), late]), ("umbrella", [row("2")])):
        deliver(tmp_path / name, rows)
        lines += [f"  - name: {name}", "    sources:", "      - name: payer"]
        lines += ["        format: legacy-cur", f"        location: {tmp_path / name}"]
    (tmp_path / "two.yaml").write_text("\n".join(lines))
    fresh.apply(tmp_path / "two.yaml")
    installation = fresh.installation
    with dg.DagsterInstance.get() as instance:
        for name, failing_rows in (("initech", 1), ("umbrella", 0)):
            materialize_tenant(
                instance, installation, installation.registry.tenant(name), ["2026-09"]
            )
            results = checked()
            assert set(results) == {check.name for check in checks()} | {"conformance"}
            passed, metadata = results["charges_in_period"]
            assert (passed, metadata["rows"]) == (not failing_rows, failing_rows)
            assert metadata["months"] == f"{name} 2026-09"
            assert ("2026-08-30" in metadata["failures"]) is bool(failing_rows)
            assert results["charges_equal_lines"][0]
            assert results["conformance"][0] is not bool(failing_rows)
    unchecked = check_results(installation, requests_by_tenant(["2020-01|umbrella"]))
    assert not any(result.passed for result in unchecked), (
        "no month was checked, so no check passed"
    )


def test_project_to_tenant_is_exact(fresh: TemporaryInstallation) -> None:
    parts = partitions(fresh.installation.registry.tenants(), "2026-08")
    upstream = parts.costs_to_warehouse.get_upstream_mapped_partitions_result_for_partitions(
        parts.warehouse.subset_with_partition_keys(["2026-09|acme"]), parts.warehouse, parts.costs
    )
    keys = set(upstream.partitions_subset.get_partition_keys())
    assert keys == {
        f"2026-09|acme/{name}" for name in ("prod", "staging", "dev", "data-platform", "unassigned")
    }
    feeds = parts.landing_to_costs.get_downstream_partitions_for_partitions(
        parts.landing.subset_with_partition_keys(["2026-09|globex/legacy"]),
        parts.landing,
        parts.costs,
    )
    assert set(feeds.get_partition_keys()) == {
        f"2026-09|globex/{name}" for name in ("dev", "staging", "unassigned")
    }


def test_partition_keys_are_grouped_by_tenant() -> None:
    parts = requests_by_tenant(["2026-09|acme/prod", "2026-10|acme/dev", "2026-09|globex/prod"])
    assert [(part.tenant, part.names, part.months) for part in parts] == [
        ("acme", ("dev", "prod"), ("2026-09", "2026-10")),
        ("globex", ("prod",), ("2026-09",)),
    ]


def test_the_schedule_requests_delivered_months(
    home: Path, fresh: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("finops_pipeline.clock.this_month", lambda: "2026-11")
    context = dg.build_schedule_context()
    requests = landing_requests(context, Resource())
    ranges = {r.tags["dagster/asset_partition_range_start"] for r in requests}
    assert ranges == {
        f"2026-10|{name}" for name in ("acme/labs", "acme/payer", "globex/legacy", "globex/payer")
    }
    assert {r.tags["finops/tenant"] for r in requests} == {"acme", "globex"}


@pytest.fixture
def served(home: Path) -> Iterator[str]:
    """GraphQL address of a webserver with a daemon beside it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    web = ["-m", "dagster_webserver", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)]
    daemon = ["-m", "dagster._daemon", "run", "-w", "workspace.yaml"]
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
    until(60, lambda: ask(served, "{ version }"), home / "served.log")
    with dg.DagsterInstance.get() as instance:
        tenant = installation.registry.tenant("globex")
        materialize_tenant(instance, installation, tenant, MONTHS)
    shutil.rmtree(fresh.folder("globex") / "costs/project=prod")
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
        path = fresh.folder("globex") / f"costs/project=prod/billing_period={month}"
        assert (path / "charges.parquet").exists()
    assert not fresh.folder("acme").exists()
