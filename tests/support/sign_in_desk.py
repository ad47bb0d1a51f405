"""A server in this process at which a test signs in step by step, and an issuer that it holds.

Put here: the steps, with the cookies that a browser would send. Keep out: what tests expect; a
browser at a real provider (browser.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookies import SimpleCookie

import httpx

from finops_pipeline.serve.access.code_flow import CodeFlow, ProviderClient
from tests.support.browser import parameters_of
from tests.support.oidc_issuer import AUDIENCE, Issuer
from tests.support.served_tenants import ServedTenants

LOCAL = "http://127.0.0.1:8000"


@dataclass
class SignInDesk:
    """Acme and globex, served to browsers; alice, who is s-1 at the issuer, sees acme."""

    served: ServedTenants
    issuer: Issuer

    def get(
        self, path: str, cookies: dict[str, str] | None = None, **headers: str
    ) -> httpx.Response:
        """Send a GET with these cookies only."""
        self.served.client.cookies.clear()
        text = "; ".join(f"{name}={value}" for name, value in (cookies or {}).items())
        sent = {"Cookie": text, **headers} if text else headers
        return self.served.send("GET", f"//{path.lstrip('/')}", headers=sent)

    def begin(self) -> tuple[dict[str, str], dict[str, str]]:
        """Begin to sign in: what the provider is told, and the cookies."""
        begun = self.get("/login")
        assert begun.status_code == 303, begun.text
        sent = parameters_of(begun.headers["location"])
        self.issuer.nonce = sent["nonce"]
        return sent, cookies_of(begun)

    def come_back(
        self, sent: dict[str, str], cookies: dict[str, str], **more: str
    ) -> httpx.Response:
        """Follow the provider back, with more or other parameters."""
        answer = httpx.QueryParams({"code": "c-1", "state": sent["state"], **more})
        return self.get(f"/login/callback?{answer}", cookies)

    def sign_in(self, **more: str) -> httpx.Response:
        """Do all of it."""
        return self.come_back(*self.begin(), **more)

    @contextmanager
    def new_client(self, secret: str = "") -> Iterator[None]:
        """Ask the issuer for its discovery document again, as a client with this secret."""
        browsers, url = self.served.services.browsers, self.issuer.url
        assert browsers
        kept = browsers._flows[url]
        client = ProviderClient(url, AUDIENCE, secret)
        browsers._flows[url] = CodeFlow(client, f"{LOCAL}/login/callback")
        try:
            yield
        finally:
            browsers._flows[url] = kept

    def refuse(self, status: int, kind: str, **more: str) -> str:
        """Sign in, which must fail; return what was found."""
        refused = self.sign_in(**more)
        assert refused.status_code == status, refused.text
        body = refused.json()
        assert body["type"] == f"urn:finops:problem:{kind}"
        assert "finops_session" not in cookies_of(refused)
        assert body["cure"]
        return str(body["found"])


def cookies_of(response: httpx.Response) -> dict[str, str]:
    """The cookies that a response sets, not those that it deletes."""
    jar = SimpleCookie()
    for header in response.headers.get_list("set-cookie"):
        jar.load(header)
    return {name: morsel.value for name, morsel in jar.items() if morsel["max-age"] != "0"}
