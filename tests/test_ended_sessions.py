"""A browser session that is ended while an answer is being prepared or sent shows nothing more.

Put here: sessions that end during a request. Keep out: tokens and grants that are taken meanwhile
(test_slow_exports.py, test_api_access.py), sessions between requests (test_browser_sessions.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from finops_pipeline.serve.access.access_administration import AccessAdministration
from finops_pipeline.serve.access.actors import Actor
from finops_pipeline.serve.access.audit_entries import AuditSelection
from finops_pipeline.serve.access.audit_log import read_audit
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.serve.access.grants import NewGrant
from finops_pipeline.serve.access.principals import Identity
from finops_pipeline.serve.access.session_administration import SessionAdministration
from finops_pipeline.serve.access.verified_access import Role
from finops_pipeline.serve.api import data_request, export_endpoints
from tests.conftest import TemporaryInstallation
from tests.support.oidc_issuer import AUDIENCE, serve_issuer
from tests.support.published_files import copy_installation
from tests.support.served_tenants import serve_tenants
from tests.support.sign_in_desk import LOCAL, SignInDesk, cookies_of

STOPPED = "monthly_costs as csv, stopped, because the access was revoked or changed"


@pytest.fixture
def desk(built: TemporaryInstallation, tmp_path: Path) -> Iterator[SignInDesk]:
    """Both tenants with their charges; alice, who is s-1 at the issuer, sees acme."""
    data = tmp_path / "data"
    copy_installation(built.data, data)
    with serve_issuer() as issuer:
        issuer.add_key("first")
        settings = {"oidc_issuer": issuer.url, "oidc_audience": AUDIENCE, "oidc_client": AUDIENCE}
        with serve_tenants(data, **settings, public_url=LOCAL) as served:
            managed = AccessAdministration(AccessControl(served.installation), Actor.command_line())
            managed.add_principal("alice", Identity(issuer.url, "s-1"))
            managed.give("acme", "alice", NewGrant(Role.ANALYST))
            yield SignInDesk(served, issuer)


def end_sessions(desk: SignInDesk) -> None:
    """Do what `finops session end alice` does."""
    control = AccessControl(desk.served.installation)
    SessionAdministration(control, Actor.command_line()).end("alice")
    control.close()


def endings(desk: SignInDesk) -> list[tuple[int | None, str]]:
    """Rows and details of acme's entries about exports that have ended."""
    identity = desk.served.installation.registry.identity("acme")
    assert identity is not None
    control = AccessControl(desk.served.installation)
    entries = list(read_audit(control.store, identity.external_id, AuditSelection()))
    control.close()
    exports = [e for e in entries if e.action == "export" and not e.detail.endswith("begun")]
    return [(e.rows, e.detail) for e in exports]


def test_an_answer_is_not_sent_after_its_session_was_ended(
    desk: SignInDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookies = cookies_of(desk.sign_in())
    other = {"Authorization": f"Bearer {desk.served.tokens['globex']}"}
    path = "/v1/tenants/acme/costs?last=3+months"
    before = desk.get(path, cookies)
    assert before.status_code == 200 and before.json()["rows"]

    def write_late(body: Any) -> bytes:
        end_sessions(desk)
        return exact_json(body)

    exact_json: Callable[[Any], bytes] = data_request.exact_json
    monkeypatch.setattr(data_request, "exact_json", write_late)
    for asked in (f"{path}&group_by=service", "/v1/tenants/acme/projects"):
        refused = desk.get(asked, cookies)
        assert refused.status_code in (401, 404), refused.text
        assert "rows" not in refused.json()
    assert desk.get("/v1/tenants/globex/projects", None, **other).json()["rows"]


def test_an_export_ends_with_its_session(desk: SignInDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    cookies = cookies_of(desk.sign_in())
    path = "/v1/tenants/acme/exports/monthly_costs?format=csv"
    assert desk.get(path, cookies).text.count("\n") > 5
    ((rows, complete),) = endings(desk)
    assert rows and complete == "monthly_costs as csv, complete"

    def portions_and_end(*arguments: Any) -> Iterator[bytes]:
        for number, portion in enumerate(portions(*arguments)):
            if number == 1:  # after the names of the columns
                end_sessions(desk)
            yield portion

    portions = export_endpoints._portions
    monkeypatch.setattr(export_endpoints, "_portions", portions_and_end)
    with pytest.raises(AssertionError):  # of the client: the answer never becomes complete
        desk.get(path, cookies)
    assert endings(desk)[1:] == [(0, STOPPED)]
