"""The clock: the only module that reads the time.

Put here: the present time in UTC. Keep out: date arithmetic (see tenants/months.py).
"""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the present time in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def this_month() -> str:
    """Return the current billing period as `YYYY-MM` (in UTC, as AWS bills)."""
    return now().strftime("%Y-%m")


def stopwatch() -> float:
    """Return the seconds of a monotonic clock; the difference of two readings is a duration."""
    return time.perf_counter()


def pause(seconds: float) -> None:
    """Wait before a retry."""
    time.sleep(seconds)
