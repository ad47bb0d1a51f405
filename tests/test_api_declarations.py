"""What administrators declare over the API: projects, rules, invoices, and limits of tokens.

Put here: changes and their refusals, at the doorway. Keep out: who may ask at all
(test_api_access.py), requests for an ingest (test_api_ingests.py).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

import pytest

from finops_pipeline.application.administered_tenant import AdministeredTenant
from finops_pipeline.errors import NotGranted
from finops_pipeline.lake.writing import locked
from tests.conftest import TemporaryInstallation
from tests.support.administration import change, declared, refused
from tests.support.published_files import copy_installation
from tests.support.served_tenants import ServedTenants, serve_tenants

ACCOUNT = "999988887777"
RULES = {
    "names": ["team", {"name": "tier", "display_name": "Tier of service"}],
    "mappings": {"teams": {"web": ["Web", "www"]}},
    "rules": [
        {"name": "by-tag", "dimension": "team", "value_from": "tag Team", "mapping": "teams"},
        {"name": "storage", "dimension": "tier", "value": "cold", "from": "2026-09-01",
         "when": {"services": ["AmazonS3*"]}},
    ],
}  # fmt: skip


@pytest.fixture
def served(built: TemporaryInstallation, tmp_path: Path) -> Iterator[ServedTenants]:
    """Both tenants, served; changes do not wait for locks."""
    copy_installation(built.data, tmp_path / "data")
    options = {"serve_requests_per_minute": 100_000, "lock_wait_seconds": 0.2}
    with serve_tenants(tmp_path / "data", **options) as served:
        yield served


def audit_of(served: ServedTenants, tenant: str, action: str) -> list[tuple[str, str]]:
    """Outcomes and details of the entries of an action."""
    page = served.get(f"/tenants/{tenant}/audit?page_size=1000", f"{tenant}-admin").json()
    return [(r["outcome"], r["detail"]) for r in page["rows"] if r["action"] == action]


def test_a_project_is_added_changed_renamed_and_removed(served: ServedTenants) -> None:
    other = declared(served, "globex")
    added = {
        "name": "shop", "environment": "prod", "accounts": [{"id": ACCOUNT, "from": "2026-10-01"}],
        "claims": [{"tags": {"Team": ["web"]}, "priority": 5}],
    }  # fmt: skip
    assert change(served, "POST", "/projects", added)["changes"] == ["+ project acme/shop"]
    rows = change(served, "GET", "/declared-projects")["rows"]
    shop = next(row for row in rows if row["name"] == "shop")
    assert shop["accounts"] == [{"id": ACCOUNT, "from": "2026-10-01"}]
    assert shop["claims"] == added["claims"]
    assert {row["name"] for row in rows} >= {"prod", "staging", "dev", "shop"}
    lines = change(served, "PATCH", "/projects/shop", {"accounts": [], "environment": "test"})
    assert any("environment prod -> test" in line for line in lines["changes"])
    shop = next(p for p in declared(served, "acme").projects if p.name == "shop")
    assert (shop.accounts, len(shop.claims), shop.environment) == ((), 1, "test")
    assert change(served, "PATCH", "/projects/shop", {"environment": "test"})["changes"] == []
    limited = {"principal": "acme/limited", "role": "viewer", "projects": ["shop"]}
    change(served, "POST", "/tokens", limited)
    change(served, "POST", "/projects/shop/name", {"name": "store"})
    grants = {row["principal"]: row for row in change(served, "GET", "/grants")["rows"]}
    assert grants["acme/limited"]["projects"] == ["store"]
    change(served, "DELETE", "/projects/store")
    grants = {row["principal"]: row for row in change(served, "GET", "/grants")["rows"]}
    assert grants["acme/limited"]["projects"] == []
    assert "store" not in {p.name for p in declared(served, "acme").projects}
    assert declared(served, "globex") == other
    assert audit_of(served, "acme", "projects")[:3] == [
        ("changed", "project shop: begun"),
        ("changed", "+ project acme/shop"),
        ("changed", "project shop: begun"),
    ]
    assert not audit_of(served, "globex", "projects")


def test_a_project_with_charges_is_removed_only_if_confirmed(served: ServedTenants) -> None:
    problem = refused(served, "DELETE", "/projects/staging")
    assert problem["cure"].endswith("DELETE /v1/tenants/acme/projects/staging?confirmation=staging")
    refused(served, "DELETE", "/projects/staging?confirmation=prod")
    change(served, "DELETE", "/projects/staging?confirmation=staging")
    assert "staging" in {p.name for p in declared(served, "globex").projects}


def test_the_account_of_another_tenant_is_like_any_other(served: ServedTenants) -> None:
    """A claim takes charges of the tenant's own bills only, so that it needs no refusal."""
    own = {c.id for p in declared(served, "acme").projects for c in p.accounts}
    theirs = "777766665555"
    change(served, "POST", "/projects", {"name": "theirs", "accounts": [theirs]}, "globex")
    preview = {"projects": [{"name": "taken", "accounts": [theirs]}]}
    unused = {"projects": [{"name": "taken", "accounts": [ACCOUNT]}]}
    assert change(served, "POST", "/project-preview", preview) == change(
        served, "POST", "/project-preview", unused
    )
    change(served, "POST", "/projects", preview["projects"][0])
    problem = refused(served, "POST", "/projects", {"name": "both", "accounts": [min(own)]})
    assert min(own) in problem["found"]


