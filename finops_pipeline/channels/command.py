"""Commands: a message as JSON on the standard input of a program of this machine.

Put here: running the program within limits. Keep out: the message (message.py), how often to try
(sending.py).

The program is not started by a shell, has none of finops' variables, and what it prints is dropped.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress

from finops_pipeline.errors import MessageRefused, NoAnswer, Unreachable
from finops_pipeline.settings import command_path

_LATER = "finops tries again later"


def run_command(words: Sequence[str], body: str, seconds: float) -> None:
    """Run a program that receives a message.

    Raises:
        MessageRefused: it cannot be started.
        Unreachable: it ended with an error.
        NoAnswer: it took too long.
    """
    try:
        process = subprocess.Popen(
            list(words),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=command_path(),
            start_new_session=True,
            cwd="/",
        )
    except OSError as error:
        raise MessageRefused(
            f"the command {words[0]} cannot be started ({error.strerror})",
            "a program that the user who runs finops may start",
            "Correct the command in tenants.yaml",
        ) from error
    with process:
        try:
            process.communicate(body.encode(), timeout=seconds)
        except subprocess.TimeoutExpired as error:
            _kill(process)
            raise NoAnswer(
                f"the command {words[0]} did not end within {seconds:g} s",
                "an end within FINOPS_CHANNEL_SECONDS",
                _LATER,
            ) from error
    if process.returncode:
        raise Unreachable(
            f"the command {words[0]} ended with exit code {process.returncode}",
            "exit code 0, the message was taken",
            _LATER,
        )


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the program with everything that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
