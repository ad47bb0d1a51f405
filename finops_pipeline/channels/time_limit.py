"""A limit on how long sending may take, whatever the other side does.

Put here: waiting for an action no longer than allowed. Keep out: the actions (webhook.py, mail.py).

A limit per read, as libraries have it, is none: a server that sends a byte every few seconds never
reaches it. The thread that waits for such a server is left behind. Its connection is ended, so that
it cannot deliver later what counts as not delivered.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from finops_pipeline.errors import NoAnswer


class Attempt:
    """An attempt to send, which may be over before its thread notices."""

    def __init__(self) -> None:
        self._is_over = False
        self._connection: Callable[[], socket.socket | None] = lambda: None

    def use(self, connection: Callable[[], socket.socket | None]) -> None:
        """Name the connection to end when time is up, once there is one."""
        self._connection = connection

    def proceed(self) -> None:
        """Do nothing while there is time; called before each step that delivers something.

        Raises:
            TimeoutError: time is up.
        """
        if self._is_over:
            raise TimeoutError

    def end(self) -> None:
        """End the connection; the flag comes first, for a connection that is made meanwhile."""
        self._is_over = True
        connection = self._connection()
        if connection is not None:
            with suppress(OSError):
                # not SSLSocket.shutdown, after which the thread would go on without encryption
                socket.socket.shutdown(connection, socket.SHUT_RDWR)


def run_within(seconds: float, receiver: str, action: Callable[[Attempt], None]) -> None:
    """Run an action, and wait for it no longer than some seconds; its errors are raised here.

    Args:
        receiver: who does not answer, for the message.

    Raises:
        NoAnswer: it took longer.
    """
    failures: list[BaseException] = []
    ended = threading.Event()
    attempt = Attempt()

    def run() -> None:
        try:
            action(attempt)
        except BaseException as error:
            failures.append(error)
        finally:
            ended.set()

    threading.Thread(target=run, daemon=True, name="finops-message").start()
    if not ended.wait(seconds):
        attempt.end()
        raise NoAnswer(
            f"{receiver} did not answer within {seconds:g} s",
            "an answer within FINOPS_CHANNEL_SECONDS",
            "finops tries again later",
        )
    if failures:
        raise failures[0]
