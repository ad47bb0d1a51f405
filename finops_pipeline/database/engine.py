"""Open a SQL database so that each transaction is one: also its changes of tables, also in SQLite.

Put here: engines and the way their transactions begin. Keep out: schema versions (versions.py)
and whatever is read or written.

Python's sqlite3 by default begins a transaction before an INSERT but not before a CREATE TABLE, so
that a migration would be committed piece by piece. Here SQLAlchemy begins every transaction itself
(its documentation: "Serializable isolation / Savepoints / Transactional DDL" of pysqlite).
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import sqlalchemy as sa


def open_engine(url: sa.URL) -> sa.Engine:
    """Make an engine that keeps no connection open between uses; nothing is opened yet."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    if url.get_backend_name() == "sqlite":
        sa.event.listen(engine, "connect", _disable_implicit_begin)
        sa.event.listen(engine, "begin", _begin)
    return engine


def begin_write(engine: sa.Engine) -> AbstractContextManager[sa.Connection]:
    """Begin a transaction that writes: SQLite takes its write lock now, before anything is read.

    Else two processes could both read an old schema version and both upgrade it.
    """
    return engine.execution_options(sqlite_begin="begin immediate").begin()


def _disable_implicit_begin(connection: Any, _record: Any) -> None:
    connection.isolation_level = None


def _begin(db: sa.Connection) -> None:
    db.exec_driver_sql(db.get_execution_options().get("sqlite_begin", "begin"))
