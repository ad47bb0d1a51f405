"""Superseded files: how long and how many of them stay, and what is never removed.

Put here: the grace period, the limit of space, a clock that is set back. Keep out: deaths while
files are collected (test_snapshot_kills.py).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from finops_pipeline import clock
from finops_pipeline.application.ingest import ingest
from finops_pipeline.application.installation import Installation
from finops_pipeline.lake.collection import Space, measure_space
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.ledger.stored_files import read_stored_files
from finops_pipeline.settings import Settings
from tests.conftest import FIGURES, TemporaryInstallation
from tests.support.rewound_folder import rewound_by
from tests.support.snapshot_tenants import begin, deliver_number

GRACE_HOURS = 24


def publish(made: TemporaryInstallation, number: int, **settings: Any) -> Space:
    """Publish acme again with these settings; return the space of its files."""
    deliver_number(made, number)
    return refresh(made, **settings)


def refresh(made: TemporaryInstallation, **settings: Any) -> Space:
    """Ingest acme, perhaps with nothing new; return the space of its files and check it on disk."""
    installation = Installation(Settings(data=made.data, **settings))
    assert not ingest(installation, installation.registry.tenant("acme")).failed
    folder = installation.folder("acme")
    space = measure_space(folder, open_ledger(folder))
    stored = sum(path.stat().st_size for path in folder.store.glob("*/*=[a-z]*/*/*.parquet"))
    assert stored == partition_bytes(made) + space.superseded_bytes
    return space


def partition_bytes(made: TemporaryInstallation) -> int:
    """Return the bytes of acme's current partition files."""
    ledger = open_ledger(made.installation.folder("acme"))
    return sum(file.size_bytes for file in read_stored_files(ledger).values())


pristine, tmp_path = rewound_by(begin)


@pytest.fixture
def made(empty: TemporaryInstallation) -> TemporaryInstallation:
    """acme and globex, published once."""
    return empty


def set_clock(patch: pytest.MonkeyPatch, now: datetime) -> None:
    patch.setattr(clock, "now", lambda: now)


def test_superseded_files_stay_for_the_grace(
    made: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now()
    set_clock(monkeypatch, now)
    first = refresh(made)
    assert first.superseded_files == 0
    path = made.folder("acme") / "acme.duckdb"
    with duckdb.connect(str(path), read_only=True) as connection:
        after = publish(made, 2)
        assert after.superseded_files == 6  # landing, prod and dev of two months
        set_clock(monkeypatch, now + timedelta(hours=GRACE_HOURS, seconds=-1))
        assert refresh(made) == after
        assert connection.execute("select sum(BilledCost) from costs").fetchall() == [(4,)]
        set_clock(monkeypatch, now + timedelta(hours=GRACE_HOURS))
        assert refresh(made).superseded_files == 0
        with pytest.raises(duckdb.IOException, match="charges-"):  # documented: open it again
            connection.execute("select sum(BilledCost) from costs").fetchall()


def test_what_is_delivered_again_is_needed_again(
    made: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A, B, A: the files of A are superseded and then current again; nothing collects them."""
    now = clock.now()
    for version, (number, hours) in enumerate([(2, 0), (1, 1), (1, GRACE_HOURS)], start=2):
        set_clock(monkeypatch, now + timedelta(hours=hours))
        deliver_number(made, number, version)
        refresh(made)
    set_clock(monkeypatch, now + timedelta(hours=3 * GRACE_HOURS))
    assert refresh(made).superseded_files == 0
    (row,) = made.rows("acme", "select sum(BilledCost) as b from costs")
    assert Decimal(row["b"]) == 4


def test_a_failure_after_the_commit_is_not_reported_as_nothing_published(
    made: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("the disk is gone")

    deliver_number(made, 2)
    with monkeypatch.context() as patch:
        patch.setattr("finops_pipeline.lake.publish.collect_superseded", fail)
        failed = made.ingest("acme").failed
    reasons = [step.reason for step in failed if step.stage == "warehouse"]
    assert len(reasons) == 1 and "All of this was published" in reasons[0]
    landings = [step.reason for step in failed if step.stage == "landing"]
    assert len(landings) == 2 and all("The delivery has landed" in text for text in landings)
    assert not open_ledger(made.installation.folder("acme")).refusals()
    (row,) = made.rows("acme", "select sum(BilledCost) as b from costs")
    assert Decimal(row["b"]) == 8


def test_a_clock_that_is_set_back_neither_keeps_files_forever_nor_removes_them_early(
    made: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock.now()
    set_clock(monkeypatch, now + timedelta(days=400))
    assert publish(made, 2).superseded_files == 6
    set_clock(monkeypatch, now)
    assert refresh(made).superseded_files == 6
    set_clock(monkeypatch, now + timedelta(hours=GRACE_HOURS))
    assert refresh(made).superseded_files == 0


def test_space_stays_within_the_limit(
    made: TemporaryInstallation, request: pytest.FixtureRequest
) -> None:
    limit = 3 * partition_bytes(made)
    spaces = [publish(made, number, superseded_limit_bytes=limit) for number in range(2, 7)]
    assert max(space.superseded_bytes for space in spaces) <= limit
    assert spaces[-1].superseded_bytes > limit / 2
    request.config.stash.setdefault(FIGURES, []).append(describe(len(spaces), spaces[-1]))


@pytest.mark.torture
def test_space_stays_within_the_limit_after_100_publications(
    made: TemporaryInstallation, request: pytest.FixtureRequest
) -> None:
    limit = 3 * partition_bytes(made)
    for number in range(2, 102):
        space = publish(made, number, superseded_limit_bytes=limit)
        assert space.superseded_bytes <= limit
    request.config.stash.setdefault(FIGURES, []).append(describe(100, space))


def describe(publications: int, space: Space) -> str:
    return (
        f"space after {publications} publications: {space.current_bytes} bytes current,"
        f" {space.superseded_bytes} superseded"
    )
