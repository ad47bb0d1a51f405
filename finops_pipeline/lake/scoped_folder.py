"""The files of a tenant that are limited to some of its projects: their names, and removing them.

Put here: which of them can be used, and when they go. Keep out: writing one (scoped_file.py), what
is in it (marts/scoped_tables.py).

    .scoped/<generation>-<projects>.duckdb   made when it is first needed

Nothing is lost with such a file: it is a cache of the tenant's file, made from one generation. It
is used only if the ledger has its mark, so a file that anything else wrote or changed is not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from finops_pipeline.errors import SchemaTooNew
from finops_pipeline.lake import files
from finops_pipeline.lake.file_marks import mark_of
from finops_pipeline.lake.layout import COST_EXPLORER_DAYS, COSTS, TenantFolder
from finops_pipeline.lake.own_files import require_own
from finops_pipeline.ledger.ledger import Ledger, LedgerError
from finops_pipeline.ledger.stored_files import FileMark, forget_marks, read_marks, record_marks
from finops_pipeline.tenants.project_identity import ProjectIdentity

RULES_VERSION = 2
"""Raised when the rules of what a limited file has change (marts/scoped_tables.py)."""

_NAMED_DIGITS = 24


@dataclass(frozen=True)
class ScopedFile:
    """The file with the rows of some projects, made from one generation of the tenant's file.

    `projects`: sorted and unique. `mark`: of the tenant's file (file_marks.py).
    """

    folder: TenantFolder
    projects: tuple[ProjectIdentity, ...]
    mark: str

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the projects."""
        return tuple(project.name for project in self.projects)

    @property
    def path(self) -> Path:
        """Where it lies."""
        generation = _digest(RULES_VERSION, self.folder.root, self.mark)
        return self.folder.scoped / f"{generation}-{_digest(*self.projects)}.duckdb"

    @property
    def partition_folders(self) -> list[Path]:
        """The folders of the projects' own files, some of which may not exist.

        Raises:
            ForeignFile: one of them is a link.
        """
        tables = (COSTS, COST_EXPLORER_DAYS)
        folders = [self.folder.stored_key(table, key) for table in tables for key in self.names]
        for folder in folders:
            require_own(self.folder, folder)
        return folders


def is_usable(scoped: ScopedFile, ledger: Ledger) -> bool:
    """Return whether the file is there as it was written.

    Raises:
        ForeignFile: it is a link.
    """
    require_own(scoped.folder, scoped.path)
    written = read_marks(ledger).get(scoped.folder.relative(scoped.path))
    try:
        return written is not None and written.mark == mark_of(scoped.path)
    except FileNotFoundError:
        return False


def keep_mark(scoped: ScopedFile, ledger: Ledger) -> None:
    """Note that the file is as it was written; without that it is written again when needed."""
    path = scoped.path
    mark = FileMark(scoped.folder.relative(path), files.fingerprint(path), mark_of(path))
    with suppress(LedgerError, SchemaTooNew):
        ledger.write(record_marks([mark]))


def remove_scoped(folder: TenantFolder, ledger: Ledger, needed: str = "") -> None:
    """Remove limited files; whoever has one open can go on reading it.

    Args:
        needed: mark of the generation whose files stay; empty: none stay.
    """
    if folder.scoped.is_symlink() or not folder.scoped.is_dir():
        return
    stays = f"{_digest(RULES_VERSION, folder.root, needed)}-" if needed else "/"
    gone = [path for path in sorted(folder.scoped.glob("*-*")) if not path.name.startswith(stays)]
    _remove(folder, ledger, gone)


def limit_scoped(folder: TenantFolder, ledger: Ledger, used: Sequence[Path], most: int) -> None:
    """Remove limited files beyond a number; whoever has one open can go on reading it.

    Args:
        folder: the tenant's folder.
        ledger: its ledger.
        used: files that were used, the last one last. Files that are not named go first, the one
            that was written first before all others.
        most: how many stay.
    """
    if folder.scoped.is_symlink() or not folder.scoped.is_dir():
        return
    order = {path: place for place, path in enumerate(used, start=1)}
    written = {}
    for path in folder.scoped.glob("*-*.duckdb"):
        with suppress(FileNotFoundError):
            written[path] = path.stat().st_mtime_ns
    ordered = sorted(written, key=lambda path: (order.get(path, 0), written[path]))
    _remove(folder, ledger, ordered[: max(0, len(ordered) - most)])


def _remove(folder: TenantFolder, ledger: Ledger, paths: Sequence[Path]) -> None:
    names = [folder.relative(path) for path in paths]
    for path in paths:
        path.unlink(missing_ok=True)
    if names:
        with suppress(LedgerError, SchemaTooNew):
            ledger.write(forget_marks(names))


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:_NAMED_DIGITS]
