"""A project that was removed is not the next one of its name: limited grants at the API.

Put here: removing and declaring again, renaming, files and registries from before there were ids.
Keep out: grants (test_access.py), what a limited file holds (test_scoped_files.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from finops_pipeline.application.statements import StatementRequest, close_month
from finops_pipeline.errors import RegistryError
from finops_pipeline.lake.scoped_file import PublishedProjects
from finops_pipeline.tenants.declare import read_declaration
from finops_pipeline.tenants.exported import export_text, parse_export
from finops_pipeline.tenants.project_identity import ProjectIdentity, id_of_name
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row
from tests.support.globex import finops
from tests.support.served_tenants import TENANTS, ServedTenants, serve_tenants

MONTH = "2026-09"
OLD, NEW = "111111111111", "222222222222"
"""Accounts of the earlier project `shop`, and of the later one."""


def _declaration(tenant: str) -> dict[str, object]:
    return {
        "name": tenant,
        "sources": [{"name": "payer", "format": "legacy-cur", "location": f"{tenant}/cur"}],
        "projects": [
            {"name": "shop", "environment": "production", "accounts": [OLD]},
            {"name": "lab", "environment": "test", "accounts": ["333333333333"]},
        ],
    }


def run(data: Path, *arguments: str) -> str:
    """Run the command line in this process."""
    code, output = finops(*arguments, data=data)
    assert code == 0, output
    return output


def create_token(made: TemporaryInstallation, name: str, *limit: str) -> str:
    """Create a service of acme with an analyst's grant; return its token."""
    asked = ("token", "create", f"acme/{name}", "--role", "analyst", *limit)
    [token] = [word for word in run(made.data, *asked).split() if len(word) > 40]
    return token


@dataclass(frozen=True)
class Shops:
    """Both tenants with a project `shop`, served, and tokens limited to it."""

    made: TemporaryInstallation
    served: ServedTenants
    folder: Path

    def costs(self, token: str, tenant: str = "acme") -> str:
        """The costs that a token shows, by project."""
        sql = "select project, sum(BilledCost)::varchar as cost from costs group by 1 order by 1"
        answer = self.served.post(f"/tenants/{tenant}/sql", token, json={"sql": sql})
        assert answer.status_code == 200, answer.text
        rows = answer.json()["rows"]
        assert not rows or "777" not in str(rows)
        return ", ".join(f"{project} {float(cost):g}" for project, cost in rows)

    def count(self, token: str, table: str) -> int:
        """The rows of a table that a token shows."""
        sql = {"sql": f"select count(*) from {table}"}
        answer = self.served.post("/tenants/acme/sql", token, json=sql)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["rows"][0][0])

    def declare_again(self) -> None:
        """Remove acme's shop and declare one of another account under its name."""
        run(self.made.data, "project", "remove", "acme/shop", "--yes", "acme/shop")
        run(
            self.made.data,
            "project",
            "add",
            "acme/shop",
            "--account",
            NEW,
            "--environment",
            "production",
        )

    def limited(self, name: str, *limit: str) -> str:
        """A token of an analyst with a limit."""
        return create_token(self.made, name, *limit)


@pytest.fixture
def shops(tmp_path: Path) -> Iterator[Shops]:
    made = TemporaryInstallation(tmp_path / "data")
    path = tmp_path / "tenants.yaml"
    path.write_text(yaml.safe_dump({"tenants": [_declaration(tenant) for tenant in TENANTS]}))
    made.apply(path)
    for tenant, secret in (("acme", "64"), ("globex", "777")):
        charges = [row(secret, account=OLD), row("8", account=NEW)]
        deliver(tmp_path / tenant / "cur", charges, MONTH, "one")
        assert not made.ingest(tenant).failed
    with serve_tenants(made.data) as served:
        yield Shops(made, served, tmp_path)


def test_a_project_declared_again_shows_nothing_of_the_earlier_one(shops: Shops) -> None:
    by_environment = shops.limited("by-environment", "--environment", "production")
    by_name = shops.limited("by-name", "--project", "shop")
    assert shops.costs(by_environment) == shops.costs(by_name) == "shop 64"
    shops.declare_again()
    again = shops.limited("again", "--project", "shop")
    for token in (by_environment, by_name, again):
        assert shops.costs(token) == ""
        for table in ("monthly_costs", "partitions", "projects", "delivery_history"):
            assert shops.count(token, table) == 0, table
    assert shops.costs("acme") == "shop 64, unassigned 8"  # the whole tenant is as it was built
    assert not shops.made.ingest("acme").failed
    assert shops.costs(by_environment) == shops.costs(again) == "shop 8"
    assert shops.costs(by_name) == ""


def test_the_same_claims_are_another_project_too(shops: Shops) -> None:
    token = shops.limited("by-environment", "--environment", "production")
    registry = shops.made.installation.registry
    declared = registry.tenant("acme")
    rest = tuple(p for p in declared.projects if p.name != "shop")
    registry.save(declared.model_copy(update={"projects": rest}))
    path = shops.folder / "tenants.yaml"
    shops.made.apply(path)
    assert shops.costs(token) == ""
    assert not shops.made.ingest("acme").failed
    assert shops.costs(token) == "shop 64"


def test_other_claims_of_the_same_project_change_nothing(shops: Shops) -> None:
    token = shops.limited("by-name", "--project", "shop")
    run(shops.made.data, "project", "add", "acme/shop", "--account", NEW)
    assert shops.costs(token) == "shop 64"
    assert not shops.made.ingest("acme").failed
    assert shops.costs(token) == "shop 72"


