"""The one path from a verified scope to data: open sandboxes, shared between requests and threads.

Put here: which sandbox answers a request. Keep out: who may see what (access), what SQL is kept
from (sandbox.py), how many run at a time (query_slots.py), which stay open (open_warehouses.py).

A process belongs to one scope from its start to its end, and to one generation of the file: a
request whose scope or generation differs never gets it. Whether an idle process may answer is
decided by the file system when it is taken: its folder is still in its place, and the file in it is
the one that the process has open.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace

from finops_pipeline import clock
from finops_pipeline.application.installation import Installation
from finops_pipeline.errors import Busy, DamagedFile, ForeignFile, QueryStopped, Unknown
from finops_pipeline.lake.duck import DuckDBError, bytes_of
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.warehouse_access import read_mark
from finops_pipeline.serve.blank_workers import BlankWorkers
from finops_pipeline.serve.data_scope import DataScope
from finops_pipeline.serve.limited_files import LimitedFiles
from finops_pipeline.serve.open_warehouses import IdleWarehouses, OpenWarehouse
from finops_pipeline.serve.query_slots import Caller, QuerySlots, SlotBounds
from finops_pipeline.serve.questions.answer_cache import AnswerCache, RememberedAnswers
from finops_pipeline.serve.questions.cost_answer import CostAsker
from finops_pipeline.serve.sandbox import Sandbox
from finops_pipeline.serve.sandboxed_files import (
    LimitedFile,
    LimitedFileMissing,
    SandboxedFile,
    WholeFile,
)
from finops_pipeline.settings import Settings

_SWEEP_SECONDS = 10.0
"""Idle sandboxes are compared with their folders at least this often, if there are requests: a
process must not keep the data of a purged tenant."""

_OPENING_ATTEMPTS = 3
"""A file of some projects may be replaced between writing and opening it."""

_NEXT_PORTION_SECONDS = 60.0
"""How long an export that has begun waits for its turn to compute the next portion."""


@dataclass(frozen=True)
class PoolLimits:
    """Bounds of a pool; settings.py describes each."""

    workers: int = 64
    queries: int = 8
    queries_per_tenant: int = 4
    exports: int = 16
    exports_per_tenant: int = 4
    limited_files: int = 32
    limited_files_at_once: int = 2
    wait_seconds: float = 5.0
    idle_bytes: int = 4_000_000_000
    answer_bytes: int = 64_000_000

    @classmethod
    def of(cls, settings: Settings) -> PoolLimits:
        """Return the bounds that the settings describe."""
        return cls(
            settings.serve_workers,
            settings.serve_queries,
            settings.serve_queries_per_tenant,
            settings.serve_exports,
            settings.serve_exports_per_tenant,
            settings.serve_limited_files,
            settings.serve_limited_files_at_once,
            settings.serve_wait_seconds,
            bytes_of(settings.serve_idle_memory),
            bytes_of(settings.serve_answer_memory),
        )

    @property
    def query_bounds(self) -> SlotBounds:
        """Bounds of queries: no principal alone takes every turn of its tenant."""
        total = min(self.queries, self.workers)
        per_tenant = min(self.queries_per_tenant, total)
        return SlotBounds(total, per_tenant, max(1, per_tenant - 1))

    @property
    def export_bounds(self) -> SlotBounds:
        """Bounds of open exports, each of which holds a process: half of a tenant's for one."""
        total = max(1, min(self.exports, self.workers - self.query_bounds.total))
        per_tenant = min(self.exports_per_tenant, total)
        return SlotBounds(total, per_tenant, max(1, per_tenant // 2))


@dataclass(frozen=True)
class ExportedWarehouse:
    """A warehouse that an export reads portion by portion, at the pace of its client.

    `turn`: waits for a turn to compute the next portion. Between portions the export holds no turn:
    a client that reads slowly keeps nobody's query waiting.
    """

    warehouse: OpenWarehouse
    turn: Callable[[], AbstractContextManager[None]]


class WarehousePool:
    """Open warehouses of one installation, for the threads of a server."""

    def __init__(self, installation: Installation, limits: PoolLimits | None = None) -> None:
        self._installation = installation
        self._limits = limits or PoolLimits.of(installation.settings)
        bounds = self._limits
        self._slots = QuerySlots(bounds.query_bounds)
        self._exports = QuerySlots(bounds.export_bounds)
        self._limited = LimitedFiles(
            installation, bounds.limited_files_at_once, bounds.limited_files, bounds.wait_seconds
        )
        self._idle = IdleWarehouses(bounds.workers, bounds.idle_bytes)
        self._blank = BlankWorkers()
        self._answers = AnswerCache(bounds.answer_bytes)
        self._folders: dict[str, TenantFolder] = {}
        self._swept_at = clock.stopwatch()

    @contextmanager
    def open(self, scope: DataScope, principal: str = "") -> Iterator[OpenWarehouse]:
        """Open the newest data of a scope, which the caller has verified.

        Args:
            scope: what may be shown.
            principal: id of the caller, for the bound of its queries.

        Raises:
            Busy: too many queries are running, of this caller, of its tenant or of all.
            Unknown: there is no such tenant, or it has no file yet.
            ForeignFile, DamagedFile: the file is not the one that was published for this tenant.
            DiskFull, TenantBusy: the file of some projects cannot be written.
            ReadingEnded: the tenant's folder was replaced, while the block was reading.
        """
        with ExitStack() as turn:
            warehouse = self._take_in_turn(turn, scope, Caller(scope.tenant, principal))
            try:
                yield warehouse
            finally:
                self._give_back(warehouse)
        self._sweep()

    @contextmanager
    def open_export(self, scope: DataScope, principal: str) -> Iterator[ExportedWarehouse]:
        """Open the newest data of a scope for an answer that is sent while it is read.

        Raises:
            Busy: too many exports are open, of this caller, of its tenant or of all; or as `open`.
            Unknown, ForeignFile, DamagedFile, DiskFull, TenantBusy, ReadingEnded: as `open`.
        """
        caller = Caller(scope.tenant, principal)

        def turn() -> AbstractContextManager[None]:
            return self._slots.turn(caller, _NEXT_PORTION_SECONDS, is_begun=True)

        with self._exports.turn(caller, self._limits.wait_seconds):
            with ExitStack() as opening:
                warehouse = self._take_in_turn(opening, scope, caller)
            try:
                yield ExportedWarehouse(warehouse, turn)
            finally:
                self._give_back(warehouse)
        self._sweep()

    def _take_in_turn(self, turn: ExitStack, scope: DataScope, caller: Caller) -> OpenWarehouse:
        """Wait for a turn, which `turn` gives back, and return an open warehouse."""
        folder, scope = self._folder(scope), self._identified(scope)
        for _ in range(_OPENING_ATTEMPTS):
            turn.enter_context(self._slots.turn(caller, self._limits.wait_seconds))
            try:
                warehouse = self._take(scope, folder)
            except LimitedFileMissing:
                turn.close()  # whoever waits for a file keeps no query waiting
                self._limited.write(scope, folder)
                continue
            self._limited.note_use(scope)
            return warehouse
        raise Busy(
            "the data of your projects was replaced again and again while it was opened",
            cure="Ask again in a moment",
        )

    def generation(self, scope: DataScope) -> str:
        """Return the name of the newest generation of a scope, without opening it.

        Raises:
            Unknown: there is no such tenant, or it has no file yet.
            ForeignFile, DamagedFile: the folder holds something else in its place.
        """
        folder, scope = self._folder(scope), self._identified(scope)
        return _name_generation(scope, folder, read_mark(folder))

    def close(self) -> None:
        """End every process; those that are answering, when they have answered."""
        self._limited.close()
        self._idle.close()
        self._blank.close()

    def close_outdated(self) -> None:
        """End idle processes whose file was replaced or purged."""
        self._idle.close_if(self._is_outdated)

    def _folder(self, scope: DataScope) -> TenantFolder:
        """Return the tenant's folder; it names paths, and reads nothing of the tenant."""
        known = self._folders.get(scope.tenant)
        if known is None:
            known = self._installation.folder(scope.tenant)
            if known.identity.installation_id:  # which never changes
                self._folders[scope.tenant] = known
        return known

    def _identified(self, scope: DataScope) -> DataScope:
        """Return a scope with the identities of its projects, which a verified access has."""
        if not scope.projects or scope.identities:
            return scope
        declared = self._installation.registry.projects(scope.tenant)
        known = tuple(p.identity for p in declared if p.name in scope.projects)
        return replace(scope, identities=known)

    def _take(self, scope: DataScope, folder: TenantFolder) -> OpenWarehouse:
        """Return a warehouse of the newest generation: an idle one, otherwise a new one."""
        while (idle := self._idle.take(scope)) is not None:
            try:
                is_current = idle.sandbox.is_current(read_mark(folder))
            except BaseException:
                self._discard(idle)
                raise
            if is_current:
                return idle
            self._discard(idle)
        try:
            return self._start(scope, folder)
        except BaseException:
            self._idle.count_closed()
            raise

    def _start(self, scope: DataScope, folder: TenantFolder) -> OpenWarehouse:
        file: SandboxedFile = WholeFile(folder)
        if scope.projects is not None:
            file = LimitedFile(folder, scope.identities)
        limits = self._installation.query_limits
        sandbox = Sandbox(file, limits, is_pinned=True, start=self._blank.take)
        generation = _name_generation(scope, folder, sandbox.mark)
        answers = RememberedAnswers(self._answers, (scope, generation))
        return OpenWarehouse(scope, sandbox, CostAsker(sandbox, answers), generation)

    def _give_back(self, warehouse: OpenWarehouse) -> None:
        is_reusable = False
        try:
            with suppress(QueryStopped, DuckDBError):
                is_reusable = warehouse.sandbox.release()
        finally:
            if not is_reusable:
                self._discard(warehouse)
        if is_reusable:
            self._idle.give_back(warehouse)

    def _discard(self, warehouse: OpenWarehouse) -> None:
        warehouse.sandbox.close()
        self._idle.count_closed()

    def _is_outdated(self, warehouse: OpenWarehouse) -> bool:
        try:
            mark = read_mark(self._folder(warehouse.scope))
        except (Unknown, ForeignFile, DamagedFile):
            return True
        return not warehouse.sandbox.is_current(mark)

    def _sweep(self) -> None:
        now = clock.stopwatch()
        if now - self._swept_at >= _SWEEP_SECONDS:
            self._swept_at = now
            self.close_outdated()


def _name_generation(scope: DataScope, folder: TenantFolder, mark: str) -> str:
    """Return a name of a generation that nobody can compute who does not know the installation."""
    content = repr((folder.identity.installation_id, scope, mark))
    return hashlib.sha256(content.encode()).hexdigest()[:32]
