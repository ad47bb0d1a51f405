"""The API's doorway: every route verifies who asks before it looks at anything else.

Put here: tokens, foreign and unknown tenants, roles, cursors and entity tags of others, the audit
log, rate limits. Keep out: what answers contain (test_api_answers.py), the server process
(test_api_server.py).
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from finops_pipeline.errors import AuditUnavailable
from finops_pipeline.serve.access.actors import Actor
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.serve.access.token_administration import TokenAdministration
from finops_pipeline.serve.access.verified_access import Role
from finops_pipeline.serve.api.endpoint_table import endpoints
from finops_pipeline.serve.api.rate_limiter import RateLimiter
from tests.conftest import TemporaryInstallation
from tests.support.published_files import copy_installation
from tests.support.served_tenants import ServedTenants, give_token, serve_tenants

FOREIGN, UNKNOWN = "globex", "initech"
OF_TENANT = [endpoint for endpoint in endpoints() if "{tenant}" in endpoint.path]
READING = [e for e in OF_TENANT if e.status == 200]
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "FOO")
by_address = pytest.mark.parametrize(
    "endpoint", OF_TENANT, ids=[f"{e.method} {e.path}" for e in OF_TENANT]
)


@pytest.fixture(scope="module")
def served(
    built: TemporaryInstallation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServedTenants]:
    """Both tenants, served by one process."""
    data = tmp_path_factory.mktemp("served") / "data"
    copy_installation(built.data, data)
    with serve_tenants(data, serve_requests_per_minute=100_000) as served:
        yield served


def address(path: str, tenant: str) -> str:
    """An address of the table, with names."""
    names = {"project": "prod", "rule": "web-team", "request_id": "0123456789abcdef"}
    return path.format(tenant=tenant, table="monthly_costs", prefix="fow_AAAAAAAA", **names)


def without_id(response: Any) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Everything of an answer that does not differ between two equal requests."""
    body = {**response.json(), "request_id": ""}
    headers = {name: value for name, value in response.headers.items() if name != "x-request-id"}
    return response.status_code, body, headers


@pytest.mark.parametrize("endpoint", endpoints(), ids=lambda e: f"{e.method} {e.path}")
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic YWNtZTphY21l"},
        {"Authorization": "Bearer fow_" + "A" * 43},
        {"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhY21lIn0."},
        {"Authorization": "Bearer \xff\xfe"},
        {"Cookie": "token=x", "X-Forwarded-User": "acme"},
    ],
    ids=str,
)
def test_nothing_is_answered_without_a_valid_token(
    served: ServedTenants, endpoint: Any, headers: dict[str, str]
) -> None:
    encoded = {name: value.encode("latin-1") for name, value in headers.items()}
    path = address(endpoint.path, "acme")
    response = served.send(endpoint.method, path, headers=encoded, content=b"{not json")
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json()["type"] == "urn:finops:problem:not-authenticated"


def test_two_authorization_headers_are_no_authorization(served: ServedTenants) -> None:
    headers = [("Authorization", f"Bearer {served.tokens[name]}") for name in ("acme", "globex")]
    response = served.portal.call(lambda: served.client.get("/v1/me", headers=headers))
    assert response.status_code == 401


@by_address
def test_a_foreign_tenant_is_as_unknown_as_one_that_does_not_exist(
    served: ServedTenants, endpoint: Any
) -> None:
    """Whatever else the request has: the same status, headers and body."""
    for options in (
        {},
        {"params": {"unknown": "x", "page_size": "many", "cursor": "x"}},
        {"content": b"{not json", "headers": {"Content-Type": "application/json"}},
        {"headers": {"If-None-Match": "*", "Content-Length": "99999999"}},
    ):
        responses = [
            served.send(endpoint.method, address(endpoint.path, tenant), "acme", **options)
            for tenant in (FOREIGN, UNKNOWN, FOREIGN.upper(), "acme%20", "acme%00", "..", "Acme")
        ]
        assert {response.status_code for response in responses} == {404}, options
        expected = without_id(responses[0])
        for response in responses:
            if response.json()["type"] != "urn:finops:problem:no-such-address":
                assert without_id(response) == expected
        assert without_id(responses[1]) == expected
        assert FOREIGN not in responses[0].text


@pytest.mark.parametrize("tenant", ["acme", FOREIGN, UNKNOWN])
def test_a_method_that_an_address_does_not_have_is_refused(
    served: ServedTenants, tenant: str
) -> None:
    """With the same problem for every tenant: the methods of an address are no secret."""
    allowed: dict[str, set[str]] = {}
    for endpoint in OF_TENANT:
        allowed.setdefault(endpoint.path, set()).add(endpoint.method)
    for path, method in product(allowed, METHODS):
        if method not in allowed[path]:
            response = served.send(method, address(path, tenant), "acme")
            assert response.status_code == 405, (method, path)
            assert set(response.headers["allow"].split(", ")) == allowed[path]


def test_a_viewer_runs_no_sql(served: ServedTenants) -> None:
    response = served.post("/tenants/acme/sql", "acme-viewer", content=b"{not json")
    assert response.status_code == 403
    assert response.json()["type"] == "urn:finops:problem:permission-missing"
    assert served.get("/tenants/acme/projects", "acme-viewer").status_code == 200


def test_a_revoked_token_is_refused_at_the_next_request(served: ServedTenants) -> None:
    token = give_token(served.installation, "acme/leaving", Role.VIEWER)
    etag = served.get("/tenants/acme/projects", token).headers["etag"]
    control = AccessControl(served.installation)
    TokenAdministration(control, Actor.command_line()).revoke(token)
    response = served.get("/tenants/acme/projects", token, headers={"If-None-Match": etag})
    assert response.status_code == 401


