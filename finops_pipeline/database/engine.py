"""Engines whose transactions are atomic, including changes of tables, even in SQLite.

Put here: engines and how their transactions begin. Keep out: schema versions (versions.py), reading
and writing.

Python's sqlite3 by default begins a transaction before an INSERT but not before a CREATE TABLE, so
that a migration would be committed piece by piece. Here SQLAlchemy begins every transaction itself
(its documentation: "Serializable isolation / Savepoints / Transactional DDL" of pysqlite).
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import sqlalchemy as sa


def open_engine(url: sa.URL, *, keeps_connections: bool = False) -> sa.Engine:
    """Make an engine; it does not connect yet.

    Args:
        keeps_connections: between uses, for a server: as many as were needed at once. Otherwise
            none stays open.
    """
    if keeps_connections:
        engine = sa.create_engine(url, poolclass=sa.QueuePool, max_overflow=-1)
    else:
        engine = sa.create_engine(url, poolclass=sa.NullPool)
    if url.get_backend_name() == "sqlite":
        sa.event.listen(engine, "connect", _disable_implicit_begin)
        sa.event.listen(engine, "begin", _begin)
    return engine


def begin_write(engine: sa.Engine) -> AbstractContextManager[sa.Connection]:
    """Begin a writing transaction: SQLite acquires its write lock now, before anything is read.

    Otherwise two processes could both read an old schema version and both upgrade it.
    """
    return engine.execution_options(sqlite_begin="begin immediate").begin()


def _disable_implicit_begin(connection: Any, _record: Any) -> None:
    connection.isolation_level = None


def _begin(db: sa.Connection) -> None:
    db.exec_driver_sql(db.get_execution_options().get("sqlite_begin", "begin"))
