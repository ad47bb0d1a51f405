"""The answer to what cannot be read as a request: no HTTP, or a head without an end.

Put here: the whole answer as bytes, because no application sees such a request. Keep out: when
uvicorn gives up reading (api_server.py), problems of requests (error_problems.py).
"""

from __future__ import annotations

import secrets
from http import HTTPStatus

from finops_pipeline.serve.api.problem_details import (
    HEAD_TOO_LONG,
    NOT_HTTP,
    Problem,
    problem_response,
)
from finops_pipeline.serve.api.request_frame import frame_headers

MOST_HEAD_BYTES = 65_536


def answer_unreadable(error: BaseException | None) -> bytes:
    """Return a problem document with its head; the connection has to be closed after it.

    Args:
        error: what h11 found; it has a status for a head that is too long.
    """
    if getattr(error, "error_status_hint", 0) == HEAD_TOO_LONG.status:
        problem = Problem(
            HEAD_TOO_LONG,
            "the address and the headers of the request are too long",
            f"at most {MOST_HEAD_BYTES:,} bytes together",
            "Send a long question as the body of a POST",
        )
    else:
        problem = Problem(
            NOT_HTTP, "what arrived cannot be read as a request", "HTTP/1.1 without encryption"
        )
    request_id = secrets.token_hex(16)
    response = problem_response(problem, request_id)
    status = f"HTTP/1.1 {response.status_code} {HTTPStatus(response.status_code).phrase}".encode()
    closing = (b"connection", b"close")
    headers = [*response.raw_headers, *frame_headers(request_id), closing]
    lines = [status, *(name + b": " + value for name, value in headers)]
    return b"\r\n".join([*lines, b"", bytes(response.body)])
