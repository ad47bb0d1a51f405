"""What is known of one request from its first byte to its last: id, caller, outcome.

Put here: the record that travels with a request, and its line in the log. Keep out: amounts,
tokens, SQL and query strings, which are never in it.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import Any

from finops_pipeline import clock
from finops_pipeline.serve.access.browser_sessions import VerifiedSession
from finops_pipeline.serve.access.principals import Principal
from finops_pipeline.serve.access.verified_access import Access, Permission

_ACCEPTED_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}", re.ASCII)
_STATE = "finops_request"
UNMATCHED = "(no route)"


@dataclass
class RequestRecord:
    """One request. The frame makes it; the route adds who asks, what is needed and the access,
    the answer its rows. `session`: by whose cookie; None: by a token."""

    request_id: str
    method: str
    http_version: str
    started: float = field(default_factory=clock.stopwatch)
    principal: Principal | None = None
    session: VerifiedSession | None = None
    needed: Permission | None = None
    access: Access | None = None
    rows: int | None = None
    status: int = 0

    def as_fields(self, route: str) -> dict[str, Any]:
        """Return what the log says about the request."""
        return {
            "request_id": self.request_id,
            "method": self.method,
            "route": route,
            "status": self.status,
            "milliseconds": round((clock.stopwatch() - self.started) * 1000),
            "principal": self.principal.principal_id if self.principal else "",
            "tenant": self.access.tenant if self.access else "",
            "rows": self.rows,
        }


def begin_record(scope: Any) -> RequestRecord:
    """Make the record of a request and attach it to the request's scope."""
    stated = [value for name, value in scope["headers"] if name == b"x-request-id"]
    text = stated[0].decode("latin-1") if len(stated) == 1 else ""
    request_id = text if _ACCEPTED_ID.fullmatch(text) else secrets.token_hex(16)
    record = RequestRecord(request_id, scope["method"], scope["http_version"])
    scope[_STATE] = record
    return record


def record_of(scope: Any) -> RequestRecord:
    """Return the record of a request."""
    record: RequestRecord = scope[_STATE]
    return record


def route_of(scope: Any) -> str:
    """Return the template of the request's route, which names no tenant."""
    return str(getattr(scope.get("route"), "path", UNMATCHED))
