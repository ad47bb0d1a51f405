"""Answers to questions that were asked before, of the same data by the same grant.

Put here: keeping answers within a bound of memory. Keep out: answering (cost_answer.py), what an
answer belongs to (warehouse_pool.py).

An answer is kept under the scope and the generation of its warehouse, whose name depends on the
tenant, the projects, the installation and the file itself, and under the day: "last month" changes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

_BYTES_OF_VALUE, _BYTES_OF_CHARACTER, _BYTES_OF_ANSWER = 100, 2, 4_000
"""What a value in a row takes, a character of text, and the rest of an answer, generously."""


@dataclass(frozen=True)
class AnswerSize:
    """How large an answer is: values in its rows, and characters of all its texts, including those
    of its question."""

    values: int
    characters: int = 0

    @property
    def bytes(self) -> int:
        """The memory that it takes, estimated."""
        of_values = _BYTES_OF_VALUE * self.values
        return _BYTES_OF_ANSWER + of_values + _BYTES_OF_CHARACTER * self.characters


class AnswerCache:
    """Answers of all scopes, for all threads; the one that was asked for longest ago goes first.

    Args:
        most_bytes: the memory that they may take, estimated.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._answers: OrderedDict[Hashable, tuple[int, Any]] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable) -> Any:
        """Return the answer that was kept under a key, or None."""
        with self._lock:
            if key not in self._answers:
                return None
            self._answers.move_to_end(key)
            return self._answers[key][1]

    def keep(self, key: Hashable, answer: Any, size: AnswerSize) -> None:
        """Keep an answer, unless it is too large."""
        if size.bytes > self._most_bytes // 4:
            return
        with self._lock:
            self._bytes += size.bytes - self._answers.pop(key, (0, None))[0]
            self._answers[key] = (size.bytes, answer)
            while self._bytes > self._most_bytes:
                self._bytes -= self._answers.popitem(last=False)[1][0]


@dataclass(frozen=True)
class RememberedAnswers:
    """The answers of one scope and generation, which `owner` names."""

    cache: AnswerCache
    owner: Hashable

    def get(self, question: Hashable) -> Any:
        """Return the answer to a question, or None."""
        return self.cache.get((self.owner, question))

    def keep(self, question: Hashable, answer: Any, size: AnswerSize) -> None:
        """Keep the answer to a question."""
        self.cache.keep((self.owner, question), answer, size)
