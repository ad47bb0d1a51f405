"""Run a command as a process of its own, and measure its wall time, CPU time and peak memory.

Put here: measuring and printing. Keep out: what is measured (ingest.py, peers.py), what it should
be (targets.py).

A child's peak memory includes what its parent held when it was started. So whatever starts
measured processes must stay small: it reads no bills and makes none.
"""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_SECONDS = 1800.0


@dataclass(frozen=True)
class Cost:
    """Wall and CPU (user + system, children included) in seconds, peak resident set in MiB."""

    wall: float
    cpu: float
    rss: float


def run(command: list[str], environment: dict[str, str] | None = None) -> Cost:
    """Run a command to its end.

    Raises:
        RuntimeError: it failed or took longer than half an hour; the message has the end of its
            errors.
    """
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        timer = threading.Timer(TIMEOUT_SECONDS, _kill_group, [process.pid])
        timer.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        finally:
            timer.cancel()
            _kill_group(process.pid)  # a peer's writers may outlive it
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        if process.returncode:
            end = errors.read().decode(errors="replace")[-800:]
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {end}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def middle(measure: Callable[[], Cost], times: int) -> Cost:
    """Return the run with the median wall time of several."""
    costs = sorted((measure() for _ in range(times)), key=lambda cost: cost.wall)
    return costs[len(costs) // 2]


def machine() -> str:
    """Describe the machine in one line, and how busy it is."""
    model = ""
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if "model name" in line), "")
    release = platform.release().partition("-")[0]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores ({model or platform.machine()}), {memory:.0f} GiB,"
        f" {platform.system()} {release}, Python {platform.python_version()};"
        f" load average {os.getloadavg()[0]:.1f}"
    )


def say(text: str = "") -> None:
    """Print at once, so that a long benchmark shows its progress."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def row(label: str, cost: Cost, base: Cost | None = None) -> None:
    """Print a row of the table; the ratio compares wall times with `base`."""
    ratio = f"{cost.wall / base.wall:6.2f} x" if base else ""
    say(f"| {label:<52} | {cost.wall:8.2f} | {cost.cpu:8.2f} | {cost.rss:8.0f} | {ratio:>9} |")


def head(title: str) -> None:
    """Print the head of a table."""
    say(f"\n### {title}\n")
    say(f"| {'what':<52} | {'wall s':>8} | {'CPU s':>8} | {'RSS MiB':>8} | {'ratio':>9} |")
    say(f"|{'-' * 54}|{'-' * 10}|{'-' * 10}|{'-' * 10}|{'-' * 11}|")
