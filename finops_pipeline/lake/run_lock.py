"""A lock for each run of an orchestrator, held as long as the process of the run exists.

Put here: holding it, and seeing whether a run still has its process. Keep out: what becomes of a
run without one (orchestration/orphaned_runs.py).

    <data>/lake/.watch/runs/<run id>.lock

The system releases the lock of a process that is killed, on whatever machine shares the folder.
"""

from __future__ import annotations

import re
from pathlib import Path

from filelock import FileLock, Timeout

from finops_pipeline.database.private_files import Permissions

_WAIT_SECONDS = 10.0
_UNSAFE = re.compile(r"[^0-9A-Za-z-]")


class RunLock:
    """The lock of one run.

    Args:
        lake: the folder of all tenants' folders.
        run_id: as the orchestrator names it.
        permissions: the permissions of what is created.
    """

    def __init__(self, lake: Path, run_id: str, permissions: Permissions) -> None:
        self._path = lake / ".watch" / "runs" / f"{_UNSAFE.sub('', run_id)}.lock"
        self._permissions = permissions
        self._lock = FileLock(self._path, mode=permissions.file)

    def hold(self) -> None:
        """Hold the lock until this process ends or `release` is called."""
        self._permissions.make_folder(self._path.parent.parent)
        self._permissions.make_folder(self._path.parent)
        self._lock.acquire(timeout=_WAIT_SECONDS)  # somebody may be looking

    def release(self) -> None:
        """Give the lock back at the end of the run."""
        self._lock.release()
        self._path.unlink(missing_ok=True)

    def is_left_behind(self) -> bool | None:
        """Return whether the process of the run has ended without giving the lock back.

        None: the run does not hold the lock yet, or has given it back.
        """
        if not self._path.exists():
            return None
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            return False
        self._lock.release()
        return True
