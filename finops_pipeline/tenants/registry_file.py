"""The file of a SQLite registry: if lost, not mistaken for a new one; copied at each change.

Put here: checking the file, creating and replacing it, its lock, its last good copy. Keep out: what
is in it (registry.py).

    registry.sqlite             the registry
    .registry-copy.sqlite       its last good copy, for finops restore-registry
    registry.sqlite.replaced     what finops restore-registry replaced
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from filelock import FileLock, Timeout

from finops_pipeline.database.private_files import Permissions, sync_path
from finops_pipeline.database.sqlite_copy import SQLiteError, copy_database, is_sqlite
from finops_pipeline.errors import RegistryBusy, RegistryUnusable, StorageFailure

WAIT_SECONDS = 30.0
"""Seconds that a command waits for another one that changes the registry."""

_DAMAGED_CODES = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_FORMAT")
_UNREADABLE_CODES = ("SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_IOERR")


class RegistryFile:
    """The file of a SQLite registry.

    Args:
        path: the file.
        data: the data folder, whose tenants show that there was a registry.
        permissions: the permissions of what is created.
    """

    def __init__(self, path: Path, data: Path | None, permissions: Permissions) -> None:
        self.path = path
        self.wait_seconds = WAIT_SECONDS
        self._data = data
        self._permissions = permissions
        self._lock = FileLock(path.with_name(f".{path.name}.lock"), mode=permissions.file)

    @property
    def copy(self) -> Path:
        """The last good copy."""
        return self.path.with_name(f".{self.path.stem}-copy{self.path.suffix}")

    @property
    def new(self) -> Path:
        """Where a registry is written before it is put in place."""
        return self.path.with_name(f".{self.path.name}.new")

    def exists(self) -> bool:
        """Return whether there is a registry; False only where there never was one.

        Raises:
            RegistryUnusable: it is lost, empty or not a SQLite database.
        """
        if not self.path.exists():
            if self.copy.exists() or self._has_tenants():
                raise self.problem("is missing")
            return False
        try:
            is_database = self.path.is_file() and is_sqlite(self.path)
        except OSError as error:
            raise self._unreadable(error.strerror or type(error).__name__) from error
        if not is_database:
            is_empty = self.path.is_file() and self.path.stat().st_size == 0
            raise self.problem("is empty (0 bytes)" if is_empty else "is not a SQLite database")
        return True

    def _has_tenants(self) -> bool:
        return self._data is not None and any(self._data.glob("lake/tenant=*/*"))

    def problem(self, state: str) -> RegistryUnusable:
        """Return the error for a registry that has to be restored."""
        source = "" if self.copy.exists() else " --from tenants.yaml"
        return RegistryUnusable(
            f"the registry {self.path} {state}",
            "the SQLite database with this installation's tenants",
            f"Restore it: finops restore-registry{source}",
        )

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn SQLite's errors about a file into ones that name it and the cure.

        Raises:
            RegistryUnusable: the file is damaged or cannot be opened.
        """
        try:
            yield
        except sa.exc.DatabaseError as error:
            code = str(getattr(error.orig, "sqlite_errorname", ""))
            if code.startswith(_DAMAGED_CODES):
                raise self.problem(f"is damaged ({error.orig})") from error
            if code.startswith(_UNREADABLE_CODES):
                raise self._unreadable(str(error.orig)) from error
            raise

    def _unreadable(self, reason: str) -> RegistryUnusable:
        return RegistryUnusable(
            f"the registry {self.path} cannot be opened ({reason})",
            "a file and a folder that the user who runs finops may read and write",
            f"Correct the permissions: chmod u+rw {self.path}",
        )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from changing the registry.

        Raises:
            RegistryBusy: another process held the lock for `wait_seconds`.
        """
        self._permissions.make_folder(self.path.parent)
        try:
            self._lock.acquire(timeout=self.wait_seconds)
        except Timeout as error:
            raise RegistryBusy(
                f"the registry is being changed by another process"
                f" (waited {self.wait_seconds:g} s)",
                cure="Try again when it has finished",
            ) from error
        try:
            yield
        finally:
            self._lock.release()

    def begin(self) -> None:
        """Create the empty file in which a registry is written before it is put in place."""
        self._permissions.make_file(self.new)
        journal = self.new.with_name(f"{self.new.name}-journal")
        if journal.exists():  # SQLite would apply what a killed process left
            self._permissions.make_file(journal)

    def put_in_place(self) -> None:
        """Put the new registry in place, and set aside a damaged one with SQLite's files beside it.

        A journal of the damaged file would otherwise be applied to the new one.
        """
        sync_path(self.new)
        for suffix in ("-journal", "-wal", "-shm", ""):
            old = self.path.with_name(self.path.name + suffix)
            if old.exists() or old.is_symlink():
                old.replace(self.path.with_name(f"{self.path.name}.replaced{suffix}"))
        self.new.replace(self.path)
        sync_path(self.path.parent)

    def protect(self) -> None:
        """Give the file of an older version today's permissions; SQLite's journals follow it."""
        self.path.chmod(self._permissions.file)

    def ensure_copy(self) -> None:
        """Keep a copy of a registry that has none, or was changed by an older version since."""
        copy = self.copy
        if not copy.exists() or copy.stat().st_mtime_ns < self.path.stat().st_mtime_ns:
            self.keep_copy()

    def keep_copy(self) -> None:
        """Keep a copy of the registry as it is now; if that fails, the older copy stays."""
        self.copy_to(self.copy)

    def copy_to(self, target: Path) -> None:
        """Copy the registry as it is now.

        Raises:
            StorageFailure: it cannot be copied. What was saved stays.
        """
        try:
            copy_database(self.path, target, self._permissions)
        except SQLiteError as error:
            raise StorageFailure(
                f"the registry {self.path} cannot be copied to {target} ({error})",
                "a copy of it after each change",
                "Correct the cause and run the command again; the registry itself is saved",
            ) from error
