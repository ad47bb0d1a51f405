"""Ingests on a disk that runs full, in its own process: `python -m tests.support.full_disk WORK`.

Put here: making the disk small (a tmpfs of this process's own mount namespace, or a limit on
the size of a file where mounting is not allowed), and printing the results as lines of JSON.
Keep out: what the results must be (test_disk_full.py).
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

from finops_pipeline.landing import delivery_landing
from tests.conftest import TemporaryInstallation
from tests.support.before_the_fault import Estate
from tests.support.faulty_proxy import Fault
from tests.support.published_files import copy_installation
from tests.support.servers import Store

ROOM = 256 << 20
"""Size of the disk in bytes; all of it but the wanted free space is filled."""


class Quiet:
    """A stand-in for the proxy that has no faults."""

    def script(self, *faults: Fault) -> None:
        """Ignore the faults: there are none."""


def fill(folder: Path, free: int) -> Path:
    """Fill a disk until only `free` bytes remain."""
    filler = folder / "filler"
    left = shutil.disk_usage(folder).free - free
    filler.touch()
    os.truncate(filler, 0)
    with filler.open("wb") as out:
        os.posix_fallocate(out.fileno(), 0, max(left, 1))
    return filler


def on_small_disk(estate: Estate, folder: Path, free: int) -> Callable[[], None]:
    """Leave only `free` bytes; return a function that makes room again."""
    filler = fill(folder, free)
    return filler.unlink


def with_small_files(estate: Estate, folder: Path, free: int) -> Callable[[], None]:
    """Let no file grow beyond `free` bytes; return a function that lifts the limit."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (free, hard))
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


def ingest_with_room(
    estate: Estate, base: Path, folder: Path, free: int, shrink: Any
) -> dict[str, Any]:
    """Ingest with little room, read what is then visible, and run again with enough room."""
    shutil.rmtree(estate.made.data, ignore_errors=True)
    copy_installation(base, estate.made.data)
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
    """Mount the small disk if needed, and try every size."""
    facts = json.loads((work / "estate.json").read_text())
    folder = work / "small"
    folder.mkdir(exist_ok=True)
    if mode == "disk":
        mount_command = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "small", str(folder)]
        subprocess.run(mount_command, check=True)
    # Skip the check of free space, so that space runs out during the ingest.
    delivery_landing.INFLATES = delivery_landing.GROWS = 0
    store = Store(facts["url"], tuple(facts["keys"]))
    made = TemporaryInstallation(folder / "data")
    estate = Estate(made, Quiet(), store, facts["bucket"], work, facts["sources"])  # type: ignore[arg-type]
    shrink = on_small_disk if mode == "disk" else with_small_files
    for free in sizes:
        attempt = ingest_with_room(estate, work / "data", folder, free, shrink)
        print(json.dumps(attempt, default=str))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], [int(size) for size in sys.argv[3:]])
