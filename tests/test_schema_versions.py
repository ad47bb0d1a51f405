"""Databases of other versions: newer ones are refused, older ones upgraded by a write.

Put here: what the stored schema versions decide. Keep out: what the records of a
ledger of the very first tables mean (test_ledger_upgrade.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Barrier, Thread

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from finops_pipeline.database.engine import begin_write, open_engine
from finops_pipeline.database.versions import Schema
from finops_pipeline.errors import RegistryError, SchemaTooNew
from finops_pipeline.ledger.invoice_entries import read_invoices
from finops_pipeline.ledger.ledger import Ledger, Refusal, record_refusal
from finops_pipeline.ledger.schema import SCHEMA as LEDGER
from finops_pipeline.serve.access.access_tables import SCHEMA as ACCESS
from finops_pipeline.tenants.model import Tenant
from finops_pipeline.tenants.registry import SCHEMA as REGISTRY
from finops_pipeline.tenants.registry import Registry
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row
from tests.support.globex import ask, finops
from tests.support.rewound_folder import rewound_by
from tests.test_ledger_upgrade import DECLARED, OLD

REFUSAL = Refusal("payer", "2026-09", "it was torn", "2026-10-01T00:00:00Z")
FIRST_REGISTRY = """
CREATE TABLE tenants (
    tenant VARCHAR(40) NOT NULL, display_name TEXT NOT NULL, PRIMARY KEY (tenant)
);
CREATE TABLE sources (
    tenant VARCHAR(40) NOT NULL, source VARCHAR(40) NOT NULL, format VARCHAR(20) NOT NULL,
    location TEXT NOT NULL, PRIMARY KEY (tenant, source),
    FOREIGN KEY(tenant) REFERENCES tenants (tenant)
);
CREATE TABLE projects (
    tenant VARCHAR(40) NOT NULL, project VARCHAR(40) NOT NULL, display_name TEXT NOT NULL,
    environment TEXT NOT NULL, business_unit TEXT NOT NULL, PRIMARY KEY (tenant, project),
    FOREIGN KEY(tenant) REFERENCES tenants (tenant)
);
CREATE TABLE project_sources (
    tenant VARCHAR(40) NOT NULL, project VARCHAR(40) NOT NULL, source VARCHAR(40) NOT NULL,
    PRIMARY KEY (tenant, project, source)
);
CREATE TABLE project_accounts (
    tenant VARCHAR(40) NOT NULL, project VARCHAR(40) NOT NULL, account_id VARCHAR(12) NOT NULL,
    from_day DATE, to_day DATE
);
CREATE INDEX ix_project_accounts_tenant ON project_accounts (tenant);
INSERT INTO tenants VALUES ('initech', 'Initech'), ('hooli', 'Hooli');
INSERT INTO sources VALUES ('initech', 'payer', 'legacy-cur', '/srv/initech');
"""
"""The tables of a registry from before roles and external ids existed."""


def make_two(folder: Path) -> None:
    """Two tenants, initech and hooli, with one month each."""
    made = TemporaryInstallation(folder / "data")
    for tenant in ("initech", "hooli"):
        (folder / f"{tenant}.yaml").write_text(DECLARED.format(name=tenant))
        deliver(folder / tenant / "cur", [row("1"), row("2")])
        made.apply(folder / f"{tenant}.yaml")
        assert not made.ingest(tenant).failed


pristine, tmp_path = rewound_by(make_two)


@pytest.fixture
def two(empty: TemporaryInstallation) -> TemporaryInstallation:
    """Two tenants as `make_two` made them."""
    return empty


def execute(database: Path, script: str) -> None:
    """Run SQL on a SQLite file directly."""
    with closing(sqlite3.connect(database)) as db:
        db.executescript(script)


def version(database: Path) -> list[str]:
    """The schema versions that a file stores."""
    with closing(sqlite3.connect(database)) as db:
        return [number for (number,) in db.execute("select version_num from alembic_version")]


def structure(database: Path) -> dict[str, set[tuple[object, ...]]]:
    """Name, type, nullability, default and key of every column of every table, and the indexes."""
    engine = sa.create_engine(f"sqlite:///{database}", poolclass=sa.NullPool)
    inspector = sa.inspect(engine)
    return {
        table: {
            (c["name"], str(c["type"]), c["nullable"], c["default"], c["primary_key"])
            for c in inspector.get_columns(table)
        }
        | {("index", i["name"], *i["column_names"]) for i in inspector.get_indexes(table)}
        for table in inspector.get_table_names()
    }


def state(folder: Path) -> Iterator[tuple[str, bytes, int]]:
    """Every file below a folder: name, bytes, when it was changed."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.endswith(".lock"):
            yield path.name, path.read_bytes(), path.stat().st_mtime_ns


