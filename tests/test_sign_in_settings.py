"""What signing in with a browser needs: settings, the key that signs cookies, https.

Put here: what whoever runs a server decides. Keep out: what providers do (test_sign_in.py).
"""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from finops_pipeline import clock
from finops_pipeline.application.installation import Installation
from finops_pipeline.errors import GrantRefused, SessionEnded, SettingError, StorageFailure
from finops_pipeline.serve.access.actors import Actor
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.serve.access.browser_sign_in import BrowserSignIn
from finops_pipeline.serve.access.session_administration import SessionAdministration
from finops_pipeline.settings import Settings, load_settings
from tests.support.browser import PAGE, parameters_of
from tests.support.oidc_issuer import AUDIENCE, Issuer, open_desk_of_people, serve_issuer
from tests.support.served_tenants import serve_tenants
from tests.support.sign_in_desk import LOCAL, SignInDesk, cookies_of

HTTPS = "https://finops.acme.example"


@pytest.fixture(scope="module")
def running() -> Iterator[Issuer]:
    with serve_issuer() as issuer:
        issuer.add_key("first")
        yield issuer


@pytest.fixture
def installation(tmp_path: Path, running: Issuer) -> Installation:
    """With alice of acme; the settings are to be replaced."""
    running.reset()
    open_desk_of_people(tmp_path / "data", running).control.close()
    settings = Settings(
        data=tmp_path / "data", oidc_issuer=running.url, oidc_audience=AUDIENCE,
        oidc_client=AUDIENCE, public_url=LOCAL,
    )  # fmt: skip
    return Installation(settings)


def browsers_of(installation: Installation, **changed: Any) -> BrowserSignIn | None:
    settings = installation.settings.model_copy(update=changed)
    return BrowserSignIn.of(AccessControl(Installation(settings)))


