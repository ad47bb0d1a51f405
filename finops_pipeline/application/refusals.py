"""Expected errors and crashes: how they are distinguished, and the step that reports either.

Put here: which errors of libraries are expected, and the text that is reported for them. Keep out:
the errors themselves (errors.py), what a run does after one (ingest.py, landing.py).

An expected error is a FinopsError, or a known failure of the operating system, DuckDB or SQLite
(disk full, out of memory, a file that cannot be read). It is reported as `refused`. Anything else
is a defect of finops_pipeline: it is reported as `crashed` and its traceback goes to the log.
"""

from __future__ import annotations

from finops_pipeline import __version__
from finops_pipeline.application.progress import Stage, Step, StepOutcome
from finops_pipeline.errors import (
    CRASH_CURE,
    FULL_DISK_CURE,
    DeliveryMoving,
    DiskFull,
    FinopsError,
    IntegrityCheckFailed,
    OutOfMemory,
    StorageFailure,
    TenantBusy,
    Unreachable,
    crash_text,
)
from finops_pipeline.lake.duck import DuckDBError, DuckDBInputOutputError
from finops_pipeline.lake.duck import OutOfMemory as DuckDBOutOfMemory
from finops_pipeline.lake.files import no_room
from finops_pipeline.ledger.ledger import LEDGER_FAILURES, LedgerError
from finops_pipeline.log import log_crash, stack_of

_RETRYABLE = (TenantBusy, DeliveryMoving, Unreachable)
"""Errors after which the same work may succeed within minutes. The other transient errors are not
retried: a spent budget would be spent again, and only a person can free disk space."""

_INTERRUPTED = "Query interrupted"
"""The text of the RuntimeError that Ctrl-C raises inside a DuckDB query."""


def failed_step(error: Exception, stage: Stage, subject: str, month: str = "") -> Step:
    """Return the step that reports an error; log it if it is a crash.

    Args:
        subject: the source, project or tenant that was being worked on.
        month: its billing period; empty when the error concerns all of them.

    Raises:
        RuntimeError: `error` itself, when it is an interruption by the user.
    """
    expected = as_expected(error)
    outcome = StepOutcome.CRASHED if expected is None else StepOutcome.REFUSED
    reason = reason_of(error, f"{stage} {subject} {month}".rstrip())
    return Step(
        stage,
        subject,
        month,
        outcome,
        reason=reason,
        is_retryable=isinstance(expected, _RETRYABLE),
        stack=stack_of(error) if expected is None else "",
        is_failed_check=isinstance(expected, IntegrityCheckFailed),
    )


def as_expected(error: BaseException) -> FinopsError | None:
    """Return an expected error as a FinopsError; None for a crash."""
    if isinstance(error, FinopsError):
        return error
    if isinstance(error, MemoryError | DuckDBOutOfMemory):
        return OutOfMemory(
            f"memory ran out ({_first_line(error)})",
            "enough memory to build the data",
            "Raise FINOPS_MEMORY_LIMIT or close other programs, then run again",
        )
    if isinstance(error, OSError | DuckDBError | LedgerError) and no_room(error):
        return DiskFull(
            f"the disk is full ({_first_line(error)})",
            "enough disk space to build the data",
            FULL_DISK_CURE,
        )
    if isinstance(error, OSError | DuckDBInputOutputError) or type(error) in LEDGER_FAILURES:
        return StorageFailure(
            f"a file or database could not be used: {type(error).__name__}: {_first_line(error)}",
            "files that this user can read and write",
            "Check the path and its permissions, then run again; what was published stays",
        )
    return None


def is_interruption(error: BaseException) -> bool:
    """Return whether an error is Ctrl-C as raised inside a DuckDB query."""
    return isinstance(error, RuntimeError) and str(error) == _INTERRUPTED


def reason_of(error: BaseException, subject: str) -> str:
    """Return an error's text for users; of a crash, only its type, while its stack is logged.

    Args:
        subject: the work that failed, for the log.

    Raises:
        RuntimeError: `error` itself, when it is an interruption by the user.
    """
    expected = as_expected(error)
    if expected is not None:
        return str(expected)
    if is_interruption(error):
        raise error
    log_crash(error, f"finops_pipeline {__version__} crashed: {subject}")
    return f"{crash_text(error)} (version {__version__}). {CRASH_CURE}."


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
