"""What the process of a query gives up before it runs untrusted SQL.

Put here: limits of the operating system, and the files that a worker may read. Keep out: the
limits' values (settings.py), running queries (worker.py).

DuckDB's own limits do not hold inside a single function: with a limit of 512 MB, lpad() took 6 GB.
The limits of the operating system do. Memory is limited as data (RLIMIT_DATA), which Linux counts
when it is reserved; address space would count libraries and files, too.
"""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from zoneinfo import TZPATH

from finops_pipeline.serve import landlock

OPEN_FILES = 4096
"""The most open files: a query over every charge opens one for each project and month."""

_STACK_BYTES = 8 * 1024 * 1024
"""Address space of a thread's stack, which counts as data."""

_SYSTEM_FILES = (
    # DuckDB reads these to learn how many cores and how much memory it has; 2.0 aborts without.
    *("/proc/self/cgroup", "/proc/self/status", "/proc/stat", "/proc/meminfo", "/sys/fs/cgroup"),
    "/sys/devices/system/cpu",
    *("/dev/null", "/dev/urandom", "/etc/localtime", "/etc/ld.so.cache"),
    *("/lib", "/lib64", "/usr/lib", "/usr/lib64"),
)


def end_with_parent() -> None:
    """Let the kernel end this process when the one that started it has ended, whatever runs here.

    Its stdin is a pipe that nobody writes to. When the last writer is gone, the kernel sends SIGIO.
    """
    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(0, fcntl.F_GETFL)
    fcntl.fcntl(0, fcntl.F_SETFL, flags | os.O_ASYNC)
    # Ctrl-C reaches every process of a terminal; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def confine(readable: Iterable[str]) -> bool:
    """Keep this process from writing files, and where possible from reading others than these.

    Args:
        readable: files and folders of the tenant.

    Returns:
        Whether the kernel confines the process (Landlock). If not, DuckDB's own settings do.
    """
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
    ):
        _, hard = resource.getrlimit(limit)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (value, value))
    return landlock.allow_reading_only((*readable, *_SYSTEM_FILES, *_python_folders()))


def limit_memory(limit_bytes: int, threads: int) -> None:
    """Limit the memory that this process may add to what it has now.

    Args:
        threads: number of threads that DuckDB may still start.
    """
    value = _data_bytes() + limit_bytes + threads * _STACK_BYTES
    resource.setrlimit(resource.RLIMIT_DATA, (value, value))


def limit_processor_time(seconds: int) -> None:
    """Let the kernel end this process when it has used this many more seconds of processor time."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    value = int(usage.ru_utime + usage.ru_stime) + seconds
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (value, hard))


def limit_duration(seconds: float) -> None:
    """Let the kernel end this process after this time; 0 withdraws that."""
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _python_folders() -> list[str]:
    """Return the folders of Python's own modules and of installed packages, and this package."""
    installed = [path for path in sys.path if Path(path).name.endswith("-packages")]
    return [str(Path(os.__file__).parent), str(Path(__file__).parents[1]), *installed, *TZPATH]


def _data_bytes() -> int:
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    lines = status.read_text(encoding="ascii", errors="replace").splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("VmData:"))
