"""The pool of open warehouses: each scope gets its own data, of one generation, whatever others do.

acme costs 7.50 and globex 900; both have a project prod with the same account. Put here: threads,
swapped, purged and restored files, hostile queries. Keep out: access limited to projects
(test_scoped_*.py), bounds alone (test_pool_unit.py).
"""

from __future__ import annotations

import os
import signal
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from finops_pipeline import clock
from finops_pipeline.application.installation import Installation
from finops_pipeline.errors import Busy, QueryRefused, QueryStopped, ReadingEnded, Unknown
from finops_pipeline.serve.data_scope import DataScope
from finops_pipeline.serve.questions import cost_answer
from finops_pipeline.serve.questions.cost_answer import CostAnswer
from finops_pipeline.serve.questions.question import Question
from finops_pipeline.serve.warehouse_pool import OpenWarehouse, PoolLimits, WarehousePool
from finops_pipeline.settings import Settings
from tests.conftest import TemporaryInstallation
from tests.support.beside_globex import ZEROS, declare
from tests.support.bills import deliver, row
from tests.support.globex import finops
from tests.support.published_files import copy_installation

TOTAL = "select sum(billed_cost) from monthly_costs"
CHARGES = "select sum(BilledCost) from costs"
BOMB = "select count(*) from range(1000000000000) t(i) where i % 7 = 3"
ACME, GLOBEX = DataScope("acme"), DataScope("globex")
COSTS = {ACME: "7.50", GLOBEX: "900.00"}


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exports")


@pytest.fixture(scope="module")
def made(exports: Path) -> TemporaryInstallation:
    made = TemporaryInstallation(exports / "data")
    for scope, cost in COSTS.items():
        bill(made, exports, scope.tenant, cost)
    return made


@pytest.fixture
def own(made: TemporaryInstallation, empty: TemporaryInstallation) -> TemporaryInstallation:
    """A copy to change."""
    copy_installation(made.data, empty.data)
    return empty


def bill(made: TemporaryInstallation, exports: Path, tenant: str, cost: str) -> None:
    """Deliver a month that costs this, and build it."""
    name = uuid.uuid4().hex
    deliver(exports / tenant / "cur", [row(cost, account=ZEROS)], assembly=name)
    declare(made, exports, tenant)
    assert not made.ingest(tenant).failed


@contextmanager
def pooled(made: TemporaryInstallation, seconds: float = 30, **limits: Any) -> Iterator[Any]:
    settings = Settings(data=made.data, threads=1, query_seconds=seconds)
    pool = WarehousePool(Installation(settings), PoolLimits(**limits))
    try:
        yield pool
    finally:
        pool.close()


def total(opened: OpenWarehouse, sql: str = TOTAL) -> str:
    return f"{opened.sandbox.execute(sql).fetchall()[0][0]:.2f}"


def process_of(opened: OpenWarehouse) -> int:
    return opened.sandbox.connection.worker.process_id


def has_ended(process: int) -> bool:
    return not Path(f"/proc/{process}").exists()


def test_threads_of_two_tenants_get_their_own_data(made: TemporaryInstallation) -> None:
    processes: dict[int, set[DataScope]] = {}

    def ask(number: int) -> str:
        scope = (ACME, GLOBEX)[number % 2]
        with pool.open(scope) as opened:
            processes.setdefault(process_of(opened), set()).add(scope)
            assert opened.generation == pool.generation(scope)
            asked = opened.asker.ask(Question(start="2026-01"))
            assert f"{asked.totals[0].total:.2f}" == COSTS[scope]
            return total(opened, CHARGES if number % 5 else TOTAL)

    with pooled(made, workers=6) as pool, ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(ask, range(40)))
        assert answers == [COSTS[(ACME, GLOBEX)[number % 2]] for number in range(40)]
        assert pool.generation(ACME) != pool.generation(GLOBEX)
        assert sum(not has_ended(process) for process in processes) <= 6
    assert all(len(scopes) == 1 for scopes in processes.values()), "a process served two scopes"
    assert all(map(has_ended, processes))


