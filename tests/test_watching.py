"""What is due: looks at sources, changed declarations, fairness; all without Dagster.

Put here: rounds over two tenants, with a clock that the test sets. Keep out: the runs that follow
(test_dagster_truth.py), the whole of it with Dagster's own processes (test_dagster_automation.py).
"""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from finops_pipeline import clock
from finops_pipeline.application import source_look, watch_round
from finops_pipeline.application.watch_round import RoundLimits, RoundStart
from finops_pipeline.errors import Unreachable
from finops_pipeline.tenants.model import Source, Tenant
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row
from tests.support.globex import finops
from tests.support.polled_tenants import TENANTS, declare_watched, found, look

MONTHS = ["2026-08", "2026-09"]


class Time:
    """The clock of a test."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = clock.now()
        patch.setattr(clock, "now", lambda: self.now)

    def later(self, **by: float) -> None:
        """Go on by this much."""
        self.now += timedelta(**by)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


@pytest.fixture
def two(empty: TemporaryInstallation, tmp_path: Path) -> TemporaryInstallation:
    declare_watched(empty, tmp_path, MONTHS)
    return empty


@pytest.fixture
def current(two: TemporaryInstallation, time: Time) -> TemporaryInstallation:
    """Both tenants ingested, and looked at once."""
    for name in ("initech", "umbrella"):
        assert not two.ingest(name).failed
    assert found(look(two)) == []
    return two


def test_a_whole_history_is_one_run_for_each_tenant(two: TemporaryInstallation) -> None:
    first = look(two)
    assert found(first) == [
        ("landing", "initech", MONTHS[0], MONTHS[-1]),
        ("landing", "umbrella", MONTHS[0], MONTHS[-1]),
    ]
    assert "2 delivered months" in first.works[0].reason


def test_nothing_new_is_looked_at_again_only_after_hours(
    current: TemporaryInstallation, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = list[str]()
    real = source_look.read_delivery

    def counted(source: Source, location: Any, month: str) -> Any:
        read.append(month)
        return real(source, location, month)

    monkeypatch.setattr(source_look, "read_delivery", counted)
    time.later(hours=5)
    assert (look(current).looks, read) == (0, [])
    time.later(hours=1)
    assert (look(current).looks, read) == (2, []), "no month is open, and a day has not passed"
    time.later(hours=18)
    assert (look(current).looks, len(read)) == (2, 4), "they landed less than two weeks ago"
    time.later(days=15)
    read.clear()
    look(current)
    assert len(read) == 4, "settled months are looked at once a week"
    time.later(days=1)
    read.clear()
    look(current)
    assert read == []


def test_a_closed_month_that_is_delivered_again_is_landed(
    current: TemporaryInstallation, time: Time, tmp_path: Path
) -> None:
    """FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec#1829, hystax/optscale#389, koku#968."""
    lines = [row("1", day=f"{MONTHS[0]}-02"), row("-4", day=f"{MONTHS[0]}-03")]
    deliver(tmp_path / "initech", lines, MONTHS[0], "two")
    time.later(hours=24)
    assert found(look(current)) == [("landing", "initech", MONTHS[0], MONTHS[0])]
    assert not current.ingest("initech").failed
    # An older delivery in its place is never landed, so nothing is asked for.
    deliver(tmp_path / "initech", lines[:1], MONTHS[0], "one")
    time.later(hours=24)
    assert found(look(current, RoundStart("", 1))) == []


def test_a_refused_delivery_is_requested_once_and_again_when_it_changes(
    current: TemporaryInstallation, time: Time, tmp_path: Path
) -> None:
    deliver(tmp_path / "initech", [row("5", day="2026-06-02")], "2026-06")
    (bill,) = tmp_path.glob("initech/20260601-*/*.csv.gz")
    whole = bill.read_bytes()
    bill.write_bytes(whole[:40])
    time.later(hours=6)
    due = [("landing", "initech", "2026-06", "2026-06")]
    assert found(look(current, RoundStart("", 1))) == due
    assert found(look(current, RoundStart("", 1))) == due, (
        "the round was not confirmed: its run was lost"
    )
    assert current.ingest("initech").failed
    time.later(hours=6)
    assert found(look(current, RoundStart("", 2))) == [], "it was refused, and has not changed"
    time.later(hours=24)
    assert found(look(current, RoundStart("", 3))) == due, (
        "once a day, because the cause may have gone"
    )
    bill.write_bytes(whole[:50])
    time.later(hours=6)
    for _ in range(2):
        assert found(look(current, RoundStart("", 4))) == due, "it is another one, and was lost"
    bill.write_bytes(whole)
    time.later(hours=6)
    assert found(look(current, RoundStart("", 4))) == due
    assert not current.ingest("initech").failed
    time.later(hours=6)
    assert found(look(current, RoundStart("", 5))) == []
    reset = look(current)
    assert (reset.looks, found(reset)) == (0, []), "a reset cursor requests nothing again"


