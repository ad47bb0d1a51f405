"""Processes that are started before they are needed: starting one takes longer than most questions.

Put here: how many wait, and replacing those that are taken. Keep out: what a process does once it
has been told what it may read (worker_process.py).
"""

from __future__ import annotations

import threading

from finops_pipeline.serve.worker_process import BlankWorker

_WAITING = 2


class BlankWorkers:
    """Processes that wait for their first and only scope; none before the first one is needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[BlankWorker] = []
        self._is_closed = False

    def take(self) -> BlankWorker:
        """Return a process that has read nothing, and start one in its place."""
        taken = None
        with self._lock:
            while self._waiting and taken is None:
                oldest = self._waiting.pop(0)
                if oldest.is_running:
                    taken = oldest
                else:
                    oldest.close()
        taken = taken or BlankWorker()
        self._refill()
        return taken

    def close(self) -> None:
        """End those that wait, for good."""
        with self._lock:
            self._is_closed = True
            waiting, self._waiting = self._waiting, []
        for blank in waiting:
            blank.close()

    def _refill(self) -> None:
        with self._lock:
            while len(self._waiting) < _WAITING and not self._is_closed:
                self._waiting.append(BlankWorker())