def test_files_swapped_under_load_give_no_wrong_and_no_failed_answer(
    made: TemporaryInstallation, exports: Path
) -> None:
    """Every answer of one open comes from the generation that it names."""
    is_over = threading.Event()
    totals: dict[str, set[str]] = {}

    def ask() -> int:
        count = 0
        while not is_over.is_set():
            with pool.open(ACME) as opened:
                answers = {total(opened, sql) for sql in (TOTAL, CHARGES, TOTAL)}
                totals.setdefault(opened.generation, set()).update(answers)
            with pool.open(GLOBEX) as opened:
                assert total(opened) == "900.00"
            count += 1
        return count

    with pooled(made) as pool, ThreadPoolExecutor(2) as threads:
        asking = [threads.submit(ask) for _ in range(2)]
        try:
            for cost in ("8.25", "7.50"):
                bill(made, exports, "acme", cost)
                with pool.open(ACME) as opened:
                    assert total(opened) == cost
                    assert opened.generation == pool.generation(ACME)
        finally:
            is_over.set()
        assert all(done.result() for done in asking)
    assert all(len(answers) == 1 for answers in totals.values()), totals
    assert len(totals) >= 3


def test_a_process_is_used_again_until_there_is_no_room(made: TemporaryInstallation) -> None:
    with pooled(made, workers=2) as pool:
        used = []
        for scope in (ACME, ACME, GLOBEX, ACME):
            with pool.open(scope) as opened:
                assert total(opened) == COSTS[scope]
                used.append(process_of(opened))
        assert used[0] == used[1] == used[3] != used[2]
        with pool.open(ACME), pool.open(ACME) as opened:
            assert total(opened) == COSTS[ACME]
            assert has_ended(used[2])
    with pooled(made, idle_bytes=0) as pool, pool.open(ACME) as opened:
        process = process_of(opened)
    assert has_ended(process)


def test_a_query_waits_for_a_moment_and_is_then_refused(made: TemporaryInstallation) -> None:
    with pooled(made, queries=2, queries_per_tenant=1, wait_seconds=0.05) as pool:
        with pool.open(ACME):
            with pytest.raises(Busy, match="Ask again"), pool.open(ACME):
                pass
            with pool.open(GLOBEX) as opened:
                assert total(opened) == "900.00"
                with pytest.raises(Busy), pool.open(ACME):
                    pass
        with pool.open(ACME) as opened:
            assert total(opened) == "7.50"


def test_one_tenants_bombs_do_not_keep_another_from_its_answers(
    made: TemporaryInstallation,
) -> None:
    def explode() -> None:
        with pool.open(ACME) as opened, pytest.raises(QueryStopped):
            opened.sandbox.execute(BOMB).fetchall()

    limits = {"seconds": 2, "queries": 3, "queries_per_tenant": 2, "wait_seconds": 30}
    with pooled(made, **limits) as pool, ThreadPoolExecutor(4) as threads:
        bombs = [threads.submit(explode) for _ in range(4)]
        answers = 0
        while not all(bomb.done() for bomb in bombs):
            with pool.open(GLOBEX) as opened:
                assert total(opened) == "900.00"
            answers += 1
        for bomb in bombs:
            bomb.result()
        assert answers > 4
        with pool.open(ACME) as opened:
            assert total(opened) == "7.50"


def test_a_process_that_has_died_is_replaced(made: TemporaryInstallation) -> None:
    with pooled(made) as pool:
        with pool.open(ACME) as opened:
            process = process_of(opened)
        os.kill(process, signal.SIGKILL)
        os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
        with pool.open(ACME) as opened:
            assert total(opened) == "7.50"
            with pytest.raises(QueryStopped):
                os.kill(process_of(opened), signal.SIGKILL)
                opened.sandbox.execute(TOTAL)
            with pytest.raises(ReadingEnded):  # and not an answer of another generation
                opened.sandbox.execute(TOTAL)
        with pool.open(ACME) as opened:
            assert total(opened) == "7.50"


