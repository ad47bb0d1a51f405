"""Dagster as an operator runs it: webserver, daemon, an S3 store, two tenants, and no command.

Put here: the whole way of a delivery with Dagster's own processes, and killing these. Keep out:
what is due and why (test_watching.py), single sensors (test_automatic_runs.py).
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from tests.conftest import FIGURES, TemporaryInstallation
from tests.support.bills import deliver, row
from tests.support.dagster_home import make_home, materialized
from tests.support.dagster_processes import DagsterProcesses
from tests.support.globex import finops
from tests.support.inventoried_tenants import reset
from tests.support.polled_tenants import TENANTS
from tests.support.servers import Store, free_port
from tests.support.shifted_clock import SHIFT

MONTHS = ["2026-08", "2026-09"]
LATER = "2026-10"
KEYS = """
{ assetNodeOrError(assetKey: {path: ["costs"]}) {
    ... on AssetNode { partitionKeysByDimension { name partitionKeys } } } }
"""
KILLS = 20


class World:
    """Two tenants with a source in a bucket each, and Dagster's processes."""

    def __init__(
        self, made: TemporaryInstallation, processes: DagsterProcesses, store: Store, folder: Path
    ) -> None:
        self.made = made
        self.processes = processes
        self.store = store
        self.folder = folder

    def declare(self) -> None:
        """Declare both tenants, whose buckets are empty."""
        for name in TENANTS:
            self.store.client().create_bucket(Bucket=f"bills-of-{name}")
        source = {"name": "payer", "format": "legacy-cur", "endpoint_url": self.store.url}
        tenants = [
            {"name": name, "sources": [source | {"location": f"s3://bills-of-{name}/cur"}]}
            for name in TENANTS
        ]
        path = self.folder / "tenants.yaml"
        path.write_text(yaml.safe_dump({"tenants": tenants}))
        self.made.apply(path)

    def deliver(self, tenant: str, month: str, cost: str = "1", broken: bool = False) -> None:
        """Have AWS deliver a month of a tenant."""
        report = self.folder / f"{tenant}-{month}-{cost}"
        deliver(report, [row(cost, day=f"{month}-02")], month, f"{month}-{cost}-{broken}")
        for bill in report.rglob("*.csv.gz"):
            if broken:
                bill.write_bytes(bill.read_bytes()[:40])
        for manifest in report.rglob("*-Manifest.json"):
            manifest.write_text(manifest.read_text().replace(report.name, "cur"))
        self.store.upload(report, f"bills-of-{tenant}/cur")

    def states(self, tenant: str) -> dict[str, str]:
        """Month -> state, of a tenant's only source."""
        statuses = self.made.installation.status(tenant)
        return {status.billing_period: str(status.state) for status in statuses}

    def is_current(self, months: list[str]) -> bool:
        """Return whether both warehouses have these months, and Dagster shows them."""
        shown = set(materialized("warehouse"))
        return all(
            self.states(name).get(month) in ("reconciled", "open") and f"{month}|{name}" in shown
            for name in TENANTS
            for month in months
        )

    def costs(self) -> dict[str, dict[str, str]]:
        """Tenant -> month and project -> billed cost, from the ledgers."""
        found: dict[str, dict[str, str]] = {}
        for name in TENANTS:
            sql = (
                "select billing_period || ' ' || project as place, sum(billed_cost)::int as cost"
                " from monthly_costs group by all order by all"
            )
            rows = self.made.rows(name, sql)
            found[name] = {line["place"]: line["cost"] for line in rows}
        return found

    def runs(self, **tags: str) -> list[dg.DagsterRun]:
        """The runs with these tags, the newest first."""
        with dg.DagsterInstance.get() as instance:
            wanted = {f"finops/{name}": value for name, value in tags.items()}
            return list(instance.get_runs(dg.RunsFilter(tags=wanted)))

    def checks(self, tenant: str) -> list[tuple[str, bool]]:
        """The results of a tenant's checks, in the order in which they were recorded."""
        found = []
        with dg.DagsterInstance.get() as instance:
            for name in ("checks", "conformance", "reconciliation"):
                key = dg.AssetCheckKey(dg.AssetKey("warehouse"), name)
                history = instance.event_log_storage.get_asset_check_execution_history(key, 500)
                for record in history:
                    event = record.event and record.event.dagster_event
                    if event and event.event_type_value == "ASSET_CHECK_EVALUATION":
                        data = event.asset_check_evaluation_data
                        if (data.partition or "").endswith(f"|{tenant}"):
                            found.append((f"{name} {data.partition}", data.passed))
        return found


