"""A sandbox that stays open: each query gets its own answer, and never an earlier tenant's data.

acme costs 7.50 and globex 900. acme's folder is purged in one test and restored in another.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from finops_pipeline import clock
from finops_pipeline.errors import QueryRefused, Unknown
from finops_pipeline.lake.duck import DuckDBError
from finops_pipeline.serve.queries import Answer, Query
from finops_pipeline.serve.sandbox import Sandbox, open_sandbox
from tests.conftest import TemporaryInstallation
from tests.support.beside_globex import ZEROS, declare
from tests.support.bills import deliver, row
from tests.support.globex import finops
from tests.support.rewound_folder import rewound_by

TOTAL = "select sum(billed_cost) from monthly_costs"
MANY = "select '{}' as which, n from range(20000) as numbers(n)"


def make_both(folder: Path) -> None:
    made = TemporaryInstallation(folder / "data")
    for tenant, cost in (("acme", "7.50"), ("globex", "900")):
        deliver(folder / tenant / "cur", [row(cost, account=ZEROS)])
        declare(made, folder, tenant)
        assert not made.ingest(tenant).failed


pristine, tmp_path = rewound_by(make_both)


@pytest.fixture
def made(empty: TemporaryInstallation) -> TemporaryInstallation:
    """acme and globex as `make_both` made them."""
    return empty


def opened(made: TemporaryInstallation, tenant: str, **limits: Any) -> Any:
    changed = replace(made.installation.query_limits, **limits)
    return open_sandbox(made.installation.folder(tenant), changed)


@pytest.fixture
def both(made: TemporaryInstallation) -> Iterator[tuple[Sandbox, Sandbox]]:
    with opened(made, "acme") as acme, opened(made, "globex") as globex:
        yield acme, globex


def total(sandbox: Sandbox) -> str:
    return f"{sandbox.execute(TOTAL).fetchall()[0][0]:.2f}"


def test_an_open_sandbox_never_answers_with_data_of_an_earlier_tenant_of_that_name(
    made: TemporaryInstallation, both: tuple[Sandbox, Sandbox], tmp_path: Path
) -> None:
    acme, globex = both
    assert (total(acme), total(globex)) == ("7.50", "900.00")
    for command in ("remove", "purge"):
        assert finops("tenant", command, "acme", "--yes", "acme")[0] == 0
    with pytest.raises(Unknown):
        acme.execute(TOTAL)
    other = tmp_path / "another"
    deliver(other / "acme/cur", [row("1", account=ZEROS)])
    declare(made, other, "acme")
    assert not made.ingest("acme").failed
    assert (total(acme), total(globex)) == ("1.00", "900.00")


def test_an_open_sandbox_follows_a_restored_folder(
    made: TemporaryInstallation, both: tuple[Sandbox, Sandbox], tmp_path: Path
) -> None:
    acme, globex = both
    assert total(acme) == "7.50"
    assert finops("backup", "acme", str(tmp_path / "backup"))[0] == 0
    deliver(tmp_path / "acme/cur", [row("8", account=ZEROS)], assembly="two")
    made.ingest("acme")
    assert finops("restore", str(tmp_path / "backup"), "acme", "--replace")[0] == 0
    assert (total(acme), total(globex)) == ("7.50", "900.00")


class Interrupted(BaseException):
    """Raised in place of Ctrl-C, or of what a server raises in a thread that waits for too long."""


def test_an_interrupted_query_leaves_no_rows_to_the_next(both: tuple[Sandbox, Sandbox]) -> None:
    def interrupt(*_: object) -> None:
        raise Interrupted

    acme, globex = both
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(Interrupted):
            acme.execute("select count(*) from range(100000000000) t(n) where n % 7 = 3").fetchall()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    for _ in range(3):
        assert acme.execute("select 'new'").fetchall() == [("new",)]
    assert total(globex) == "900.00"


def test_an_answer_never_continues_with_the_rows_of_a_later_query(
    both: tuple[Sandbox, Sandbox],
) -> None:
    acme, globex = both
    portions = acme.execute(MANY.format("old")).portions()
    assert next(portions)[0][0] == "old"
    later = acme.execute(MANY.format("new"))
    with pytest.raises(QueryRefused, match="another query was run"):
        next(portions)
    assert len(later.fetchall()) == 20000
    unread = acme.execute(MANY.format("old")).portions()
    acme.execute("select 1").fetchall()
    with pytest.raises(QueryRefused, match="another query was run"):
        next(unread)
    assert total(globex) == "900.00"


def test_an_arrow_answer_that_is_partly_read_blocks_no_later_query(
    both: tuple[Sandbox, Sandbox],
) -> None:
    many = MANY.format("old").replace("20000", "1000000")
    for sandbox in both:
        first = pa.ipc.open_stream(sandbox.connection.arrow_stream(many))
        first.read_next_batch()
        second = pa.ipc.open_stream(sandbox.connection.arrow_stream(MANY.format("new")))
        with pytest.raises(QueryRefused, match="another query was run"):
            first.read_next_batch()
        assert second.read_all().num_rows == 20000
        pa.ipc.open_stream(sandbox.connection.arrow_stream(many)).read_next_batch()
        assert sandbox.execute("select 2").fetchall() == [(2,)]


def test_reading_an_answer_whose_process_has_ended_fails(both: tuple[Sandbox, Sandbox]) -> None:
    acme, globex = both
    answer = Answer(acme, Query("select n from range(5000) as numbers(n)"))
    answer.execute()
    acme.connection.worker.close()
    acme.execute("select 1").fetchall()
    with pytest.raises((QueryRefused, DuckDBError)):
        list(answer.rows())
    assert total(globex) == "900.00"


def test_a_slow_reader_gets_every_row(made: TemporaryInstallation) -> None:
    with opened(made, "acme", seconds=0.5) as acme, opened(made, "globex") as globex:
        wide = "select n, repeat('x', 2000) from range(8000) as numbers(n)"
        count = 0
        for portion in acme.execute(wide).portions():
            count += len(portion)
            started = clock.stopwatch()
            while count == 4000 and clock.stopwatch() - started < 2.5:
                clock.pause(0.1)
        assert count == 8000
        assert total(globex) == "900.00"
