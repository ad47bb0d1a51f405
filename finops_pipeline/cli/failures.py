"""How a failed command is reported: a sentence for people, one JSON object for programs.

Put here: the line on stderr, the traceback of a crash in the log, exit codes. Keep out: the shape
of an error as data (errors.py).
"""

from __future__ import annotations

import logging
from typing import Any

import typer

from finops_pipeline.application.refusals import reason_of
from finops_pipeline.cli.show import complain, json_text
from finops_pipeline.errors import CRASH_CURE, FinopsError, SettingError, crash_text, error_body
from finops_pipeline.lake.duck import DuckDBError
from finops_pipeline.ledger.ledger import LedgerError
from finops_pipeline.log import LOGGER, configure_logging
from finops_pipeline.settings import load_settings

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130

_INTERRUPTED_TEXT = "Interrupted. What was published stays; run the command again to continue."
_USAGE_CURE = "See the command's --help"
_FORESEEN = (FinopsError, OSError, LedgerError, DuckDBError)


def report_failure(error: BaseException, as_json: bool) -> int:
    """Report a failure on stderr and return the exit code.

    Args:
        error: what ended the command.
        as_json: whether the command was asked for `--format json`.
    """
    if is_interruption(error):
        complain(_INTERRUPTED_TEXT)
        return INTERRUPTED
    if isinstance(error, _USAGE_ERROR):
        return _report_usage(error, as_json)
    if not isinstance(error, _FORESEEN):
        _log_crash(error)
    if as_json:
        typer.echo(json_text(failure_body(error)), err=True)
    elif isinstance(error, _FORESEEN):
        complain(reason_of(error))
    else:
        complain(f"{crash_text(error)}. {CRASH_CURE}.")
    return FAILED


def is_interruption(error: BaseException) -> bool:
    """Tell whether an error is a Ctrl-C; inside a DuckDB query it arrives as a RuntimeError."""
    is_query = isinstance(error, RuntimeError) and str(error) == "Query interrupted"
    return is_query or isinstance(error, KeyboardInterrupt | typer.Abort)


def failure_body(error: BaseException) -> dict[str, Any]:
    """Return the JSON shape of an error, see errors.error_body.

    A foreseen error of another library (a file that cannot be read, say) is refused, not crashed.
    """
    body: dict[str, Any] = error_body(error)
    if isinstance(error, _FORESEEN) and not isinstance(error, FinopsError):
        body["error"] |= {"kind": "refused", "found": reason_of(error), "cure": ""}
    return body


# typer has no public name for the root of its usage errors.
_USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[2]


def _report_usage(error: Exception, as_json: bool) -> int:
    shown: Any = error
    if as_json:
        body = {"type": "UsageError", "kind": "refused", "found": shown.format_message()}
        body |= {"expected": "", "cure": _USAGE_CURE}
        typer.echo(json_text({"error": body | {"is_transient": False}}), err=True)
    else:
        shown.show()
    return WRONG_USAGE


def _log_crash(error: BaseException) -> None:
    try:
        log_format = load_settings().log_format
    except SettingError:
        log_format = "text"
    configure_logging(log_format)
    logging.getLogger(LOGGER).error(crash_text(error), exc_info=error)