def test_a_preview_is_that_of_the_command_line_and_of_the_change(served: ServedTenants) -> None:
    account = next(
        c.id for p in declared(served, "acme").projects for c in p.accounts if p.name == "dev"
    )
    moved = [
        {"name": "dev", "accounts": []},
        {"name": "sandbox", "claims": [{"accounts": [account], "priority": 1}]},
    ]
    before = declared(served, "acme")
    previewed = change(served, "POST", "/project-preview", {"projects": moved})
    assert declared(served, "acme") == before
    assert {(r["from_project"], r["to_project"]) for r in previewed["rows"]} >= {("dev", "sandbox")}
    assert all(isinstance(row["billed_cost"], str) for row in previewed["rows"])
    change(served, "PATCH", "/projects/dev", {"accounts": []})
    change(served, "POST", "/projects", moved[1])
    place = TemporaryInstallation(served.installation.settings.data_folder)
    printed = place.finops("project", "preview", "acme", "--format", "json").stdout
    assert [row["claim"] for row in json.loads(printed)] == [r["claim"] for r in previewed["rows"]]
    assert change(served, "POST", "/project-preview", {})["rows"] == previewed["rows"]


def test_rules_are_declared_tried_and_removed(served: ServedTenants) -> None:
    tried = change(served, "POST", "/rule-test", RULES)["rows"]
    assert {row["value_after"] for row in tried} >= {"cold"}
    assert not declared(served, "acme").dimensions
    assert "+ rule acme/storage" in change(served, "PUT", "/rules", RULES)["changes"]
    listed = change(served, "GET", "/rules")
    assert [(r["rule"], r["position"], r["rule_version"]) for r in listed["rows"]] == [
        ("by-tag", 1, 1), ("storage", 1, 1),
    ]  # fmt: skip
    again = {**listed["declaration"], "version": listed["version"]}
    assert change(served, "PUT", "/rules", again)["changes"] == []
    assert change(served, "DELETE", "/rules/storage")["changes"] == ["- rule acme/storage"]
    problem = refused(served, "PUT", "/rules", again)
    assert "version 2 of the rules is declared, not 1" in problem["found"]
    assert "GET /v1/tenants/acme/rules" in problem["cure"]
    assert change(served, "PUT", "/rules", {})["changes"]
    assert not declared(served, "acme").dimensions
    assert not change(served, "GET", "/rules", tenant="globex")["rows"]


