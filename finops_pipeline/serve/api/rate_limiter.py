"""How many requests one caller may send: a bucket of tokens that fills at a steady rate.

Put here: the buckets, and the refusal of a request. Keep out: whose requests are counted together.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from math import ceil

from finops_pipeline import clock
from finops_pipeline.errors import counted
from finops_pipeline.serve.api.problem_details import TOO_MANY_REQUESTS, Problem

_MOST_BUCKETS = 100_000
_SECONDS_PER_MINUTE = 60


class RateLimiter:
    """Buckets by key; a full one allows as many requests at once as a minute does.

    Args:
        per_minute: requests under one key in a minute.
    """

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._per_second = per_minute / _SECONDS_PER_MINUTE
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: str) -> int:
        """Take a token from a key's bucket.

        Returns:
            0, or if the bucket is empty the seconds until it has a token again.
        """
        now = clock.stopwatch()
        with self._lock:
            left, at = self._buckets.pop(key, (self.per_minute, now))
            left = min(self.per_minute, left + (now - at) * self._per_second)
            is_allowed = left >= 1
            self._buckets[key] = (left - 1 if is_allowed else left, now)
            if len(self._buckets) > _MOST_BUCKETS:
                self._buckets.popitem(last=False)
        return 0 if is_allowed else max(1, ceil((1 - left) / self._per_second))

    def count(self, key: str, who: str = "you") -> None:
        """Count a request.

        Args:
            key: what is counted under.
            who: whose requests these are, for the problem.

        Raises:
            Problem: there were too many.
        """
        if wait := self.take(key):
            raise Problem(
                TOO_MANY_REQUESTS,
                f"{who} have sent more requests than this server allows",
                f"at most {self.per_minute} in a minute",
                f"Wait {counted(wait, 'second')}",
            ).adding("Retry-After", str(wait))
