"""The file of grants and tokens: missing, replaced, damaged, of another version, upgraded.

Put here: what every reader of the file meets. Keep out: what access permits (test_access.py), the
audit log in it (test_audit_log.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from finops_pipeline.database.engine import begin_write, open_engine
from finops_pipeline.database.migration import upgrade
from finops_pipeline.errors import FinopsError, NotAuthenticated, StorageFailure
from finops_pipeline.serve.access.access_store import AccessStore
from finops_pipeline.serve.access.access_tables import SCHEMA
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.serve.access.verified_access import Permission
from finops_pipeline.settings import Settings
from tests.support.access_tenants import AccessDesk, open_desk
from tests.test_schema_versions import structure

READ = Permission.READ


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[AccessDesk]:
    opened = open_desk(tmp_path / "data")
    yield opened
    opened.control.close()


def test_without_the_file_nobody_has_access_and_another_file_counts_at_once(
    desk: AccessDesk,
) -> None:
    text = desk.token("acme/ci")
    caller, path = desk.control.authenticate_token(text), desk.control.store.path
    for suffix in ("", "-wal", "-shm"):
        aside = path.with_name(path.name + suffix)
        if aside.exists():
            aside.replace(path.with_name("aside" + suffix))
    with pytest.raises(NotAuthenticated):
        desk.control.authenticate_token(text)
    assert desk.control.tenants_of(caller) == []
    with pytest.raises(NotAuthenticated):
        desk.control.authorize(caller, "acme", READ)
    for suffix in ("-wal", "-shm", ""):
        aside = path.with_name("aside" + suffix)
        if aside.exists():
            aside.replace(path.with_name(path.name + suffix))
    assert desk.control.authenticate_token(text).name == "acme/ci"


def test_a_file_that_is_replaced_counts_from_the_next_request(
    desk: AccessDesk, tmp_path: Path
) -> None:
    """By a copy, for example; the connections to the earlier file are still open."""
    text, path = desk.token("acme/ci"), desk.control.store.path
    with closing(sqlite3.connect(path)) as db, closing(sqlite3.connect(tmp_path / "copy")) as copy:
        db.backup(copy)
        db.execute("pragma wal_checkpoint(truncate)")
    newer = desk.token("acme/ci")
    with closing(sqlite3.connect(path)) as db:
        db.execute("pragma wal_checkpoint(truncate)")
    assert desk.control.authenticate_token(newer)
    with closing(sqlite3.connect(path)) as db:
        db.execute("pragma wal_checkpoint(truncate)")
    (tmp_path / "copy").replace(path)
    assert desk.control.authenticate_token(text).name == "acme/ci"
    with pytest.raises(NotAuthenticated):
        desk.control.authenticate_token(newer)


def test_a_damaged_file_is_refused_and_gives_nobody_access(desk: AccessDesk) -> None:
    text = desk.token("acme/ci")
    desk.control.close()
    desk.control.store.path.write_bytes(b"no database at all" * 100)
    control = AccessControl(desk.installation)
    with pytest.raises(StorageFailure, match=r"access\.sqlite cannot be used"):
        control.authenticate_token(text)


def test_a_newer_file_is_refused(desk: AccessDesk) -> None:
    text = desk.token("acme/ci")
    desk.control.close()
    with closing(sqlite3.connect(desk.control.store.path)) as db, db:
        db.execute("update alembic_version set version_num = '9999'")
    control = AccessControl(desk.installation)
    with pytest.raises(StorageFailure, match="has schema version 9999"):
        control.authenticate_token(text)
    with pytest.raises(FinopsError, match="has schema version 9999"):
        desk.managed.add_principal("late")


@pytest.mark.parametrize("url", ["postgresql://db/access", "sqlite://", "sqlite:///:memory:"])
def test_only_a_sqlite_file_can_hold_access(tmp_path: Path, url: str) -> None:
    with pytest.raises(FinopsError, match="FINOPS_ACCESS_URL"):
        AccessStore(Settings(data=tmp_path, access_url=url))


def triggers(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("select name, sql from sqlite_master where type = 'trigger'")
        return {name: " ".join(sql.split()) for name, sql in rows}


def test_the_migrations_make_what_a_new_file_has(desk: AccessDesk, tmp_path: Path) -> None:
    desk.token("acme/ci")
    path, migrated = desk.control.store.path, tmp_path / "migrated.sqlite"
    with begin_write(open_engine(sa.make_url(f"sqlite:///{migrated}"))) as db:
        upgrade(db, SCHEMA.migrations)
    assert structure(migrated) == structure(path)
    assert triggers(migrated) == triggers(path) and len(triggers(path)) == 3
