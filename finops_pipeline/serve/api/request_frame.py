"""The frame around every request: its id, security headers, its line in the log, its last resort.

Put here: what holds for every answer whatever its route. Keep out: who asks (verified_route.py),
which error is which problem (error_problems.py).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from finops_pipeline import __version__
from finops_pipeline.log import LOGGER, log_crash
from finops_pipeline.serve.api.error_problems import is_defect, problem_of
from finops_pipeline.serve.api.problem_details import METHOD_NOT_ALLOWED, problem_response
from finops_pipeline.serve.api.request_metrics import RequestMetrics
from finops_pipeline.serve.api.request_record import (
    RequestRecord,
    begin_record,
    record_of,
    route_of,
)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

_HEADERS = {
    "Cache-Control": "private, no-store",
    "Vary": "Authorization, Cookie",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
_LOGGER = f"{LOGGER}.api"


class RequestFrame:
    """Middleware around the whole application."""

    def __init__(self, app: Application, metrics: RequestMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request; see ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        record = begin_record(scope)
        self._metrics.begin()

        async def send_framed(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    *frame_headers(record.request_id),
                ]
            await send(message)

        try:
            await self._app(scope, receive, send_framed)
        except Exception as error:
            # An answer that has begun is left incomplete: the server then closes the connection.
            response = await answer_error(Request(scope), error)
            if not record.status:
                await response(scope, receive, send_framed)
        finally:
            self._metrics.end(record, route_of(scope))
            _log(record, route_of(scope))


async def answer_error(request: Request, error: Exception) -> Response:
    """Return the problem document for an error; log it if it is a defect."""
    record = record_of(request.scope)
    if is_defect(error):
        log_crash(error, f"finops_pipeline {__version__} crashed: request {record.request_id}")
    problem = problem_of(error)
    if problem.kind is METHOD_NOT_ALLOWED:
        problem.adding("Allow", _allowed_methods(request))
    return problem_response(problem, record.request_id)


def _allowed_methods(request: Request) -> str:
    """Return the methods of an address; each method is a route of its own."""
    matching = (r for r in request.app.routes if r.matches(request.scope)[0] is not Match.NONE)
    return ", ".join(sorted(method for route in matching for method in route.methods))


def frame_headers(request_id: str) -> list[tuple[bytes, bytes]]:
    """Return the headers that every answer has."""
    headers = {**_HEADERS, "X-Request-ID": request_id}
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def _log(record: RequestRecord, route: str) -> None:
    fields = record.as_fields(route)
    text = " ".join(f"{name}={value}" for name, value in fields.items() if value not in ("", None))
    logging.getLogger(_LOGGER).info(text, extra={"fields": fields})
