"""Resources and metrics in Dagster: asked for every day, one run per tenant, what fails is named.

Put here: the schedule, its runs and what they record, with two tenants. Keep out: what is collected
(test_inventory.py, test_cloudwatch.py), bills (test_dagster.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from finops_pipeline import clock
from finops_pipeline.orchestration.assets import build_assets
from finops_pipeline.orchestration.automatic_runs import collecting_requests
from finops_pipeline.orchestration.collected_assets import METRICS_ASSET, RESOURCES_ASSET
from finops_pipeline.orchestration.partitions import partitions
from finops_pipeline.orchestration.resources import InstallationResource as Resource
from tests.conftest import TemporaryInstallation
from tests.support.cloudwatch_server import CloudWatchScript, cloudwatch
from tests.support.dagster_home import make_home, materialized
from tests.support.inventoried_tenants import (
    ACME,
    GLOBEX,
    REGION,
    client_in,
    declare,
    reset,
    source_of,
)
from tests.support.servers import Store

DAYS, EARLIER = 3, "2026-09"


@pytest.fixture
def script(
    moto: Store,
    empty: TemporaryInstallation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[CloudWatchScript]:
    """Two tenants with a volume each in moto's AWS, and a CloudWatch that knows its metrics."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("FINOPS_CLOUDWATCH_DAYS", str(DAYS))
    reset(moto)
    make_home(tmp_path, monkeypatch, empty)
    with cloudwatch() as (url, running):
        declared = {}
        for name, account in (("acme", ACME), ("globex", GLOBEX)):
            client_in(moto, account, "ec2").create_volume(
                AvailabilityZone=f"{REGION}a", Size=100, VolumeType="gp2"
            )
            usage = {"name": "usage", "format": "cloudwatch", "location": f"aws://{REGION}"}
            usage |= {"role_arn": f"arn:aws:iam::{account}:role/finops", "endpoint_url": url}
            declared[name] = [source_of(moto, account), usage]
        declare(empty, declared)
        yield running


def run(made: TemporaryInstallation, tags: dict[str, str]) -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.get() as instance:
        return dg.materialize(
            build_assets(partitions(made.installation.registry.tenants(), EARLIER)),
            instance=instance,
            selection=[RESOURCES_ASSET, METRICS_ASSET],
            tags=tags,
            resources={"finops": Resource()},
            raise_on_error=False,
        )


def counts(asset: str) -> dict[str, int]:
    """Partition -> the rows that its materialization names, where there are some."""
    rows = {key: values["dagster/row_count"] for key, values in materialized(asset).items()}
    return {key: count for key, count in rows.items() if count}


def rows_of(made: TemporaryInstallation, tenant: str, table: str) -> dict[str, int]:
    """The partition of a tenant's project -> the rows of a table of the tenant's file."""
    (row,) = made.rows(tenant, f"select count(*) as n from {table} where project = 'prod'")
    assert int(row["n"])
    return {f"{clock.this_month()}|{tenant}/prod": int(row["n"])}


def test_every_tenant_has_a_run_of_its_own_that_asks_once_a_day(
    script: CloudWatchScript, empty: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    month = clock.this_month()
    requests = [
        dict(request.tags) for request in collecting_requests(empty.installation.registry.tenants())
    ]
    assert [tags["finops/tenant"] for tags in requests] == ["acme", "globex"]
    assert run(empty, requests[0]).success
    assert not empty.folder("globex").exists()
    assert counts(RESOURCES_ASSET) == rows_of(empty, "acme", "inventory")
    assert counts(METRICS_ASSET) == rows_of(empty, "acme", "resource_metrics")
    sent = script.requests
    assert sent and run(empty, requests[0]).success
    assert script.requests == sent
    # No inventory was taken in an earlier month, and none can be any more.
    done = materialized(RESOURCES_ASSET).keys()
    earlier = run(empty, {n: value.replace(month, EARLIER) for n, value in requests[0].items()})
    assert not earlier.success
    (failure,) = earlier.get_step_failure_events()
    assert "no inventory was taken in this month" in str(failure.event_specific_data)
    assert materialized(RESOURCES_ASSET).keys() == done
    # A budget that is spent fails the metrics of its tenant, and says so; its resources are there.
    monkeypatch.setenv("FINOPS_CLOUDWATCH_METRICS", "1")
    spent = run(empty, requests[1])
    assert not spent.success
    (failure,) = spent.get_step_failure_events()
    assert failure.step_key == METRICS_ASSET
    assert "globex/usage" in str(failure.event_specific_data)
    own = rows_of(empty, "globex", "inventory")
    assert own.items() <= counts(RESOURCES_ASSET).items()
    assert not any("globex" in key for key in materialized(METRICS_ASSET))
