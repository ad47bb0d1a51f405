"""The log of finops: crashes with their traceback, as text or as JSON lines.

Put here: the format and destination of log records. Keep out: progress for people (cli), what
an error means (errors.py).

Never logged: amounts, secrets, rows of a bill. Messages of exceptions may hold them (DuckDB quotes
the value that it could not convert), so a traceback here is the stack and the types of the errors.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType

LOGGER = "finops_pipeline"
"""The one logger; every module uses it or a child of it."""

_OF_THE_SERVER = "uvicorn"
"""The logger of the library that serves HTTP; its messages may hold those of exceptions, too."""

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class TextFormatter(logging.Formatter):
    """One line per record, followed by the stack of an exception without its message."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def formatException(self, ei: _ExcInfo) -> str:
        """See logging.Formatter."""
        return "" if ei[1] is None else stack_of(ei[1])


class JsonFormatter(TextFormatter):
    """One JSON object per record: time (UTC), level, logger, message, traceback of a crash.

    What a record has in `fields` (`extra={"fields": …}`) becomes fields of the object.
    """

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        summary, stack = record.getMessage(), getattr(record, "crash_stack", "")
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="seconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": summary.removesuffix(f"\n{stack}") if stack else summary,
        }
        entry |= getattr(record, "fields", {})
        if stack or record.exc_info:
            entry["traceback"] = stack or self.formatException(record.exc_info or (None,) * 3)
        return json.dumps(entry)


class _StderrHandler(logging.Handler):
    """Writes to whatever `sys.stderr` is at the time."""

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler."""
        try:
            sys.stderr.write(self.format(record) + "\n")
        except (OSError, ValueError):  # closed; a log that cannot be written stops no work
            self.handleError(record)


def configure_logging(log_format: str) -> None:
    """Send finops's log to stderr; called when a command or a Dagster run starts, never at import.

    Args:
        log_format: `text` or `json`.
    """
    handler = _StderrHandler()
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    for name, level in ((LOGGER, logging.INFO), (_OF_THE_SERVER, logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(level)


def log_crash(error: BaseException, summary: str) -> None:
    """Log an unexpected error with its stack.

    The stack is part of the message, not `exc_info`: a program that uses finops_pipeline as a
    library may have handlers of its own, and those would write the exception's message.
    """
    stack = stack_of(error)
    logging.getLogger(LOGGER).error("%s\n%s", summary, stack, extra={"crash_stack": stack})


def stack_of(error: BaseException) -> str:
    """Return the stacks and types of an error and of those that led to it, without messages."""
    parts: list[str] = []
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        frames = "".join(traceback.format_tb(cause.__traceback__))
        name = f"{type(cause).__module__}.{type(cause).__qualname__}".removeprefix("builtins.")
        parts.append(f"Traceback (most recent call last):\n{frames}{name}")
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return "\n\nThe error above was raised while handling:\n\n".join(parts)
