"""Many resources: 10,000 of them with 6 metrics on 30 days, a run that is killed, bounded memory.

Put here: the one test of this size, for `make torture`. Keep out: everything that fewer resources
show (test_cloudwatch.py).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FIGURES, TemporaryInstallation
from tests.support.cloudwatch_server import CloudWatchScript, cloudwatch
from tests.support.inventoried_tenants import ACME, GLOBEX, REGION, bill, declare

RESOURCES, METRICS, DAYS = 10_000, 6, 30
LIMIT_KIB = 1_500_000
pytestmark = pytest.mark.torture


def declared(url: str, account: str) -> list[dict[str, Any]]:
    usage = {"name": "usage", "format": "cloudwatch", "location": f"aws://{REGION}"}
    usage |= {"role_arn": f"arn:aws:iam::{account}:role/finops", "endpoint_url": url}
    return [{"name": "listed", "format": "inventory"}, usage]


def start(made: TemporaryInstallation) -> subprocess.Popen[bytes]:
    with log_of(made).open("wb") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "finops_pipeline.cli", "ingest", "acme"],
            env={**os.environ, "FINOPS_DATA": str(made.data)},
            stdout=out,
            stderr=out,
        )


def log_of(made: TemporaryInstallation) -> Path:
    return made.data.parent / "log"


def peak_kib(process: subprocess.Popen[bytes]) -> int:
    """Wait for a process; return the most memory that it held."""
    peak = 0
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status")
        lines = status.read_text().splitlines() if status.exists() else []
        peak = max([peak, *(int(x.split()[1]) for x in lines if x.startswith("VmHWM"))])
        time.sleep(0.05)
    return peak


def wait_for(script: CloudWatchScript, requests: int, process: subprocess.Popen[bytes]) -> None:
    while script.requests < requests:
        assert process.poll() is None
        time.sleep(0.02)


@pytest.mark.timeout(1200)
def test_ten_thousand_resources_are_collected_and_a_killed_run_continues(
    empty: TemporaryInstallation,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    resources = [
        {
            "account_id": ACME, "region_id": REGION, "resource_type": "AWS::EC2::Instance",
            "resource_id": f"i-{number:017x}",
        }
        for number in range(RESOURCES)
    ]  # fmt: skip
    path = tmp_path / "inventory.json"
    path.write_text(json.dumps(resources))
    with cloudwatch() as (url, script):
        declare(empty, {"acme": declared(url, ACME), "globex": declared(url, GLOBEX)})
        bill(empty, "acme", {resources[0]["resource_id"]: "1"}, ACME)
        empty.finops("ingest-file", "acme/listed", str(path))
        killed = start(empty)
        wait_for(script, 100, killed)
        killed.kill()
        killed.wait()
        before = script.metrics
        process = start(empty)
        peak = peak_kib(process)
        assert process.returncode == 0, log_of(empty).read_text()
        statistics = script.metrics
        (row,) = empty.rows(
            "acme",
            "select count(*) as n, count(distinct (resource_id, metric_name)) as series,"
            " count(distinct day) as days from resource_metrics",
        )
        assert row == {
            "n": str(RESOURCES * METRICS * DAYS),
            "series": str(RESOURCES * METRICS),
            "days": str(DAYS),
        }
        per_instance = 20  # statistics of the six metrics of an instance
        assert statistics < RESOURCES * per_instance + before * 0.5
        assert statistics >= RESOURCES * per_instance
        again = start(empty)
        assert again.wait() == 0
        assert script.metrics == statistics
        assert peak < LIMIT_KIB
    figures = f"CloudWatch: {script.requests} requests, {statistics} metrics, {peak} KiB at most"
    request.config.stash.setdefault(FIGURES, []).append(figures)
