"""Which error is answered with which problem, and how much of the error's text a caller may read.

Put here: the one table. Keep out: the kinds (problem_details.py), catching (request_frame.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from finops_pipeline.application.refusals import as_expected
from finops_pipeline.errors import (
    AskedTooOften,
    AuditUnavailable,
    Busy,
    FinopsError,
    GrantRefused,
    NotAuthenticated,
    NotGranted,
    PermissionMissing,
    QueryRefused,
    QueryStopped,
    ReadingEnded,
    RegistryBusy,
    RegistryError,
    RegistryUnusable,
    SessionEnded,
    SignInRefused,
    TenantBusy,
    Unknown,
    Unreachable,
)
from finops_pipeline.serve.api.http_cures import http_cure
from finops_pipeline.serve.api.problem_details import (
    AUDIT_UNAVAILABLE,
    BUSY,
    CHANGE_REFUSED,
    DATA_UNAVAILABLE,
    INTERNAL_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_ALLOWED,
    NO_ADDRESS,
    NOT_AUTHENTICATED,
    NOT_FOUND,
    PERMISSION_MISSING,
    QUERY_REFUSED,
    QUERY_STOPPED,
    SIGN_IN_REFUSED,
    SIGN_IN_UNAVAILABLE,
    TOO_MANY_REQUESTS,
    UNKNOWN_NAME,
    BodyRefused,
    Problem,
    ProblemKind,
)

_RETRY_SECONDS = "2"
_SHOWN_CHARACTERS = 100


@dataclass(frozen=True)
class _Wording:
    """The text of a problem that does not repeat the text of its error."""

    found: str
    expected: str = ""
    cure: str = ""


_ASK_OPERATOR = "Try again; if it stays so, give the request id to whoever runs this server"
_NO_DATA = _Wording("the data of the tenant cannot be read at the moment", cure=_ASK_OPERATOR)

_TABLE: Sequence[tuple[type[FinopsError], ProblemKind, _Wording | None]] = (
    (SessionEnded, NOT_AUTHENTICATED, None),
    (SignInRefused, SIGN_IN_REFUSED, None),
    (
        NotAuthenticated,
        NOT_AUTHENTICATED,
        _Wording(
            "the request has no token that is valid now",
            "one header Authorization: Bearer TOKEN, with a token that is not expired or revoked",
            "Ask an administrator of your organisation for a token",
        ),
    ),
    (
        NotGranted,
        NOT_FOUND,
        _Wording(
            "no tenant of this name is open to you",
            "one of the tenants that GET /v1/tenants lists",
            "Check the name, or ask an administrator of the tenant for access",
        ),
    ),
    (
        PermissionMissing,
        PERMISSION_MISSING,
        _Wording(
            "your role in this tenant does not permit this request",
            "analyst or admin for SQL; admin, of the whole tenant, to manage it",
            "Ask an administrator of the tenant for another role",
        ),
    ),
    (
        AuditUnavailable,
        AUDIT_UNAVAILABLE,
        _Wording(
            "the access could not be recorded, so nothing was given out",
            "an audit log that can be written",
            _ASK_OPERATOR,
        ),
    ),
    (GrantRefused, CHANGE_REFUSED, None),
    (QueryStopped, QUERY_STOPPED, None),
    (QueryRefused, QUERY_REFUSED, None),
    (Unknown, UNKNOWN_NAME, None),
    (RegistryUnusable, DATA_UNAVAILABLE, _NO_DATA),
    (RegistryError, INVALID_REQUEST, None),
    (AskedTooOften, TOO_MANY_REQUESTS, None),
    (Busy, BUSY, None),
    (TenantBusy, BUSY, _Wording("the data of the tenant is being written", cure="Try again")),
    (RegistryBusy, BUSY, _Wording("declarations are being changed", cure="Try again")),
    (ReadingEnded, BUSY, _Wording("the data was replaced just now", cure="Ask again")),
    (
        Unreachable,
        SIGN_IN_UNAVAILABLE,
        _Wording(
            "who you are cannot be verified, because the identity provider does not answer",
            cure=_ASK_OPERATOR,
        ),
    ),
    # A damaged, foreign or unreadable file, a full disk: their texts name paths.
    (FinopsError, DATA_UNAVAILABLE, _NO_DATA),
)
"""Error -> kind of problem, and its wording where the error's own text is not for the caller. The
first line that fits decides."""


def problem_of(error: Exception) -> Problem:
    """Return the problem for any error; what is not expected says nothing about itself."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, BodyRefused):
        return error.problem
    if isinstance(error, RequestValidationError):
        return _invalid_request(error)
    if isinstance(error, HTTPException):
        return _of_router(error)
    expected = as_expected(error)
    if expected is None:
        return Problem(INTERNAL_ERROR, "the request met a defect of the server", cure=_ASK_OPERATOR)
    kind, wording = next(
        (kind, wording) for of_class, kind, wording in _TABLE if isinstance(expected, of_class)
    )
    if wording:
        problem = Problem(kind, wording.found, wording.expected, wording.cure)
    else:
        problem = Problem(kind, expected.found, expected.expected, http_cure(expected.cure))
    if kind is NOT_AUTHENTICATED:
        problem.adding("WWW-Authenticate", "Bearer")
    if isinstance(expected, AskedTooOften):
        problem.adding("Retry-After", str(expected.wait_seconds))
    return problem.adding("Retry-After", _RETRY_SECONDS) if kind is BUSY else problem


def is_defect(error: Exception) -> bool:
    """Return whether an error is a defect of the program, to be logged with its stack."""
    return problem_of(error).kind is INTERNAL_ERROR


def _of_router(error: HTTPException) -> Problem:
    """Return the problem for an address or method that does not exist, or an unreadable body."""
    if error.status_code == NO_ADDRESS.status:
        return Problem(
            NO_ADDRESS,
            "there is nothing at this address",
            "an address that /openapi.json lists",
            "Check the spelling of the path",
        )
    if error.status_code == METHOD_NOT_ALLOWED.status:
        return Problem(
            METHOD_NOT_ALLOWED,
            "this address does not have this method",
            "a method that the header Allow names",
            "Use one of these methods",
        )
    return Problem(INVALID_REQUEST, "the body of the request cannot be read", "JSON in UTF-8")


def _invalid_request(error: RequestValidationError) -> Problem:
    """Return the problem for the first value that does not fit, by its place in the request."""
    first = error.errors()[0]
    where, *parts = [str(part)[:_SHOWN_CHARACTERS] for part in first["loc"]]
    place = ".".join(parts)
    if first["type"] == "json_invalid":
        return Problem(
            INVALID_REQUEST,
            f"the body is not JSON (at character {place})",
            "a JSON object",
            "Send the body as JSON, with the header Content-Type: application/json",
        )
    name = {"query": "parameter", "body": "field", "path": "name"}.get(where, where)
    subject = f"{name} {place}" if place else f"the {where}"
    message = str(first["msg"]).removeprefix("Input should be ").removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        return Problem(
            INVALID_REQUEST,
            f"there is no {subject}",
            "only what /openapi.json describes",
            "Leave it out, or check its spelling",
        )
    if first["type"] == "missing":
        return Problem(INVALID_REQUEST, f"{subject} is missing", message, "Add it")
    shown = repr(first.get("input"))
    if len(shown) > _SHOWN_CHARACTERS:
        shown = f"{shown[:_SHOWN_CHARACTERS]}…"
    return Problem(INVALID_REQUEST, f"{subject} is {shown}", message)
