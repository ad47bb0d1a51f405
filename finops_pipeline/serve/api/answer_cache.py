"""Answers that were given before: the same bytes for the same caller, request and generation.

Put here: keeping and finding them, bounded. Keep out: what an answer contains. A key is an entity tag,
which is bound to the principal, its role and scope, the request, the day and the generation.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

_MOST_BYTES = 64_000_000
_MOST_OF_ANSWER = 2_000_000


@dataclass(frozen=True)
class StoredAnswer:
    """An answer as bytes, and its number of rows for the audit log."""

    body: bytes
    rows: int


class AnswerCache:
    """The answers that were used last, up to a number of bytes."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._answers: OrderedDict[str, StoredAnswer] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, key: str) -> StoredAnswer | None:
        """Return the answer with this key, if there is one."""
        with self._lock:
            if key not in self._answers:
                return None
            self._answers.move_to_end(key)
            return self._answers[key]

    def store(self, key: str, answer: StoredAnswer) -> None:
        """Keep an answer, and drop those that were not used for longest."""
        if len(answer.body) > _MOST_OF_ANSWER:
            return
        with self._lock:
            before = self._answers.pop(key, None)
            self._bytes += len(answer.body) - (len(before.body) if before else 0)
            self._answers[key] = answer
            while self._bytes > self._most_bytes:
                _, dropped = self._answers.popitem(last=False)
                self._bytes -= len(dropped.body)