def test_an_answer_that_was_read_in_part_is_nobody_elses(made: TemporaryInstallation) -> None:
    many = "select n from range(20000) as numbers(n)"
    with pooled(made, workers=1) as pool:
        with pool.open(ACME) as opened:
            portions = opened.sandbox.execute(many).portions()
            next(portions)
            first = process_of(opened)
        with pool.open(ACME) as opened:
            assert process_of(opened) == first
            with pytest.raises(QueryRefused, match="another query was run"):
                next(portions)
            assert total(opened) == "7.50"
            portions = opened.sandbox.execute(many).portions()
            next(portions), next(portions)  # the third is being computed
            stream = opened.sandbox.connection
        with pool.open(ACME) as opened:
            assert process_of(opened) != first
            assert not stream.worker.is_running
            assert total(opened) == "7.50"


def test_a_purged_folder_is_no_longer_read(own: TemporaryInstallation, tmp_path: Path) -> None:
    made = own
    with pooled(made) as pool:
        with pool.open(ACME) as opened:
            idle = process_of(opened)
            before = opened.generation
        with pool.open(ACME) as opened:
            assert total(opened) == "7.50"
            for command in ("remove", "purge"):
                assert finops("tenant", command, "acme", "--yes", "acme", data=made.data)[0] == 0
            with pytest.raises(ReadingEnded):
                opened.sandbox.execute(TOTAL)
        with pytest.raises(Unknown), pool.open(ACME):
            pass
        with pytest.raises(Unknown):
            pool.generation(ACME)
        pool.close_outdated()
        assert has_ended(idle)
        bill(made, tmp_path, "acme", "3.00")
        with pool.open(ACME) as opened:
            assert total(opened) == "3.00"
            assert opened.generation != before


def test_a_restored_folder_is_read_in_place_of_the_replaced_one(
    own: TemporaryInstallation, tmp_path: Path
) -> None:
    made = own
    backup = str(tmp_path / "backup")
    assert finops("backup", "acme", backup, data=made.data)[0] == 0
    with pooled(made) as pool:
        bill(made, tmp_path, "acme", "8.00")
        with pool.open(ACME) as opened:
            assert total(opened) == "8.00"
        assert finops("restore", backup, "acme", "--replace", data=made.data)[0] == 0
        with pool.open(ACME) as opened:
            assert (total(opened), total(opened, CHARGES)) == ("7.50", "7.50")
        with pool.open(GLOBEX) as opened:
            assert total(opened) == "900.00"


def test_an_answer_is_given_again_for_the_same_scope_generation_and_day(
    made: TemporaryInstallation, exports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = Question(start="2026-09", end="2026-09")

    def ask(scope: DataScope) -> CostAnswer:
        with pool.open(scope) as opened:
            answer: CostAnswer = opened.asker.ask(question)
            return answer

    with pooled(made) as pool:
        first, other = ask(ACME), ask(GLOBEX)
        assert ask(ACME) is first and ask(GLOBEX) is other
        assert [f"{answer.totals[0].total:.2f}" for answer in (first, other)] == ["7.50", "900.00"]
        bill(made, exports, "acme", "6.25")
        assert f"{ask(ACME).totals[0].total:.2f}" == "6.25"
        assert ask(GLOBEX) is other
        bill(made, exports, "acme", "7.50")
        tomorrow = clock.now() + timedelta(days=1)
        monkeypatch.setattr(cost_answer.clock, "now", lambda: tomorrow)
        assert ask(GLOBEX) is not other
    with pooled(made, answer_bytes=0) as pool:
        assert ask(ACME) is not ask(ACME)


def test_a_generation_says_nothing_and_belongs_to_one_scope(made: TemporaryInstallation) -> None:
    with pooled(made) as pool:
        names = [pool.generation(ACME), pool.generation(GLOBEX)]
        assert names == [pool.generation(ACME), pool.generation(GLOBEX)]
        assert names[0] != names[1]
        for name in names:
            assert len(name) == 32 and int(name, 16)
        for unknown in ("initech", "acme-2"):
            with pytest.raises(Unknown), pool.open(DataScope(unknown)):
                pass