@pytest.fixture
def world(
    empty: TemporaryInstallation, moto: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    reset(moto)
    home = make_home(tmp_path, monkeypatch, empty)
    processes = DagsterProcesses(home, free_port())
    for name, value in {
        SHIFT: "0",  # Dagster's own times are not shifted
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "FINOPS_WATCH_SECONDS": "3",
        "FINOPS_WATCH_OPEN_HOURS": "0.001",
        "FINOPS_WATCH_CLOSED_HOURS": "0.001",
        "FINOPS_DAGSTER_URL": processes.address,
        "FINOPS_THREADS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    made = World(empty, processes, moto, tmp_path)
    try:
        yield made
    finally:
        processes.end()


@pytest.mark.timeout(900)
def test_deliveries_become_current_without_a_command(world: World) -> None:
    world.processes.start()
    world.processes.until(90, lambda: world.processes.ask("{ version }"))
    world.declare()
    for name in TENANTS:
        for month in MONTHS:
            world.deliver(name, month)
    world.processes.until(240, lambda: world.is_current(MONTHS))
    assert {tag["finops/tenant"] for tag in (run.tags for run in world.runs(follow="true"))} == {
        *TENANTS
    }

    def shown_projects() -> Any:
        node = world.processes.ask(KEYS)["assetNodeOrError"]
        (projects,) = [
            dimension["partitionKeys"]
            for dimension in node["partitionKeysByDimension"]
            if dimension["name"] == "project"
        ]
        return projects

    # A project is added: the webserver shows it, and one run builds its whole history.
    before = len(world.runs(tenant="initech"))
    add = ("project", "add", "initech/web", "--source", "payer", "--account", "111122223333")
    assert finops(*add, data=world.made.data)[0] == 0
    web = {f"{month}|initech/web" for month in MONTHS}
    world.processes.until(180, lambda: web <= set(materialized("costs")))
    world.processes.until(60, lambda: "initech/web" in shown_projects())
    assert len(world.runs(tenant="initech")) == before + 1
    assert world.costs()["initech"] == {f"{month} web": "1" for month in MONTHS}

    # A delivery is corrupted: its partition fails, the rest goes on, nothing else changes.
    checks = world.checks("umbrella")
    world.deliver("initech", MONTHS[0], "2", broken=True)
    world.deliver("initech", LATER, "3")

    def failed() -> Any:
        runs = world.runs(tenant="initech")
        return next((run for run in runs if run.status is dg.DagsterRunStatus.FAILURE), None)

    failure = world.processes.until(180, failed)
    world.processes.until(120, lambda: f"{LATER}|initech" in materialized("warehouse"))
    with dg.DagsterInstance.get() as instance:
        (event,) = [
            entry.dagster_event
            for entry in instance.all_logs(failure.run_id)
            if entry.dagster_event and entry.dagster_event.is_step_failure
        ]
    error = event.step_failure_data.error
    assert error.message.startswith(f"Refused: initech/payer {MONTHS[0]}: ")
    assert error.stack == []
    assert world.states("initech")[MONTHS[0]] == "outdated"
    assert world.costs()["initech"][f"{MONTHS[0]} web"] == "1", "what was published stays"
    assert world.checks("umbrella") == checks

    # It is repaired, and recovers by itself.
    world.deliver("initech", MONTHS[0], "2")
    world.processes.until(180, lambda: world.costs()["initech"].get(f"{MONTHS[0]} web") == "2")
    world.processes.until(60, lambda: world.states("initech")[MONTHS[0]] == "reconciled")


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_killing_dagster_at_random_points_ends_in_the_same_state(
    world: World, request: pytest.FixtureRequest
) -> None:
    """Everything is killed, run workers included, while deliveries arrive and projects appear."""
    chance = random.Random(16)
    world.declare()
    for number in range(KILLS):
        world.processes.start()
        tenant, month = TENANTS[number % 2], [*MONTHS, LATER][number % 3]
        world.deliver(tenant, month, str(number + 1))
        if number == KILLS // 2:
            add = ("project", "add", "initech/web", "--source", "payer")
            assert finops(*add, "--account", "111122223333", data=world.made.data)[0] == 0
        time.sleep(chance.uniform(4, 30))
        world.processes.end(signal.SIGKILL)
    world.processes.start()
    expected: dict[str, dict[str, str]] = {name: {} for name in TENANTS}
    for number in range(KILLS):
        tenant, month = TENANTS[number % 2], [*MONTHS, LATER][number % 3]
        project = "web" if tenant == "initech" else "unassigned"
        expected[tenant][f"{month} {project}"] = str(number + 1)
    world.processes.until(600, lambda: world.is_current([*MONTHS, LATER]))
    world.processes.until(300, lambda: world.costs() == expected)
    for name in TENANTS:
        assert set(world.states(name).values()) == {"reconciled"}
    request.config.stash.setdefault(FIGURES, []).append(f"Dagster was killed {KILLS} times")
