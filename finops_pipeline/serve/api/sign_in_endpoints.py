"""Signing in and out with a browser: /login, /login/callback and /logout.

Put here: their parameters, cookies and answers. Keep out: what a sign-in needs (serve/access).

A person who is sent here gets a page, a program a problem document. Sign-ins have threads of their
own, because they wait for the identity provider: nobody else's request waits with them.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from anyio.to_thread import run_sync
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from finops_pipeline.errors import FinopsError
from finops_pipeline.serve.access.browser_sign_in import (
    CALLBACK,
    SIGN_IN_MINUTES,
    BrowserSignIn,
    Completion,
)
from finops_pipeline.serve.api.api_services import services_of
from finops_pipeline.serve.api.browser_cookies import SESSION, SIGN_IN, BrowserCookies
from finops_pipeline.serve.api.error_problems import is_defect, problem_of
from finops_pipeline.serve.api.problem_details import (
    INVALID_REQUEST,
    NO_ADDRESS,
    TOO_MANY_REQUESTS,
    Problem,
    problem_response,
)
from finops_pipeline.serve.api.request_record import record_of
from finops_pipeline.serve.api.sign_in_pages import choice_page, problem_page
from finops_pipeline.serve.api.verified_route import PrincipalRoute

_LANDING = "/v1/me"
_LOCAL_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]{0,999}", re.ASCII)
"""A path of this server, with its query: one slash, and neither backslashes nor spaces. Browsers
take two slashes, or a slash and a backslash, for the beginning of another host."""
_SEE_OTHER, _NO_CONTENT = 303, 204
Answer = Callable[[Request, BrowserSignIn], Response]


def add_sign_in(router: APIRouter) -> None:
    """Add the routes of signing in and out."""
    router.add_api_route("/login", begin_sign_in, include_in_schema=False)
    router.add_api_route(CALLBACK, complete_sign_in, include_in_schema=False)
    router.add_api_route(
        "/logout",
        sign_out,
        methods=["POST"],
        include_in_schema=False,
        route_class_override=PrincipalRoute,
    )


async def begin_sign_in(request: Request) -> Response:
    """Send the browser to the identity provider, or let the person choose one."""
    return await _answer(request, _begin)


async def complete_sign_in(request: Request) -> Response:
    """Begin a session, when the identity provider has sent the browser back."""
    return await _answer(request, _complete)


def sign_out(request: Request) -> Response:
    """End the session of the cookie.

    Raises:
        Problem: the request has a token, and no session.
        AuditUnavailable: it cannot be recorded.
    """
    browsers, record = services_of(request).browsers, record_of(request.scope)
    if browsers is None or record.session is None:
        raise Problem(
            INVALID_REQUEST,
            "the request has a token, and no session that could end",
            "the cookie of a session, and no header Authorization",
            "Revoke a token with DELETE /v1/tenants/{tenant}/tokens/{prefix}",
        )
    browsers.sessions.end(record.session, record.request_id)
    response = Response(status_code=_NO_CONTENT)
    BrowserCookies(browsers.public_url).delete(response, SESSION)
    return response


async def _answer(request: Request, answer: Answer) -> Response:
    """Answer in a thread for sign-ins; a failed sign-in is forgotten by the browser."""
    browsers, record = services_of(request).browsers, record_of(request.scope)
    try:
        if browsers is None:
            raise _no_sign_in()
        _count(request)
        return await run_sync(answer, request, browsers, limiter=request.app.state.sign_ins)
    except (FinopsError, Problem) as error:
        if is_defect(error):
            raise
        problem = problem_of(error)
    is_for_person = "text/html" in request.headers.get("accept", "")
    to_answer = problem_page if is_for_person else problem_response
    response = to_answer(problem, record.request_id)
    if browsers is not None and problem.kind is not TOO_MANY_REQUESTS:
        BrowserCookies(browsers.public_url).delete(response, SIGN_IN)
    return response


def _count(request: Request) -> None:
    """Count a request of somebody who is not known yet: by address, then with all others.

    Raises:
        Problem: there were too many.
    """
    services = services_of(request)
    services.sign_in_limiter.count(_network_of(request), "browsers at your address")
    services.all_sign_ins_limiter.count("", "all browsers together")


def _network_of(request: Request) -> str:
    """Return the address of a client; of an IPv6 one the half that it cannot choose itself."""
    host = request.client.host if request.client else ""
    return ":".join(host.split("%")[0].split(":")[:4]) if host.count(":") > 1 else host


def _begin(request: Request, browsers: BrowserSignIn) -> Response:
    parameters = _parameters(request)
    next_path = parameters.get("next", _LANDING)
    if not _LOCAL_PATH.fullmatch(next_path):
        raise Problem(
            INVALID_REQUEST,
            "the parameter next is no path of this server",
            "a path that begins with one slash, such as /v1/me",
            "Correct it or leave it out",
        )
    issuer = parameters.get("issuer", "")
    if not issuer and len(browsers.issuers) > 1:
        return choice_page(browsers.issuers, next_path)
    url, kept = browsers.begin(issuer or browsers.issuers[0], next_path)
    response = RedirectResponse(url, _SEE_OTHER)
    BrowserCookies(browsers.public_url).put(response, SIGN_IN, kept, SIGN_IN_MINUTES * 60)
    return response


def _complete(request: Request, browsers: BrowserSignIn) -> Response:
    cookies = BrowserCookies(browsers.public_url)
    completion = Completion(
        _parameters(request),
        cookies.read(request, SIGN_IN),
        cookies.read(request, SESSION),
        record_of(request.scope).request_id,
    )
    cookie, next_path = browsers.complete(completion)
    response = RedirectResponse(next_path, _SEE_OTHER)
    cookies.put(response, SESSION, cookie, int(browsers.sessions.times.most.total_seconds()))
    cookies.delete(response, SIGN_IN)
    return response


def _parameters(request: Request) -> dict[str, str]:
    """Return the parameters of the query.

    Raises:
        Problem: one of them is given twice, so that it would depend on the reader which counts.
    """
    pairs = request.query_params.multi_items()
    parameters = dict(pairs)
    if len(parameters) < len(pairs):
        raise Problem(INVALID_REQUEST, "a parameter is given twice", "each parameter once")
    return parameters


def _no_sign_in() -> Problem:
    return Problem(
        NO_ADDRESS,
        "nobody signs in with a browser at this server",
        "a token in the header Authorization",
        "Ask whoever runs the server to set FINOPS_OIDC_CLIENT and FINOPS_PUBLIC_URL",
    )
