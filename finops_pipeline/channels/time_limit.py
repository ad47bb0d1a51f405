"""A limit on how long sending may take, whatever the other side does.

Put here: waiting for an action no longer than allowed. Keep out: the actions (webhook.py, mail.py).

A limit per read, as libraries have it, is none: a server that sends a byte every few seconds never
reaches it. The thread that waits for such a server is left behind; it ends with its connection or
with the process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from finops_pipeline.errors import Unreachable


def run_within(seconds: float, receiver: str, action: Callable[[], None]) -> None:
    """Run an action, and wait for it no longer than some seconds; its errors are raised here.

    Args:
        receiver: who does not answer, for the message.

    Raises:
        Unreachable: it took longer.
    """
    failures: list[BaseException] = []
    ended = threading.Event()

    def run() -> None:
        try:
            action()
        except BaseException as error:
            failures.append(error)
        finally:
            ended.set()

    threading.Thread(target=run, daemon=True, name="finops-message").start()
    if not ended.wait(seconds):
        raise Unreachable(
            f"{receiver} did not answer within {seconds:g} s",
            "an answer within FINOPS_CHANNEL_SECONDS",
            "finops tries again later",
        )
    if failures:
        raise failures[0]
