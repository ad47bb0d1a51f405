"""An issuer of tokens whose keys a test holds, so that it can sign what no provider would.

Put here: its HTTP server on loopback and signing. Keep out: what tests expect; the real provider
(test_oidc_provider.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl

from joserfc import jwt
from joserfc.jwk import RSAKey

from finops_pipeline import clock
from finops_pipeline.application.installation import Installation
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.serve.access.grants import NewGrant
from finops_pipeline.serve.access.principals import Identity
from finops_pipeline.serve.access.verified_access import Role
from finops_pipeline.settings import Settings
from tests.support.access_tenants import AccessDesk, declare_both

AUDIENCE = "finops"


@dataclass
class Issuer:
    """What the issuer publishes now; tests change it. `answer`: instead of a document.

    `nonce`, `id_claims`: of the next ID token. `token_answer`: instead of an ID token. `forms`:
    what its token address was sent, with the header Authorization.
    """

    url: str = ""
    keys: list[RSAKey] = field(default_factory=list)
    discovery: dict[str, Any] = field(default_factory=dict)
    answer: tuple[int, bytes] | None = None
    requests: list[str] = field(default_factory=list)
    nonce: str = ""
    id_claims: dict[str, Any] = field(default_factory=dict)
    token_answer: tuple[int, Any] | None = None
    forms: list[tuple[dict[str, str], str]] = field(default_factory=list)

    def reset(self) -> None:
        """Publish what was published at first."""
        self.keys, self.answer, self.discovery = self.keys[:1], None, {}
        self.id_claims, self.token_answer = {}, None
        self.requests.clear()
        self.forms.clear()

    def exchange(self, form: dict[str, str], authorization: str) -> tuple[int, Any]:
        """Answer to a code."""
        self.forms.append((form, authorization))
        if self.token_answer:
            return self.token_answer
        id_token = self.sign(**{"nonce": self.nonce, **self.id_claims})
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": id_token}

    def add_key(self, kid: str) -> RSAKey:
        """Publish another key."""
        key = RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})
        self.keys.append(key)
        return key

    def claims(self, **changed: Any) -> dict[str, Any]:
        """Valid claims; None removes one."""
        now = int(clock.now().timestamp())
        claims = {"iss": self.url, "sub": "s-1", "aud": AUDIENCE, "iat": now, "exp": now + 300}
        return {name: v for name, v in {**claims, **changed}.items() if v is not None}

    def sign(self, key: RSAKey | None = None, alg: str = "RS256", **changed: Any) -> str:
        """Sign a token with claims that are valid but for the changed ones."""
        key = key or self.keys[0]
        return jwt.encode({"alg": alg, "kid": key.kid}, self.claims(**changed), key)

    def document(self, path: str) -> dict[str, Any]:
        """What is published under a path."""
        if path.endswith("/openid-configuration"):
            addresses = {
                "jwks_uri": f"{self.url}/jwks",
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
            }
            return {"issuer": self.url, **addresses, **self.discovery}
        return {"keys": [key.as_dict(private=False) for key in self.keys]}


def open_desk_of_people(data: Path, issuer: Issuer) -> AccessDesk:
    """Declare acme and globex; alice, who is s-1 at the issuer, sees acme."""
    declare_both(data)
    settings = Settings(data=data, oidc_issuer=issuer.url, oidc_audience=AUDIENCE)
    installation = Installation(settings)
    opened = AccessDesk(installation, AccessControl(installation))
    opened.managed.add_principal("alice", Identity(issuer.url, "s-1"))
    opened.managed.give("acme", "alice", NewGrant(Role.ANALYST))
    return opened


@contextmanager
def serve_issuer() -> Iterator[Issuer]:
    """Run an issuer on a free port of loopback."""
    issuer = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.requests.append(self.path)
            status, body = issuer.answer or (200, json.dumps(issuer.document(self.path)).encode())
            self.send_response(status)
            if status in (301, 302, 307, 308):
                self.send_header("Location", body.decode())
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, value = issuer.exchange(
                dict(parse_qsl(content)), self.headers.get("Authorization", "")
            )
            body = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
