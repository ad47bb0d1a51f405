"""Problem documents (RFC 9457): the answer to a request that fails.

Put here: the kinds of problems, and a problem as an answer. Keep out: which error becomes which
problem (error_problems.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from fastapi.exceptions import HTTPException
from starlette.responses import Response

from finops_pipeline.errors import FinopsError
from finops_pipeline.serve.exact_json import exact_json

MEDIA_TYPE = "application/problem+json"
_MOST_CHARACTERS = 1000
"""Of each sentence: a problem may repeat a value of the request, but not all of a long one."""


@dataclass(frozen=True)
class ProblemKind:
    """A kind of problem: HTTP status, the end of its type, and a title that is always the same."""

    status: int
    name: str
    title: str

    @property
    def type(self) -> str:
        """The URI that identifies the kind."""
        return f"urn:finops:problem:{self.name}"


NOT_HTTP = ProblemKind(400, "not-http", "The request is not HTTP/1.1")
NOT_AUTHENTICATED = ProblemKind(401, "not-authenticated", "The request has no valid token")
PERMISSION_MISSING = ProblemKind(403, "permission-missing", "Your role does not permit this")
CROSS_SITE = ProblemKind(403, "cross-site", "The request may come from another site")
SIGN_IN_REFUSED = ProblemKind(403, "sign-in-refused", "You are not signed in")
NOT_IN_GRANT = ProblemKind(403, "not-in-grant", "Your grant is limited and does not show this")
NOT_FOUND = ProblemKind(404, "not-found", "There is no such tenant, or it is not open to you")
NO_ADDRESS = ProblemKind(404, "no-such-address", "There is nothing at this address")
METHOD_NOT_ALLOWED = ProblemKind(405, "method-not-allowed", "The address has no such method")
TOO_SLOW = ProblemKind(408, "body-too-slow", "The body of the request did not arrive in time")
NO_DATA_YET = ProblemKind(409, "no-data-yet", "Nothing has been built for this tenant yet")
DATA_CHANGED = ProblemKind(409, "data-changed", "The data has changed since the first page")
BODY_TOO_LARGE = ProblemKind(413, "body-too-large", "The body of the request is too large")
INVALID_REQUEST = ProblemKind(422, "invalid-request", "The request cannot be understood")
CURSOR_REFUSED = ProblemKind(422, "cursor-refused", "The cursor does not belong to this request")
QUERY_REFUSED = ProblemKind(422, "query-refused", "The question cannot be answered")
QUERY_STOPPED = ProblemKind(422, "query-stopped", "The answer needs more than a query may use")
CHANGE_REFUSED = ProblemKind(422, "change-refused", "The change cannot be made")
UNKNOWN_NAME = ProblemKind(422, "unknown-name", "A name does not exist in this tenant")
TOO_MANY_REQUESTS = ProblemKind(429, "too-many-requests", "You have sent too many requests")
HEAD_TOO_LONG = ProblemKind(431, "head-too-long", "The head of the request is too long")
INTERNAL_ERROR = ProblemKind(500, "internal-error", "The server has a defect")
BUSY = ProblemKind(503, "busy", "The server is busy")
AUDIT_UNAVAILABLE = ProblemKind(503, "audit-unavailable", "The access cannot be recorded")
SIGN_IN_UNAVAILABLE = ProblemKind(503, "sign-in-unavailable", "The identity provider is silent")
DATA_UNAVAILABLE = ProblemKind(503, "data-unavailable", "The tenant's data cannot be read now")
HTTP_VERSION = ProblemKind(505, "http-version", "An export needs HTTP/1.1")

KINDS = (
    NOT_AUTHENTICATED, PERMISSION_MISSING, CROSS_SITE, SIGN_IN_REFUSED, NOT_IN_GRANT, NOT_FOUND,
    NO_ADDRESS, METHOD_NOT_ALLOWED, TOO_SLOW, NO_DATA_YET, DATA_CHANGED, BODY_TOO_LARGE,
    INVALID_REQUEST, CURSOR_REFUSED, QUERY_REFUSED, QUERY_STOPPED, CHANGE_REFUSED, UNKNOWN_NAME,
    TOO_MANY_REQUESTS, INTERNAL_ERROR, BUSY, AUDIT_UNAVAILABLE, SIGN_IN_UNAVAILABLE,
    DATA_UNAVAILABLE, HTTP_VERSION, NOT_HTTP, HEAD_TOO_LONG,
)  # fmt: skip


class Problem(Exception):
    """The end of a request that is answered with a problem document of one kind.

    Args:
        kind: the kind of problem.
        found, expected, cure: as in every error of the house.
    """

    def __init__(self, kind: ProblemKind, found: str, expected: str = "", cure: str = "") -> None:
        super().__init__(str(FinopsError(found, expected, cure)))
        self.kind, self.found, self.expected, self.cure = kind, found, expected, cure
        self.headers: dict[str, str] = {}

    def adding(self, name: str, value: str) -> Problem:
        """Add a header to the answer; return the problem."""
        self.headers[name] = value
        return self


class BodyRefused(HTTPException):
    """Carries a problem through FastAPI, which turns any other error of a body into its own."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.kind.status)
        self.problem = problem


def problem_response(problem: Problem, request_id: str) -> Response:
    """Return the answer for a problem."""
    kind = problem.kind
    body = {
        "type": kind.type,
        "title": kind.title,
        "status": kind.status,
        "detail": _shortened(str(problem)),
        "found": _shortened(problem.found),
        "expected": _shortened(problem.expected),
        "cure": _shortened(problem.cure),
        "request_id": request_id,
    }
    return Response(exact_json(body), kind.status, problem.headers, MEDIA_TYPE)


def _shortened(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"
