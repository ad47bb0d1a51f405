"""Files of accesses limited to projects, as a server writes and keeps them: with bounds of its own.

Put here: writing them outside the turns of queries, a few at a time, and how many of a tenant stay.
Keep out: writing one (application/scoped_files.py), opening it (sandboxed_files.py).

A file is written by a thread of its own. A request waits for it for a moment; if it takes longer,
the request is refused as busy, and a later one finds the file.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from finops_pipeline.application.installation import Installation
from finops_pipeline.application.scoped_files import name_scoped, require_scoped
from finops_pipeline.errors import Busy
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.scoped_folder import limit_scoped
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.serve.data_scope import DataScope
from finops_pipeline.serve.query_slots import Caller, QuerySlots, SlotBounds

_AT_ONCE_PER_TENANT = 1
_REMEMBERED_USES = 10_000


class LimitedFiles:
    """The limited files of an installation, for any number of threads.

    Args:
        installation: whose tenants have them.
        at_once: files that are written at the same time, at most one of each tenant.
        kept: files of one tenant that stay; those that were not used for longest go first.
        wait_seconds: how long a request waits for a file.
    """

    def __init__(
        self, installation: Installation, at_once: int, kept: int, wait_seconds: float
    ) -> None:
        self._limits = installation.limits
        self._kept = kept
        self._wait_seconds = wait_seconds
        self._slots = QuerySlots(SlotBounds(at_once, _AT_ONCE_PER_TENANT, _AT_ONCE_PER_TENANT))
        self._threads = ThreadPoolExecutor(at_once, "limited-file")
        self._lock = threading.Lock()
        self._being_written: dict[DataScope, Future[None]] = {}
        self._uses: dict[DataScope, None] = {}

    def note_use(self, scope: DataScope) -> None:
        """Note that the file of a scope is used now."""
        if scope.projects is None:
            return
        with self._lock:
            self._uses.pop(scope, None)
            self._uses[scope] = None
            if len(self._uses) > _REMEMBERED_USES:
                self._uses.pop(next(iter(self._uses)))

    def write(self, scope: DataScope, folder: TenantFolder) -> None:
        """Write the file of a scope, or wait until it is written.

        Raises:
            Busy: that takes longer than a request may wait, or as many as may are being written.
            Unknown, ForeignFile, DamagedFile, DiskFull, TenantBusy: it cannot be written.
        """
        with self._lock:
            writing = self._being_written.get(scope)
        if writing is None:
            writing = self._begin(scope, folder)
        try:
            writing.result(self._wait_seconds)
        except TimeoutError:
            raise Busy(
                f"the data of your projects is being prepared (waited {self._wait_seconds:g} s)",
                "data that is ready: it is prepared once after each change",
                "Ask again in a moment",
            ) from None

    def close(self) -> None:
        """Wait for files that are being written."""
        self._threads.shutdown()

    def _begin(self, scope: DataScope, folder: TenantFolder) -> Future[None]:
        """Wait for a turn, and let a thread write the file; the thread gives the turn back."""
        with ExitStack() as turn:
            turn.enter_context(self._slots.turn(Caller(scope.tenant), self._wait_seconds))
            with self._lock:
                # Of two requests for one file, the later one has waited while it was written.
                writing = self._threads.submit(self._write, scope, folder)
                self._being_written[scope] = writing
            end = turn.pop_all().close
        writing.add_done_callback(lambda _: self._end(scope, end))
        return writing

    def _write(self, scope: DataScope, folder: TenantFolder) -> None:
        require_scoped(folder, scope.identities, self._limits)
        limit_scoped(folder, open_ledger(folder), self._used_files(scope, folder), self._kept)

    def _end(self, scope: DataScope, end_turn: Callable[[], None]) -> None:
        with self._lock:
            self._being_written.pop(scope, None)
        end_turn()

    def _used_files(self, scope: DataScope, folder: TenantFolder) -> list[Path]:
        """Return the files of the scope's tenant in the order of their last use, its own last."""
        with self._lock:
            uses = [use for use in self._uses if use.tenant == scope.tenant and use != scope]
        named = name_scoped(folder, [use.identities for use in [*uses, scope]])
        return [scoped.path for scoped in named]
