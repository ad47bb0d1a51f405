"""The file in which the requests of one tenant wait, and the locks beside it.

Put here: reading and replacing it as a whole, its locks, listing such files. Keep out: what a
request is (application/ingest_requests.py).

    <data>/lake/.requests/<external id>.json   the latest requests of one tenant
    <data>/lake/.requests/<external id>.lock   held while the file is changed
    <data>/lake/.requests/<external id>.run    held by the process that carries out a request

The name is the tenant's external id, so that a later tenant of the same name finds nothing. It is
no part of the tenant's folder, which a restored backup replaces as a whole.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from finops_pipeline.database.private_files import Permissions, sync_path
from finops_pipeline.errors import StorageFailure, TenantBusy

_FOLDER = ".requests"
_WAIT_SECONDS = 2.0


class RequestFile:
    """The requests of one tenant as text.

    Args:
        lake: the folder of all tenants' folders.
        external_id: of the tenant, as the registry made it.
        permissions: the permissions of what is created.
    """

    def __init__(self, lake: Path, external_id: str, permissions: Permissions) -> None:
        self._folder = lake / _FOLDER
        self._stem = str(uuid.UUID(external_id))
        self._permissions = permissions

    @property
    def path(self) -> Path:
        """The file."""
        return self._folder / f"{self._stem}.json"

    def read(self) -> str:
        """Read the text; empty if there is none yet.

        Raises:
            StorageFailure: the file is not text.
        """
        try:
            return self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""
        except UnicodeDecodeError as error:
            raise self.damaged() from error

    def damaged(self) -> StorageFailure:
        """Return the error for a file that does not hold what was written."""
        return StorageFailure(
            f"the requests in {self.path} are damaged",
            "a file as finops_pipeline wrote it",
            "Delete the file; only the requests for an ingest are lost",
        )

    def write(self, text: str) -> None:
        """Put another text in place of the file; the caller holds the lock."""
        new = self._folder / f"{self._stem}.new"
        self._permissions.make_file(new)
        new.write_text(text, encoding="utf-8")
        sync_path(new)
        new.replace(self.path)
        sync_path(self._folder)

    def delete(self) -> None:
        """Delete the file and its locks, for a tenant that was purged."""
        for ending in ("json", "new", "lock", "run"):
            (self._folder / f"{self._stem}.{ending}").unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others from changing the file.

        Raises:
            TenantBusy: another process held the lock for too long.
        """
        with self._lock("lock", _WAIT_SECONDS) as is_held:
            if not is_held:
                raise TenantBusy("the requests are being changed by another process")
            yield

    @contextmanager
    def carrying_out(self) -> Iterator[bool]:
        """Become the only process that carries out requests; yield whether it is the only one."""
        with self._lock("run", 0) as is_held:
            yield is_held

    @contextmanager
    def _lock(self, ending: str, wait_seconds: float) -> Iterator[bool]:
        self._permissions.make_folder(self._folder)
        lock = FileLock(self._folder / f"{self._stem}.{ending}", mode=self._permissions.file)
        try:
            lock.acquire(timeout=wait_seconds)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()


def list_request_files(lake: Path) -> dict[str, int]:
    """List the external ids that have requests, each with the time of the last change."""
    try:
        with os.scandir(lake / _FOLDER) as entries:
            return {
                entry.name.removesuffix(".json"): entry.stat().st_mtime_ns
                for entry in entries
                if entry.name.endswith(".json")
            }
    except FileNotFoundError:
        return {}
