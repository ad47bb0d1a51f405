"""A file limited to some projects of a tenant: opening both files to fill it, and attaching it.

Put here: writing it atomically, once for all processes, and the checks before it is read. Keep out:
what is in it (marts/scoped_tables.py), its name and removal (scoped_folder.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from finops_pipeline.errors import FULL_DISK_CURE, DamagedFile, DiskFull, TenantBusy
from finops_pipeline.lake import files
from finops_pipeline.lake.duck import (
    Connection,
    DuckDBError,
    Limits,
    Reader,
    ident,
    open_in_memory,
    read_settings,
    text,
    texts,
)
from finops_pipeline.lake.file_identity import (
    SCHEMA_VERSION,
    FileIdentity,
    read_partition_files,
    read_project_ids,
    write_identity,
    write_partition_files,
)
from finops_pipeline.lake.file_marks import mark_of
from finops_pipeline.lake.layout import COST_EXPLORER_DAYS, COSTS, TenantFolder
from finops_pipeline.lake.own_files import make_folder, protect_file, require_own
from finops_pipeline.lake.scoped_folder import (
    ScopedFile,
    is_usable,
    keep_mark,
    remove_scoped,
)
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.lake.warehouse import STORAGE_VERSION
from finops_pipeline.lake.warehouse_access import attach_own, check_identity, read_mark
from finops_pipeline.ledger.stored_files import StoredFile
from finops_pipeline.tenants.project_identity import ProjectIdentity, id_of_name

WHOLE, LIMITED = "w", "limited"
"""The names under which the tenant's file and the file that is being filled are attached."""

_BUILDING_SECONDS = 120
"""Longest wait for another process that writes limited files of the same tenant."""


@contextmanager
def building_scoped(scoped: ScopedFile, limits: Limits) -> Iterator[Connection | None]:
    """Open a connection to fill a limited file; None if it is there already.

    The connection has the tenant's file as `w` and an empty file as `limited`, and can read no
    other tenant's files. If the block ends without an error, the file is complete and in its place.

    Raises:
        DamagedFile, ForeignFile: the tenant's file cannot be used, or is no longer the generation
            from which the limited file is made.
        DiskFull: there is no room for it.
        TenantBusy: another process needs too long for such a file.
    """
    folder = scoped.folder
    require_own(folder, folder.scoped)
    part = folder.scoped / "new.part"
    try:
        make_folder(folder, folder.scoped)
        with _only_builder(scoped):
            ledger = open_ledger(folder)
            if is_usable(scoped, ledger):
                yield None
                return
            _remove_part(part)  # of a process that was killed
            try:
                with _filling(scoped, part, limits) as connection:
                    yield connection
                protect_file(folder, part)
                files.sync(part)
                part.replace(scoped.path)
                files.sync(folder.scoped)
            finally:
                _remove_part(part)
            keep_mark(scoped, ledger)
            remove_scoped(folder, ledger, scoped.mark)
    except (OSError, DuckDBError) as error:
        if files.no_room(error):
            raise DiskFull(
                f"the disk has no room for the file of some projects of tenant {folder.tenant}",
                "a few times the size of these projects' share of the tenant's file",
                FULL_DISK_CURE,
            ) from error
        if read_mark(folder) != scoped.mark:  # a restore has replaced the folder meanwhile
            raise superseded(scoped) from error
        raise


@contextmanager
def _only_builder(scoped: ScopedFile) -> Iterator[None]:
    folder = scoped.folder
    lock = FileLock(
        folder.scoped / ".lock", timeout=_BUILDING_SECONDS, mode=folder.permissions.file
    )
    try:
        with lock:
            yield
    except Timeout as error:
        raise TenantBusy(
            f"another process writes files of some projects of tenant {folder.tenant}"
            f" (waited {_BUILDING_SECONDS} s)",
            cure="Try again when it has finished",
        ) from error


@contextmanager
def _filling(scoped: ScopedFile, part: Path, limits: Limits) -> Iterator[Connection]:
    folder = scoped.folder
    with open_in_memory(read_settings(limits)) as connection:
        connection.execute(
            f"attach {text(str(part))} as {LIMITED}"
            f" (storage_version {text(STORAGE_VERSION)}, recovery_mode no_wal_writes)"
        )
        attached = attach_own(connection, folder, WHOLE)
        if attached.mark != scoped.mark:
            raise superseded(scoped)
        yield connection
        own, identity = folder.identity, attached.identity
        write_identity(
            connection,
            LIMITED,
            FileIdentity(
                own.tenant,
                own.installation_id,
                SCHEMA_VERSION,
                identity.generation,
                str(folder.root),
            ),
        )
        write_partition_files(connection, LIMITED, folder, own_files(connection, scoped))
        connection.execute(f"checkpoint {LIMITED}")
        connection.execute(f"detach {LIMITED}")


@dataclass(frozen=True)
class PublishedProjects:
    """The projects whose charges a generation of the tenant's file has, and its mark."""

    mark: str
    ids: Mapping[str, str] | None

    def has(self, project: ProjectIdentity) -> bool:
        """Return whether all charges of that name were built for this project."""
        if self.ids is None:  # a version without ids wrote the file
            return project.project_id == id_of_name(project.name)
        return self.ids.get(project.name) == project.project_id


def read_published_projects(folder: TenantFolder) -> PublishedProjects:
    """Read which projects the newest generation has.

    Raises:
        Unknown: nothing has been built for this tenant yet.
        ForeignFile, DamagedFile: the file is not the one that was published for this tenant.
    """
    with open_in_memory(read_settings(Limits())) as connection:
        mark = attach_own(connection, folder, WHOLE).mark
        return PublishedProjects(mark, read_project_ids(connection, WHOLE))


def own_files(connection: Connection, scoped: ScopedFile, table: str = "") -> list[StoredFile]:
    """List the partition files of the projects (of one table) in the attached tenant's file."""
    tables = [table] if table else [COSTS, COST_EXPLORER_DAYS]
    listed = read_partition_files(connection, WHOLE, tables)
    return [file for file in listed if file.place.key in scoped.names]


def attach_scoped(connection: Reader, scoped: ScopedFile, catalog: str) -> None:
    """Attach a limited file read-only, and let the connection open only its projects' files.

    Raises:
        DamagedFile, ForeignFile: it is not there as it was written.
    """
    folder, path = scoped.folder, scoped.path
    ledger = open_ledger(folder)
    beside = path.with_name(path.name + ".wal")
    if not is_usable(scoped, ledger) or beside.exists() or beside.is_symlink():
        raise superseded(scoped)
    before = mark_of(path)
    connection.execute(f"attach {text(str(path))} as {ident(catalog)} (read_only)")
    check_identity(connection, folder, catalog)
    allowed = [f"{part}/" for part in scoped.partition_folders]
    connection.execute(f"set global allowed_directories = {texts(allowed)}")
    connection.execute("set global enable_external_access = false")
    with suppress(FileNotFoundError):
        if mark_of(path) == before:
            return
    raise superseded(scoped)


def superseded(scoped: ScopedFile) -> DamagedFile:
    """Return the error for a limited file whose generation was replaced meanwhile."""
    return DamagedFile(
        f"the file of some projects of tenant {scoped.folder.tenant} was replaced or changed",
        "a file that stays while it is opened",
        "Ask again; it is made again then",
    )


def _remove_part(part: Path) -> None:
    for path in (part, part.with_name(f"{part.name}.wal")):
        path.unlink(missing_ok=True)
