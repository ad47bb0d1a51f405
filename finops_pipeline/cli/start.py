"""The first module of `finops`: it listens for Ctrl-C before anything slow is imported.

Put here: the entry point and the time until a command runs. Keep out: commands, errors (app.py).

Importing takes up to a second, and an interrupt in the middle of an import ends in a traceback, or
in another error that a library turned it into. Until a command runs there is nothing to clean up,
so Ctrl-C ends the process at once.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
from types import FrameType

INTERRUPTED = 130
INTERRUPTED_LINE = (
    "finops: Interrupted. What was published stays; run the command again to continue.\n"
)


def main() -> None:
    """Run the command line; see app.py."""
    listen_while_starting()
    # Modules live as long as the process. Looking for garbage among them took an eighth of the
    # time that a command needs to start.
    gc.disable()
    try:
        importlib.import_module("finops_pipeline.cli.app").main()
    except KeyboardInterrupt:
        report_interruption()
        sys.exit(INTERRUPTED)


def report_interruption() -> None:
    """Print the line for an interrupted command without importing anything."""
    sys.stderr.write(INTERRUPTED_LINE)


def listen_while_starting() -> None:
    """End the process at Ctrl-C, unless whoever started it made it ignore Ctrl-C."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _end)


def begin_command() -> None:
    """End the start: Ctrl-C raises KeyboardInterrupt, and garbage is collected again."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(number: int, frame: FrameType | None) -> None:
    # No exception and no buffered stream: an import may be half done.
    os.write(2, INTERRUPTED_LINE.encode())
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