def test_a_renamed_project_keeps_its_grants_and_leaves_its_name(shops: Shops) -> None:
    token = shops.limited("by-name", "--project", "shop")
    run(shops.made.data, "project", "rename", "acme/shop", "store")
    run(shops.made.data, "project", "add", "acme/shop", "--account", NEW)
    later = shops.limited("later", "--project", "shop")
    assert shops.costs(token) == shops.costs(later) == ""
    assert not shops.made.ingest("acme").failed
    assert shops.costs(token) == "store 64"
    assert shops.costs(later) == "shop 8"


def test_closed_statements_of_the_earlier_project_stay_hidden(shops: Shops) -> None:
    token = shops.limited("by-environment", "--environment", "production")
    close_month(shops.made.installation, StatementRequest("acme", MONTH, "a test"))
    assert shops.count(token, "statements") == 1
    deliver(shops.folder / "acme" / "cur", [row("65", account=OLD)], MONTH, "two")
    assert not shops.made.ingest("acme").failed
    assert shops.count(token, "delivery_history") == 2
    shops.declare_again()
    assert not shops.made.ingest("acme").failed
    for table in ("statements", "statement_differences", "statement_preview", "delivery_history"):
        assert shops.count(token, table) == 0, table
        assert shops.count("acme", table) > 0, table


def test_backups_and_exports_keep_the_ids(shops: Shops) -> None:
    token = shops.limited("by-name", "--project", "shop")
    backup = str(shops.folder / "backup")
    run(shops.made.data, "backup", "acme", backup)
    shops.declare_again()
    assert not shops.made.ingest("acme").failed
    for command in ("remove", "purge"):
        run(shops.made.data, "tenant", command, "acme", "--yes", "acme")
    run(shops.made.data, "restore", backup, "acme")
    assert shops.costs(token) == ""  # `project remove` took the project out of this grant
    again = shops.limited("again", "--project", "shop")
    assert shops.costs(again) == "shop 64"
    stored = shops.made.installation.registry.tenant("acme")
    [entry] = yaml.safe_load(export_text("", [stored]))["tenants"]
    assert parse_export(entry, shops.folder / "x.yaml").projects == stored.projects


def test_nobody_declares_an_id(shops: Shops) -> None:
    registry = shops.made.installation.registry
    foreign = registry.tenant("globex").project("shop").project_id
    entry = _declaration("acme")
    entry["projects"] = [{"name": "shop", "project_id": foreign}]
    path = shops.folder / "forged.yaml"
    path.write_text(yaml.safe_dump({"tenants": [entry]}))
    with pytest.raises(RegistryError, match="declared with project_id"):
        read_declaration(path)
    acme = registry.tenant("acme")
    forged = tuple(p.model_copy(update={"project_id": foreign}) for p in acme.projects)
    with pytest.raises(RegistryError, match="declared with an id"):
        registry.save(acme.model_copy(update={"projects": forged}))


def test_what_an_earlier_version_wrote_is_upgraded(tmp_path: Path) -> None:
    """A registry, grants and files without ids: grants stay, and a new project gets nothing."""
    made = TemporaryInstallation(tmp_path / "data")
    path = tmp_path / "tenants.yaml"
    path.write_text(yaml.safe_dump({"tenants": [_declaration(tenant) for tenant in TENANTS]}))
    made.apply(path)
    rewrite(made.data / "registry.sqlite", EARLIER_REGISTRY)
    for tenant, secret in (("acme", "64"), ("globex", "777")):
        deliver(tmp_path / tenant / "cur", [row(secret, account=OLD), row("8", account=NEW)], MONTH)
        assert not made.ingest(tenant).failed
    token = create_token(made, "old", "--project", "shop")
    rewrite(made.data / "access.sqlite", EARLIER_ACCESS)
    with serve_tenants(made.data) as served:
        shops = Shops(made, served, tmp_path)
        assert shops.costs(token) == "shop 64"
        run(made.data, "project", "rename", "acme/lab", "laboratory")  # upgrades the registry
        assert shops.costs(token) == "shop 64"
        shops.declare_again()
        later = shops.limited("later", "--project", "shop")
        assert shops.costs(token) == shops.costs(later) == ""
        assert not made.ingest("acme").failed
        assert shops.costs(token) == ""
        assert shops.costs(later) == "shop 8"


EARLIER_REGISTRY = (
    "alter table projects drop column project_id",
    "alter table projects drop column reused_at",
    "drop table former_projects",
    "update alembic_version set version_num = '0008'",
)
EARLIER_ACCESS = (
    "alter table grants drop column project_ids",
    "alter table grants drop column shown_name",
    "update alembic_version set version_num = '0001'",
)


def rewrite(database: Path, statements: tuple[str, ...]) -> None:
    """Make a database as the version before wrote it."""
    with closing(sqlite3.connect(database)) as db, db:
        for statement in statements:
            db.execute(statement)


def test_a_file_without_ids_has_the_projects_that_were_declared_before() -> None:
    published = PublishedProjects("mark", None)
    assert published.has(ProjectIdentity("shop", id_of_name("shop")))
    assert not published.has(ProjectIdentity("shop", "an-id"))
    assert not published.has(ProjectIdentity("store", id_of_name("shop")))