def test_months_that_dagster_has_no_partitions_for_are_left_alone(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    for month in ("2019-12", "2031-01"):
        deliver(tmp_path / "initech", [row("5", day=f"{month}-02")], month)
    assert found(look(two))[0] == ("landing", "initech", MONTHS[0], MONTHS[-1])


def test_a_source_that_fails_or_hangs_stops_no_other(
    two: TemporaryInstallation, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, hang = source_look.list_months, threading.Event()

    def listed(tenant: Tenant, source: Source) -> list[str]:
        if tenant.name == "initech":
            hang.wait(60)
        return real(tenant, source)

    monkeypatch.setattr(source_look, "list_months", listed)
    try:
        first = look(two, limits=RoundLimits(look_seconds=0.2))
    finally:
        hang.set()
    assert found(first) == [("landing", "umbrella", MONTHS[0], MONTHS[-1])]
    assert len(first.failures) == 1
    assert "initech/payer" in first.failures[0] and "did not answer" in first.failures[0]
    assert look(two, RoundStart("", 1)).looks == 0, "it is left alone for a while"

    def refused(tenant: Tenant, source: Source) -> list[str]:
        if tenant.name == "initech":
            raise Unreachable("S3 answered 503")
        return real(tenant, source)

    monkeypatch.setattr(source_look, "list_months", refused)
    time.later(hours=6)
    second = look(two, RoundStart("", 1))
    assert [work.tenant for work in second.works] == ["umbrella"], "its run was lost"
    assert "S3 answered 503" in second.failures[0]


def test_a_round_that_runs_out_of_time_goes_on_where_it_stopped(
    two: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_round, "MOST_WORKS", 1)
    first = look(two)
    assert ([work.tenant for work in first.works], first.next_tenant) == (["initech"], "umbrella")
    second = look(two, RoundStart(first.next_tenant, 1))
    assert [work.tenant for work in second.works] == ["umbrella"]


def test_a_tenant_that_has_a_run_waits_and_a_disabled_one_is_left_out(
    two: TemporaryInstallation,
) -> None:
    assert [work.tenant for work in look(two, RoundStart(busy={"initech"})).works] == ["umbrella"]
    assert finops("tenant", "disable", "umbrella", data=two.data)[0] == 0
    assert [work.tenant for work in look(two).works] == ["initech"]


def test_a_new_project_and_a_changed_rule_are_built_and_nothing_else(
    current: TemporaryInstallation, time: Time
) -> None:
    add = ("project", "add", "initech/web", "--source", "payer", "--account", "111122223333")
    assert finops(*add, data=current.data)[0] == 0
    due = found(look(current, RoundStart("", 1)))
    assert due == [("costs", "initech", MONTHS[0], MONTHS[-1])]
    assert found(look(current, RoundStart("", 2))) == [], "it was requested"
    assert not current.ingest("initech").failed
    assert found(look(current, RoundStart("", 3))) == []
    title = ("tenant", "add", "umbrella", "--display-name", "Umbrella & Co.")
    assert finops(*title, data=current.data)[0] == 0
    assert found(look(current, RoundStart("", 4))) == [
        ("warehouse", "umbrella", MONTHS[-1], MONTHS[-1])
    ]
    assert found(look(current, RoundStart("", 5))) == []


def test_a_state_that_cannot_be_read_costs_one_more_look(current: TemporaryInstallation) -> None:
    for file in (current.data / "lake/.watch").glob("*.seen"):
        file.write_text("{")
    again = look(current, RoundStart("", 1))
    assert (again.looks, found(again)) == (2, [])


def test_a_purged_tenant_leaves_nothing_that_was_seen_of_it(current: TemporaryInstallation) -> None:
    seen = current.data / "lake/.watch"
    own = {f"{current.installation.registry.tenant(name).external_id}.seen" for name in TENANTS}
    assert {path.name for path in seen.iterdir()} == own
    for command in ("remove", "purge"):
        assert finops("tenant", command, "umbrella", "--yes", "umbrella", data=current.data)[0] == 0
    (left,) = seen.iterdir()
    assert left.name == f"{current.installation.registry.tenant('initech').external_id}.seen"
