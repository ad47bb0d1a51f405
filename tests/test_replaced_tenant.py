"""A tenant that is purged and declared again under its name while a request is answered.

The caller has the same role in both tenants of the name; nothing of the first may leave under it.
Put here: answers of every kind. Keep out: exports (test_slow_exports.py), grants that are taken
(test_api_grants.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from finops_pipeline.serve.access.access_administration import AccessAdministration
from finops_pipeline.serve.access.actors import Actor
from finops_pipeline.serve.access.audit_entries import AuditSelection
from finops_pipeline.serve.access.audit_log import read_audit
from finops_pipeline.serve.access.grants import Extent, Limits, NewGrant
from finops_pipeline.serve.access.token_administration import TokenAdministration, TokenRequest
from finops_pipeline.serve.access.verified_access import Role
from finops_pipeline.serve.open_warehouses import OpenWarehouse
from finops_pipeline.serve.warehouse_pool import WarehousePool
from tests.conftest import TemporaryInstallation
from tests.support.globex import finops
from tests.support.published_files import copy_installation
from tests.support.served_tenants import ServedTenants, serve_tenants

COSTS = "/tenants/acme/costs?start=2026-10&group_by=service"
SQL = {"sql": "select count(*) from costs"}
WHOLE, LIMITED = Limits(), Limits(Extent.PROJECTS, ("dev",))


@pytest.fixture
def served(built: TemporaryInstallation, tmp_path: Path) -> Iterator[ServedTenants]:
    """Both tenants, and a token of a service with a grant in both."""
    copy_installation(built.data, tmp_path / "data")
    with serve_tenants(tmp_path / "data") as served:
        access = administration(served)
        access.add_principal("everywhere")
        access.give("globex", "everywhere", NewGrant(Role.ANALYST))
        tokens = TokenAdministration(served.services.access, Actor.command_line())
        served.tokens["everywhere"] = tokens.create(TokenRequest("everywhere")).text
        yield served


def administration(served: ServedTenants) -> AccessAdministration:
    return AccessAdministration(served.services.access, Actor.command_line())


def give(served: ServedTenants, limits: Limits) -> None:
    administration(served).give("acme", "everywhere", NewGrant(Role.ANALYST, limits))


def replace_acme(served: ServedTenants, limits: Limits) -> None:
    """Purge acme; declare another acme, in which the caller has the same grant."""
    declared = served.installation.registry.tenant("acme")
    for command in ("remove", "purge"):
        data = served.installation.settings.data
        assert finops("tenant", command, "acme", "--yes", "acme", data=data)[0] == 0
    served.installation.registry.save(declared.model_copy(update={"external_id": ""}))
    give(served, limits)


def ask(served: ServedTenants, kind: str, tag: str = "") -> httpx.Response:
    if kind == "sql":
        return served.post("/tenants/acme/sql", "everywhere", json=SQL)
    return served.get(COSTS, "everywhere", headers={"If-None-Match": tag})


@pytest.mark.parametrize("limits", [WHOLE, LIMITED], ids=["whole", "limited"])
@pytest.mark.parametrize("kind", ["new", "remembered", "unchanged", "sql"])
def test_nothing_of_the_first_tenant_leaves_under_its_name(
    served: ServedTenants, monkeypatch: pytest.MonkeyPatch, kind: str, limits: Limits
) -> None:
    give(served, limits)
    tag = ""
    if kind in ("remembered", "unchanged"):
        known = ask(served, kind)
        assert known.json()["rows"]
        tag = known.headers["etag"] if kind == "unchanged" else ""
        assert ask(served, kind, tag).status_code == (304 if tag else 200)
    open_before, generation_before = WarehousePool.open, WarehousePool.generation
    identity = served.installation.registry.identity("acme")
    assert identity is not None

    @contextmanager
    def open_and_replace(pool: WarehousePool, *asked: Any) -> Iterator[OpenWarehouse]:
        with open_before(pool, *asked) as warehouse:
            yield warehouse
        replace_acme(served, limits)

    def name_and_replace(pool: WarehousePool, *asked: Any) -> str:
        name = generation_before(pool, *asked)
        replace_acme(served, limits)
        return name

    with monkeypatch.context() as replacing:
        if kind == "unchanged":
            replacing.setattr(WarehousePool, "generation", name_and_replace)
        else:
            replacing.setattr(WarehousePool, "open", open_and_replace)
        answer = ask(served, kind, tag)
    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:finops:problem:not-found"
    assert "etag" not in answer.headers
    entries = list(read_audit(served.services.access.store, identity.external_id, AuditSelection()))
    assert (entries[-1].outcome, entries[-1].rows) == ("refused", 0)
    again = ask(served, kind, tag)
    assert again.json()["type"] == "urn:finops:problem:no-data-yet", "the second acme has no bills"
    assert served.get("/tenants/globex/projects", "everywhere").json()["rows"]
