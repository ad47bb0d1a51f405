"""Findings of waste and realised savings through the API: two tenants, and a grant of a project.

Put here: what the whole tenant and one project see. Keep out: rules (test_waste_rules.py), the
command line (test_waste_findings.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from finops_pipeline.serve.access.actors import Actor
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.serve.access.grants import Extent, Limits, NewGrant
from finops_pipeline.serve.access.token_administration import TokenAdministration, TokenRequest
from finops_pipeline.serve.access.verified_access import Role
from tests.conftest import TemporaryInstallation
from tests.support.served_tenants import TENANTS, ServedTenants, serve_tenants
from tests.support.waste_bills import ACCOUNT, DEV, OTHER, Use, write_bill

SHOP, LAB, MOVED = "nat-0shop", "nat-0lab", "nat-0moved"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedTenants]:
    """An idle gateway of each of two projects, and one that moved from one to the other."""
    folder = tmp_path_factory.mktemp("waste")
    made = TemporaryInstallation(folder / "data")
    path = folder / "tenants.yaml"
    path.write_text(json.dumps({"tenants": [declaration(tenant) for tenant in TENANTS]}))
    made.apply(path)
    for tenant, price in (("acme", "0.05"), ("globex", "0.07")):
        gateways = ((SHOP, ACCOUNT), (LAB, DEV), (MOVED, OTHER))
        uses = [gateway(f"{name}-{tenant}", account, price) for name, account in gateways]
        write_bill(folder / tenant / "cur", uses)
        assert not made.ingest(tenant).failed
    with serve_tenants(made.data) as running:
        control = AccessControl(running.installation)
        for tenant in TENANTS:
            grant = NewGrant(Role.VIEWER, Limits(Extent.PROJECTS, ("lab",)))
            request = TokenRequest(f"{tenant}/lab", grant=grant)
            created = TokenAdministration(control, Actor.command_line()).create(request)
            running.tokens[f"{tenant}-lab"] = created.text
        yield running


def declaration(tenant: str) -> dict[str, Any]:
    moving = {"id": OTHER, "to": "2026-09-15"}, {"id": OTHER, "from": "2026-09-16"}
    return {
        "name": tenant,
        "sources": [{"name": "payer", "format": "legacy-cur", "location": f"{tenant}/cur"}],
        "projects": [
            {"name": "shop", "accounts": [ACCOUNT, moving[0]]},
            {"name": "lab", "accounts": [DEV, moving[1]]},
        ],
    }


def gateway(name: str, account: str, price: str) -> Use:
    return Use(name, "AmazonEC2", "NatGateway-Hours", "24", price, account=account)


def rows(served: ServedTenants, path: str, token: str) -> list[dict[str, Any]]:
    answer = served.get(path, token)
    assert answer.status_code == 200, answer.text
    listed: list[dict[str, Any]] = answer.json()["rows"]
    return listed


def gateways(served: ServedTenants, tenant: str, token: str) -> dict[str, dict[str, Any]]:
    listed = rows(served, f"/tenants/{tenant}/waste?rule=A01&state=found", token)
    return {row["resource_id"]: row for row in listed}


@pytest.mark.parametrize("tenant", TENANTS)
def test_waste_lists_the_findings_of_the_tenant(served: ServedTenants, tenant: str) -> None:
    found = gateways(served, tenant, tenant)
    assert found.keys() == {f"{name}-{tenant}" for name in (SHOP, LAB, MOVED)}
    saving = {"acme": "36", "globex": "50.4"}[tenant]
    assert Decimal(found[f"{SHOP}-{tenant}"]["counted_saving"]) == Decimal(saving)
    assert found[f"{MOVED}-{tenant}"]["is_in_several_projects"]
    of_shop = rows(served, f"/tenants/{tenant}/waste?project=shop&rule=A01&status=open", tenant)
    assert {row["project"] for row in of_shop} == {"shop"}
    assert not rows(served, f"/tenants/{tenant}/waste?rule=A01&status=done", tenant)
    assert served.get(f"/tenants/{tenant}/waste?state=maybe", tenant).status_code == 422


@pytest.mark.parametrize("tenant", TENANTS)
def test_a_grant_of_a_project_shows_what_it_pays_alone(served: ServedTenants, tenant: str) -> None:
    whole = gateways(served, tenant, tenant)
    own = gateways(served, tenant, f"{tenant}-lab")
    assert own == {f"{LAB}-{tenant}": whole[f"{LAB}-{tenant}"]}
    everything = rows(served, f"/tenants/{tenant}/waste?page_size=1000", f"{tenant}-lab")
    assert {row["project"] for row in everything} == {"lab"}
    assert SHOP not in json.dumps(everything) and MOVED not in json.dumps(everything)


@pytest.mark.parametrize("tenant", TENANTS)
def test_savings_are_those_of_finished_findings_of_the_project(
    served: ServedTenants, tenant: str
) -> None:
    made = TemporaryInstallation(served.installation.settings.data)
    for name in (SHOP, LAB):
        finding = gateways(served, tenant, tenant)[f"{name}-{tenant}"]["finding_id"]
        made.finops("waste", "finish", tenant, finding, "--on", "2026-09-20")
    whole = rows(served, f"/tenants/{tenant}/savings", tenant)
    assert {row["resource_id"] for row in whole} == {f"{SHOP}-{tenant}", f"{LAB}-{tenant}"}
    (own,) = rows(served, f"/tenants/{tenant}/savings", f"{tenant}-lab")
    assert own["project"] == "lab" and own in whole
    assert gateways(served, tenant, f"{tenant}-lab")[f"{LAB}-{tenant}"]["status"] == "done"
    assert Decimal(own["realised_saving"]) == 0  # nothing has changed in the bill


@pytest.mark.parametrize("path", ["waste", "savings", "resources", "metric-coverage"])
def test_another_tenant_is_as_unknown_as_none(served: ServedTenants, path: str) -> None:
    foreign = served.get(f"/tenants/globex/{path}", "acme")
    unknown = served.get(f"/tenants/nobody/{path}", "acme")
    assert foreign.status_code == unknown.status_code == 404
    assert (
        foreign.text.replace("globex", "").split("request_id")[0]
        == (unknown.text.replace("nobody", "").split("request_id")[0])
    )