@pytest.mark.parametrize("schema", [LEDGER, REGISTRY, ACCESS], ids=lambda schema: schema.name)
def test_the_listed_versions_are_those_of_the_migrations(schema: Schema) -> None:
    scripts = ScriptDirectory(str(schema.migrations))
    revisions = [script.revision for script in scripts.walk_revisions()]
    assert tuple(reversed(revisions)) == schema.versions
    assert scripts.get_heads() == [schema.newest]


def test_new_databases_store_their_version(two: TemporaryInstallation) -> None:
    assert version(two.data / "registry.sqlite") == [REGISTRY.newest]
    for tenant in ("initech", "hooli"):
        assert version(two.folder(tenant) / "ledger.sqlite") == [LEDGER.newest]


# --- newer


def test_a_newer_ledger_is_refused_and_the_other_tenant_works(two: TemporaryInstallation) -> None:
    ledger = two.folder("initech") / "ledger.sqlite"
    execute(ledger, "update alembic_version set version_num = '9999'")
    before = list(state(two.folder("initech")))
    for command in ("status initech", "ingest initech", "query initech 'select 1'"):
        code, out = finops(*command.replace("'", "").split(" ", 2))
        assert code == 1, command
        assert f"{ledger} has schema version 9999" in out.replace("\n", "")
        assert f"at most version {LEDGER.newest}" in out.replace("\n", " ")
        assert "Install the newer finops_pipeline" in out.replace("\n", " ")
    with pytest.raises(SchemaTooNew):
        Ledger(ledger).write(record_refusal(REFUSAL))
    assert list(state(two.folder("initech"))) == before
    assert finops("status", "hooli")[0] == 0
    assert finops("ingest", "hooli")[0] == 0
    assert ask("select count(*) as n from costs", "hooli", two.data) == [{"n": 2}]


