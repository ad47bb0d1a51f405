"""Clients that keep asking while something changes, and which answers each of them may have got.

Put here: threads that ask, and the times of requests and changes. Keep out: what changes, and what
an answer shows (test_api_races.py).
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

import httpx

from tests.support.served_tenants import ServedTenants

_PATIENCE_SECONDS = 120
_PAUSE_SECONDS = 0.01
"""Between two turns of a client: whoever makes the change needs the processor, too."""
State = TypeVar("State")


@dataclass(frozen=True)
class Exchange:
    """A request and its answer, and when the one was sent and the other had arrived."""

    token: str
    kind: str
    response: httpx.Response
    sent: float
    arrived: float

    def __str__(self) -> str:
        status, text = self.response.status_code, self.response.text[:600]
        return f"{self.token} asked for {self.kind}: {status} {text}"


Client = Callable[[], list[Exchange]]
"""Asks once, or in several requests that belong together."""


@dataclass
class _Period(Generic[State]):
    state: State
    began: float
    settled: float = math.inf


@dataclass
class Timeline(Generic[State]):
    """What was true when. A change that is under way may be seen already, or not yet."""

    first: State
    _periods: list[_Period[State]] = field(init=False)

    def __post_init__(self) -> None:
        self._periods = [_Period(self.first, -math.inf, -math.inf)]

    @contextmanager
    def changing_to(self, state: State) -> Iterator[None]:
        """Note that the block makes this true; once it has ended, nothing older may be seen."""
        period = _Period(state, time.monotonic())
        self._periods.append(period)
        yield
        period.settled = time.monotonic()

    def possible(self, exchange: Exchange) -> list[State]:
        """Return what the answer to a request may show."""
        newest = max(n for n, p in enumerate(self._periods) if p.settled <= exchange.sent)
        return [p.state for p in self._periods[newest:] if p.began <= exchange.arrived]


def ask(
    served: ServedTenants, token: str, kind: str, path: str, method: str = "GET", **options: Any
) -> Exchange:
    """Send a request, and note the times."""
    sent = time.monotonic()
    response = served.send(method, path, token, **options)
    return Exchange(token, kind, response, sent, time.monotonic())


@contextmanager
def asking(clients: Sequence[Client]) -> Iterator[list[Exchange]]:
    """Let clients ask, each in a thread, until the block ends; its value grows with each answer."""
    is_over = threading.Event()
    seen: list[Exchange] = []

    def keep_asking(client: Client) -> None:
        while not is_over.is_set():
            seen.extend(client())
            time.sleep(_PAUSE_SECONDS)

    with ThreadPoolExecutor(len(clients)) as threads:
        running = [threads.submit(keep_asking, client) for client in clients]
        try:
            yield seen
        finally:
            is_over.set()
        for each in running:
            each.result()


def await_answers(seen: list[Exchange], more: int, token: str = "") -> None:
    """Wait until this many more answers have arrived, so that each state is seen at all.

    Args:
        seen: what `asking` yields.
        more: how many.
        token: whose answers count; empty: everybody's.
    """
    begun, deadline = len(seen), time.monotonic() + _PATIENCE_SECONDS
    while sum(token in ("", exchange.token) for exchange in seen[begun:]) < more:
        assert time.monotonic() < deadline, "the clients get no more answers"
        time.sleep(0.01)


def in_turn(clients: Sequence[Client], first: int) -> Client:
    """Return a client that does what these do, one after the other."""
    turns = iter(range(first, 10**9))
    return partial(_take_turn, clients, turns)


def _take_turn(clients: Sequence[Client], turns: Iterator[int]) -> list[Exchange]:
    return clients[next(turns) % len(clients)]()
