"""The audit log: what is recorded is on the disk before anything leaves.

Put here: recording from many threads at once, and reading. Keep out: entries and their chains
(audit_entries.py), the database (access_store.py).

Entries that arrive while another transaction commits are appended together by the next one, so that
a hundred requests at a time do not wait for a hundred commits one after the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Lock

from finops_pipeline.errors import AuditUnavailable, StorageFailure
from finops_pipeline.serve.access.access_store import AccessStore
from finops_pipeline.serve.access.audit_entries import (
    AuditEntry,
    AuditSelection,
    StoredEntry,
    VerifiedChain,
    append_entries,
    read_entries,
    verify_chains,
)


@dataclass
class _Waiting:
    """An entry of one thread, and what became of it."""

    entry: AuditEntry
    is_settled: bool = False
    failure: StorageFailure | None = None


class AuditLog:
    """The audit log of an installation, for any number of threads."""

    def __init__(self, store: AccessStore) -> None:
        self._store = store
        self._queue: SimpleQueue[_Waiting] = SimpleQueue()
        self._lock = Lock()

    def record(self, entry: AuditEntry) -> None:
        """Append an entry; it is committed when this returns.

        Raises:
            AuditUnavailable: it cannot be stored.
        """
        waiting = _Waiting(entry)
        self._queue.put(waiting)
        with self._lock:
            if not waiting.is_settled:
                self._append(self._take())
        if waiting.failure is not None:
            raise unavailable(waiting.failure) from waiting.failure

    def _take(self) -> list[_Waiting]:
        taken = []
        try:
            while True:
                taken.append(self._queue.get_nowait())
        except Empty:
            return taken

    def _append(self, batch: list[_Waiting]) -> None:
        failure = None
        try:
            self._store.write(lambda db: append_entries(db, [w.entry for w in batch]))
        except StorageFailure as error:
            failure = error
        except BaseException as error:
            failure = StorageFailure(f"it was interrupted by {type(error).__name__}")
            raise
        finally:
            for waiting in batch:
                waiting.failure, waiting.is_settled = failure, True


def read_audit(
    store: AccessStore, tenant_id: str, selection: AuditSelection
) -> Iterator[StoredEntry]:
    """Yield entries of the log of one tenant, or of the installation, the oldest first."""
    with store.reading() as db:
        if db is not None:
            yield from read_entries(db, tenant_id, selection)


def verify_audit(store: AccessStore) -> list[VerifiedChain]:
    """Compute the hashes of the whole audit log again, and report on every chain."""
    with store.reading() as db:
        return list(verify_chains(db)) if db is not None else []


def unavailable(failure: StorageFailure) -> AuditUnavailable:
    """Return the error for something that was not done because it could not be recorded."""
    return AuditUnavailable(
        f"the audit log cannot be written, so nothing was done ({failure.found})",
        "an audit log that records every access before anything is given out",
        failure.cure,
    )