def test_invoices_are_exact_and_those_of_the_command_line(served: ServedTenants) -> None:
    entry = {"source": "payer", "month": "2026-10", "amount": "726.123456789012345678"}
    entered = change(served, "PUT", "/invoices", entry)
    assert entered["amount"] == entry["amount"]
    assert [c["state"] for c in entered["comparisons"]] == ["differs"]
    charged = entered["comparisons"][0]["charges"]
    corrected = change(served, "PUT", "/invoices", {**entry, "amount": charged})
    assert corrected["comparisons"][0]["state"] == "agrees"
    assert corrected["replaced"].startswith("726.12")
    place = TemporaryInstallation(served.installation.settings.data_folder)
    for history in (False, True):
        rows = change(served, "GET", f"/invoices?history={str(history).lower()}")["rows"]
        flags = ["--history"] if history else []
        printed = place.finops("invoice", "list", "acme", "--format", "csv", *flags).stdout
        amounts = re.findall(r"USD,(-?[0-9.]+),", printed)
        assert [Decimal(row["amount"]) for row in rows] == [*map(Decimal, amounts)]
        assert len(rows) == 1 + history
    withdrawn = change(served, "DELETE", "/invoices?source=payer&month=2026-10")
    assert withdrawn["amount"] is None
    assert change(served, "GET", "/invoices")["rows"] == []
    assert change(served, "GET", "/invoices?history=true", tenant="globex")["rows"] == []
    details = [detail for _, detail in audit_of(served, "acme", "invoices")]
    assert "payer 2026-10: entered" in details
    assert not any("726" in detail for detail in details)


def test_a_change_does_not_wait_for_whoever_is_writing(served: ServedTenants) -> None:
    entry = {"source": "payer", "month": "2026-10", "amount": "1"}
    registry = served.installation.registry
    for lock, method, path, body in (
        (locked(served.installation.folder("acme"), 1), "PUT", "/invoices", entry),
        (locked(served.installation.folder("acme"), 1), "POST", "/projects/dev/name",
         {"name": "lab"}),
        (registry.locked(), "POST", "/projects", {"name": "new"}),
        (registry.locked(), "PUT", "/rules", RULES),
    ):  # fmt: skip
        with ExitStack() as stack:
            stack.enter_context(lock)
            started = time.monotonic()
            url = f"/tenants/acme{path}"
            response = served.send(method, url, "acme-admin", json=body)
            assert time.monotonic() - started < 5
        assert response.status_code == 503, response.text
        assert response.json()["type"] == "urn:finops:problem:busy"
        assert int(response.headers["retry-after"]) > 0
        assert str(served.installation.settings.data) not in response.text
    change(served, "PUT", "/invoices", entry, tenant="globex")


def test_a_later_tenant_of_the_name_is_not_changed(served: ServedTenants) -> None:
    own = AdministeredTenant(served.installation, "acme", "00000000-0000-0000-0000-000000000000")
    with pytest.raises(NotGranted):
        own.read()
    with pytest.raises(NotGranted), own.changing():
        raise AssertionError("it must not be changed")


def test_a_declaration_file_sets_again_what_it_names(served: ServedTenants, tmp_path: Path) -> None:
    """As docs/access.md says: fields that the file names count again, and nothing else."""
    file = tmp_path / "tenants.yaml"
    file.write_text("tenants: [{name: acme, projects: [{name: dev, environment: dev}]}]")
    change(served, "PATCH", "/projects/dev", {"environment": "lab", "business_unit": "research"})
    change(served, "POST", "/projects", {"name": "shop"})
    TemporaryInstallation(served.installation.settings.data_folder).finops("apply", str(file))
    projects = {project.name: project for project in declared(served, "acme").projects}
    assert (projects["dev"].environment, projects["dev"].business_unit) == ("dev", "research")
    assert "shop" in projects


def test_a_token_is_limited_to_projects_or_environments(served: ServedTenants) -> None:
    for field, names in (("projects", ["dev"]), ("environments", ["dev"])):
        asked = {"principal": f"acme/of-{field}", "days": 1, "role": "analyst", field: names}
        token = change(served, "POST", "/tokens", asked)["token"]
        rows = served.get("/tenants/acme/projects", token).json()["rows"]
        assert [row["project"] for row in rows] == ["dev"]
        assert served.get("/tenants/globex/projects", token).status_code == 404
        assert served.get("/tenants/acme/declared-projects", token).status_code == 403
