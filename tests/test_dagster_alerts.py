"""Alerts that Dagster sends: after an automatic run, and every hour; two tenants, a real webhook.

Put here: when people are told. Keep out: what is an alert (test_alert_rules.py), how messages are
delivered (test_alert_delivery.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from finops_pipeline import clock
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row
from tests.support.dagster_home import make_home
from tests.support.message_receivers import Webhook, webhook
from tests.support.polled_tenants import TENANTS, declare_watched
from tests.support.watching import QUIET, Watching

MONTHS = ["2026-08", "2026-09"]
CHANNEL = [
    "    alerts:",
    "      channels:",
    "        - {name: ops, kind: slack, secret: slack}",
]


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    with webhook() as running:
        monkeypatch.setenv("FINOPS_WEBHOOK_HOSTS", running.place)
        for tenant in TENANTS:
            variable = f"FINOPS_SECRET__{tenant.upper()}__SLACK"
            monkeypatch.setenv(variable, running.url(f"/{tenant}"))
        yield running


@pytest.fixture
def watching(
    empty: TemporaryInstallation, hook: Webhook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Watching]:
    make_home(tmp_path, monkeypatch, empty)
    monkeypatch.setenv("FINOPS_DAGSTER_URL", "")
    declare_watched(empty, tmp_path, MONTHS, CHANNEL)
    with dg.DagsterInstance.get() as instance:
        yield Watching(empty, instance)


def deliver_again(tmp_path: Path, tenant: str, broken: bool = False) -> None:
    assembly = "broken" if broken else "whole"
    manifest = deliver(tmp_path / tenant, [row("2", day="2026-09-02")], "2026-09", assembly)
    if broken:
        for path in manifest.parent.glob("*.csv.gz"):
            path.write_bytes(path.read_bytes()[:40])


def test_a_failed_run_and_its_recovery_reach_the_tenant_and_nobody_else(
    watching: Watching, hook: Webhook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = clock.now()
    assert all(result.success for result in watching.run_due())
    for tenant in TENANTS:
        assert not [text for text in hook.texts(f"/{tenant}") if "payer" in text]
    hook.received.clear()
    deliver_again(tmp_path, "initech", broken=True)
    monkeypatch.setattr(clock, "now", lambda: start + timedelta(days=1, minutes=1))
    (result,) = watching.run_due()
    assert not result.success
    (text,) = [text for text in hook.texts("/initech") if "2026-09" in text]
    assert "payer" in text
    assert not hook.texts("/umbrella")
    hook.received.clear()
    deliver_again(tmp_path, "initech")
    monkeypatch.setattr(clock, "now", lambda: start + timedelta(days=2, minutes=2))
    (result,) = watching.run_due()
    assert result.success
    assert "2026-09" in "".join(hook.texts("/initech"))
    assert not hook.texts("/umbrella")


def test_every_hour_what_is_due_is_sent_and_a_failure_stops_no_other(
    watching: Watching, hook: Webhook, tmp_path: Path
) -> None:
    for tenant in TENANTS:
        assert not watching.made.ingest(tenant).failed
    hook.received.clear()
    for tenant in TENANTS:
        deliver_again(tmp_path, tenant, broken=True)
        assert watching.made.ingest(tenant).failed
    assert not hook.received, "a command sends nothing"
    damaged = watching.made.installation.folder(TENANTS[0]).warehouse
    damaged.write_bytes(b"no database")
    job = watching.definitions.resolve_job_def("alerts")
    result = job.execute_in_process(
        instance=watching.instance, run_config=QUIET, raise_on_error=False
    )
    assert "2026-09" in "".join(hook.texts(f"/{TENANTS[1]}"))
    assert not [t for t in hook.texts(f"/{TENANTS[0]}") if TENANTS[1] in t]
    assert result.success
    (text,) = hook.texts(f"/{TENANTS[0]}")
    assert "initech.duckdb cannot be opened" in text and "finops rebuild initech" in text
    assert str(tmp_path) not in text, "folders of this machine are nobody's business"


def test_a_tenant_whose_first_delivery_is_broken_is_told(
    watching: Watching, hook: Webhook, tmp_path: Path
) -> None:
    for bill in (tmp_path / "initech").rglob("*.csv.gz"):
        bill.write_bytes(b"no bill")
    outcomes = {result.success for result in watching.run_due()}
    assert outcomes == {True, False}
    assert MONTHS[0] in "".join(hook.texts("/initech"))
    assert not hook.texts("/umbrella")