def test_settings_that_do_not_fit_together_are_refused(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert browsers_of(installation, oidc_client="") is None
    for changed in ({"oidc_client": "a b"}, {"oidc_client_secret": "s-1 s-2"}, {"oidc_issuer": ""}):
        with pytest.raises(SettingError, match="one client id for each issuer") as refused:
            browsers_of(installation, **changed)
        assert "s-1" not in str(refused.value)
    with pytest.raises(SettingError, match="FINOPS_PUBLIC_URL is not"):
        browsers_of(installation, public_url="")
    for url in ("http://finops.acme.example", f"{HTTPS}/", f"{HTTPS}/finops", "finops.acme.example",
                "https://a@b", "http://127.0.0.1.evil.example"):  # fmt: skip
        monkeypatch.setenv("FINOPS_PUBLIC_URL", url)
        with pytest.raises(SettingError, match="FINOPS_PUBLIC_URL is"):
            load_settings()
    monkeypatch.delenv("FINOPS_PUBLIC_URL")
    assert "s-1" not in repr(Settings(oidc_client_secret="s-1"))


def test_the_key_is_private_and_lasts(installation: Installation) -> None:
    browsers = browsers_of(installation)
    assert browsers
    path = installation.settings.data_folder / "access.sqlite.key"
    content = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and len(content) == 64
    grouped = browsers_of(installation, group_readable="true")
    assert grouped and path.read_text() == content
    assert [p.name for p in path.parent.glob(".access.sqlite.key*")] == []
    path.chmod(0o640)
    with pytest.raises(StorageFailure, match="can be read by others than its owner"):
        browsers_of(installation)
    path.chmod(0o600)
    for damaged in ("", content[:-2], f"{content}00", "x" * 64):
        path.write_text(damaged)
        with pytest.raises(StorageFailure, match="which signs the cookies"):
            browsers_of(installation)
    path.unlink()
    path.symlink_to(installation.settings.data_folder / "registry.sqlite")
    with pytest.raises(StorageFailure, match="which signs the cookies"):
        browsers_of(installation)
    path.unlink()
    assert browsers_of(installation) and path.read_text() != content


def test_a_file_of_an_older_version_has_no_sessions_and_is_upgraded(
    installation: Installation, running: Issuer
) -> None:
    path = installation.settings.data_folder / "access.sqlite"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("drop table sessions")
        db.execute("update alembic_version set version_num = '0001'")
    control, browsers = AccessControl(installation), browsers_of(installation)
    assert browsers
    administration = SessionAdministration(control, Actor.command_line())
    assert administration.sessions("alice") == []
    other = browsers._key.sign("session", "fos_" + "A" * 43)
    with pytest.raises(SessionEnded, match="is not known"):
        browsers.sessions.authenticate(other)
    alice = control.authenticate_token(running.sign())
    cookie = browsers.sessions.begin(alice, "a sign-in", "", "r-1")
    assert browsers.sessions.authenticate(cookie).principal.name == "alice"
    (session,) = administration.sessions()
    assert (session.prefix, session.state(administration.idle)) == (cookie[:12], "active")


def test_a_session_is_ended_whatever_the_settings_of_the_command_are(
    installation: Installation, running: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server may let sessions last longer than the shell in which the command runs."""
    patient = browsers_of(installation, session_idle_minutes=300)
    assert patient
    alice = AccessControl(installation).authenticate_token(running.sign())
    cookie, now = patient.sessions.begin(alice, "a sign-in", "", "r-1"), clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(hours=2))
    administration = SessionAdministration(AccessControl(installation), Actor.command_line())
    (session,) = administration.sessions("alice")
    assert session.state(administration.idle) == "idle"
    assert [ended.prefix for ended in administration.end("alice")] == [cookie[:12]]
    with pytest.raises(SessionEnded, match="was ended"):
        patient.sessions.authenticate(cookie)
    assert administration.end("alice") == []
    for name in ("bob", "fos_AAAAAAAA", "acme/ci"):
        with pytest.raises(GrantRefused, match="there is no"):
            administration.end(name)


def test_over_https_cookies_are_for_this_host_only(
    installation: Installation, running: Issuer
) -> None:
    settings = installation.settings
    served_with = {
        name: getattr(settings, name) for name in ("oidc_issuer", "oidc_audience", "oidc_client")
    }
    two = {**served_with, "oidc_issuer": f"{running.url} https://login.example"}
    two["oidc_client"] = f"{AUDIENCE} other"
    with serve_tenants(settings.data_folder, **two, public_url=HTTPS) as served:
        desk = SignInDesk(served, running)
        choice = desk.get("/login?next=/v1/tenants%3Fa%3D%2522", **PAGE)
        assert choice.status_code == 200 and cookies_of(choice) == {}
        assert '<a href="/login?issuer=https%3A%2F%2Flogin.example&amp;next=%2Fv1' in choice.text
        other = desk.get("/login?issuer=https://evil.example")
        assert other.status_code == 403 and cookies_of(other) == {}
        begun = desk.get(f"/login?issuer={running.url}")
        sent = parameters_of(begun.headers["location"])
        assert sent["redirect_uri"] == f"{HTTPS}/login/callback"
        running.nonce = sent["nonce"]
        done = desk.come_back(sent, cookies_of(begun))
        for answer, name in ((begun, "__Host-finops_sign_in"), (done, "__Host-finops_session")):
            (header,) = [h for h in answer.headers.get_list("set-cookie") if f"{name}=" in h
                         and "Max-Age=0" not in h]  # fmt: skip
            assert {"HttpOnly", "SameSite=lax", "Path=/", "Secure"} <= set(header.split("; "))
            assert "Domain" not in header
        session = cookies_of(done)["__Host-finops_session"]
        assert desk.get("/v1/me", {"__Host-finops_session": session}).status_code == 200
        assert desk.get("/v1/me", {"finops_session": session}).status_code == 401
        elsewhere, here = (
            served.send("POST", "//logout", headers={
                "Cookie": f"__Host-finops_session={session}", "Origin": origin,
                "X-CSRF-Token": desk.get("/v1/me", {"__Host-finops_session": session})
                .json()["csrf_token"]})
            for origin in (LOCAL, HTTPS)
        )  # fmt: skip
        assert (elsewhere.status_code, here.status_code) == (403, 204)


def test_without_sign_in_no_cookie_counts(installation: Installation, running: Issuer) -> None:
    key = browsers_of(installation)
    assert key
    control = AccessControl(installation)
    alice = control.authenticate_token(running.sign())
    cookie = key.sessions.begin(alice, "a sign-in", "", "r-1")
    assert key.sessions.authenticate(cookie).principal == replace(alice, token=cookie[:12])
    with serve_tenants(installation.settings.data_folder) as served:
        desk = SignInDesk(served, running)
        for path in ("/login", "/login/callback?code=x&state=y"):
            assert desk.get(path).status_code == 404
        refused = desk.get("/v1/me", {"finops_session": cookie})
        assert refused.status_code == 401
    other = browsers_of(installation, oidc_issuer="https://login.example")
    assert other
    with pytest.raises(SessionEnded, match="identity provider that is not used"):
        other.sessions.authenticate(cookie)
