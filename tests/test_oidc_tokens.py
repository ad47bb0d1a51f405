"""People's tokens: only what a configured issuer signed, for this installation, now.

Put here: hostile and wrong tokens, people and their principals. Keep out: keys that change
(test_oidc_keys.py), a real provider's tokens (test_oidc_provider.py), services (test_access.py).
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from finops_pipeline import clock
from finops_pipeline.application.installation import Installation
from finops_pipeline.errors import (
    GrantRefused,
    NotAuthenticated,
    NotGranted,
    SettingError,
)
from finops_pipeline.serve.access import authorization
from finops_pipeline.serve.access.access_administration import AccessAdministration
from finops_pipeline.serve.access.actors import Actor
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.serve.access.grants import NewGrant
from finops_pipeline.serve.access.principals import Identity, Principal, PrincipalState
from finops_pipeline.serve.access.verified_access import Permission, Role
from finops_pipeline.settings import Settings
from tests.support.access_tenants import AccessDesk, declare
from tests.support.oidc_issuer import AUDIENCE, Issuer, open_desk_of_people, serve_issuer

READ = Permission.READ


@pytest.fixture(scope="module")
def running() -> Iterator[Issuer]:
    with serve_issuer() as issuer:
        issuer.add_key("first")
        yield issuer


@pytest.fixture
def issuer(running: Issuer) -> Issuer:
    running.reset()
    return running


@pytest.fixture
def desk(tmp_path: Path, issuer: Issuer) -> Iterator[AccessDesk]:
    opened = open_desk_of_people(tmp_path / "data", issuer)
    yield opened
    opened.control.close()


def sign_in(desk: AccessDesk, token: str) -> Principal:
    return desk.control.authenticate_token(token)


def test_a_person_has_the_grants_of_the_subject(desk: AccessDesk, issuer: Issuer) -> None:
    alice = sign_in(desk, issuer.sign())
    assert (alice.name, alice.token) == ("alice", "")
    assert desk.control.authorize(alice, "acme", Permission.QUERY).role is Role.ANALYST
    with pytest.raises(NotGranted):
        desk.control.authorize(alice, "globex", READ)
    assert sign_in(desk, issuer.sign(aud=["other", AUDIENCE])).name == "alice"
    with pytest.raises(NotAuthenticated, match="nobody has given you access"):
        sign_in(desk, issuer.sign(sub="s-2"))
    desk.managed.set_state("alice", PrincipalState.DISABLED)
    with pytest.raises(NotAuthenticated, match="alice is disabled"):
        sign_in(desk, issuer.sign())
    assert desk.log()[-1].detail == "alice is disabled"
    assert desk.caller("acme/ci").name == "acme/ci", "a service, beside the people"


WRONG_CLAIMS: list[dict[str, Any]] = [
    {"aud": "other"}, {"aud": None}, {"aud": []}, {"aud": [1]}, {"aud": "finops2"},
    {"aud": f"{AUDIENCE} "}, {"aud": {"finops": 1}}, {"iss": "https://login.example"},
    {"iss": None}, {"iss": 1}, {"iss": ["x"]}, {"sub": None}, {"sub": ""}, {"sub": 1},
    {"sub": ["s-1"]}, {"sub": "x" * 300}, {"exp": None}, {"exp": "never"}, {"exp": 1e400},
    {"exp": True}, {"nbf": "now"}, {"iat": "now"},
]  # fmt: skip


@pytest.mark.parametrize("changed", WRONG_CLAIMS, ids=str)
def test_wrong_claims_are_refused(
    desk: AccessDesk, issuer: Issuer, changed: dict[str, Any]
) -> None:
    with pytest.raises(NotAuthenticated) as refused:
        sign_in(desk, issuer.sign(**changed))
    assert "s-1" not in str(refused.value)


def test_times_count_with_a_minute_of_skew(desk: AccessDesk, issuer: Issuer) -> None:
    now = int(clock.now().timestamp())
    for accepted in ({"exp": now - 50}, {"nbf": now + 50}, {"iat": now + 50}):
        assert sign_in(desk, issuer.sign(**accepted)).name == "alice"
    for late in ({"exp": now - 61}, {"nbf": now + 70}, {"iat": now + 70}, {"exp": 0}, {"exp": -1}):
        with pytest.raises(NotAuthenticated):
            sign_in(desk, issuer.sign(**late))


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def hmac_signed(bits: int, claims: dict[str, Any], secret: bytes) -> str:
    """A token whose secret is what everybody can read: the issuer's public key."""
    text = f"{part({'alg': f'HS{bits}', 'kid': 'first'})}.{part(claims)}"
    digest = hmac.digest(secret, text.encode(), f"sha{bits}")
    return f"{text}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def test_tokens_that_were_not_signed_by_the_issuer_are_refused(
    desk: AccessDesk, issuer: Issuer
) -> None:
    valid, claims = issuer.sign(), issuer.claims()
    head, body, signature = valid.split(".")
    own = RSAKey.generate_key(2048, {"kid": "first"})
    public = issuer.keys[0].as_pem(private=False)
    jwk = json.dumps(issuer.keys[0].as_dict(private=False)).encode()
    embedded = {"alg": "RS256", "kid": "first", "jwk": own.as_dict(private=False)}
    elsewhere = {"alg": "RS256", "kid": "first", "jku": f"{issuer.url}/other/jwks"}
    hostile = [
        *(f"{part({'alg': alg, 'kid': 'first'})}.{body}.{end}"
          for alg in ("none", "None", "NONE", "", "HS256", "RS256", 1, None)
          for end in ("", signature)),
        *(hmac_signed(bits, claims, key) for bits in (256, 384, 512) for key in (public, jwk)),
        issuer.sign(own),
        jwt.encode(embedded, claims, own),
        jwt.encode(elsewhere, claims, own),
        f"{head}.{part({**claims, 'sub': 's-2'})}.{signature}",
        f"{head}.{body}.{signature[:-4]}", f"{head}.{body}.", f"{head}..{signature}",
        f".{body}.{signature}", "..", "a.b.c", valid + "A", valid[:-1], valid.swapcase(),
        f"{part({'alg': 'RS256', 'kid': 'first', 'crit': ['x'], 'x': 1})}.{body}.{signature}",
        f"{part([1])}.{body}.{signature}", f"{head}.{part([1])}.{signature}",
        f"{head}.{base64.urlsafe_b64encode(b'[' * 9000).decode().rstrip('=')}.{signature}",
        "x" * 20_000 + "..", "é.é.é", f"{head}.{body}.{signature}\n", f" {valid}",
    ]  # fmt: skip
    for token in hostile:
        if token == valid:
            continue
        with pytest.raises(NotAuthenticated):
            sign_in(desk, token)
    assert sign_in(desk, valid).name == "alice"
    assert not [path for path in issuer.requests if "other" in path]


