"""Signing in with a browser at providers that misbehave, and times, over HTTP in this process.

Put here: what a real provider would not do. Keep out: sessions at a real provider
(test_browser_sessions.py), settings and keys (test_sign_in_settings.py).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from finops_pipeline import clock
from finops_pipeline.errors import AuditUnavailable, StorageFailure
from tests.support.browser import PAGE
from tests.support.oidc_issuer import AUDIENCE, Issuer, open_desk_of_people, serve_issuer
from tests.support.served_tenants import ServedTenants, serve_tenants
from tests.support.sign_in_desk import LOCAL, SignInDesk, cookies_of


@pytest.fixture(scope="module")
def running() -> Iterator[Issuer]:
    with serve_issuer() as issuer:
        issuer.add_key("first")
        yield issuer


@pytest.fixture(scope="module")
def serving(running: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedTenants]:
    data = tmp_path_factory.mktemp("sign-in") / "data"
    open_desk_of_people(data, running).control.close()
    settings = {"oidc_issuer": running.url, "oidc_audience": AUDIENCE, "oidc_client": AUDIENCE}
    with serve_tenants(data, **settings, public_url=LOCAL) as served:
        yield served


@pytest.fixture
def desk(serving: ServedTenants, running: Issuer) -> SignInDesk:
    running.reset()
    return SignInDesk(serving, running)


def test_the_code_is_exchanged_with_the_verifier_of_its_sign_in(desk: SignInDesk) -> None:
    sent, cookies = desk.begin()
    assert (sent["client_id"], sent["scope"]) == (AUDIENCE, "openid email")
    assert sent["redirect_uri"] == f"{LOCAL}/login/callback"
    done = desk.come_back(sent, cookies)
    assert (done.status_code, done.headers["location"]) == (303, "/v1/me")
    ((form, authorization),) = desk.issuer.forms
    hashed = hashlib.sha256(form["code_verifier"].encode()).digest()
    assert base64.urlsafe_b64encode(hashed).rstrip(b"=").decode() == sent["code_challenge"]
    expected = {"grant_type": "authorization_code", "code": "c-1", "client_id": AUDIENCE}
    assert expected.items() <= form.items() and authorization == ""
    me = desk.get("/v1/me", cookies_of(done)).json()
    assert me["name"] == "alice" and len(me["csrf_token"]) > 40
    other, _ = desk.begin()
    assert not {other[name] for name in ("state", "nonce", "code_challenge")} & set(sent.values())


def test_the_same_sign_in_begins_one_session_only(desk: SignInDesk) -> None:
    """Even where the provider accepts a code twice."""
    sent, cookies = desk.begin()
    assert desk.come_back(sent, cookies).status_code == 303
    again = desk.come_back(sent, cookies)
    assert again.status_code == 403 and "finops_session" not in cookies_of(again)
    assert again.json()["found"] == "this sign-in was completed before"


def test_two_sessions_do_not_share_a_csrf_token(desk: SignInDesk) -> None:
    first, second = (cookies_of(desk.sign_in()) for _ in range(2))
    tokens = [desk.get("/v1/me", cookies).json()["csrf_token"] for cookies in (first, second)]
    assert tokens[0] != tokens[1]
    assert desk.get("/v1/me", first).json()["csrf_token"] == tokens[0], "pages share it"


NOW = 1_000_000_000
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"nonce": "another"}, "nonce"), ({"nonce": None}, "nonce"), ({"nonce": 1}, "nonce"),
    ({"aud": "other"}, "claim aud"), ({"aud": None}, "claim aud"),
    ({"iss": "https://login.example"}, "issuer"), ({"exp": NOW}, "has expired"),
    ({"exp": None}, "claim exp"), ({"nbf": 2**40}, "claim nbf"), ({"sub": ""}, "claim sub"),
    ({"azp": "other"}, "azp"), ({"aud": [AUDIENCE, "other"]}, "azp"),
    ({"sub": "s-2"}, "nobody has given you access"),
]  # fmt: skip


@pytest.mark.parametrize(("changed", "text"), WRONG, ids=str)
def test_a_wrong_id_token_signs_nobody_in(
    desk: SignInDesk, changed: dict[str, Any], text: str
) -> None:
    desk.issuer.id_claims = changed
    assert text in desk.refuse(403, "sign-in-refused")


def test_an_id_token_for_several_programs_counts_if_it_was_issued_to_this_one(
    desk: SignInDesk,
) -> None:
    desk.issuer.id_claims = {"aud": ["other", AUDIENCE], "azp": AUDIENCE}
    assert desk.sign_in().status_code == 303
    late = int(clock.now().timestamp()) - 50
    desk.issuer.id_claims = {"exp": late}
    assert desk.sign_in().status_code == 303, "clocks may differ by a minute"
    desk.issuer.id_claims = {"exp": late - 20}
    assert "has expired" in desk.refuse(403, "sign-in-refused")


def test_an_id_token_that_the_issuer_has_not_signed_signs_nobody_in(desk: SignInDesk) -> None:
    claims = desk.issuer.claims(nonce="n")
    secret = OctKey.import_key("0" * 32)
    forged = jwt.encode({"alg": "HS256", "kid": "first"}, claims, secret)
    header = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    none = f"{header}.{forged.split('.')[1]}."
    for id_token in (forged, none, "", "a.b.c", 1, None, ["x"]):
        desk.issuer.token_answer = (200, {"access_token": "x", "id_token": id_token})
        desk.refuse(403, "sign-in-refused")


@pytest.mark.parametrize(
    ("answer", "status", "kind"),
    [
        ((400, {"error": "invalid_grant"}), 403, "sign-in-refused"),
        (
            (401, {"error": "invalid_client", "error_description": "é\n"}),
            503,
            "sign-in-unavailable",
        ),
        ((200, {"access_token": "x"}), 403, "sign-in-refused"),
        ((500, b""), 503, "sign-in-unavailable"),
        ((200, b"no json"), 503, "sign-in-unavailable"),
        ((200, []), 503, "sign-in-unavailable"),
        ((200, b"[" * 100_000), 503, "sign-in-unavailable"),
        ((200, b" " * 1_000_001), 503, "sign-in-unavailable"),
        ((302, b""), 503, "sign-in-unavailable"),
        ((200, {"id_token": "x", "expires_in": "soon"}), 503, "sign-in-unavailable"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_provider_that_gives_no_token_signs_nobody_in(
    desk: SignInDesk, answer: tuple[int, Any], status: int, kind: str
) -> None:
    desk.issuer.token_answer = answer
    desk.refuse(status, kind)


def test_the_answer_of_another_provider_is_refused(desk: SignInDesk) -> None:
    """RFC 9207: `iss` names who answers. Here it is optional, until the provider says otherwise."""
    assert desk.sign_in(iss=desk.issuer.url).status_code == 303
    for other in ("https://evil.example", f"{desk.issuer.url}/", ""):
        assert "another identity provider" in desk.refuse(403, "sign-in-refused", iss=other)
    assert len(desk.issuer.forms) == 1, "no code was sent anywhere"
    desk.issuer.discovery = {"authorization_response_iss_parameter_supported": True}
    with desk.new_client():
        assert "another identity provider" in desk.refuse(403, "sign-in-refused")
        assert desk.sign_in(iss=desk.issuer.url).status_code == 303


def test_a_provider_that_refuses_is_quoted_shortly(desk: SignInDesk) -> None:
    text = desk.refuse(403, "sign-in-refused", error="access_denied<script>" + "x" * 999)
    assert "access_deniedscript" in text and len(text) < 150
    desk.refuse(403, "sign-in-refused", error="access_denied", code="")
    assert desk.issuer.forms == []


def test_a_sign_in_takes_ten_minutes_at_most(
    desk: SignInDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent, cookies = desk.begin()
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(minutes=10))
    late = desk.come_back(sent, cookies)
    assert late.status_code == 403 and "took too long" in late.json()["found"]
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(minutes=9))
    assert desk.come_back(sent, cookies).status_code == 303


def test_a_cookie_of_a_sign_in_that_was_changed_is_refused(desk: SignInDesk) -> None:
    session = cookies_of(desk.sign_in())["finops_session"]
    sent, cookies = desk.begin()
    ((name, kept),) = cookies.items()
    for changed in ("", kept[:-1], f"{kept}x", f"x{kept}", "x", session, "x" * 5_000):
        refused = desk.come_back(sent, {name: changed})
        assert refused.status_code == 403, changed
    assert desk.get("/v1/me", {"finops_session": kept}).status_code == 401
    assert desk.come_back(sent, cookies).status_code == 303


def test_a_session_ends_unused_and_in_any_case(
    desk: SignInDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookies, begun = cookies_of(desk.sign_in()), clock.now()

    def status_after(**time: int) -> int:
        monkeypatch.setattr(clock, "now", lambda: begun + timedelta(**time))
        return desk.get("/v1/me", cookies).status_code

    assert status_after(minutes=59) == 200
    assert status_after(minutes=118) == 200, "an hour after the last use"
    assert status_after(minutes=179) == 401
    unused = desk.get("/v1/me", cookies).json()
    assert unused["found"].endswith("has expired, because it was not used")
    assert status_after(minutes=118) == 200
    for minutes in range(118, 720, 50):
        assert status_after(minutes=minutes) == 200
    assert status_after(minutes=720) == 401, "12 hours"
    assert desk.get("/v1/me", cookies).headers["www-authenticate"] == "Bearer"
    monkeypatch.setattr(clock, "now", lambda: begun + timedelta(days=3))
    desk.issuer.id_claims = {"iat": None}
    new = cookies_of(desk.sign_in())
    assert desk.get("/v1/me", cookies).json()["found"].endswith("is not known"), "forgotten"
    assert desk.get("/v1/me", new).status_code == 200


def test_nobody_is_signed_in_if_it_cannot_be_recorded(
    desk: SignInDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent, cookies = desk.begin()
    store = desk.served.services.access.store

    def refuse(*_: Any) -> None:
        raise StorageFailure("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(store, "write", refuse)
        refused = desk.come_back(sent, cookies)
        assert refused.status_code == 503 and "finops_session" not in cookies_of(refused)
        assert refused.json()["type"] == "urn:finops:problem:audit-unavailable"
        assert "disk" not in refused.text
    assert AuditUnavailable.__doc__
    assert desk.come_back(sent, cookies).status_code == 303


def test_a_provider_that_does_not_answer_is_named(desk: SignInDesk) -> None:
    desk.issuer.answer = (500, b"")
    with desk.new_client():
        refused = desk.get("/login")
        assert (refused.status_code, cookies_of(refused)) == (503, {})
        assert refused.json()["type"] == "urn:finops:problem:sign-in-unavailable"
        page = desk.get("/login", **PAGE)
        assert page.status_code == 503 and "does not answer" in page.text
        desk.issuer.answer = None
        assert desk.sign_in().status_code == 303
        desk.issuer.answer = (500, b"")
        assert desk.sign_in().status_code == 303, "its document is kept for an hour"
    desk.issuer.answer = None
    for name in ("authorization_endpoint", "token_endpoint"):
        desk.issuer.discovery = {name: "http://login.example/x"}
        with desk.new_client():
            answer = desk.get("/login") if name[0] == "a" else desk.sign_in()
            assert answer.status_code == 503, name


@pytest.mark.parametrize(
    ("supported", "secret", "is_basic", "is_in_form"),
    [
        (None, "s:e c", True, False),
        (["client_secret_post"], "secret", False, True),
        (["client_secret_basic", "client_secret_post"], "secret", True, False),
        (["private_key_jwt"], "secret", True, False),
        (["client_secret_post"], "", False, False),
    ],
)
def test_the_secret_is_sent_as_the_provider_wants_it(
    desk: SignInDesk, supported: list[str] | None, secret: str, is_basic: bool, is_in_form: bool
) -> None:
    desk.issuer.discovery = {"token_endpoint_auth_methods_supported": supported}
    with desk.new_client(secret):
        assert desk.sign_in().status_code == 303
        assert desk.sign_in().status_code == 303
    basic = base64.b64encode(f"{AUDIENCE}:{secret}".encode()).decode()
    for form, authorization in desk.issuer.forms:
        assert authorization == (f"Basic {basic}" if is_basic else "")
        assert form.get("client_secret", "") == (secret if is_in_form else "")
