"""How many queries may run at the same time: bounds for a principal, a tenant and all, in order.

Put here: waiting for a turn. Keep out: the processes that run them (warehouse_pool.py).

A query waits only behind those that can run: a tenant or principal that has reached its own bound
does not keep others waiting, however many of its queries stand before theirs.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from finops_pipeline.errors import Busy

WAITING_PER_SLOT = 12
"""Queries of one tenant (or principal) that may wait for each that may run; one more is refused."""


@dataclass(frozen=True)
class Caller:
    """Whose query it is. `principal`: empty: nobody but the tenant's bound counts."""

    tenant: str
    principal: str = ""


@dataclass(frozen=True, eq=False)
class _Waiting:
    caller: Caller
    has_turn: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class SlotBounds:
    """Most turns at the same time: of all, of one tenant, and of one principal in a tenant."""

    total: int
    per_tenant: int
    per_principal: int


class QuerySlots:
    """Turns to run a query, first come, first served."""

    def __init__(self, bounds: SlotBounds) -> None:
        self._bounds = bounds
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._running: Counter[Caller] = Counter()

    @contextmanager
    def turn(self, caller: Caller, wait_seconds: float, is_begun: bool = False) -> Iterator[None]:
        """Wait for a turn, and give it back at the end.

        Args:
            caller: whose query it is.
            wait_seconds: the longest wait.
            is_begun: wait also if many wait already: the answer was begun in an earlier turn.

        Raises:
            Busy: there was none in time, or too many wait already.
        """
        waiting = _Waiting(caller)
        try:
            self._join(waiting, is_begun)
            if not waiting.has_turn.wait(wait_seconds):
                raise _busy(wait_seconds)
            yield
        finally:
            self._leave(waiting)

    def _join(self, waiting: _Waiting, is_begun: bool) -> None:
        with self._lock:
            if not is_begun and self._has_too_many_waiting(waiting.caller):
                raise _busy(0)
            self._waiting.append(waiting)
            self._admit()

    def _has_too_many_waiting(self, caller: Caller) -> bool:
        of_tenant = [w.caller for w in self._waiting if w.caller.tenant == caller.tenant]
        of_principal = of_tenant.count(caller) if caller.principal else 0
        return (
            len(of_tenant) >= self._bounds.per_tenant * WAITING_PER_SLOT
            or of_principal >= self._bounds.per_principal * WAITING_PER_SLOT
        )

    def _leave(self, waiting: _Waiting) -> None:
        with self._lock:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            elif waiting.has_turn.is_set():
                self._running[waiting.caller] -= 1
                self._running += Counter()  # forget callers without a turn
                self._admit()

    def _admit(self) -> None:
        for waiting in list(self._waiting):
            if self._running.total() >= self._bounds.total:
                return
            if self._is_below_bounds(waiting.caller):
                self._waiting.remove(waiting)
                self._running[waiting.caller] += 1
                waiting.has_turn.set()

    def _is_below_bounds(self, caller: Caller) -> bool:
        of_tenant = sum(n for c, n in self._running.items() if c.tenant == caller.tenant)
        is_principal_below = self._running[caller] < self._bounds.per_principal
        return of_tenant < self._bounds.per_tenant and (is_principal_below or not caller.principal)


def _busy(waited_seconds: float) -> Busy:
    waited = f" (waited {waited_seconds:g} s)" if waited_seconds else ""
    return Busy(
        f"as many answers as may be given at the same time are being given{waited}",
        "a free place, of which each caller, each tenant and all together have a number",
        "Ask again in a moment",
    )
