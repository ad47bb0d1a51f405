"""Every error that finops_pipeline expects, as one tree, and the one shape in which it is reported.

Put here: exceptions that one package raises and another handles. Keep out: handling, logging, the
text of a particular case (whoever raises an error knows what was found).

An error outside this tree is a crash: a defect of finops_pipeline (application/refusals.py).

    FinopsError
    ├── Transient                 trying again later may help
    │   ├── TenantBusy            another process holds this tenant's write lock
    │   ├── RegistryBusy          another process is changing the registry
    │   ├── BudgetSpent           a run's budget of paid requests is used up
    │   ├── DiskFull              not enough space for a download or a build
    │   ├── DeliveryMoving        files changed while they were read
    │   ├── AuditUnavailable      the audit log cannot be written, so nothing is served
    │   ├── Busy                  too many questions at the same time
    │   ├── AskedTooOften         more of something than may be asked for in some time
    │   ├── ReadingEnded          an open warehouse was replaced, or its process has ended
    │   └── Unreachable           AWS or a store did not answer well, after retries
    │       └── NoAnswer          a receiver of messages was too slow
    └── Terminal                  someone has to change something first
        ├── SettingError          an environment variable that cannot be used
        ├── MessageRefused        a webhook, mail server or command did not take a message
        ├── AccessRefused         AWS or a store refused: denied, no such bucket, bad credentials
        ├── NotAuthenticated      a token that is not valid (any more)
        │   └── SessionEnded      a session of a browser that is not valid (any more)
        ├── SignInRefused         a sign-in in a browser that could not be completed
        ├── NotGranted            a tenant that the caller has no grant for, or unknown (same text)
        ├── PermissionMissing     a tenant that the caller has, but with a role that permits less
        ├── GrantRefused          a principal, grant or token that cannot be made or changed
        ├── SchemaTooNew          a ledger that a newer version of finops_pipeline wrote
        ├── ForeignFile           a file or link in a tenant's folder that is not the tenant's own
        ├── DamagedFile           a published file that is lost, changed or unreadable
        ├── RegistryError         a tenant, source or project declared wrongly
        │   ├── RegistryUnusable  its file is lost, damaged or unreadable
        │   └── Unknown           a name that does not exist, or is not yours (same text)
        ├── DeliveryRefused       an export that cannot be accepted as it is
        │   ├── ManifestProblem   missing, unreadable or ambiguous manifest
        │   ├── FileProblem       a file that is missing, damaged or lacks a column
        │   └── EmptyDelivery     no rows, where a month with rows is published
        ├── OutOfMemory           DuckDB or Python needs more memory than it may use
        ├── StorageFailure        a file, DuckDB or SQLite could not be read or written
        ├── IntegrityCheckFailed  numbers do not add up: nothing was published
        └── QueryRefused          SQL that the tenant's file cannot or may not answer
            └── QueryStopped      a query that needed more time, memory or rows than it may use
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


def one_line(text: object) -> str:
    """Return text from a bill on one line and without control characters.

    A product name may hold escape sequences, or a line break and a line that imitates our output.
    """
    return printable(str(text).replace("\n", " ").replace("\t", " "))


def printable(text: str) -> str:
    """Return text for a terminal: characters that control it, or hide or reorder text, are `?`.

    That is everything of the Unicode categories "other" and "separator" except space, line break
    and tab: escape sequences, C1 controls, bidirectional overrides, zero-width characters.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in "\n\t" else "?" for char in text)


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun for a message: `1 row`, `2 rows`, `0 days`.

    Args:
        plural: the noun for other numbers than 1, if it is not the noun with an s.
    """
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


def did_you_mean(name: str, existing: Iterable[str]) -> str:
    """Return `Did you mean payer? ` for a name that is close to an existing one, or nothing.

    Args:
        name: what the caller typed.
        existing: names that the caller may know.
    """
    close = get_close_matches(name, sorted(existing), n=1)
    return f"Did you mean {close[0]}? " if close else ""


class FinopsError(Exception):
    """The root of the tree. The text says what was found, what was expected and the cure.

    Args:
        found: what is wrong, with the offending value and its location.
        expected: what would have been right; may be empty.
        cure: what the reader can do now; may be empty.
    """

    def __init__(self, found: str, expected: str = "", cure: str = "") -> None:
        self.found = found
        self.expected = expected
        self.cure = cure
        parts = [found.rstrip(".") + "."]
        if expected:
            parts.append(f"Expected {expected.rstrip('.')}.")
        if cure:
            parts.append(cure if cure.endswith("?") else f"{cure.rstrip('.')}.")
        super().__init__(" ".join(parts))

    def as_dict(self) -> dict[str, Any]:
        """Return the error as data: type, kind, found, expected, cure, is_transient."""
        return {
            "type": type(self).__name__,
            "kind": "refused",
            "found": self.found,
            "expected": self.expected,
            "cure": self.cure,
            "is_transient": isinstance(self, Transient),
        }


class Transient(FinopsError):
    """Trying again later may help."""


class TenantBusy(Transient):
    """Another process is writing this tenant's folder."""


