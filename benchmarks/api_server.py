"""A `finops serve` of its own for a benchmark, and the memory that it takes.

Put here: starting and ending the server. Keep out: what is asked (api.py, api_tenants.py).
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def serve(data: Path) -> Iterator[tuple[int, int]]:
    """Start `finops serve` on a free port; yields the port and the process id."""
    environment = {
        **os.environ, "FINOPS_DATA": str(data), "FINOPS_SERVE_REQUESTS_PER_MINUTE": "10000000",
        "FINOPS_SERVE_REQUESTS_PER_MINUTE_PER_TENANT": "10000000",
    }  # fmt: skip
    command = [sys.executable, "-m", "finops_pipeline.cli", "serve", "--port", "0"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    )
    try:
        assert process.stdout
        address = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())
        assert address, "the server did not start"
        yield int(address[1]), process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def memory_mib(process_id: int) -> float:
    """Return the resident memory of a process and its children."""
    listed = subprocess.run(
        ["ps", "-o", "rss=", "--pid", str(process_id), "--ppid", str(process_id)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return sum(map(int, listed.stdout.split())) / 1024
