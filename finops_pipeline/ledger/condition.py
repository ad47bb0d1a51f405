"""Whether a file is a ledger that can be used: readable, the tenant's own, not too new.

Put here: examining a file before it is trusted, and the error for a damaged ledger. Keep out:
where it lies and what to do about it (lake).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from finops_pipeline.database.engine import open_engine
from finops_pipeline.errors import DamagedFile, ForeignFile
from finops_pipeline.ledger.ownership import Identity, check_owner, load_owner
from finops_pipeline.ledger.schema import DELIVERIES, SCHEMA

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_PRIMARY_CODE = 0xFF
"""The part of an extended error code of SQLite that has the general error."""


@contextmanager
def naming_damage(path: Path, tenant: str) -> Iterator[None]:
    """Turn SQLite's errors about a damaged file into one that names it and the cure.

    Raises:
        DamagedFile: the file is not a database, or parts of it are lost.
    """
    try:
        yield
    except sa.exc.DatabaseError as error:
        if not _is_damage(error):
            raise
        raise DamagedFile(
            f"the ledger {path} is damaged ({error.orig})",
            f"the ledger of tenant {tenant}",
            f"Rebuild it: finops rebuild {tenant}",
        ) from error


def _is_damage(error: sa.exc.DatabaseError) -> bool:
    return getattr(error.orig, "sqlite_errorcode", 0) & _PRIMARY_CODE in _DAMAGE


def find_fault(path: Path, identity: Identity) -> str:
    """Return why a file cannot be used as the ledger of a tenant; empty if it can.

    Raises:
        SchemaTooNew: a newer version of finops_pipeline wrote it.
    """
    if path.stat().st_size == 0:
        return "is empty"
    engine = open_engine(sa.URL.create("sqlite", database=str(path)))
    try:
        with engine.connect() as db:
            result = db.execute(sa.text("pragma quick_check(1)")).scalars().first()
            if result != "ok":
                return "is damaged"
            SCHEMA.check_version(db)
            if not sa.inspect(db).has_table(DELIVERIES.name):
                return "has no deliveries, so it is not a ledger"
            owner = load_owner(db)
        if owner is not None:
            check_owner(owner, identity, str(path))
    except ForeignFile as error:
        return error.found.removeprefix(f"the ledger {path} ")
    except sa.exc.DatabaseError as error:
        if not _is_damage(error):
            raise
        return "is damaged"
    return ""
