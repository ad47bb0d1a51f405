"""The keys of an identity provider: fetched once, renewed, withdrawn, unreachable.

Put here: fetching, and what is never fetched. Keep out: the tokens that they verify
(test_oidc_tokens.py).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import RSAKey

from finops_pipeline import clock
from finops_pipeline.errors import NotAuthenticated, Unreachable
from finops_pipeline.serve.access.oidc_keys import IssuerKeys
from finops_pipeline.serve.access.principals import Principal
from tests.support.access_tenants import AccessDesk
from tests.support.oidc_issuer import Issuer, open_desk_of_people, serve_issuer


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


def test_a_new_key_is_fetched_when_a_token_names_it(
    desk: AccessDesk, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = [0.0]
    monkeypatch.setattr(clock, "stopwatch", lambda: at[0])
    sign_in(desk, issuer.sign())
    sign_in(desk, issuer.sign())
    assert len(issuer.requests) == 2, "discovery and keys, once"
    new = issuer.add_key("second")
    at[0] = 31.0
    assert sign_in(desk, issuer.sign(new)).name == "alice"
    assert len(issuer.requests) == 4
    stranger = RSAKey.generate_key(2048, {"kid": "unknown"})
    for _ in range(20):
        with pytest.raises(NotAuthenticated):
            sign_in(desk, issuer.sign(stranger))
    assert len(issuer.requests) == 4, "not again within half a minute"
    issuer.keys.pop(0)
    old = issuer.sign(RSAKey.import_key(issuer.keys[0].as_dict(private=True)))
    at[0] = 31.0 + 3_601
    assert sign_in(desk, old).name == "alice"
    assert len(issuer.requests) == 6, "after an hour"


def test_a_key_that_was_withdrawn_counts_for_an_hour_at_most(
    desk: AccessDesk, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = [0.0]
    monkeypatch.setattr(clock, "stopwatch", lambda: at[0])
    leaked = issuer.add_key("leaked")
    sign_in(desk, issuer.sign(leaked))
    issuer.keys.remove(leaked)
    at[0] = 3_601.0
    with pytest.raises(NotAuthenticated):
        sign_in(desk, issuer.sign(leaked))
    assert sign_in(desk, issuer.sign()).name == "alice"


def test_a_provider_that_does_not_answer_stops_nobody_for_a_day(
    desk: AccessDesk, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = [0.0]
    monkeypatch.setattr(clock, "stopwatch", lambda: at[0])
    issuer.answer = (500, b"")
    with pytest.raises(Unreachable, match="did not answer"):
        sign_in(desk, issuer.sign())
    issuer.answer = None
    with pytest.raises(Unreachable, match="not answered"):  # not asked again within half a minute
        sign_in(desk, issuer.sign())
    at[0] = 31.0
    assert sign_in(desk, issuer.sign()).name == "alice"
    issuer.answer = (503, b"")
    at[0] = 80_000.0
    assert sign_in(desk, issuer.sign()).name == "alice"
    at[0] = 31.0 + 86_401
    with pytest.raises(Unreachable):
        sign_in(desk, issuer.sign())
    assert desk.caller("acme/ci").name == "acme/ci", "services do not need it"


@pytest.mark.parametrize(
    "answer",
    [(200, b"[]"), (200, b"no json"), (200, b"x" * 1_000_001), (404, b""), (200, b"{}"),
     (302, b"http://127.0.0.1:9/"), (302, b"file:///etc/passwd"), (200, b"[" * 100_000)],
    ids=lambda answer: f"{answer[0]}-{answer[1][:12]!r}",
)  # fmt: skip
def test_an_answer_that_is_no_document_is_refused(
    desk: AccessDesk, issuer: Issuer, answer: tuple[int, bytes]
) -> None:
    issuer.answer = answer
    with pytest.raises(Unreachable, match=issuer.url):
        sign_in(desk, issuer.sign())


@pytest.mark.parametrize(
    "discovery",
    [{"issuer": "https://login.example"}, {"jwks_uri": "http://192.0.2.1/jwks"},
     {"jwks_uri": "file:///etc/passwd"}, {"jwks_uri": None}, {"jwks_uri": "ftp://127.0.0.1/"},
     {"issuer": None}],
    ids=str,
)  # fmt: skip
def test_keys_are_fetched_from_nowhere_else(
    desk: AccessDesk, issuer: Issuer, discovery: dict[str, Any]
) -> None:
    issuer.discovery = discovery
    started = time.monotonic()
    with pytest.raises(Unreachable):
        sign_in(desk, issuer.sign())
    assert time.monotonic() - started < 3


def test_neither_a_redirect_nor_a_file_gives_keys(
    desk: AccessDesk, issuer: Issuer, tmp_path: Path
) -> None:
    """Though what they lead to would be a valid answer."""
    with serve_issuer() as elsewhere:
        elsewhere.keys = issuer.keys
        elsewhere.discovery = {"issuer": issuer.url}
        place = f"{elsewhere.url}/.well-known/openid-configuration"
        for status in (301, 302, 307, 308):
            issuer.answer = (status, place.encode())
            with pytest.raises(Unreachable):
                IssuerKeys(issuer.url).keys(None)
        assert elsewhere.requests == []
    issuer.answer = None
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps(issuer.document("/jwks")))
    issuer.discovery = {"jwks_uri": path.as_uri()}
    with pytest.raises(Unreachable, match="not at an https URL"):
        sign_in(desk, issuer.sign())
    issuer.discovery = {}
    assert len(list(IssuerKeys(issuer.url).keys(None))) == 1