class RegistryBusy(Transient):
    """Another process is changing the registry."""


class BudgetSpent(Transient):
    """A run has sent as many paid requests as it may; the next run goes on from there."""


class DiskFull(Transient):
    """The disk has too little space for a download or a build; nothing of it was published."""


FULL_DISK_CURE = "Free space on the disk of FINOPS_DATA, then run again; what was published stays"


class DeliveryMoving(Transient):
    """The delivery changed while it was being read."""


class AuditUnavailable(Transient):
    """The audit log cannot be written; what would have been recorded was not done."""


class Busy(Transient):
    """As many questions as may be answered at the same time are being answered."""


class AskedTooOften(Transient):
    """As much as may be asked for in some time was asked for.

    `wait_seconds`: until it may be asked for again.
    """

    wait_seconds = 1


class ReadingEnded(Transient):
    """An open warehouse was replaced or its process has ended; opening it again helps."""


class Unreachable(Transient):
    """AWS, a store or a receiver of messages failed or did not answer, even after retries."""


class NoAnswer(Unreachable):
    """A receiver of messages did not answer in time, and may or may not have the message."""


class Terminal(FinopsError):
    """Someone has to change something before trying again can help."""


class SettingError(Terminal):
    """A setting of the environment that cannot be used."""


class AccessRefused(Terminal):
    """AWS or a store refused: denied, no such bucket, invalid credentials or profile."""


class MessageRefused(Terminal):
    """A webhook, mail server or command refused a message, or may not be used."""


class NotAuthenticated(Terminal):
    """A token that is not valid, or not any more: expired, revoked, of a disabled principal."""


class SessionEnded(NotAuthenticated):
    """A session of a browser that is unknown, has expired or was ended."""


class SignInRefused(Terminal):
    """A sign-in in a browser that could not be completed, or was not begun in this browser."""


class NotGranted(Terminal):
    """A tenant that the caller has no grant for; the same for one that does not exist."""


class PermissionMissing(Terminal):
    """A request that the caller's role in a tenant, or in the installation, does not permit."""


class GrantRefused(Terminal):
    """A principal, grant or token that cannot be made or changed as asked."""


class SchemaTooNew(Terminal):
    """A ledger that a newer version of finops_pipeline wrote; it is neither read nor changed."""


class ForeignFile(Terminal):
    """A file or link in a tenant's folder that is not the tenant's own; it was not used."""


class DamagedFile(Terminal):
    """A published file that is lost, changed or unreadable; nothing was answered from it."""


class RegistryError(Terminal):
    """A tenant, source or project that is declared wrongly."""


class RegistryUnusable(RegistryError):
    """The registry's file is lost, damaged or unreadable."""


class Unknown(RegistryError):
    """A tenant, source or project that is not there.

    Args:
        tenant: the name, if it is a tenant's. The text is the same for every such name; only a
            doorway whose callers may know all tenants adds the name of another.
    """

    def __init__(self, found: str, expected: str = "", cure: str = "", tenant: str = "") -> None:
        super().__init__(found, expected, cure)
        self.tenant = tenant


class DeliveryRefused(Terminal):
    """An export that cannot be accepted as it is; what was published stays."""


class ManifestProblem(DeliveryRefused):
    """A manifest that is missing, unreadable, ambiguous or of another month."""


class FileProblem(DeliveryRefused):
    """A file of a delivery that is missing, damaged or lacks a required column."""


class EmptyDelivery(DeliveryRefused):
    """A delivery without rows, where a month with rows is already published."""


class OutOfMemory(Terminal):
    """DuckDB or Python needs more memory than it may use; nothing was published of it."""


class StorageFailure(Terminal):
    """A file, DuckDB or SQLite could not be read or written; what was published stays."""


class IntegrityCheckFailed(Terminal):
    """Numbers that must be equal are not, so nothing was published."""


class QueryRefused(Terminal):
    """SQL that the tenant's file cannot or may not answer."""


class QueryStopped(QueryRefused):
    """A query that needed more time, memory or rows than it may use; its process was ended."""


CRASH_CURE = (
    "Please report it with the traceback in the log and the output of `finops version`;"
    " what was published stays"
)


def error_body(error: BaseException) -> dict[str, dict[str, Any]]:
    """Return any error in the one shape of `--format json`.

    Args:
        error: an expected error, or anything else: a crash, whose own message is left out because
            it may hold values of a bill.

    Returns:
        {"error": {"type", "kind": "refused" or "crashed", "found", "expected", "cure",
        "is_transient"}}
    """
    if isinstance(error, FinopsError):
        return {"error": error.as_dict()}
    return {
        "error": {
            "type": type(error).__name__,
            "kind": "crashed",
            "found": crash_text(error),
            "expected": "",
            "cure": CRASH_CURE,
            "is_transient": False,
        }
    }


def crash_text(error: BaseException) -> str:
    """Describe an unexpected error as a defect, by its type alone."""
    return f"finops_pipeline has a defect and stopped with {type(error).__name__}"
