"""Run a command as a process of its own, and measure its wall time, CPU time and peak memory.

Put here: measuring and printing. Keep out: what is measured (ingest.py).
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    """Wall and CPU (user + system, children included) in seconds, peak resident set in MiB."""

    wall: float
    cpu: float
    rss: float


def run(command: list[str], environment: dict[str, str] | None = None) -> Cost:
    """Run a command to its end.

    Raises:
        RuntimeError: it failed; the message has the end of its errors.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
    )
    errors = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {errors.decode()[-800:]}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def best(command: list[str], times: int = 1, environment: dict[str, str] | None = None) -> Cost:
    """The quickest of several runs: disturbances only make a run slower."""
    return min((run(command, environment) for _ in range(times)), key=lambda cost: cost.wall)


def machine() -> str:
    """Describe the machine in one line."""
    model = ""
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if "model name" in line), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores ({model or platform.machine()}), {memory:.0f} GiB,"
        f" {platform.system()} {platform.release()}, Python {platform.python_version()}"
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
