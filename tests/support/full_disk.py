"""Ingests on a disk that runs full, in its own process: `python -m tests.support.full_disk WORK`.

Put here: making the disk small (a tmpfs of this process's own mount namespace, or a limit on
the size of a file where mounting is not allowed), and telling what came of it as lines of JSON.
Keep out: what must come of it (test_disk_full.py).
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from finops_pipeline.landing import land
from tests.conftest import TemporaryInstallation
from tests.support.before_the_fault import Estate
from tests.support.faulty_proxy import Fault
from tests.support.servers import Store

ROOM = 256 << 20
"""Size of the whole disk; what is not to be free on it is filled."""


class Quiet:
    """A line that nothing happens to."""

    def script(self, *faults: Fault) -> None:
        """Nothing to do."""


def fill(folder: Path, free: int) -> Path:
    """Fill a disk until only so many bytes are free."""
    filler = folder / "filler"
    left = shutil.disk_usage(folder).free - free
    filler.touch()
    os.truncate(filler, 0)
    with filler.open("wb") as out:
        os.posix_fallocate(out.fileno(), 0, max(left, 1))
    return filler


def on_small_disk(estate: Estate, folder: Path, free: int) -> Callable[[], None]:
    """Leave so many bytes free; returns what makes room again."""
    filler = fill(folder, free)
    return filler.unlink


def with_small_files(estate: Estate, folder: Path, free: int) -> Callable[[], None]:
    """Let no file grow beyond so many bytes; returns what lifts the limit."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (free, hard))
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def ingest_with_room(
    estate: Estate, base: Path, folder: Path, free: int, shrink: Any
) -> dict[str, Any]:
    """One ingest with so little room, what is then visible, and an ordinary run after it."""
    shutil.rmtree(estate.made.data, ignore_errors=True)
    shutil.copytree(base, estate.made.data)
    grow = shrink(estate, folder, free)
    try:
        ran = estate.ingest()
    finally:
        if shrink is with_small_files:
            grow()
    seen = estate.visible()  # the disk is still full
    if shrink is not with_small_files:
        grow()
    after = estate.ingest()
    return {
        "free": free,
        "code": ran.code,
        "output_lines": ran.output_lines,
        "seen": seen,
        "after": after.code,
        "output_lines_after": after.output_lines,
        "seen_after": estate.visible(),
        "left": [str(path) for path in estate.leftovers()],
    }


def main(work: Path, mode: str, sizes: list[int]) -> None:
    """Mount if need be, and try every size."""
    facts = json.loads((work / "estate.json").read_text())
    folder = work / "small"
    folder.mkdir(exist_ok=True)
    if mode == "disk":
        mount_command = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "small", str(folder)]
        subprocess.run(mount_command, check=True)
    # Not refused beforehand: the room is there when asked, and gone when needed.
    land.INFLATES = land.GROWS = 0
    store = Store(facts["url"], tuple(facts["keys"]))
    made = TemporaryInstallation(folder / "data")
    estate = Estate(made, Quiet(), store, facts["bucket"], work, facts["sources"])  # type: ignore[arg-type]
    shrink = on_small_disk if mode == "disk" else with_small_files
    for free in sizes:
        attempt = ingest_with_room(estate, work / "data", folder, free, shrink)
        print(json.dumps(attempt, default=str))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], [int(size) for size in sys.argv[3:]])
