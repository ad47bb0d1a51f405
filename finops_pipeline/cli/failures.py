"""Reports of failed commands: a sentence for people, one JSON object for programs.

Put here: the line on stderr, the traceback of a crash in the log, exit codes. Keep out: the shape
of an error as data (errors.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import typer

from finops_pipeline.application.installation import Installation
from finops_pipeline.application.refusals import as_expected, is_interruption, reason_of
from finops_pipeline.cli.show import Format, complain, json_text
from finops_pipeline.cli.start import INTERRUPTED, report_interruption
from finops_pipeline.errors import FinopsError, SettingError, Unknown, did_you_mean, error_body
from finops_pipeline.log import configure_logging
from finops_pipeline.settings import load_settings

FAILED, WRONG_USAGE = 1, 2

_USAGE_CURE = "See the command's --help"


def report_failure(error: BaseException, as_json: bool) -> int:
    """Report a failure on stderr and return the exit code.

    Args:
        error: the exception that ended the command.
        as_json: whether the command line has `--format json`.
    """
    if is_ctrl_c(error):
        report_interruption()
        return INTERRUPTED
    if isinstance(error, _USAGE_ERROR):
        return _report_usage(error, as_json)
    expected = as_expected(error)
    if isinstance(expected, Unknown) and expected.tenant:
        expected = _suggest_tenant(expected)
    _configure_log()
    text = str(expected) if expected else reason_of(error, "finops")
    if as_json:
        typer.echo(json_text(error_body(expected or error)), err=True)
    else:
        complain(text)
    return FAILED


def _suggest_tenant(error: Unknown) -> Unknown:
    """Add the name of a tenant that may be meant: who runs `finops` can list all of them."""
    with suppress(FinopsError):
        names = Installation(load_settings()).registry.names()
        cure = did_you_mean(error.tenant, names) + error.cure
        return Unknown(error.found, error.expected, cure)
    return error


def report_failures(failures: Sequence[tuple[str, FinopsError]], format: Format) -> None:
    """Report what failed for some of several tenants on stderr, and end with exit code 1."""
    for tenant, error in failures:
        if format is Format.JSON:
            typer.echo(json_text({"tenant": tenant, **error_body(error)}), err=True)
        else:
            complain(f"{tenant}: {error}")
    if failures:
        raise typer.Exit(FAILED)


def is_ctrl_c(error: BaseException) -> bool:
    """Return whether an error is Ctrl-C, which is a RuntimeError inside a DuckDB query."""
    return isinstance(error, KeyboardInterrupt | typer.Abort) or is_interruption(error)


# typer has no public name for the root of its usage errors.
_USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[2]


def _report_usage(error: Exception, as_json: bool) -> int:
    usage_error: Any = error
    if as_json:
        body = {"type": "UsageError", "kind": "refused", "found": usage_error.format_message()}
        body |= {"expected": "", "cure": _USAGE_CURE}
        typer.echo(json_text({"error": body | {"is_transient": False}}), err=True)
    else:
        usage_error.show()
    return WRONG_USAGE


def _configure_log() -> None:
    try:
        log_format = load_settings().log_format
    except SettingError:
        log_format = "text"
    configure_logging(log_format)
