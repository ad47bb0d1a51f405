"""Dagster's webserver and daemon as processes of a test, on 127.0.0.1, and their GraphQL.

Put here: starting and ending them, asking, waiting. Keep out: DAGSTER_HOME (dagster_home.py), what
a test expects.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg

from tests.support.dagster_home import REPOSITORY

DAEMON = """
from dagster._daemon import controller
from dagster._daemon.cli import main
controller.DEFAULT_DAEMON_INTERVAL_SECONDS = 2
controller.RELOAD_WORKSPACE_INTERVAL = 10
main()
"""
"""Dagster's own daemon; it looks for backfills every 2 seconds, instead of every 30, and for
definitions every 10 seconds, instead of every 60."""


@dataclass
class DagsterProcesses:
    """A webserver and a daemon on one DAGSTER_HOME."""

    home: Path
    port: int
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        """The address of the webserver."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """What both have written."""
        return self.home / "served.log"

    def start(self) -> None:
        """Start both.

        The instance is created before two processes do so at once: on a fresh SQLite both would
        stamp its schema, and then no code location would load ("more than one head present").
        """
        with dg.DagsterInstance.get():
            pass
        web = ["-m", "dagster_webserver", "-w", "workspace.yaml", "-h", "127.0.0.1"]
        commands = [[*web, "-p", str(self.port)], ["-c", DAEMON, "run", "-w", "workspace.yaml"]]
        with self.log.open("a") as log:
            self.started = [
                subprocess.Popen(
                    [sys.executable, *arguments],
                    cwd=REPOSITORY,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
                for arguments in commands
            ]

    def end(self, by: signal.Signals = signal.SIGTERM) -> None:
        """End both, and what they have started."""
        for process in self.started:
            try:
                os.killpg(process.pid, by)
            except ProcessLookupError:
                continue
        for process in self.started:
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            with suppress(ProcessLookupError):  # a run that works keeps its code server
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)
        self.started = []

    def ask(self, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the webserver."""
        body = json.dumps({"query": query, "variables": variables or {}}).encode()
        url = f"{self.address}/graphql"
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            loaded: dict[str, Any] = json.loads(answer.read())
        assert "errors" not in loaded, loaded
        data: dict[str, Any] = loaded["data"]
        return data

    def until(self, seconds: float, condition: Callable[[], Any]) -> Any:
        """Wait for a condition and return its value; after so many seconds, fail with the log."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if value := condition():
                    return value
            except (urllib.error.URLError, ConnectionError):
                pass
            time.sleep(0.5)
        raise AssertionError(f"not within {seconds} s:\n{self.log.read_text()[-8000:]}")
