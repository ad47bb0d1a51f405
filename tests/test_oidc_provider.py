"""A person signs in at a real OpenID provider, in a process of its own, and calls with its token.

Put here: what only a real provider can show. Keep out: hostile tokens (test_oidc_tokens.py), keys
that change (test_oidc_keys.py).
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from finops_pipeline import clock
from finops_pipeline.application.installation import Installation
from finops_pipeline.errors import NotAuthenticated, NotGranted
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.serve.access.grants import NewGrant
from finops_pipeline.serve.access.principals import Identity
from finops_pipeline.serve.access.verified_access import Permission, Role
from finops_pipeline.settings import Settings
from tests.support.access_tenants import AccessDesk, declare_both
from tests.support.oidc_provider import PEOPLE, run_provider

CLIENT, CALLBACK = "finops-test", "http://127.0.0.1:1/callback"


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The issuer URL of a provider that knows three people."""
    with run_provider(PEOPLE) as issuer:
        yield issuer


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def sign_in(issuer: str, sub: str, client: str = CLIENT) -> dict[str, str]:
    """Sign in as a browser and exchange the code as a program; return the provider's tokens."""
    asked = {"response_type": "code", "client_id": client, "redirect_uri": CALLBACK,
             "scope": "openid email", "state": "s", "nonce": "n"}  # fmt: skip
    page = f"{issuer.rstrip('/')}/oauth2/authorize?{urlencode(asked)}"
    opener = urllib.request.build_opener(_NoRedirect)
    with pytest.raises(urllib.error.HTTPError) as redirected:
        opener.open(page, urlencode({"sub": sub}).encode())
    place = redirected.value.headers["Location"]
    redirected.value.close()
    (code,) = parse_qs(urlsplit(place).query)["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK,
            "client_id": client, "client_secret": "any"}  # fmt: skip
    with opener.open(f"{issuer.rstrip('/')}/oauth2/token", urlencode(form).encode()) as answer:
        tokens: dict[str, str] = json.load(answer)
        return tokens


@pytest.fixture
def desk(tmp_path: Path, provider: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[AccessDesk]:
    """Acme and globex, by the provider's clock: that of other tests is shifted."""
    monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC).replace(microsecond=0))
    declare_both(tmp_path / "data")
    settings = Settings(data=tmp_path / "data", oidc_issuer=provider, oidc_audience=CLIENT)
    installation = Installation(settings)
    opened = AccessDesk(installation, AccessControl(installation))
    yield opened
    opened.control.close()


def test_a_person_of_a_real_provider_sees_what_was_granted(desk: AccessDesk, provider: str) -> None:
    desk.managed.add_principal("alice", Identity(provider, "alice"))
    desk.managed.give("acme", "alice", NewGrant(Role.ANALYST))
    token = sign_in(provider, "alice")["id_token"]
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", token)
    alice = desk.control.authenticate_token(token)
    assert desk.control.authorize(alice, "acme", Permission.QUERY).role is Role.ANALYST
    with pytest.raises(NotGranted):
        desk.control.authorize(alice, "globex", Permission.READ)
    with pytest.raises(NotAuthenticated, match="nobody has given you access"):
        desk.control.authenticate_token(sign_in(provider, "bob")["id_token"])
    other = sign_in(provider, "alice", client="another-program")["id_token"]
    with pytest.raises(NotAuthenticated, match="its claim aud is missing or wrong"):
        desk.control.authenticate_token(other)
    with pytest.raises(NotAuthenticated):  # opaque: only the provider can say whose it is
        desk.control.authenticate_token(sign_in(provider, "alice")["access_token"])


def test_an_invitation_is_for_the_verified_address(desk: AccessDesk, provider: str) -> None:
    desk.managed.add_principal("bob", Identity(provider, email="bob@acme.example"))
    desk.managed.give("acme", "bob", NewGrant(Role.VIEWER))
    with pytest.raises(NotAuthenticated, match="nobody has given you access"):
        desk.control.authenticate_token(sign_in(provider, "mallory")["id_token"])
    bob = desk.control.authenticate_token(sign_in(provider, "bob")["id_token"])
    assert bob.name == "bob" and desk.control.authorize(bob, "acme", Permission.READ)
