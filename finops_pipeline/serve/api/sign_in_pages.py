"""The two small pages of signing in: choosing an identity provider, and why it did not succeed.

Put here: their text as HTML, without scripts and styles. Keep out: when they are shown
(sign_in_endpoints.py), the dashboard.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from urllib.parse import urlencode

from starlette.responses import HTMLResponse, Response

from finops_pipeline.serve.api.problem_details import Problem


def choice_page(issuers: Iterable[str], next_path: str) -> Response:
    """Return the page on which a person chooses an identity provider."""
    links = []
    for issuer in issuers:
        address = f"/login?{urlencode({'issuer': issuer, 'next': next_path})}"
        links.append(f'<li><a href="{escape(address)}">{escape(issuer)}</a></li>')
    return _page("Sign in", f"<p>With which identity provider?</p>\n<ul>{''.join(links)}</ul>", 200)


def problem_page(problem: Problem, request_id: str) -> Response:
    """Return the page that says why a sign-in did not succeed, and what to do."""
    content = (
        f"<p>{escape(str(problem))}</p>\n"
        '<p><a href="/login">Sign in again</a></p>\n'
        f"<p>Request {escape(request_id)}</p>"
    )
    response = _page(problem.kind.title, content, problem.kind.status)
    response.headers.update(problem.headers)
    return response


def _page(title: str, content: str, status: int) -> Response:
    text = (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(title)}</title>\n<h1>{escape(title)}</h1>\n{content}\n</html>\n"
    )
    return HTMLResponse(text, status)
