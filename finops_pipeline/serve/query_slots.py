"""How many queries may run at the same time: bounds for each tenant and for all, in order.

Put here: waiting for a turn. Keep out: the processes that run them (warehouse_pool.py).

A query waits only behind those that can run: a tenant that has reached its own bound does not keep
others waiting, however many of its queries stand before theirs.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from finops_pipeline.errors import Busy

WAITING_PER_SLOT = 8
"""Queries of one tenant that may wait for each that may run; one more is refused at once."""


@dataclass(frozen=True, eq=False)
class _Waiting:
    tenant: str
    has_turn: threading.Event = field(default_factory=threading.Event)


class QuerySlots:
    """Turns to run a query, first come, first served.

    Args:
        total: most turns at the same time.
        per_tenant: most turns of one tenant at the same time.
    """

    def __init__(self, total: int, per_tenant: int) -> None:
        self._total = total
        self._per_tenant = min(per_tenant, total)
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._running: Counter[str] = Counter()

    @contextmanager
    def turn(self, tenant: str, wait_seconds: float) -> Iterator[None]:
        """Wait for a turn, and give it back at the end.

        Raises:
            Busy: there was none in time, or too many wait already.
        """
        waiting = _Waiting(tenant)
        try:
            self._join(waiting)
            if not waiting.has_turn.wait(wait_seconds):
                raise _busy(wait_seconds)
            yield
        finally:
            self._leave(waiting)

    def _join(self, waiting: _Waiting) -> None:
        with self._lock:
            before = sum(other.tenant == waiting.tenant for other in self._waiting)
            if before >= self._per_tenant * WAITING_PER_SLOT:
                raise _busy(0)
            self._waiting.append(waiting)
            self._admit()

    def _leave(self, waiting: _Waiting) -> None:
        with self._lock:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            elif waiting.has_turn.is_set():
                self._running[waiting.tenant] -= 1
                self._running += Counter()  # forget tenants without a turn
                self._admit()

    def _admit(self) -> None:
        for waiting in list(self._waiting):
            if self._running.total() >= self._total:
                return
            if self._running[waiting.tenant] < self._per_tenant:
                self._waiting.remove(waiting)
                self._running[waiting.tenant] += 1
                waiting.has_turn.set()


def _busy(waited_seconds: float) -> Busy:
    waited = f" (waited {waited_seconds:g} s)" if waited_seconds else ""
    return Busy(
        f"as many questions as may be answered at the same time are being answered{waited}",
        cure="Ask again in a moment",
    )
