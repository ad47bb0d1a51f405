"""The application: routes, middleware, problem documents, health, metrics.

Put here: putting the parts together. Keep out: the parts.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from anyio import CapacityLimiter
from anyio.to_thread import current_default_thread_limiter, run_sync
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from finops_pipeline.errors import FinopsError, NotAuthenticated
from finops_pipeline.serve.api.api_services import ApiServices, services_of
from finops_pipeline.serve.api.endpoint_table import add_endpoints
from finops_pipeline.serve.api.openapi_document import openapi_document
from finops_pipeline.serve.api.problem_details import Problem
from finops_pipeline.serve.api.request_frame import RequestFrame, answer_error
from finops_pipeline.serve.api.sign_in_endpoints import add_sign_in

_VERIFYING_THREADS = 16
_SIGN_IN_THREADS = 4
_DATA_THREADS = 400
"""Requests that have or await data, each in a thread: what one tenant may have is a tenth of it
(query_slots.py), so that waiting requests of one tenant leave room for all others."""


def build_app(services: ApiServices) -> FastAPI:
    """Return the application of a server."""

    @asynccontextmanager
    async def close_at_end(app: FastAPI) -> AsyncIterator[None]:
        app.state.verifiers = CapacityLimiter(_VERIFYING_THREADS)
        app.state.sign_ins = CapacityLimiter(_SIGN_IN_THREADS)
        current_default_thread_limiter().total_tokens = _DATA_THREADS
        services.ingests.start()
        try:
            yield
        finally:
            await run_sync(services.ingests.stop)
            await run_sync(services.pool.close)
            await run_sync(services.access.close)

    app = FastAPI(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=close_at_end,
        middleware=[Middleware(RequestFrame, services.metrics)],
        exception_handlers={
            Problem: answer_error,
            FinopsError: answer_error,
            RequestValidationError: answer_error,
            HTTPException: answer_error,
        },
    )
    app.state.services = services
    add_endpoints(app.router)
    add_sign_in(app.router)
    for path, function in _OPEN_ADDRESSES.items():
        app.add_api_route(path, function, include_in_schema=False)
    return app


async def _is_alive() -> Response:
    """Say that the process answers."""
    return Response("ok\n", media_type="text/plain")


def _is_ready(request: Request) -> Response:
    """Say whether requests can be answered: whether access can be verified."""
    with suppress(NotAuthenticated):
        services_of(request).access.authenticate_token("")  # reads the access database
    return Response("ready\n", media_type="text/plain")


async def _metrics(request: Request) -> Response:
    """Return the metrics for Prometheus; no tenant is named in them."""
    return services_of(request).metrics.response()


async def _openapi() -> Response:
    """Return the OpenAPI document, which says nothing about any tenant."""
    return JSONResponse(openapi_document())


_OPEN_ADDRESSES: Mapping[str, Callable[..., Any]] = {
    "/healthz": _is_alive,
    "/readyz": _is_ready,
    "/metrics": _metrics,
    "/openapi.json": _openapi,
}
"""Addresses for which nobody is verified, because they say nothing about anybody."""
