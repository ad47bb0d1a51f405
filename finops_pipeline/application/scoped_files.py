"""The file of a tenant that holds nothing but the rows of some of its projects.

Put here: making it when it is first needed. Keep out: what is in it (marts/scoped_tables.py),
writing and attaching it (lake/scoped_file.py), who may read it (serve).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from finops_pipeline.errors import DamagedFile
from finops_pipeline.lake.duck import Connection, Limits
from finops_pipeline.lake.file_marks import FileChecker
from finops_pipeline.lake.layout import COST_EXPLORER_DAYS, COSTS, TenantFolder
from finops_pipeline.lake.scoped_file import building_scoped, own_files, read_published_projects
from finops_pipeline.lake.scoped_folder import ScopedFile, is_usable
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.lake.warehouse_access import read_mark
from finops_pipeline.marts.scoped_about import fill_scoped_about
from finops_pipeline.marts.scoped_tables import copy_comments, create_views, fill_tables
from finops_pipeline.tenants.project_identity import ProjectIdentity

_ATTEMPTS = 5
"""The tenant's file may be replaced while a limited one is made from it; then it is made again."""


def require_scoped(
    folder: TenantFolder, projects: Collection[ProjectIdentity], limits: Limits
) -> ScopedFile:
    """Return the limited file of the newest generation; write it if it is not there.

    A project is left out while charges of its name were built for an earlier project: it was
    declared again, and not ingested since.

    Args:
        folder: the tenant's folder.
        projects: the projects; none: a file without rows.
        limits: memory and threads for writing it.

    Raises:
        Unknown: nothing has been built for this tenant yet.
        ForeignFile, DamagedFile: the tenant's own files are not those that were published.
        DiskFull: there is no room for it.
        TenantBusy: another process needs too long for such a file.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        (scoped,) = name_scoped(folder, [projects])
        try:
            if not is_usable(scoped, open_ledger(folder)):
                _build(scoped, limits)
            return scoped
        except DamagedFile:
            if attempt == _ATTEMPTS or read_mark(folder) == scoped.mark:
                raise
    raise AssertionError("the last attempt returns or raises")


def find_scoped(folder: TenantFolder, projects: Collection[ProjectIdentity]) -> ScopedFile | None:
    """Return the limited file of the newest generation; None if it has to be written first.

    Raises:
        Unknown: nothing has been built for this tenant yet.
        ForeignFile, DamagedFile: the tenant's own files are not those that were published.
    """
    (scoped,) = name_scoped(folder, [projects])
    return scoped if is_usable(scoped, open_ledger(folder)) else None


def name_scoped(
    folder: TenantFolder, sets: Sequence[Collection[ProjectIdentity]]
) -> list[ScopedFile]:
    """Return the limited files of the newest generation, whether they are written or not.

    Args:
        folder: the tenant's folder.
        sets: the projects of each file.

    Raises:
        Unknown: nothing has been built for this tenant yet.
        ForeignFile, DamagedFile: the tenant's own files are not those that were published.
    """
    published = read_published_projects(folder)
    shown = [tuple(sorted(p for p in set(projects) if published.has(p))) for projects in sets]
    return [ScopedFile(folder, projects, published.mark) for projects in shown]


def _build(scoped: ScopedFile, limits: Limits) -> None:
    with building_scoped(scoped, limits) as connection:
        if connection is not None:
            _fill(connection, scoped)


def _fill(connection: Connection, scoped: ScopedFile) -> None:
    folder = scoped.folder
    checker = FileChecker(folder, open_ledger(folder))
    paths = {}
    for table in (COSTS, COST_EXPLORER_DAYS):
        files = own_files(connection, scoped, table)
        is_damaged = bool(checker.find_damage(files))
        paths[table] = None if is_damaged else [folder.stored(file) for file in files]
    fill_tables(connection, scoped.projects)
    create_views(connection, paths)
    fill_scoped_about(connection, scoped.names)
    copy_comments(connection)