def test_a_subject_of_one_issuer_is_nobody_at_another(
    desk: AccessDesk, issuer: Issuer, tmp_path: Path
) -> None:
    with serve_issuer() as second:
        second.add_key("second")
        with pytest.raises(NotAuthenticated, match="its issuer is not one"):
            sign_in(desk, second.sign())
        settings = Settings(data=tmp_path / "data", oidc_audience=AUDIENCE,
                            oidc_issuer=f"{issuer.url} {second.url}")  # fmt: skip
        control = AccessControl(Installation(settings))
        assert control.authenticate_token(issuer.sign()).name == "alice"
        for token in (second.sign(), issuer.sign(second.keys[0]), second.sign(iss=issuer.url),
                      second.sign(issuer.keys[0])):  # fmt: skip
            with pytest.raises(NotAuthenticated):
                control.authenticate_token(token)
        control.close()


# ---- e-mail addresses


def invite(desk: AccessDesk, issuer: Issuer) -> None:
    """Give acme to whoever verifies bob's address."""
    desk.managed.add_principal("bob", Identity(issuer.url, email="Bob@acme.example"))
    desk.managed.give("acme", "bob", NewGrant(Role.VIEWER))


def test_a_verified_address_counts_for_the_first_person_only(
    desk: AccessDesk, issuer: Issuer
) -> None:
    invite(desk, issuer)
    mail = {"email": "bob@ACME.example"}
    for unverified in (mail, {**mail, "email_verified": False}, {**mail, "email_verified": "true"},
                       {**mail, "email_verified": 1}, {"email": ["bob@acme.example"],
                        "email_verified": True}):  # fmt: skip
        with pytest.raises(NotAuthenticated, match="nobody has given you access"):
            sign_in(desk, issuer.sign(sub="s-bob", **unverified))
    verified = {**mail, "email_verified": True}
    bob = sign_in(desk, issuer.sign(sub="s-bob", **verified))
    assert bob.name == "bob" and desk.control.authorize(bob, "acme", READ)
    assert (desk.log()[-1].action, desk.log()[-1].principal) == ("principal tie", "bob")
    assert sign_in(desk, issuer.sign(sub="s-bob")).name == "bob", "by the subject from now on"
    with pytest.raises(NotAuthenticated):
        sign_in(desk, issuer.sign(sub="s-heir", **verified))