def test_a_cursor_is_of_no_use_to_anybody_else(served: ServedTenants) -> None:
    first = served.get("/tenants/acme/reconciliation?page_size=1").json()
    cursor = first["next_cursor"]
    again = served.get(f"/tenants/acme/reconciliation?page_size=1&cursor={cursor}")
    assert again.status_code == 200
    for path, token in (
        (f"/tenants/globex/reconciliation?page_size=1&cursor={cursor}", "globex"),
        (f"/tenants/acme/reconciliation?page_size=1&cursor={cursor}", "acme-viewer"),
        (f"/tenants/acme/reconciliation?page_size=2&cursor={cursor}", "acme"),
        (f"/tenants/acme/status?page_size=1&cursor={cursor}", "acme"),
        (f"/tenants/acme/reconciliation?page_size=1&cursor={cursor[:-2]}AA", "acme"),
        ("/tenants/acme/reconciliation?page_size=1&cursor=eyJ", "acme"),
        ("/tenants/acme/reconciliation?page_size=1&cursor=", "acme"),
        ("/tenants/acme/reconciliation?page_size=1&cursor=%00%ff", "acme"),
    ):
        response = served.get(path, token)
        assert response.status_code == 422, path
        assert response.json()["type"] == "urn:finops:problem:cursor-refused"


def test_an_entity_tag_is_of_no_use_to_anybody_else(served: ServedTenants) -> None:
    tags = {
        served.get(f"/tenants/{tenant}/projects", token).headers["etag"]
        for tenant, token in (
            ("acme", "acme"),
            ("acme", "acme-viewer"),
            ("acme", "acme-admin"),
            ("globex", "globex"),
        )
    }
    assert len(tags) == 4
    for tag in tags:
        headers = {"If-None-Match": f'W/"x", {tag}'}
        served_again = served.get("/tenants/acme/projects", "acme", headers=headers)
        is_own = tag == served.get("/tenants/acme/projects").headers["etag"]
        assert served_again.status_code == (304 if is_own else 200)


def test_every_access_is_recorded_before_it_leaves(
    served: ServedTenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries: list[Any] = []
    record = served.services.access.record

    def keep(entry: Any) -> None:
        entries.append(entry)
        record(entry)

    monkeypatch.setattr(served.services.access, "record", keep)
    for endpoint in READING:
        response = served.send_example(endpoint)
        assert response.status_code == endpoint.status, response.text
        (entry, *later) = [e for e in entries if e.request_id == response.headers["x-request-id"]]
        assert (entry.tenant, entry.action, entry.principal) == (
            "acme", endpoint.action, "acme/admin",
        )  # fmt: skip
        assert entry.rows is not None or later[-1].rows is not None

    def refuse(entry: Any) -> None:
        raise AuditUnavailable("the disk is full")

    monkeypatch.setattr(served.services.access, "record", refuse)
    for endpoint in READING:
        response = served.send_example(endpoint)
        assert response.status_code == 503
        assert response.json()["type"] == "urn:finops:problem:audit-unavailable"
        assert "disk" not in response.text


def test_a_principal_that_asks_too_often_waits(
    served: ServedTenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    limiter = RateLimiter(3)
    object.__setattr__(served.services, "limiter", limiter)
    try:
        statuses = [served.get("/me").status_code for _ in range(4)]
        refused = served.get("/me")
        assert statuses == [200, 200, 200, 429]
        assert int(refused.headers["retry-after"]) in range(1, 21)
        assert refused.json()["type"] == "urn:finops:problem:too-many-requests"
        assert served.get("/me", "globex").status_code == 200, "each has a bucket of its own"
    finally:
        object.__setattr__(served.services, "limiter", RateLimiter(100_000))


def test_a_cursor_ends_with_the_data(served: ServedTenants) -> None:
    """Every new file of the tenant is another generation, even with the same numbers."""
    page = served.get("/tenants/globex/reconciliation?page_size=1", "globex")
    cursor, etag = page.json()["next_cursor"], page.headers["etag"]
    folder = served.installation.folder("globex")
    copy = folder.warehouse.with_suffix(".copy")
    shutil.copy2(folder.warehouse, copy)
    copy.replace(folder.warehouse)
    path = f"/tenants/globex/reconciliation?page_size=1&cursor={cursor}"
    response = served.get(path, "globex")
    assert response.status_code == 409
    assert response.json()["type"] == "urn:finops:problem:data-changed"
    headers = {"If-None-Match": etag}
    again = served.get("/tenants/globex/reconciliation?page_size=1", "globex", headers=headers)
    assert again.status_code == 200
    assert again.json()["rows"] == page.json()["rows"]


def test_logs_and_metrics_say_nothing_about_data(
    served: ServedTenants, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("finops_pipeline").propagate = True
    with caplog.at_level(logging.INFO, "finops_pipeline"):
        served.post("/tenants/acme/sql", json={"sql": "select 'secret-literal', 1234.5"})
        served.get("/tenants/acme/costs?service=secret-literal")
        served.get("/tenants/globex/costs?service=secret-literal")
    text = caplog.text
    assert "route=/v1/tenants/{tenant}/sql" in text
    assert "secret-literal" not in text
    assert "1234.5" not in text
    assert served.tokens["acme"] not in text
    assert "globex" not in text, "a tenant that the caller has no access to"
    metrics = served.get("//metrics", "").text
    assert 'route="/v1/tenants/{tenant}/sql"' in metrics
    assert "acme" not in metrics
    assert "globex" not in metrics
