"""A browser as far as signing in needs one: it keeps cookies and goes where it is sent.

Put here: the steps of a sign-in at a real provider, and requests as a page of the server sends
them. Keep out: what tests expect.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

PAGE = {"Accept": "text/html"}


def parameters_of(url: str) -> dict[str, str]:
    """The parameters of a URL, each once."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


class Browser:
    """One browser of one person at one server."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = httpx.Client(base_url=url, headers=PAGE)

    def begin(self, next_path: str = "", **options: Any) -> str:
        """Begin to sign in; return the address of the provider."""
        parameters = {"next": next_path} if next_path else {}
        sent = self.client.get("/login", params=parameters, **options)
        assert sent.status_code == 303, sent.text
        return sent.headers["location"]

    def visit_provider(self, address: str, sub: str, action: str = "") -> str:
        """Sign in at the provider; return the address to which it sends back."""
        form = {"sub": sub, **({"action": action} if action else {})}
        return httpx.post(address, data=form).headers["location"]

    def come_back(self, address: str, **options: Any) -> httpx.Response:
        """Follow the provider back to the server."""
        assert address.startswith(f"{self.url}/login/callback?"), address
        return self.client.get(address, **options)

    def sign_in(self, sub: str, next_path: str = "") -> httpx.Response:
        """Do all of it."""
        return self.come_back(self.visit_provider(self.begin(next_path), sub))

    def csrf_token(self) -> str:
        """What a page of the server reads before it changes something."""
        token = self.client.get("/v1/me").json()["csrf_token"]
        assert isinstance(token, str) and len(token) > 40
        return token

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request as a page of the server does."""
        headers = {"Origin": self.url, "Sec-Fetch-Site": "same-origin"}
        headers |= {"X-CSRF-Token": self.csrf_token()} | options.pop("headers", {})
        return self.client.request(method, path, headers=headers, **options)

    @property
    def session(self) -> str:
        """The cookie of the session, or nothing."""
        return self.client.cookies.get("finops_session") or ""
