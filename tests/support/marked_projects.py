"""Two tenants whose projects have marks in everything that a bill or a declaration can name.

acme has the projects zqweb and zqdata, globex has zqglobex. Every name of zqdata contains `zqdata`,
whether of a project, tag, resource, account, service, dimension, metric or statement, and its
amounts are those above 50,000. Put here: the bills, declarations and fixtures. Keep out: what a
file limited to zqweb may show (test_scoped_files.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from finops_pipeline.application.installation import Installation
from finops_pipeline.application.scoped_files import require_scoped
from finops_pipeline.application.statements import StatementRequest, close_month
from finops_pipeline.lake.duck import Limits
from finops_pipeline.lake.scoped_folder import ScopedFile
from finops_pipeline.serve.data_scope import DataScope
from finops_pipeline.serve.warehouse_pool import OpenWarehouse, PoolLimits, WarehousePool
from finops_pipeline.tenants.project_identity import ProjectIdentity
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row
from tests.support.globex import finops
from tests.support.published_files import copy_installation

MONTH = "2026-09"
OWN, OTHER, FOREIGN = "zqweb", "zqdata", "zqglobex"
ACCOUNTS = {OWN: "100000000001", OTHER: "200000000002", FOREIGN: "100000000001"}
SHARED_ACCOUNT = "300000000003"
"""An account whose charges belong to zqweb or zqdata by their tag."""
LATE = {"lineItem/UsageStartDate": f"{MONTH}-30T00:00:00Z", "lineItem/UsageAmount": "6000"}
LARGE = 50_000
"""Amounts from here on are zqdata's, or sums that contain them."""
SCOPE = DataScope("acme", (OWN,))


def charge(project: str, cost: str, account: str = "", **more: str) -> dict[str, str]:
    """A charge of a project, with its mark in every text."""
    resource = f"arn:aws:ec2:eu-west-1:1:instance/i-{project}"
    texts = {
        "lineItem/UsageAccountName": f"{project} shared" if account else f"{project} account",
        "lineItem/ResourceId": resource,
        "lineItem/ProductCode": f"{project}Service",
        "product/ProductName": f"{project} Service",
        "lineItem/UsageType": f"{project}-BoxUsage:m5.large",
        "lineItem/Operation": f"{project}Run",
        "lineItem/UsageAmount": "24",
        "resourceTags/user:Project": project,
        f"resourceTags/user:{project}Key": f"{project} value",
        "costCategory/Area": f"{project} area",
    }
    return row(cost, account=account or ACCOUNTS[project], **texts | more)


def bill(tenant: str) -> list[dict[str, str]]:
    """The month of a tenant."""
    kind = "lineItem/LineItemType"
    if tenant == "globex":
        return [charge(FOREIGN, "777.25"), charge(FOREIGN, "3.5", **{kind: "Tax"})]
    moved = {"lineItem/ProductCode": "AmazonEC2", "lineItem/ResourceId": "i-moved"}
    return [
        charge(OWN, "0.5", **moved),
        charge(OTHER, "50000.5", **moved | LATE),
        charge(OWN, "1.25"),
        charge(OWN, "2.5", SHARED_ACCOUNT),
        charge(OWN, "0.125", **{kind: "Tax"}),
        charge(OTHER, "60000.75"),
        charge(OTHER, "70000.5", SHARED_ACCOUNT),
        charge(OTHER, "80000.125", **{kind: "Tax"}),
        charge(OTHER, "90000", account="400000000004", **{"resourceTags/user:Project": ""}),
    ]


def _project(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "display_name": f"{name} display",
        "environment": f"{name}-env",
        "business_unit": f"{name}-unit",
        "accounts": [ACCOUNTS[name]],
        "claims": [{"tags": {"Project": [name]}, "priority": 5}],
    }


def _dimensions(names: list[str]) -> dict[str, Any]:
    rules = [
        {"name": f"{name}-rule", "dimension": "team", "value": f"{name} team",
         "when": {"projects": name}}
        for name in names
    ]  # fmt: skip
    mapping = {f"{name} mapped": [f"{name} spelling"] for name in names}
    tag = {"name": "tagged", "dimension": "team", "value_from": "tag Team", "mapping": "teams"}
    return {"names": ["team"], "mappings": {"teams": mapping}, "rules": [*rules, tag]}


