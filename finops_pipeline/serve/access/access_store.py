"""The access database: a SQLite file beside the registry, read at every request.

Put here: its file, transactions, and what is raised when it cannot be used. Keep out: its tables
(access_tables.py), what is read and written.

It is in WAL mode, so that requests that read never wait for one that appends to the audit log. A
commit is on the disk when it returns. A database that does not exist has no principals: nobody has
access. If another file takes its place, that file counts from the next request.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import sqlalchemy as sa
from filelock import FileLock

from finops_pipeline.database.engine import begin_write, open_engine
from finops_pipeline.database.live_engine import LiveEngine
from finops_pipeline.database.private_files import Permissions, sync_path
from finops_pipeline.errors import SettingError, StorageFailure
from finops_pipeline.serve.access.access_tables import SCHEMA
from finops_pipeline.settings import Settings

Write = Callable[[sa.Connection], None]

_WAIT_SECONDS = 30
_NEWEST = "finops_is_newest"

BUSY_SECONDS = 5.0
"""How long a transaction waits for that of another process."""

STORE_ERRORS = (sa.exc.OperationalError, sa.exc.DatabaseError, sa.exc.IntegrityError)
"""The exact types of the errors whose cause is the file: locked, damaged, full, not writable, or
with a trigger that refuses."""


class AccessStore:
    """The access database of an installation.

    Every method raises StorageFailure when the file cannot be used.

    Raises:
        SettingError: FINOPS_ACCESS_URL names no SQLite file.
    """

    def __init__(self, settings: Settings) -> None:
        self.path = _path_of(settings.access)
        self._permissions = Permissions(settings.group_readable)
        self._live = LiveEngine(self.path, BUSY_SECONDS)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection | None]:
        """Open a connection that sees one state of the database; None if there is none yet."""
        with self._explained():
            engine = self._live.current()
            if engine is None:
                yield None
                return
            with engine.connect() as db:
                version = _version_of(db)
                if version in (None, SCHEMA.newest):
                    yield db if version else None
                    return
            self.write()  # an earlier version wrote the file; this upgrades it
            with engine.connect() as db:
                yield db

    def write(self, *writes: Write) -> None:
        """Perform all writes in one transaction; it creates or upgrades the database if needed."""
        with self._explained():
            engine = self._live.current()
            if engine is None:
                self._create()
                engine = self._live.current()
            if engine is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            with begin_write(engine) as db:
                if not db.info.get(_NEWEST):
                    db.info[_NEWEST] = SCHEMA.check_version(db) == SCHEMA.newest
                    SCHEMA.prepare(db)
                for write in writes:
                    write(db)

    def close(self) -> None:
        """Close the connections that no thread is using."""
        self._live.close()

    def _create(self) -> None:
        """Create the database beside its place, so that nobody ever sees it incomplete."""
        self._permissions.make_folder(self.path.parent)
        lock = self.path.with_name(f".{self.path.name}.lock")
        with FileLock(lock, timeout=_WAIT_SECONDS, mode=self._permissions.file):
            if self.path.exists():  # another process was faster
                return
            new = self.path.with_name(f".{self.path.name}.new")
            self._permissions.make_file(new)
            engine = open_engine(sa.URL.create("sqlite", database=str(new)))
            with closing(engine.raw_connection()) as connection:  # outside a transaction
                connection.cursor().execute("pragma journal_mode = wal")
            with begin_write(engine) as db:
                SCHEMA.prepare(db)
            sync_path(new)
            new.replace(self.path)
            sync_path(self.path.parent)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sa.exc.DatabaseError, OSError) as error:
            if isinstance(error, sa.exc.DatabaseError) and type(error) not in STORE_ERRORS:
                raise
            raise StorageFailure(
                f"the access database {self.path} cannot be used ({_reason(error)})",
                "a SQLite file that finops can read and write, on a disk with space",
                "Correct its permissions, free space on its disk, or restore it from a copy",
            ) from error


def _version_of(db: sa.Connection) -> str | None:
    """Return the version of a database; None if it has no tables yet.

    Every connection looks once when it finds the newest: a database is never downgraded.
    """
    if db.info.get(_NEWEST):
        return SCHEMA.newest
    version = SCHEMA.check_version(db)
    db.info[_NEWEST] = version == SCHEMA.newest
    return version


def _path_of(url: str) -> Path:
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        raise SettingError(
            f"FINOPS_ACCESS_URL is {parsed.render_as_string()!r}",
            "a SQLite file, such as sqlite:////srv/finops/access.sqlite: SQLite's triggers keep the"
            " audit log append-only",
            "Change or unset FINOPS_ACCESS_URL",
        )
    return Path(str(parsed.database))


def _reason(error: Exception) -> str:
    if isinstance(error, sa.exc.DatabaseError):
        return str(error.orig)
    return getattr(error, "strerror", None) or type(error).__name__
