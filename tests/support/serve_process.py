"""`finops serve` on a free port: as a process of its own, or in a thread of this one.

Put here: starting it, its address, ending it. Keep out: requests to it.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from finops_pipeline.application.installation import Installation
from finops_pipeline.serve.api import api_server

_PATIENCE_SECONDS = 60


@dataclass
class ServeProcess:
    """A running server: its URL, port and process."""

    process: subprocess.Popen[str]
    url: str
    log: IO[str]

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return int(self.url.rpartition(":")[2])

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal; return the exit code and what was printed on stderr."""
        self.process.send_signal(number)
        self.process.wait(timeout=_PATIENCE_SECONDS)
        self.log.seek(0)
        return self.process.returncode, self.log.read()


@contextmanager
def serve(data: Path, port: int = 0, **settings: str) -> Iterator[ServeProcess]:
    """Start a server, by default on any free port; end it if the test has not.

    Its log goes to a file: a pipe that nobody reads would stop the server when it is full.
    """
    environment = {**os.environ, "FINOPS_DATA": str(data), "FINOPS_LOG_FORMAT": "json", **settings}
    command = [sys.executable, "-m", "finops_pipeline.cli", "serve", "--port", str(port)]
    with TemporaryFile("a+", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment
        )
        try:
            assert process.stdout
            line = process.stdout.readline()
            address = re.search(r"Serving (http://127\.0\.0\.1:\d+)/v1", line)
            log.seek(0)
            assert address, line + log.read()
            yield ServeProcess(process, address[1], log)
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()


@contextmanager
def serve_in_thread(installation: Installation) -> Iterator[int]:
    """Serve in this process, whose limits a test can change; yield the port."""
    server = api_server.build_server(installation)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        serving.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            serving.join()
