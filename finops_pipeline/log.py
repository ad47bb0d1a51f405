"""What finops writes to its log: crashes with their traceback, as text or as JSON lines.

Put here: how log records are formatted and where they go. Keep out: progress for people (cli), what
an error means (errors.py). Never logged: amounts, secrets, rows of a bill.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

LOGGER = "finops_pipeline"
"""The one logger; every module uses it or a child of it."""


class JsonFormatter(logging.Formatter):
    """One JSON object per record: time (UTC), level, logger, message, traceback of a crash."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="seconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def configure_logging(log_format: str) -> None:
    """Send finops's log to stderr; called once by a doorway, never at import.

    Args:
        log_format: `text` or `json`.
    """
    handler = logging.StreamHandler(sys.stderr)
    if log_format == "json":
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger(LOGGER)
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(logging.INFO)