def declaration(tenant: str) -> dict[str, Any]:
    """The tenant with everything that can be declared."""
    names = [OWN, OTHER] if tenant == "acme" else [FOREIGN]
    return {
        "name": tenant,
        "sources": [{"name": "payer", "format": "legacy-cur", "location": f"{tenant}/cur"}],
        "projects": [_project(name) for name in names],
        "dimensions": _dimensions(names),
        "shared_costs": [{"name": "tax", "kinds": ["tax"], "method": "proportional"}],
        "required_tags": {
            "everyone": {"keys": ["Project"], "projects": names},
            **{f"{name}-set": {"keys": [f"{name}Key"], "projects": [name]} for name in names},
        },
        "statements": {"markup_percent": 10},
        "budgets": [
            {"name": "everything", "amount": 1000, "currency": "USD"},
            {"name": "team", "amount": 10, "currency": "USD", "dimension": {"team": names[0]}},
            *(
                {"name": f"{name}-budget", "amount": 10, "currency": "USD", "project": name}
                for name in names
            ),
        ],
    }


@dataclass(frozen=True)
class Marked:
    """Both tenants, built."""

    made: TemporaryInstallation
    folder: Path

    def deliver(self, tenant: str, assembly: str = "one", more: tuple[Any, ...] = ()) -> None:
        """Deliver the month with further charges, and build it."""
        deliver(self.folder / tenant / "cur", [*bill(tenant), *more], MONTH, assembly)
        assert not self.made.ingest(tenant).failed

    def copy(self, folder: Path) -> Marked:
        """A copy that a test may change."""
        made = Marked(TemporaryInstallation(folder / "data"), folder)
        copy_installation(self.made.data, made.made.data)
        made.declare()
        return made

    def declare(self) -> None:
        """Declare both tenants, with bills beside the declaration."""
        path = self.folder / "tenants.yaml"
        entries = [declaration(tenant) for tenant in ("acme", "globex")]
        path.write_text(yaml.safe_dump({"tenants": entries}))
        self.made.apply(path)


def _load_metrics(marked: Marked, tenant: str, names: list[str]) -> None:
    lines = [f"{MONTH}-05,{name}-orders,{name},60001" for name in names]
    path = marked.folder / f"{tenant}.csv"
    path.write_text("\n".join(["date,metric,project,value", *lines, f"{MONTH}-05,all,,70001"]))
    code, output = finops("metrics", "load", tenant, str(path), data=marked.made.data)
    assert code == 0, output


@pytest.fixture(scope="session")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Marked:
    """Both tenants with metrics and a closed month. Read only."""
    return _build_once(tmp_path_factory.getbasetemp() / "marked")


@cache
def _build_once(folder: Path) -> Marked:
    """Build them; a fixture that several files import would build them for each."""
    folder.mkdir()
    marked = Marked(TemporaryInstallation(folder / "data"), folder)
    marked.declare()
    for tenant, names in (("acme", [OWN, OTHER]), ("globex", [FOREIGN])):
        marked.deliver(tenant)
        _load_metrics(marked, tenant, [name for name in names if name != OWN])
        reason = f"closed for {names[-1]}"
        close_month(marked.made.installation, StatementRequest(tenant, MONTH, reason))
    return marked


def rows(opened: OpenWarehouse, sql: str, **values: Any) -> list[tuple[Any, ...]]:
    """The rows of a statement that the guard does not check, so that it can read every table."""
    return opened.sandbox.connection.execute(sql, values).fetchall()


def total(opened: OpenWarehouse) -> str:
    """The billed cost of all months."""
    return f"{rows(opened, 'select sum(billed_cost) from monthly_costs')[0][0]:.2f}"


def scoped_of(made: TemporaryInstallation, scope: DataScope = SCOPE) -> ScopedFile:
    """The limited file of a scope, made if necessary."""
    folder = made.installation.folder(scope.tenant)
    return require_scoped(folder, identities(made.installation, scope), Limits())


def identities(installation: Installation, scope: DataScope = SCOPE) -> tuple[ProjectIdentity, ...]:
    """The projects of a scope as they are declared now."""
    declared = installation.registry.projects(scope.tenant)
    return tuple(p.identity for p in declared if p.name in (scope.projects or ()))


@contextmanager
def pooled(made: Marked) -> Iterator[WarehousePool]:
    """A pool, closed at the end."""
    pool = WarehousePool(made.made.installation, PoolLimits())
    try:
        yield pool
    finally:
        pool.close()
