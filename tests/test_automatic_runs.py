"""The sensors: what they ask for, what they report, what they survive; in this process.

Put here: evaluating both sensors on an instance with two tenants. Keep out: what is due
(test_watching.py), Dagster's own processes (test_dagster_automation.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from finops_pipeline.definitions import build_definitions
from finops_pipeline.orchestration.automatic_runs import Cursor
from finops_pipeline.orchestration.orphaned_runs import run_lock
from finops_pipeline.orchestration.shards import Shard
from finops_pipeline.settings import Settings
from tests.conftest import TemporaryInstallation
from tests.support.dagster_home import make_home, materialized
from tests.support.globex import finops
from tests.support.polled_tenants import declare_watched
from tests.support.watching import Watching

MONTHS = ["2026-08", "2026-09"]


@pytest.fixture
def two(
    empty: TemporaryInstallation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> TemporaryInstallation:
    make_home(tmp_path, monkeypatch, empty)
    monkeypatch.setenv("FINOPS_DAGSTER_URL", "")
    declare_watched(empty, tmp_path, MONTHS)
    return empty


@pytest.fixture
def watching(two: TemporaryInstallation) -> Iterator[Watching]:
    with dg.DagsterInstance.get() as instance:
        yield Watching(two, instance)


def test_what_is_delivered_is_current_after_one_run_for_each_tenant(watching: Watching) -> None:
    requests = watching.evaluate("watch_tenants").run_requests or []
    assert [request.tags["finops/tenant"] for request in requests] == ["initech", "umbrella"]
    for request in requests:
        assert watching.run(request).success
    for asset, name in (("landing", "/payer"), ("costs", "/unassigned"), ("warehouse", "")):
        expected = {f"{month}|{t}{name}" for month in MONTHS for t in ("initech", "umbrella")}
        assert set(materialized(asset)) == expected
    idle = watching.evaluate("watch_tenants")
    assert not idle.run_requests and "nothing due" in str(idle.skip_message)
    recorded = watching.evaluate("record_published")
    assert "everything is shown" in str(recorded.skip_message)


def test_a_tenant_with_an_unfinished_run_is_not_given_another(
    watching: Watching,
) -> None:
    job = watching.definitions.resolve_job_def("land")
    run = watching.instance.create_run_for_job(job, tags={"finops/tenant": "initech"})
    watching.instance.report_dagster_event(
        dg.DagsterEvent("PIPELINE_START", job_name="land"), run.run_id
    )
    lock = run_lock(watching.made.installation, run.run_id)
    lock.hold()
    requests = watching.evaluate("watch_tenants").run_requests or []
    assert [request.tags["finops/tenant"] for request in requests] == ["umbrella"]
    # Its process is killed: the run counts as failed, and the tenant gets another.
    lock._lock.release()
    requests = watching.evaluate("watch_tenants").run_requests or []
    assert "initech" in {request.tags["finops/tenant"] for request in requests}
    record = watching.instance.get_run_by_id(run.run_id)
    assert record is not None and record.status is dg.DagsterRunStatus.FAILURE


def test_a_project_that_is_declared_is_built_by_one_run_once_it_is_loaded(
    watching: Watching,
) -> None:
    for request in watching.evaluate("watch_tenants").run_requests or []:
        assert watching.run(request).success
    watching.evaluate("watch_tenants")
    add = ("project", "add", "initech/web", "--source", "payer", "--account", "111122223333")
    assert finops(*add, data=watching.made.data)[0] == 0
    waiting = watching.evaluate("watch_tenants")
    assert not waiting.run_requests
    confirmed = Cursor.parse(watching.cursors["watch_tenants"]).confirmed
    watching.load()
    (request,) = watching.evaluate("watch_tenants").run_requests or []
    assert Cursor.parse(watching.cursors["watch_tenants"]).confirmed == confirmed + 1
    assert watching.run(request).success
    shown = materialized("costs")
    for month in MONTHS:
        assert shown[f"{month}|initech/web"]["billed_cost_USD"] == "1"
        assert shown[f"{month}|initech/unassigned"]["dagster/row_count"] == 0
    assert not watching.evaluate("watch_tenants").run_requests


def test_what_a_command_has_done_is_shown_and_only_once(watching: Watching) -> None:
    assert not watching.made.ingest("initech").failed
    assert "6 partitions reported" in str(watching.evaluate("record_published").skip_message)
    assert set(materialized("warehouse")) == {f"{month}|initech" for month in MONTHS}
    assert materialized("landing")[f"{MONTHS[0]}|initech/payer"]["billed_cost_USD"] == "1"
    for _ in range(2):
        assert "everything is shown" in str(watching.evaluate("record_published").skip_message)
    # Another instance of Dagster has shown nothing.
    watching.cursors.clear()
    assert "everything is shown" in str(watching.evaluate("record_published").skip_message)


def test_shares_have_every_tenant_once_and_names_of_their_own(two: TemporaryInstallation) -> None:
    keys = list[str]()
    for position in (1, 2):
        shard = Shard(position, 2)
        definitions = build_definitions(Settings(data=two.data), shard)
        definitions.get_repository_def()
        assert {key.path[0] for key in definitions.resolve_all_asset_keys()} == {shard.name}
        warehouse = definitions.resolve_assets_def(dg.AssetKey([shard.name, "warehouse"]))
        assert warehouse.partitions_def is not None
        keys += warehouse.partitions_def.get_partition_keys()
    months = {key[:7] for key in keys}
    assert sorted(keys) == sorted(f"{m}|{t}" for m in months for t in ("initech", "umbrella"))
