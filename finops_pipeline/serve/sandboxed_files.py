"""The two kinds of file that a sandbox can open: a whole tenant's, or one of some of its projects.

Put here: what differs between them: which files a process may read, and how they are attached. Keep
out: the process and its statements (sandbox.py), what a limited file has (marts/scoped_tables.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from finops_pipeline.application.scoped_files import find_scoped
from finops_pipeline.contracts.allocation_tables import ALLOCATED_COSTS
from finops_pipeline.contracts.focus import COSTS
from finops_pipeline.contracts.focus_versions import focus_views
from finops_pipeline.contracts.tables import COST_EXPLORER_DAILY
from finops_pipeline.lake.duck import Reader
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.scoped_file import attach_scoped
from finops_pipeline.lake.scoped_folder import ScopedFile
from finops_pipeline.lake.warehouse_access import attach_own, read_mark
from finops_pipeline.marts.views import view_names
from finops_pipeline.tenants.project_identity import ProjectIdentity


class SandboxedFile(Protocol):
    """A file that a sandbox opens."""

    @property
    def folder(self) -> TenantFolder:
        """The tenant's folder."""

    @property
    def view_names(self) -> set[str]:
        """The views that it has, unless one of their files is damaged."""

    def prepare(self) -> list[Path]:
        """Return the newest file and folders that a process needs, before it is started."""

    def attach(self, connection: Reader, catalog: str) -> str:
        """Attach the file; return the mark of the generation (see `read_mark`)."""

    def was_replaced(self) -> bool:
        """Return whether what `prepare` returned is no longer the newest."""


class WholeFile:
    """The file of a whole tenant."""

    def __init__(self, folder: TenantFolder) -> None:
        self.folder = folder
        self.view_names = set(view_names())

    def prepare(self) -> list[Path]:
        """Return the tenant's folder; see SandboxedFile."""
        return [self.folder.root]

    def attach(self, connection: Reader, catalog: str) -> str:
        """Attach the tenant's file; see SandboxedFile."""
        return attach_own(connection, self.folder, catalog).mark

    def was_replaced(self) -> bool:
        """Return False: a newer file in the same folder is found when it is attached."""
        return False


class LimitedFileMissing(Exception):
    """A limited file has to be written before it can be opened (limited_files.py)."""


class LimitedFile:
    """A file with the rows of some projects, which was written before.

    Args:
        folder: the tenant's folder.
        projects: the projects; one whose charges are not in the newest generation is left out.
    """

    def __init__(self, folder: TenantFolder, projects: tuple[ProjectIdentity, ...]) -> None:
        self.folder = folder
        self.view_names = {COSTS.name, COST_EXPLORER_DAILY.name, ALLOCATED_COSTS.name}
        self.view_names |= {view.name for view in focus_views()}
        self._projects = projects
        self._scoped: ScopedFile | None = None

    def prepare(self) -> list[Path]:
        """Return the file and its projects' folders; see SandboxedFile.

        Raises:
            LimitedFileMissing: it has to be written first.
        """
        self._scoped = find_scoped(self.folder, self._projects)
        if self._scoped is None:
            raise LimitedFileMissing
        return [self._scoped.path, *self._scoped.partition_folders]

    def attach(self, connection: Reader, catalog: str) -> str:
        """Attach the file; see SandboxedFile."""
        assert self._scoped is not None, "prepare() comes first"
        attach_scoped(connection, self._scoped, catalog)
        return self._scoped.mark

    def was_replaced(self) -> bool:
        """Return whether there is a newer generation; see SandboxedFile."""
        if self._scoped is None or not self._scoped.path.exists():
            return True
        return read_mark(self.folder) != self._scoped.mark
