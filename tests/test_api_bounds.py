"""Bounds of what takes a server's time: calculations, requested ingests, signing in.

Put here: that each ends or is refused, and for one tenant or address only. Keep out: bounds of
requests, queries and exports (test_api_limits.py, test_slow_exports.py).
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from finops_pipeline import clock
from finops_pipeline.application.ingest_requests import IngestRequests
from finops_pipeline.serve.api.endpoint_table import endpoints
from tests.conftest import TemporaryInstallation
from tests.support.example_declarations import administer
from tests.support.oidc_issuer import AUDIENCE, open_desk_of_people, serve_issuer
from tests.support.published_files import copy_installation
from tests.support.served_tenants import TENANTS, ServedTenants, serve_tenants
from tests.support.sign_in_desk import LOCAL, SignInDesk

CALCULATIONS = ("rule-test", "project-preview")
MOST = 3


@pytest.fixture
def data(built: TemporaryInstallation, tmp_path: Path) -> Path:
    """Both tenants with their charges."""
    copy_installation(built.data, tmp_path / "data")
    return tmp_path / "data"


def test_a_calculation_ends_in_the_time_of_a_query(data: Path) -> None:
    asked = [endpoint for endpoint in endpoints() if endpoint.action in CALCULATIONS]
    assert len(asked) == len(CALCULATIONS)
    with serve_tenants(data, query_seconds=0.001) as served:
        for endpoint in asked:
            for tenant in TENANTS * 2:
                stopped = served.send_example(endpoint, tenant)
                assert stopped.status_code == 422, stopped.text
                body = stopped.json()
                assert body["type"] == "urn:finops:problem:query-stopped"
                assert body["found"].startswith("the calculation was stopped after 0.001 s")
                entries = served.get(f"/tenants/{tenant}/audit?page_size=100", f"{tenant}-admin")
                own = [e for e in entries.json()["rows"] if e["action"] == endpoint.action]
                assert own[-1]["outcome"] == "failed" and own[-1]["detail"] == "query-stopped"
    with serve_tenants(data) as served:
        for endpoint in asked:
            assert served.send_example(endpoint, "globex").status_code == 200


def test_ingests_cannot_be_requested_without_end(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve_tenants(data, serve_ingests_per_hour=MOST) as served:
        requests = IngestRequests(administer(served.installation, "acme"))

        def ask(tenant: str = "acme") -> httpx.Response:
            return served.post(f"/tenants/{tenant}/ingests", f"{tenant}-admin")

        for _ in range(MOST):
            assert ask().status_code == 202
            begun = requests._begin()
            assert begun is not None
            requests._end(begun, [], {})
        refused = ask()
        assert refused.status_code == 429
        assert refused.json()["found"] == "3 ingests of acme were requested within an hour"
        assert 3_000 < int(refused.headers["retry-after"]) <= 3_600
        assert len(requests.read_all()) == MOST
        assert ask("globex").status_code == 202
        later = clock.now() + timedelta(seconds=int(refused.headers["retry-after"]))
        monkeypatch.setattr(clock, "now", lambda: later)
        assert ask().status_code == 202
        assert ask().status_code == 202, "the same request, which waits"


def from_address(served: ServedTenants, host: str) -> None:
    """Let the next requests come from this address."""
    transport: Any = served.client._transport
    transport.client = (host, 50_000)


def test_signing_in_is_bounded_for_an_address_and_for_all(tmp_path: Path) -> None:
    with serve_issuer() as issuer:
        issuer.add_key("first")
        data = tmp_path / "data"
        open_desk_of_people(data, issuer).control.close()
        provider = {"oidc_issuer": issuer.url, "oidc_audience": AUDIENCE, "oidc_client": AUDIENCE}
        with serve_tenants(
            data, **provider, public_url=LOCAL, serve_sign_ins_per_minute=MOST
        ) as served:
            desk = SignInDesk(served, issuer)
            assert desk.sign_in().status_code == 303
            sent, cookies = desk.begin()
            asked = len(issuer.requests)
            for path, headers in (
                ("/login", {}),
                (f"/login/callback?code=c-1&state={sent['state']}", {}),
                ("/login", {"Accept": "text/html"}),
            ):
                refused = desk.get(path, cookies, **headers)
                assert refused.status_code == 429, path
                assert 1 <= int(refused.headers["retry-after"]) <= 60
                assert "browsers at your address have sent more" in refused.text
                assert "set-cookie" not in refused.headers, "the sign-in that was begun goes on"
            assert len(issuer.requests) == asked
            assert served.get("/tenants").status_code == 200, "requests with a token do not count"
            from_address(served, "192.0.2.7")
            assert desk.come_back(sent, cookies).status_code == 303
            for number in range(MOST):
                from_address(served, f"2001:db8:0:1::{number}")
                assert desk.get("/login").status_code == 303
            from_address(served, "2001:db8:0:1::ffff")
            assert desk.get("/login").status_code == 429, "the same network"
            answers = []
            for number in range(10 * MOST):
                from_address(served, f"198.51.100.{number}")
                answers.append(desk.get("/login"))
            assert answers[0].status_code == 303
            assert answers[-1].status_code == 429
            assert "all browsers together have sent more" in answers[-1].text
