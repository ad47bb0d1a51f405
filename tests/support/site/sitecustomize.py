"""Python's start-up hook for every process that a test starts: its clock agrees with the tests'.

Put here: shifting finops_pipeline's clock. Keep out: everything else; it runs before any program.
"""

from __future__ import annotations

import os
from datetime import timedelta

from finops_pipeline import clock

_SHIFT = os.environ.get("TESTS_CLOCK_SHIFT_SECONDS")

if _SHIFT and not hasattr(clock, "real_now"):
    clock.real_now = clock.now  # type: ignore[attr-defined]
    clock.now = lambda: clock.real_now() + timedelta(seconds=int(_SHIFT))  # type: ignore[attr-defined]
