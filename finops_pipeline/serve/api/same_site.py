"""Requests by cookie that may come from another site: what they need, so that none of those counts.

Put here: the check of Origin, Sec-Fetch-Site and the CSRF token. Keep out: sessions (serve/access).

A browser sends cookies with requests that any site has caused. Requests with a token in a header
need nothing of this: no other site knows the token.
"""

from __future__ import annotations

from starlette.requests import Request

from finops_pipeline.serve.access.browser_sessions import VerifiedSession
from finops_pipeline.serve.api.problem_details import CROSS_SITE, Problem

CSRF_HEADER = "X-CSRF-Token"
_SAFE = {"GET", "HEAD", "OPTIONS"}
_OWN = {"same-origin", "none"}
"""`none`: the person has typed the address or followed a bookmark."""


def check_same_site(request: Request, session: VerifiedSession, public_url: str) -> None:
    """Check that a request by cookie was sent by a page of this server, or by the person alone.

    Raises:
        Problem: it comes from another site, or does not show where it comes from.
    """
    headers = request.headers
    origins, site = headers.getlist("origin"), headers.get("sec-fetch-site", "")
    is_safe = request.method in _SAFE
    if any(origin != public_url for origin in origins):
        raise _refused(f"it was sent by a page of another site than {public_url}")
    is_navigation = is_safe and headers.get("sec-fetch-mode") == "navigate"
    if site and site not in _OWN and not is_navigation:
        raise _refused(f"it was sent by a page of another site than {public_url}")
    if is_safe:
        return
    if not origins and not site:
        raise _refused("it has neither Origin nor Sec-Fetch-Site")
    if not session.has_csrf_token(headers.get(CSRF_HEADER, "")):
        raise _refused(f"its header {CSRF_HEADER} is missing or wrong")


def _refused(reason: str) -> Problem:
    return Problem(
        CROSS_SITE,
        f"the request was sent with a cookie, and {reason}",
        f"for any method but GET the header {CSRF_HEADER} with the csrf_token of GET /v1/me, from"
        " a page of this server",
        "Send that header; a program sends a token instead of the cookie",
    )