def test_one_invitation_is_for_one_person_though_two_sign_in_at_once(
    desk: AccessDesk, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second has read that nobody has used the invitation yet when the first uses it."""
    invite(desk, issuer)
    verified = {"email": "bob@acme.example", "email_verified": True}
    first, second = (issuer.sign(sub=sub, **verified) for sub in ("s-first", "s-second"))
    signed_in: list[Principal] = []
    real = authorization.find_person

    def find_late(db: Any, identity: Identity) -> Principal | None:
        principal = real(db, identity)
        if identity.subject == "s-second" and not signed_in:
            signed_in.append(sign_in(desk, first))
        return principal

    monkeypatch.setattr(authorization, "find_person", find_late)
    with pytest.raises(NotAuthenticated, match="belongs to another person"):
        sign_in(desk, second)
    assert [person.name for person in signed_in] == [sign_in(desk, first).name] == ["bob"]
    assert [entry.action for entry in desk.log()].count("principal tie") == 1


def test_an_administrator_invites_by_address_and_learns_nothing(
    desk: AccessDesk, issuer: Issuer
) -> None:
    """Whether a person, or a name, exists elsewhere makes no difference."""
    boss = desk.caller("acme/boss", Role.ADMIN)
    access = desk.control.authorize(boss, "acme", Permission.ADMINISTER)
    managed = AccessAdministration(desk.control, Actor.administrator(boss, access))
    desk.managed.add_principal("bob", Identity(issuer.url, email="bob@globex.example"))
    desk.managed.add_principal("eve@globex.example")
    desk.managed.give("globex", "bob", NewGrant(Role.VIEWER))
    for address in ("bob@globex.example", "eve@globex.example", "new@acme.example"):
        managed.give("acme", address, NewGrant(Role.VIEWER))
    assert len(managed.grants("acme")) == 5
    for address in ("bob@globex.example", "eve@globex.example", "new@acme.example"):
        token = issuer.sign(sub=f"s-{address}", email=address, email_verified=True)
        person = sign_in(desk, token)
        assert desk.control.authorize(person, "acme", READ).role is Role.VIEWER
    assert [g.principal for g in desk.managed.grants("globex")] == ["bob"]
    with pytest.raises(GrantRefused):
        managed.give("acme", "nobody", NewGrant(Role.VIEWER))


# ---- settings


def test_without_an_issuer_a_persons_token_is_no_token(tmp_path: Path, issuer: Issuer) -> None:
    declare(tmp_path / "data", "acme")
    control = AccessControl(Installation(Settings(data=tmp_path / "data")))
    with pytest.raises(NotAuthenticated, match="the token is not valid"):
        control.authenticate_token(issuer.sign())
    assert issuer.requests == []


def test_an_issuer_needs_an_audience(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, oidc_issuer="https://login.example")
    with pytest.raises(SettingError, match="FINOPS_OIDC_AUDIENCE"):
        AccessControl(Installation(settings))


@pytest.mark.parametrize(
    "url", ["http://login.example", "login.example", "file:///etc", "https://a.example, https://b",
            "https://a.example?x=1", "http://127.0.0.1.evil.example/"]
)  # fmt: skip
def test_an_issuer_is_an_https_url(url: str) -> None:
    with pytest.raises(ValueError, match="oidc_issuer"):
        Settings(oidc_issuer=url)
