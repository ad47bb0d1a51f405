"""The bounds of a server's pool, without processes: turns to run a query, remembered answers.

Put here: order and bounds alone. Keep out: open warehouses (test_warehouse_pool.py).
"""

from __future__ import annotations

import threading
from typing import Any

import pytest

from finops_pipeline import clock
from finops_pipeline.errors import Busy
from finops_pipeline.serve.query_slots import WAITING_PER_SLOT, Caller, QuerySlots, SlotBounds
from finops_pipeline.serve.questions.answer_cache import AnswerCache, AnswerSize


def test_turns_are_given_in_order_and_past_a_tenant_that_has_all_of_its_own() -> None:
    slots, order = QuerySlots(SlotBounds(2, 1, 1)), list[str]()

    def take(tenant: str) -> None:
        with slots.turn(Caller(tenant), 30):
            order.append(tenant)

    def waiting() -> list[str]:
        return [each.caller.tenant for each in slots._waiting]

    threads = []
    with slots.turn(Caller("acme"), 0):
        for number in range(3):
            threads.append(threading.Thread(target=take, args=("acme",)))
            threads[-1].start()
            wait_until(lambda count=number + 1: len(waiting()) == count)
        take("globex")
        assert order == ["globex"]
        with pytest.raises(Busy), slots.turn(Caller("acme"), 0):
            pass
        assert waiting() == ["acme"] * 3
    for thread in threads:
        thread.join()
    assert order == ["globex", "acme", "acme", "acme"]
    everyone = slots.turn(Caller("initech"), 0)
    with (
        slots.turn(Caller("acme"), 0),
        slots.turn(Caller("globex"), 0),
        pytest.raises(Busy),
        everyone,
    ):
        pass


def wait_until(condition: Any) -> None:
    started = clock.stopwatch()
    while not condition():
        assert clock.stopwatch() - started < 20
        clock.pause(0.01)


def test_remembered_answers_stay_within_their_memory() -> None:
    cache = AnswerCache(20_000)
    for number in range(5):
        cache.keep(number, f"answer {number}", AnswerSize(10))
        cache.get(0)
    assert [cache.get(number) for number in range(5)] == [
        "answer 0",
        None,
        *(f"answer {n}" for n in (2, 3, 4)),
    ]
    cache.keep("large", "answer", AnswerSize(10_000))
    cache.keep("long", "answer", AnswerSize(1, characters=10_000))
    assert cache.get("large") is cache.get("long") is None and cache.get(0) == "answer 0"


def test_a_principal_has_a_bound_within_its_tenant() -> None:
    slots = QuerySlots(SlotBounds(3, 2, 1))
    one, two, foreign = Caller("acme", "one"), Caller("acme", "two"), Caller("globex", "one")
    with slots.turn(one, 0):
        with pytest.raises(Busy), slots.turn(one, 0):
            pass
        with slots.turn(two, 0), slots.turn(foreign, 0):
            pass
    with slots.turn(one, 0):
        pass


def test_what_has_begun_waits_behind_any_number() -> None:
    slots, caller = QuerySlots(SlotBounds(1, 1, 1)), Caller("acme", "one")
    release, order, threads = threading.Event(), list[bool](), list[threading.Thread]()

    def take(is_begun: bool) -> None:
        with slots.turn(caller, 30, is_begun):
            order.append(is_begun)
            release.wait(30)

    for number in range(1 + WAITING_PER_SLOT):
        threads.append(threading.Thread(target=take, args=(False,)))
        threads[-1].start()
        wait_until(lambda count=number: len(slots._waiting) == count)
    with pytest.raises(Busy), slots.turn(caller, 30):
        pass
    threads.append(threading.Thread(target=take, args=(True,)))
    threads[-1].start()
    wait_until(lambda: len(slots._waiting) == WAITING_PER_SLOT + 1)
    release.set()
    for thread in threads:
        thread.join()
    assert order == [False] * (1 + WAITING_PER_SLOT) + [True]


def test_too_many_of_one_tenant_are_refused_without_waiting() -> None:
    slots = QuerySlots(SlotBounds(2, 1, 1))
    release, threads = threading.Event(), list[threading.Thread]()

    def hold() -> None:
        with slots.turn(Caller("acme"), 30):
            release.wait(30)

    for number in range(1 + WAITING_PER_SLOT):
        threads.append(threading.Thread(target=hold))
        threads[-1].start()
        wait_until(lambda count=number: len(slots._waiting) == count)
    with pytest.raises(Busy), slots.turn(Caller("acme"), 30):
        pass
    with slots.turn(Caller("globex"), 0):
        release.set()
    for thread in threads:
        thread.join()
