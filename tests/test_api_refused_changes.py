"""Changes over the API that are refused: by the rules of declarations, and by the caller's role.

Put here: hostile and wrong bodies, roles that permit less. Keep out: changes that are made
(test_api_declarations.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from finops_pipeline.serve.api.endpoint_table import endpoints
from finops_pipeline.serve.api.http_cures import http_cure
from finops_pipeline.serve.api.verified_route import AdminRoute
from tests.conftest import TemporaryInstallation
from tests.support.administration import declared, refused
from tests.support.published_files import copy_installation
from tests.support.served_tenants import TENANTS, ServedTenants, serve_tenants

WRITING = [e for e in endpoints() if e.route is AdminRoute and e.method != "GET"]
ACCOUNT = "999988887777"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/projects", {"name": "prod"}),
        ("POST", "/projects", {"name": "unassigned"}),
        ("POST", "/projects", {"name": "../other"}),
        ("POST", "/projects", {"name": "x" * 500}),
        ("POST", "/projects", {"name": "new", "tenant": "globex"}),
        ("POST", "/projects", {"name": "new", "external_id": "x"}),
        ("POST", "/projects", {"name": "new", "sources": ["legacy"]}),
        ("POST", "/projects", {"name": "new", "statements": {"markup_percent": "-5"}}),
        ("POST", "/projects", {"name": "new", "accounts": ["12"]}),
        ("POST", "/projects", {"name": "new", "accounts": [{"id": ACCOUNT, "until": "x"}]}),
        ("POST", "/projects", {"name": "new", "claims": [{}]}),
        ("POST", "/projects", {"name": "new", "claims": [{"regions": ["x"]}] * 201}),
        ("POST", "/projects", {"name": "new", "claims": [{"regions": ["x"] * 201}]}),
        ("POST", "/projects", {"name": "new", "state": "removed"}),
        ("POST", "/projects", [{"name": "new"}]),
        ("PATCH", "/projects/nosuch", {"environment": "prod"}),
        ("PATCH", "/projects/prod", {"name": "shop"}),
        ("PATCH", "/projects/unassigned", {"state": "disabled"}),
        ("POST", "/projects/prod/name", {"name": "staging"}),
        ("POST", "/projects/prod/name", {"name": "Prod Shop"}),
        ("DELETE", "/projects/unassigned?confirmation=unassigned", None),
        ("DELETE", "/projects/nosuch", None),
        ("POST", "/project-preview", {"projects": [{"name": "new", "sources": ["legacy"]}]}),
        ("PUT", "/rules", {"rules": [{"name": "r", "dimension": "nosuch", "value": "x"}]}),
        ("PUT", "/rules", {"names": ["team"], "owner": "globex"}),
        ("PUT", "/rules", {"names": ["team"] * 51}),
        ("PUT", "/rules", {"names": ["team"], "version": 7}),
        ("PUT", "/rules", {"names": ["team"], "rules": [
            {"name": "r", "dimension": "team", "value": "x", "when": {"projects": ["shared"]}}]}),
        ("PUT", "/rules", {"names": ["team"], "rules": [
            {"name": f"r-{n}", "dimension": "team", "value": "x",
             "when": {"tags": {"T": [f"{n}-{m}" for m in range(200)]}}} for n in range(16)]}),
        ("POST", "/rule-test", {"names": ["Team name"]}),
        ("DELETE", "/rules/nosuch", None),
        ("PUT", "/invoices", {"source": "payer", "month": "2026-10", "amount": 12.5}),
        ("PUT", "/invoices", {"source": "payer", "month": "2026-10", "amount": "1e3"}),
        ("PUT", "/invoices", {"source": "payer", "month": "2026-13", "amount": "1"}),
        ("PUT", "/invoices", {"source": "payer", "month": "2031-01", "amount": "1"}),
        ("PUT", "/invoices", {"source": "legacy", "month": "2026-10", "amount": "1"}),
        ("PUT", "/invoices",
         {"source": "payer", "month": "2026-10", "amount": "1", "currency": "XTS"}),
        ("DELETE", "/invoices?source=payer&month=2026-10", None),
        ("POST", "/tokens", {"principal": "acme/t", "role": "viewer", "projects": ["shared"]}),
        ("POST", "/tokens", {"principal": "acme/t", "role": "viewer", "projects": []}),
        ("POST", "/tokens", {"principal": "acme/t", "role": "admin", "projects": ["prod"]}),
        ("POST", "/tokens", {"principal": "acme/t", "projects": ["prod"]}),
        ("POST", "/tokens",
         {"principal": "acme/t", "role": "viewer", "projects": ["prod"], "environments": ["dev"]}),
    ],
    ids=str,
)  # fmt: skip
def test_what_breaks_a_rule_is_refused_and_changes_nothing(
    unchanged: ServedTenants, method: str, path: str, body: Any
) -> None:
    before = [declared(unchanged, tenant) for tenant in TENANTS]
    problem = refused(unchanged, method, path, body)
    assert problem["found"]
    assert [declared(unchanged, tenant) for tenant in TENANTS] == before
    assert unchanged.get("/tenants/acme/invoices", "acme-admin").json()["rows"] == []


@pytest.fixture(scope="module")
def unchanged(
    built: TemporaryInstallation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServedTenants]:
    """Both tenants, served, for requests that change nothing."""
    data = tmp_path_factory.mktemp("unchanged") / "data"
    copy_installation(built.data, data)
    with serve_tenants(data, serve_requests_per_minute=100_000) as served:
        yield served


@pytest.mark.parametrize("endpoint", WRITING, ids=lambda e: f"{e.method} {e.path}")
@pytest.mark.parametrize("role", ["acme", "acme-viewer"])
def test_only_administrators_change_anything(
    unchanged: ServedTenants, endpoint: Any, role: str
) -> None:
    before = [declared(unchanged, tenant) for tenant in TENANTS]
    options = {"json": json.loads(endpoint.body)} if endpoint.body else {}
    response = unchanged.send(endpoint.method, endpoint.example, role, **options)
    assert response.status_code == 403
    foreign = endpoint.example.replace("acme", "globex")
    assert unchanged.send(endpoint.method, foreign, "acme-admin", **options).status_code == 404
    assert [declared(unchanged, tenant) for tenant in TENANTS] == before


def test_cures_name_requests_in_place_of_commands() -> None:
    assert http_cure("Correct its name or leave it out") == "Correct its name or leave it out"
    assert http_cure("Rebuild these charges first: finops ingest acme") == (
        "Rebuild these charges first: POST /v1/tenants/acme/ingests"
    )
    assert http_cure("Release it: finops project release acme/web 111122223333") == (
        "Release it: PATCH /v1/tenants/acme/projects/web with the claims that it keeps"
    )
    assert http_cure("Restore it: finops restore-registry") == (
        "Ask whoever runs this server: Restore it: finops restore-registry"
    )
