"""The cookies of a browser: their names, how they are set, read and deleted.

Put here: attributes of cookies. Keep out: what they contain (serve/access), what a request by
cookie needs beyond it (same_site.py).

Both are HttpOnly and SameSite=Lax, and belong to this host only: over https their names begin with
`__Host-`, with which browsers accept no cookie from a neighbouring host and none without Secure.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

SESSION, SIGN_IN = "finops_session", "finops_sign_in"
HOST = "__Host-"


class BrowserCookies:
    """The cookies of a server at one public URL."""

    def __init__(self, public_url: str) -> None:
        self._is_secure = public_url.startswith("https://")

    def read(self, request: Request, name: str) -> str:
        """Return the value of a cookie, or nothing."""
        return request.cookies.get(self._full(name), "")

    def put(self, response: Response, name: str, value: str, seconds: int) -> None:
        """Let the browser keep a value."""
        response.set_cookie(
            self._full(name),
            value,
            max_age=seconds,
            path="/",
            secure=self._is_secure,
            httponly=True,
            samesite="lax",
        )

    def delete(self, response: Response, name: str) -> None:
        """Let the browser forget a value."""
        response.delete_cookie(
            self._full(name), path="/", secure=self._is_secure, httponly=True, samesite="lax"
        )

    def _full(self, name: str) -> str:
        return f"{HOST}{name}" if self._is_secure else name
