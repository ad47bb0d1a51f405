"""What a limited grant shows through the API, and what an administrator can change there.

Put here: grants limited to projects, the audit log, grants and tokens over HTTP, damaged data. Keep
out: who may ask at all (test_api_access.py).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from finops_pipeline.application.tenant_export import INTERNAL_TABLES
from finops_pipeline.serve.access.access_administration import AccessAdministration
from finops_pipeline.serve.access.actors import Actor
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.serve.access.grants import Extent, Limits, NewGrant
from finops_pipeline.serve.access.token_administration import TokenAdministration, TokenRequest
from finops_pipeline.serve.access.verified_access import Role
from finops_pipeline.serve.api.endpoint_table import endpoints
from finops_pipeline.serve.api.verified_route import AdminRoute
from finops_pipeline.serve.open_warehouses import OpenWarehouse
from finops_pipeline.serve.warehouse_pool import WarehousePool
from tests.conftest import TemporaryInstallation
from tests.support.published_files import copy_installation
from tests.support.served_tenants import TENANTS, ServedTenants, serve_tenants

READING = [e for e in endpoints() if "{tenant}" in e.path and e.method == "GET" and e.model]


@pytest.fixture(scope="module")
def served(
    built: TemporaryInstallation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServedTenants]:
    """Both tenants, and a token for one project of each that both have: `acme-limited`, …"""
    data = tmp_path_factory.mktemp("granted") / "data"
    copy_installation(built.data, data)
    with serve_tenants(data, serve_requests_per_minute=100_000) as served:
        control = AccessControl(served.installation)
        for tenant in TENANTS:
            grant = NewGrant(Role.ANALYST, Limits(Extent.PROJECTS, (shared_project(served),)))
            asked = TokenRequest(f"{tenant}/limited", grant=grant)
            created = TokenAdministration(control, Actor.command_line()).create(asked)
            served.tokens[f"{tenant}-limited"] = created.text
        yield served


def projects_of(served: ServedTenants, tenant: str) -> set[str]:
    """All projects of a tenant."""
    declared = served.installation.registry.tenant(tenant)
    return {project.name for project in declared.all_projects}


def shared_project(served: ServedTenants) -> str:
    """A project that both tenants have."""
    return min(projects_of(served, "acme") & projects_of(served, "globex") - {"unassigned"})


@pytest.mark.parametrize("tenant", TENANTS)
def test_a_limited_grant_shows_its_projects_only(served: ServedTenants, tenant: str) -> None:
    project = shared_project(served)
    assert projects_of(served, tenant) - {project}
    token = f"{tenant}-limited"
    listed = served.get("/tenants", token).json()["tenants"]
    assert [(entry["tenant"], entry["projects"]) for entry in listed] == [(tenant, [project])]
    for endpoint in READING:
        path = endpoint.example.replace("acme", tenant).replace("page_size=2", "page_size=999")
        path = path.replace("environment=prod&", "")
        response = served.get(path, token)
        is_hidden = endpoint.route is AdminRoute or endpoint.path.endswith("/reconciliation")
        assert response.status_code == (403 if is_hidden else 200), response.text
        rows = response.json().get("rows", [])
        assert {row["project"] for row in rows if "project" in row} <= {project}, endpoint.path
    rows = served.get(f"/tenants/{tenant}/projects", token).json()["rows"]
    assert [row["project"] for row in rows] == [project]
    sql = {"sql": "select distinct project from costs order by 1"}
    assert served.post(f"/tenants/{tenant}/sql", token, json=sql).json()["rows"] == [[project]]
    hidden = served.get(f"/tenants/{tenant}/exports/monthly_bill", token)
    assert hidden.json()["type"] == "urn:finops:problem:not-in-grant"
    tables = served.get(f"/tenants/{tenant}/exports", token).json()["tables"]
    for table in tables:
        exported = served.get(f"/tenants/{tenant}/exports/{table['table']}", token)
        assert exported.status_code == 200, table
        records = list(csv.DictReader(io.StringIO(exported.text)))
        assert {record.get("project", project) for record in records} <= {project}, table
    export = served.get(f"/tenants/{tenant}/exports/costs", token)
    assert export.status_code == 200
    assert {row["project"] for row in csv.DictReader(io.StringIO(export.text))} == {project}


def test_grants_and_tokens_hold_at_the_next_request(served: ServedTenants) -> None:
    new = {"principal": "acme/dashboards", "days": 1, "role": "viewer"}
    created = served.post("/tenants/acme/tokens", "acme-admin", json=new)
    assert created.status_code == 201
    token, prefix = created.json()["token"], created.json()["prefix"]
    assert served.get("/tenants/acme/projects", token).status_code == 200
    assert served.get("/tenants/globex/projects", token).status_code == 404
    assert served.post("/tenants/acme/sql", token, json={"sql": "select 1"}).status_code == 403
    grant = {"principal": "acme/dashboards", "role": "analyst"}
    assert served.post("/tenants/acme/grants", "acme-admin", json=grant).status_code == 204
    assert served.post("/tenants/acme/sql", token, json={"sql": "select 1"}).status_code == 200
    path = "/tenants/acme/grants?principal=acme/dashboards"
    assert served.send("DELETE", path, "acme-admin").status_code == 204
    assert served.get("/tenants/acme/projects", token).status_code == 404
    listed = served.get("/tenants/acme/tokens", "acme-admin")
    assert prefix in {row["prefix"] for row in listed.json()["rows"]}
    assert token not in listed.text
    revoked = served.send("DELETE", f"/tenants/acme/tokens/{prefix}", "acme-admin")
    assert revoked.status_code == 204
    assert served.get("/me", token).status_code == 401


def test_an_administrator_changes_nothing_of_another_tenant(served: ServedTenants) -> None:
    prefix = served.tokens["globex"][:12]
    for method, path, body in (
        ("POST", "/tenants/acme/tokens", {"principal": "globex/analyst", "role": "admin"}),
        ("POST", "/tenants/acme/grants", {"principal": "globex/analyst", "role": "viewer"}),
        ("DELETE", "/tenants/acme/grants?principal=globex/analyst", None),
        ("DELETE", f"/tenants/acme/tokens/{prefix}", None),
        ("DELETE", "/tenants/acme/tokens/fow_AAAAAAAA", None),
    ):
        response = served.send(method, path, "acme-admin", json=body)
        assert response.status_code in (404, 422), (method, path, response.text)
        assert "analyst exists" not in response.text
    unknown = served.post(
        "/tenants/acme/grants", "acme-admin", json={"principal": "initech/x", "role": "viewer"}
    )
    foreign = served.post(
        "/tenants/acme/grants", "acme-admin", json={"principal": "globex/x", "role": "viewer"}
    )
    assert unknown.status_code == foreign.status_code
    assert unknown.json()["found"] == foreign.json()["found"].replace("globex", "initech")
    assert served.get("/tenants/globex/projects", "globex").status_code == 200


def test_the_audit_log_shows_every_access_of_its_tenant(served: ServedTenants) -> None:
    answered = served.get("/tenants/acme/projects", headers={"X-Request-ID": "audited-1"})
    refused = served.post(
        "/tenants/acme/sql", "acme-viewer", json={"sql": "x"}, headers={"X-Request-ID": "audited-2"}
    )
    failed = served.post(
        "/tenants/acme/sql", json={"sql": "drop table costs"}, headers={"X-Request-ID": "audited-4"}
    )
    assert failed.status_code == 422
    foreign = served.get("/tenants/acme/projects", "globex", headers={"X-Request-ID": "audited-3"})
    assert (answered.status_code, refused.status_code, foreign.status_code) == (200, 403, 404)
    rows, after = [], 0
    while after is not None and len(rows) < 5_000:
        path = f"/tenants/acme/audit?page_size=50&after={after}"
        page = served.get(path, "acme-admin").json()
        rows += page["rows"]
        after = page["next_after"]
    of_requests = {row["request_id"]: row for row in rows}
    assert of_requests["audited-1"]["rows"] == len(answered.json()["rows"])
    assert of_requests["audited-2"]["outcome"] == "refused"
    assert of_requests["audited-4"]["outcome"] == "failed"
    assert of_requests["audited-4"]["detail"] == "query-refused"
    assert "audited-3" not in of_requests, "nobody learns who else exists"
    assert {row["tenant"] for row in rows} == {"acme"}
    numbers = [row["number"] for row in rows]
    assert numbers == list(range(1, len(rows) + 1))


def test_damaged_and_missing_data_are_named_without_paths(
    built: TemporaryInstallation, tmp_path: Path
) -> None:
    copy_installation(built.data, tmp_path / "data")
    with serve_tenants(tmp_path / "data") as served:
        folder = served.installation.folder("acme")
        folder.warehouse.write_bytes(b"not a database")
        path = "/tenants/acme/projects"
        for _ in range(2):
            damaged = served.get(path)
            assert damaged.status_code == 503
            assert damaged.json()["type"] == "urn:finops:problem:data-unavailable"
            assert str(tmp_path) not in damaged.text
            assert "lake" not in damaged.text
        folder.warehouse.unlink()
        assert served.get(path).status_code == 503
        assert served.get("/tenants/globex/projects", "globex").status_code == 200


@pytest.mark.parametrize("change", ["taken", "limited"])
def test_an_access_that_changes_while_its_answer_is_read_gets_no_answer(
    served: ServedTenants, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """A request may wait for seconds between its check and its answer."""
    control = AccessControl(served.installation)
    asked = TokenRequest("acme/brief", grant=NewGrant(Role.VIEWER))
    token = TokenAdministration(control, Actor.command_line()).create(asked).text
    administration = AccessAdministration(control, Actor.command_line())
    open_before = WarehousePool.open

    @contextmanager
    def open_and_change(pool: WarehousePool, *asked: Any) -> Iterator[OpenWarehouse]:
        with open_before(pool, *asked) as warehouse:
            yield warehouse
        if change == "taken":
            administration.take("acme", "acme/brief")
        else:
            limits = Limits(Extent.PROJECTS, (shared_project(served),))
            administration.give("acme", "acme/brief", NewGrant(Role.VIEWER, limits))

    assert served.get("/tenants/acme/costs", token).json()["rows"]
    monkeypatch.setattr(WarehousePool, "open", open_and_change)
    response = served.get("/tenants/acme/costs?group_by=account", token)
    unknown = served.get("/tenants/nosuch/costs?group_by=account", token)
    assert response.status_code == 404
    assert {**response.json(), "request_id": ""} == {**unknown.json(), "request_id": ""}


@pytest.mark.parametrize("table", sorted(INTERNAL_TABLES))
@pytest.mark.parametrize("token", ["acme", "acme-limited"])
def test_sql_shows_no_paths_of_the_installation(
    served: ServedTenants, token: str, table: str
) -> None:
    for sql in (f"select * from {table}", f'with t as (from main."{table.upper()}") from t'):
        response = served.post("/tenants/acme/sql", token, json={"sql": sql})
        assert response.status_code == 422
        assert str(served.installation.settings.data) not in response.text
