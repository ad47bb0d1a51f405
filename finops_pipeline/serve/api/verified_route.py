"""The class of every route under /v1: who asks is verified before anything else is looked at.

Put here: the token or cookie, the rate limit, the tenant in the path, the permission, the size of
the body, in this order. Keep out: deciding it (serve/access). FastAPI reads the body and checks
parameters only afterwards, so a caller without access learns nothing from them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from hashlib import sha256
from typing import Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from finops_pipeline.errors import NotAuthenticated, counted
from finops_pipeline.serve.access.verified_access import Permission
from finops_pipeline.serve.api.api_services import ApiServices, services_of
from finops_pipeline.serve.api.browser_cookies import SESSION, BrowserCookies
from finops_pipeline.serve.api.problem_details import (
    BODY_TOO_LARGE,
    TOO_SLOW,
    BodyRefused,
    Problem,
)
from finops_pipeline.serve.api.request_record import record_of
from finops_pipeline.serve.api.same_site import check_same_site

_SCHEME = "bearer"
_MOST_TOKEN_CHARACTERS = 4096
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class PrincipalRoute(APIRoute):
    """A route for every principal: it names no tenant."""

    needed: Permission | None = None

    def get_route_handler(self) -> Callable[[Request], Any]:
        """Return the function that answers a request: it verifies, then calls FastAPI's."""
        answer = super().get_route_handler()

        async def verify_and_answer(request: Request) -> Response:
            services = services_of(request)
            await run_sync(self._verify, request, services, limiter=_verifiers(request))
            _refuse_large_body(request, services)
            limited = _limit_body(request.receive, services)
            response: Response = await answer(Request(request.scope, limited))
            return response

        return verify_and_answer

    def _verify(self, request: Request, services: ApiServices) -> None:
        record = record_of(request.scope)
        cookie = _session_cookie(request, services)
        secret = cookie or _token_of(request)
        # Before it is verified: each use of a revoked token is recorded. By the whole token, so
        # that nobody who knows its first characters can use up what its owner may send.
        services.token_limiter.count(sha256(secret.encode()).hexdigest())
        if cookie and services.browsers:
            sessions, public_url = services.browsers.sessions, services.browsers.public_url
            record.session = sessions.authenticate(cookie, record.request_id)
            check_same_site(request, record.session, public_url)
            principal = record.session.principal
        else:
            principal = services.access.authenticate_token(secret, record.request_id)
        record.principal = principal
        services.limiter.count(principal.principal_id)
        # A tenant's services count for it whatever they ask for, and everybody else's requests for
        # the tenant that they may see: nobody can use up the requests of a tenant without a grant.
        owner_id = principal.full_name.owner_id
        if owner_id:
            services.tenant_limiter.count(owner_id, _ALL_OF_TENANT)
        if self.needed:
            tenant = request.path_params["tenant"]
            record.needed = self.needed
            record.access = services.access.authorize(
                principal, tenant, self.needed, record.request_id
            )
            if record.access.tenant_id != owner_id:
                services.tenant_limiter.count(record.access.tenant_id, _ALL_OF_TENANT)


class ReaderRoute(PrincipalRoute):
    """A route for everybody who may read the tenant in the path."""

    needed = Permission.READ


class AnalystRoute(PrincipalRoute):
    """A route for those who may run SQL of their own."""

    needed = Permission.QUERY


class AdminRoute(PrincipalRoute):
    """A route for the administrators of the tenant in the path."""

    needed = Permission.ADMINISTER


def _verifiers(request: Request) -> CapacityLimiter:
    """Return the threads that verify: those that wait for data must not keep others out."""
    limiter: CapacityLimiter = request.app.state.verifiers
    return limiter


def _session_cookie(request: Request, services: ApiServices) -> str:
    """Return the cookie of a session, or nothing: a header Authorization alone decides."""
    if services.browsers is None or "authorization" in request.headers:
        return ""
    return BrowserCookies(services.browsers.public_url).read(request, SESSION)


def _token_of(request: Request) -> str:
    """Return the token of the one Authorization header.

    Raises:
        NotAuthenticated: there is no such header, several, or one of another form.
    """
    stated = request.headers.getlist("authorization")
    scheme, _, token = stated[0].partition(" ") if len(stated) == 1 else ("", "", "")
    if scheme.lower() != _SCHEME or not token or len(token) > _MOST_TOKEN_CHARACTERS:
        raise NotAuthenticated("the request has no bearer token")
    return token


_ALL_OF_TENANT = "all callers of this tenant together"


def _refuse_large_body(request: Request, services: ApiServices) -> None:
    stated = request.headers.get("content-length", "0")
    if not stated.isdecimal() or int(stated) > services.body_bytes:
        raise _too_large(services)


def _too_large(services: ApiServices) -> Problem:
    return Problem(
        BODY_TOO_LARGE,
        "the body of the request is too large",
        f"at most {counted(services.body_bytes, 'byte')}",
        "Ask for less at a time",
    )


def _limit_body(receive: Receive, services: ApiServices) -> Receive:
    """Return a function that receives the body within its limits of size and time."""
    received = 0
    deadline = asyncio.get_running_loop().time() + services.body_seconds

    async def receive_limited() -> MutableMapping[str, Any]:
        nonlocal received
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise BodyRefused(_too_slow(services)) from None
        received += len(message.get("body", b""))
        if received > services.body_bytes:
            raise BodyRefused(_too_large(services))
        return message

    return receive_limited


def _too_slow(services: ApiServices) -> Problem:
    return Problem(
        TOO_SLOW,
        "the body of the request did not arrive in time",
        f"all of it within {services.body_seconds:g} s",
        "Send it again",
    )
