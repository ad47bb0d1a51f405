"""`finops` as a process of its own, without repeating its imports every time.

Put here: a process that has imported the command line, done nothing, and forks for each command.
Keep out: the commands and what tests expect of them.

A command's start is 1.4 s of imports, and the tests run some 250. The rule that nothing happens
at import (test_house.py) makes a fork equivalent to a fresh start. Tests that kill the process and
tests of the documentation start `python -m finops_pipeline.cli` itself.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

_PATIENCE_SECONDS = 300
_busy = threading.Lock()
_server: subprocess.Popen[str] | None = None


def run_finops(
    arguments: tuple[str, ...], environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run `finops` with these arguments; a second one at the same time starts its own process."""
    if not _busy.acquire(blocking=False):
        command = [sys.executable, "-m", "finops_pipeline.cli", *arguments]
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            env=environment,
            check=False,
            timeout=_PATIENCE_SECONDS,
        )
    try:
        with TemporaryDirectory() as scratch:
            out, err = Path(scratch, "out"), Path(scratch, "err")
            command_request = {
                "arguments": arguments,
                "environment": environment,
                "cwd": str(Path.cwd()),
            }
            command_request |= {"out": str(out), "err": str(err)}
            server = _started()
            assert server.stdin and server.stdout
            server.stdin.write(json.dumps(command_request) + "\n")
            server.stdin.flush()
            code = int(server.stdout.readline())
            outputs = (out.read_text("utf-8"), err.read_text("utf-8"))
        return subprocess.CompletedProcess(["finops", *arguments], code, *outputs)
    finally:
        _busy.release()


def _started() -> subprocess.Popen[str]:
    global _server
    if _server is None or _server.poll() is not None:
        _server = subprocess.Popen(
            [sys.executable, str(Path(__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        atexit.register(_end, _server)
    return _server


def _end(server: subprocess.Popen[str]) -> None:
    """Let the process end, and wait, so that the system counts its time with that of the tests."""
    assert server.stdin
    server.stdin.close()
    server.wait(_PATIENCE_SECONDS)


def _serve() -> None:
    """Fork for each line of stdin; answer with the exit code. Ends when stdin does."""
    # Only the forking process pays for these imports; it has every command ready.
    from finops_pipeline.cli import failures  # noqa: F401, PLC0415
    from finops_pipeline.cli.app import main  # noqa: PLC0415
    from finops_pipeline.cli.command_table import COMMANDS, LIST_QUERIES  # noqa: PLC0415

    for entry in (LIST_QUERIES, *(e for commands in COMMANDS.values() for e in commands.values())):
        entry.load_function()

    for line in sys.stdin:
        command_request = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(command_request)
            main()
            sys.exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _become(command_request: dict[str, Any]) -> None:
    signal.alarm(_PATIENCE_SECONDS)
    os.environ.clear()
    os.environ.update(command_request["environment"])
    os.chdir(command_request["cwd"])
    for name, number in (
        ("/dev/null", 0),
        (command_request["out"], 1),
        (command_request["err"], 2),
    ):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        handle = os.open(name, flags, 0o600)
        os.dup2(handle, number)
        os.close(handle)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
    sys.argv = ["finops", *command_request["arguments"]]


if __name__ == "__main__":
    _serve()
