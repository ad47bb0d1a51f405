"""A folder that is made once in a test run, and then read by every process of the run.

Put here: making it while the other processes wait. Keep out: what is in it.

Under pytest-xdist each process has its own session, so that a session-scoped fixture runs in each.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Let `make` fill a folder of this run unless another process has; return the folder."""
    place = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent
    folder, complete = place / name, place / f"{name}.complete"
    with FileLock(place / f"{name}.lock"):
        if not complete.exists():
            folder.mkdir()
            make(folder)
            complete.touch()
    return folder
