"""Turns for requests that read all charges of a tenant in the server's own process.

Put here: one at a time for each tenant, a few for all. Keep out: queries, which have processes of
their own (query_slots.py).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_MOST = 4


class CalculationTurns:
    """Who has a turn. Nobody waits: whoever gets none is asked to try again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: set[str] = set()

    @contextmanager
    def turn(self, tenant_id: str) -> Iterator[bool]:
        """Take the turn of a tenant; yield whether it was free."""
        with self._lock:
            is_free = tenant_id not in self._held and len(self._held) < _MOST
            if is_free:
                self._held.add(tenant_id)
        try:
            yield is_free
        finally:
            if is_free:
                with self._lock:
                    self._held.remove(tenant_id)
