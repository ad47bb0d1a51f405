"""The one door to the time of day.

Put here: what "now" is, in UTC. Keep out: date arithmetic (see tenants/months.py).
"""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The present moment in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def this_month() -> str:
    """The running billing period as `YYYY-MM` (UTC, as AWS bills)."""
    return now().strftime("%Y-%m")


def stopwatch() -> float:
    """Seconds of a clock that only goes forward; subtract two readings."""
    return time.perf_counter()


def pause(seconds: float) -> None:
    """Wait, before something is tried again."""
    time.sleep(seconds)
