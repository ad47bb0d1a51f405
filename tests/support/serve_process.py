"""`finops serve` as a process of its own, on a free port.

Put here: starting it, its address, ending it. Keep out: requests to it.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PATIENCE_SECONDS = 60


@dataclass
class ServeProcess:
    """A running server: its URL, port and process."""

    process: subprocess.Popen[str]
    url: str

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return int(self.url.rpartition(":")[2])

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal; return the exit code and what was printed on stderr."""
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=_PATIENCE_SECONDS)
        return self.process.returncode, errors


@contextmanager
def serve(data: Path, **settings: str) -> Iterator[ServeProcess]:
    """Start a server on a free port; end it if the test has not."""
    environment = {**os.environ, "FINOPS_DATA": str(data), "FINOPS_LOG_FORMAT": "json", **settings}
    command = [sys.executable, "-m", "finops_pipeline.cli", "serve", "--port", "0"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert process.stdout
        line = process.stdout.readline()
        address = re.search(r"Serving (http://127\.0\.0\.1:\d+)/v1", line)
        assert address, line + (process.communicate()[1] if process.poll() is not None else "")
        yield ServeProcess(process, address[1])
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
