"""One date for all tests: they begin at noon of a known day, whatever today is.

Put here: shifting the clock of this process and of those that it starts. Keep out: what tests
expect of a date. The clock goes on from there, so that what happens later has a later time.
"""

from __future__ import annotations

import os
import runpy
from datetime import UTC, datetime
from pathlib import Path

from finops_pipeline import clock

START = "2026-11-28T12:00:00"
"""The estate's last month, 2026-10, is closed then. `TESTS_START=2027-03-01T00:30:00 make test`
shows that no test depends on the day."""

SHIFT = "TESTS_CLOCK_SHIFT_SECONDS"
SITE = Path(__file__).parent / "site"


def shift_clock() -> None:
    """Shift this process's clock and, by its environment, the clock of processes it starts."""
    if SHIFT not in os.environ:
        start = datetime.fromisoformat(os.environ.get("TESTS_START", START)).replace(tzinfo=UTC)
        os.environ[SHIFT] = str(round((start - clock.now()).total_seconds()))
        paths = [str(SITE), os.environ.get("PYTHONPATH", "")]
        os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    runpy.run_path(str(SITE / "sitecustomize.py"))
