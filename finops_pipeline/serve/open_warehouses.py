"""Open warehouses, and those between two requests: which is used again, which is closed.

Put here: the order of closing, and the bounds of number and memory. Keep out: opening them and
their use (warehouse_pool.py).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from finops_pipeline.serve.data_scope import DataScope
from finops_pipeline.serve.questions.cost_answer import CostAsker
from finops_pipeline.serve.sandbox import Sandbox


@dataclass(frozen=True, eq=False)
class OpenWarehouse:
    """The data of one scope, open for one request and one thread at a time.

    `generation`: names what all answers come from, for ETags and cursors; it differs between scopes
    and says nothing about them.
    """

    scope: DataScope
    sandbox: Sandbox
    asker: CostAsker
    generation: str


class IdleWarehouses:
    """Open warehouses that nobody uses; the one that has waited longest is closed first.

    Args:
        most: most open warehouses, with those in use.
        most_bytes: most memory that idle ones may hold, all together.
    """

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._idle: list[OpenWarehouse] = []
        self._held_bytes: dict[OpenWarehouse, int] = {}
        self._in_use = 0
        self._is_closed = False

    def take(self, scope: DataScope) -> OpenWarehouse | None:
        """Return an idle warehouse of exactly this scope, or None; either way one more is in use.

        It may be outdated. The caller gives back, or counts as closed, what it takes.
        """
        with self._lock:
            self._in_use += 1
            newest = next((idle for idle in reversed(self._idle) if idle.scope == scope), None)
            if newest is not None:
                self._idle.remove(newest)
            surplus = self._take_surplus()
        _close(surplus)
        return newest

    def give_back(self, warehouse: OpenWarehouse) -> None:
        """Keep a warehouse that was in use for the next request of its scope."""
        with self._lock:
            self._in_use -= 1
            self._idle.append(warehouse)
            self._held_bytes[warehouse] = warehouse.sandbox.private_bytes
            surplus = self._take_surplus()
        _close(surplus)

    def count_closed(self) -> None:
        """Note that a warehouse that was in use is closed, or could not be opened."""
        with self._lock:
            self._in_use -= 1

    def close_if(self, is_outdated: Callable[[OpenWarehouse], bool]) -> None:
        """Close the idle warehouses for which this is true."""
        with self._lock:
            present = list(self._idle)
        outdated = [idle for idle in present if is_outdated(idle)]
        with self._lock:
            outdated = [idle for idle in outdated if idle in self._idle]  # not in use by now
            self._idle = [idle for idle in self._idle if idle not in outdated]
        _close(outdated)

    def close(self) -> None:
        """Close all, and from now on whatever is given back."""
        with self._lock:
            self._is_closed = True
            surplus = self._take_surplus()
        _close(surplus)

    def _take_surplus(self) -> list[OpenWarehouse]:
        """Remove and return what is to be closed; it is closed without the lock."""
        self._held_bytes = {idle: self._held_bytes[idle] for idle in self._idle}
        surplus = []
        while self._idle and (self._is_closed or self._has_too_many()):
            surplus.append(self._idle.pop(0))
        return surplus

    def _has_too_many(self) -> bool:
        held = sum(self._held_bytes[idle] for idle in self._idle)
        return len(self._idle) + self._in_use > self._most or held > self._most_bytes


def _close(warehouses: list[OpenWarehouse]) -> None:
    for warehouse in warehouses:
        warehouse.sandbox.close()