def test_a_newer_registry_is_refused_and_nothing_is_changed(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    registry = two.data / "registry.sqlite"
    execute(registry, "update alembic_version set version_num = '9999'")
    before = list(state(two.data))
    for command in ("tenant list", "status hooli", "apply", "tenant add umbrella"):
        arguments = (
            ["apply", str(tmp_path / "hooli.yaml")] if command == "apply" else command.split()
        )
        code, out = finops(*arguments)
        assert code == 1, command
        assert f"{registry} has schema version 9999" in out.replace("\n", "")
    with pytest.raises(RegistryError, match="newer finops_pipeline"):
        Registry(f"sqlite:///{registry}").save(Tenant(name="umbrella"))
    assert list(state(two.data)) == before


# --- older


def test_databases_of_before_versions_are_upgraded_by_the_first_write(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    """As they were written before versions were stored: all tables and columns, no version."""
    registry = two.data / "registry.sqlite"
    ledgers = {tenant: two.folder(tenant) / "ledger.sqlite" for tenant in ("initech", "hooli")}
    for database in (registry, *ledgers.values()):
        execute(database, "drop table alembic_version")
    before = structure(registry), structure(ledgers["hooli"])
    ids = {tenant.name: tenant.external_id for tenant in two.installation.registry.tenants()}
    deliver(tmp_path / "initech/cur", [row("1"), row("5")], assembly="two")
    assert two.ingest("initech").steps[0].outcome == "landed"
    assert version(ledgers["initech"]) == [LEDGER.newest]
    assert "alembic_version" not in structure(ledgers["hooli"])
    assert len(Ledger(ledgers["initech"]).delivery_versions("payer", "2026-09")) == 2
    (tmp_path / "hooli.yaml").write_text(DECLARED.format(name="hooli") + "  display_name: Hooli\n")
    two.apply(tmp_path / "hooli.yaml")
    assert version(registry) == [REGISTRY.newest]
    assert {t.name: t.external_id for t in two.installation.registry.tenants()} == ids
    for database, tables in zip((registry, ledgers["initech"]), before, strict=True):
        after = structure(database)
        del after["alembic_version"]
        assert after == tables


def test_the_first_tables_become_the_newest(tmp_path: Path) -> None:
    old, new = tmp_path / "old.sqlite", tmp_path / "new.sqlite"
    execute(old, OLD)
    for database in (old, new):
        Ledger(database).write(record_refusal(REFUSAL))
    assert structure(old) == structure(new)
    assert Ledger(old).refusals() == Ledger(new).refusals() == {("payer", "2026-09"): REFUSAL}
    first, fresh = tmp_path / "first.sqlite", tmp_path / "fresh.sqlite"
    execute(first, FIRST_REGISTRY)
    registry = Registry(f"sqlite:///{first}")
    assert [tenant.external_id for tenant in registry.tenants()] == ["", ""]
    assert registry.tenant("initech").sources[0].location == "/srv/initech"
    registry.save(registry.tenant("hooli"))
    Registry(f"sqlite:///{fresh}").save(Tenant(name="umbrella"))
    assert structure(first) == structure(fresh)
    assert version(first) == [REGISTRY.newest]
    ids = {tenant.external_id for tenant in registry.tenants()}
    assert len(ids) == 2 and "" not in ids
    assert registry.tenant("initech").sources[0].location == "/srv/initech"


def test_an_upgrade_and_its_write_happen_together_or_not_at_all(tmp_path: Path) -> None:
    def fail(_: sa.Connection) -> None:
        raise ZeroDivisionError

    for script in ("", OLD):
        database = tmp_path / f"{len(script)}.sqlite"
        execute(database, script)
        before = structure(database)
        with pytest.raises(ZeroDivisionError):
            Ledger(database).write(record_refusal(REFUSAL), fail)
        assert structure(database) == before


def test_two_processes_may_upgrade_at_once(tmp_path: Path) -> None:
    """The second one waits for the first, and then finds nothing to do."""
    database = tmp_path / "ledger.sqlite"
    execute(database, OLD)
    together, errors = Barrier(4), []

    def write(source: str) -> None:
        together.wait()
        try:
            Ledger(database).write(record_refusal(Refusal(source, "2026-09", "", "")))
        except Exception as error:
            errors.append(error)

    threads = [Thread(target=write, args=(f"source-{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(Ledger(database).refusals()) == 4
    assert version(database) == [LEDGER.newest]


def test_a_transaction_that_writes_takes_the_lock_before_it_reads(tmp_path: Path) -> None:
    database = tmp_path / "ledger.sqlite"
    execute(database, OLD)
    engine = open_engine(sa.make_url(f"sqlite:///{database}"))
    with begin_write(engine), closing(sqlite3.connect(database, timeout=0)) as other:
        assert other.execute("select count(*) from deliveries").fetchone() == (0,)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("insert into moves values (1, null, '')")


# --- reading


@pytest.mark.parametrize("unversioned", [True, False])
def test_reading_writes_nothing(two: TemporaryInstallation, unversioned: bool) -> None:
    databases = [two.data / "registry.sqlite"]
    databases += [two.folder(tenant) / "ledger.sqlite" for tenant in ("initech", "hooli")]
    for database in databases:
        if unversioned:
            execute(database, "drop table alembic_version")
    before = [(path, path.read_bytes(), path.stat().st_mtime_ns) for path in databases]
    for command in ("tenant list", "status initech", "history initech/payer 2026-09", "gaps hooli"):
        assert finops(*command.split())[0] == 0, command
    assert read_invoices(Ledger(databases[1])) == []
    assert [(path, path.read_bytes(), path.stat().st_mtime_ns) for path in databases] == before
