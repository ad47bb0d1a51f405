"""How resources are used, at the doorways: asked of a CloudWatch, kept by project, never twice.

Put here: `finops ingest` with CloudWatch, what it asks again, spoiled answers, the budget. Keep
out: what exists (test_inventory.py), many resources (test_cloudwatch_torture.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from finops_pipeline.application.files_by_hand import FilesByHand
from finops_pipeline.application.ingest import ingest, ingest_files
from finops_pipeline.application.plan import RunScope
from finops_pipeline.settings import Settings
from tests.conftest import TemporaryInstallation
from tests.support.cloudwatch_server import CloudWatchScript, cloudwatch, value
from tests.support.command_output import output_of
from tests.support.inventoried_tenants import ACME, GLOBEX, REGION, bill, declare, today

Server = tuple[str, CloudWatchScript]
INSTANCE, VOLUME = "i-0123456789abcdef0", "vol-0123456789abcdef0"
CPU = "AWS/EC2 CPUUtilization"
DAYS = 3


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("FINOPS_CLOUDWATCH_DAYS", str(DAYS))
    with cloudwatch() as running:
        yield running


def source(url: str, account: str) -> list[dict[str, Any]]:
    role = f"arn:aws:iam::{account}:role/finops"
    usage = {"name": "usage", "format": "cloudwatch", "location": f"aws://{REGION}"}
    usage |= {"role_arn": role, "endpoint_url": url}
    return [{"name": "listed", "format": "inventory"}, usage]


def resource(account: str, kind: str, identifier: str, **more: Any) -> dict[str, Any]:
    return {
        "account_id": account, "region_id": REGION, "resource_type": kind,
        "resource_id": identifier, **more,
    }  # fmt: skip


def own(account: str) -> list[dict[str, Any]]:
    return [
        resource(account, "AWS::EC2::Instance", INSTANCE),
        resource(account, "AWS::EC2::Volume", VOLUME),
    ]


def give(made: TemporaryInstallation, tenant: str, resources: list[dict[str, Any]]) -> Any:
    path = made.data.parent / f"{tenant}.json"
    path.write_text(json.dumps(resources))
    installation = made.installation
    return ingest_files(installation, FilesByHand(tenant, "listed", [path]))


@pytest.fixture
def given(server: Server, empty: TemporaryInstallation) -> TemporaryInstallation:
    """Two tenants with resources of the same ids, whose metrics are not asked yet."""
    accounts = {"acme": ACME, "globex": GLOBEX}
    declare(empty, {name: source(server[0], account) for name, account in accounts.items()})
    for name, account in accounts.items():
        bill(empty, name, {INSTANCE: "1.5"}, account)
        assert not give(empty, name, own(account)).failed
    return empty


def day(ago: int) -> str:
    return (today() - timedelta(days=ago)).isoformat()


def again(made: TemporaryInstallation, tenant: str) -> Any:
    installation = made.installation
    scope = RunScope(is_collected_again=True)
    return ingest(installation, installation.registry.tenant(tenant), scope)


def cpu(made: TemporaryInstallation, tenant: str) -> dict[str, str]:
    rows = made.rows(
        tenant,
        f"select day, average from resource_metrics where metric_name = '{CPU}' order by day",
    )
    return {row["day"]: row["average"] for row in rows}


def test_each_tenant_has_its_own_statistics_and_asks_for_nothing_twice(
    given: TemporaryInstallation, server: Server
) -> None:
    script = server[1]
    assert "usage       10       32" in output_of("metrics", "estimate", "acme")
    assert not script.requests
    for tenant, account in (("acme", ACME), ("globex", GLOBEX)):
        assert not given.ingest(tenant).failed
        expected = {
            day(ago): value(account, INSTANCE, CPU, "Average", day(ago)) for ago in (1, 2, 3)
        }
        assert {d: float(v) for d, v in cpu(given, tenant).items()} == expected
    rows = given.rows("acme", "select distinct project, source, unit from resource_metrics")
    assert {(r["project"], r["source"]) for r in rows} == {("prod", "usage")}
    sent = (script.requests, script.metrics)
    assert not given.ingest("acme").failed
    assert (script.requests, script.metrics) == sent
    coverage = given.rows("acme", "select state, days, last_day from metric_coverage")
    assert {(r["state"], r["days"], r["last_day"]) for r in coverage} == {
        ("collected", str(DAYS), day(1))
    }
    output = output_of("metrics", "coverage", "acme")
    assert "USD 0.00 at most" in output and CPU in output


def test_late_statistics_are_restated_and_older_days_are_not_requested(
    given: TemporaryInstallation, server: Server
) -> None:
    script = server[1]
    given.ingest("acme")
    before = cpu(given, "acme")
    script.restated, script.periods = 1000.0, []
    assert not again(given, "acme").failed
    assert set(script.periods) == {(day(2), day(1))}
    after = cpu(given, "acme")
    assert after[day(3)] == before[day(3)]
    assert float(after[day(1)]) == float(before[day(1)]) + 1000


def test_spoiled_statistics_are_gaps_and_are_quarantined(
    given: TemporaryInstallation, server: Server
) -> None:
    def spoil(result: dict[str, Any], query: dict[str, Any]) -> None:
        if query["MetricStat"]["Metric"]["MetricName"] != "CPUUtilization":
            return
        if query["MetricStat"]["Stat"] == "Average":
            result["Values"][0] = -1
            result["Values"][1] = float("nan")
            result["Timestamps"].append(result["Timestamps"][2])  # a duplicate with another value
            result["Values"].append(result["Values"][2] + 1)
            result["Timestamps"].append(result["Timestamps"][2] + 86_400 * 9)  # in the future
            result["Values"].append(1.0)

    server[1].change = spoil
    report = given.ingest("acme")
    assert not report.failed
    assert "4 datapoints quarantined" in "".join(step.reason for step in report.steps)
    averages = cpu(given, "acme")
    assert (averages[day(3)], averages[day(2)]) == (None, None)
    assert float(averages[day(1)]) == value(ACME, INSTANCE, CPU, "Average", day(1))
    reasons = given.rows("acme", "select reason from quarantine where source = 'usage'")
    assert len(reasons) == 4


def test_a_denied_metric_is_a_named_gap(given: TemporaryInstallation, server: Server) -> None:
    server[1].denied_resources = {VOLUME}
    server[1].silent_resources = {INSTANCE}
    assert not given.ingest("acme").failed
    states = given.rows(
        "acme", "select distinct resource_type, state, permission from metric_coverage order by 1"
    )
    assert [(r["state"], r["permission"]) for r in states] == [
        ("no data", None),
        ("denied", "cloudwatch:GetMetricData"),
    ]
    assert not given.rows("acme", "select 1 from resource_metrics")


def test_a_denied_request_keeps_earlier_statistics(
    given: TemporaryInstallation, server: Server
) -> None:
    given.ingest("acme")
    before = cpu(given, "acme")
    server[1].faults = [(400, "AccessDeniedException")] * 9
    assert not again(given, "acme").failed
    assert cpu(given, "acme") == before
    states = given.rows("acme", "select distinct state, days from metric_coverage")
    assert [(r["state"], r["days"]) for r in states] == [("denied", str(DAYS))]


def test_throttled_requests_are_sent_again_and_pages_are_followed(
    given: TemporaryInstallation, server: Server
) -> None:
    server[1].faults = [(400, "ThrottlingException")] * 2
    server[1].per_page = 7
    assert not given.ingest("acme").failed
    assert len(cpu(given, "acme")) == DAYS


def test_the_budget_ends_a_run_and_the_next_continues(
    given: TemporaryInstallation, server: Server
) -> None:
    installation = given.installation
    installation.settings = Settings(
        data=given.data, threads=1, cloudwatch_metrics=5, cloudwatch_days=DAYS
    )
    tenant = installation.registry.tenant("acme")
    (failed,) = ingest(installation, tenant).failed
    assert "FINOPS_CLOUDWATCH_METRICS" in failed.reason and not server[1].metrics
    states = given.rows("acme", "select distinct state from metric_coverage")
    assert states == [{"state": "not asked"}]
    assert not given.ingest("acme").failed
    assert len(cpu(given, "acme")) == DAYS


def test_another_tenants_account_is_refused_by_its_number_only(
    given: TemporaryInstallation, server: Server
) -> None:
    before = given.rows("acme", "select resource_id, account_id from inventory order by 1")
    path = given.data.parent / "foreign.json"
    path.write_text(json.dumps([*own(ACME), *own(GLOBEX)]))
    done = given.finops("ingest-file", "acme/listed", str(path), ok=False)
    assert GLOBEX in done.stderr and "globex" not in done.stderr
    assert given.rows("acme", "select resource_id, account_id from inventory order by 1") == before
