"""Attaching a tenant's DuckDB file, after making sure that it is the one that was published.

Put here: every check of the file before and after it is attached. Keep out: what is read from it.

DuckDB would replay a WAL that lies beside the file, even when it is opened read-only, and would
answer from any file that has the right name.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from finops_pipeline.errors import DamagedFile, ForeignFile, SchemaTooNew, Unknown
from finops_pipeline.lake.duck import DuckDBError, Reader, ident, text, texts
from finops_pipeline.lake.file_identity import SCHEMA_VERSION, FileIdentity, read_identity
from finops_pipeline.lake.file_marks import FileChecker, mark_of
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.own_files import require_own
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.lake.writing import settle
from finops_pipeline.ledger.generations import Generation, read_generations
from finops_pipeline.ledger.stored_files import FileMark

_ATTEMPTS = 10
"""A file may be published between any two steps of an attempt; then everything is read again."""


def require_warehouse(folder: TenantFolder) -> None:
    """Finish an interrupted publication, and check that the tenant's file exists.

    Raises:
        Unknown: nothing has been built for this tenant yet.
        ForeignFile, DamagedFile: the folder holds something else in its place.
    """
    settle(folder)
    require_own(folder, folder.warehouse)
    if folder.warehouse.exists():
        return
    if folder.ledger.exists() and read_generations(open_ledger(folder)):
        raise damaged_warehouse(folder, "is missing")
    raise Unknown(
        f"tenant {folder.tenant} has no warehouse yet",
        cure=f"Build it with finops ingest {folder.tenant}",
    )


@dataclass(frozen=True)
class AttachedFile:
    """A file that was attached: what it says about itself, and its mark (file_marks.py)."""

    identity: FileIdentity
    mark: str


def read_mark(folder: TenantFolder) -> str:
    """Return the mark of the tenant's file, which changes with every generation.

    Raises:
        Unknown: nothing has been built for this tenant yet, or its folder is gone.
        ForeignFile, DamagedFile: the folder holds something else in its place.
    """
    for _ in range(_ATTEMPTS):
        # A generation in the staging folder waits for its commit, or for the step after it.
        if not folder.warehouse.exists() or folder.list_staged_generations():
            require_warehouse(folder)
        with suppress(FileNotFoundError):
            return mark_of(folder.warehouse)
    raise damaged_warehouse(folder, "is missing")


def attach_own(connection: Reader, folder: TenantFolder, catalog: str) -> AttachedFile:
    """Attach the tenant's file read-only, and let the connection open no other tenant's files.

    The file is checked while it is attached: it cannot be replaced between check and use.

    Args:
        connection: an in-memory connection that has attached nothing.
        catalog: the name under which to attach the file.

    Raises:
        Unknown: nothing has been built for this tenant yet.
        ForeignFile: the file is a link, or another tenant's or installation's.
        DamagedFile: it is not a file that was published, or a WAL lies beside it.
        SchemaTooNew: a newer version of finops_pipeline wrote it.
    """
    for _ in range(_ATTEMPTS):
        require_warehouse(folder)
        _refuse_wal(folder)
        try:
            before = mark_of(folder.warehouse)
            connection.execute(
                f"attach {text(str(folder.warehouse))} as {ident(catalog)} (read_only)"
            )
        except FileNotFoundError:
            continue
        except DuckDBError as error:
            if "Could not set lock" in str(error):
                raise _opened_for_writing(folder) from error
            raise damaged_warehouse(folder, "cannot be opened as a DuckDB file") from error
        identity = check_identity(connection, folder, catalog)
        _refuse_wal(folder)
        is_same = folder.warehouse.exists() and mark_of(folder.warehouse) == before
        if is_same and _is_published(folder, identity):
            # The order matters: without external access, DuckDB accepts no further folders.
            connection.execute(f"set global allowed_directories = {texts([f'{folder.store}/'])}")
            connection.execute("set global enable_external_access = false")
            return AttachedFile(identity, before)
        connection.execute(f"detach {ident(catalog)}")
    raise damaged_warehouse(folder, "is not the file that was published last")


def check_identity(connection: Reader, folder: TenantFolder, catalog: str) -> FileIdentity:
    """Check that an attached file says that it is the tenant's own, and of a known version.

    Raises:
        ForeignFile: it is another tenant's or installation's.
        DamagedFile: it does not say whose it is.
        SchemaTooNew: a newer version of finops_pipeline wrote it.
    """
    try:
        identity = read_identity(connection, catalog)
    except DuckDBError as error:
        raise damaged_warehouse(folder, "cannot be read as a DuckDB file") from error
    if identity is None:
        raise damaged_warehouse(folder, "does not say whose it is")
    if identity.schema_version > SCHEMA_VERSION:
        raise SchemaTooNew(
            f"{folder.warehouse} has version {identity.schema_version}",
            f"at most version {SCHEMA_VERSION}, the newest that this installation knows",
            "Install the newer finops_pipeline that wrote it; nothing was changed",
        )
    own = folder.identity
    ids = {own.installation_id, identity.installation_id} - {""}
    if identity.tenant != own.tenant or len(ids) > 1:
        owner = "tenant" if identity.tenant != own.tenant else "installation"
        raise ForeignFile(
            f"{folder.warehouse} belongs to another {owner}",
            f"the file of tenant {folder.tenant}",
            f"Rebuild the tenant, which sets it aside: finops rebuild {folder.tenant}",
        )
    return identity


def _is_published(folder: TenantFolder, identity: FileIdentity) -> bool:
    """Return whether the file is the newest generation, or the one before until that is in place.

    Raises:
        ForeignFile: it is a link.
    """
    ledger = open_ledger(folder)
    generations = read_generations(ledger)
    published: dict[int, Generation] = {g.generation: g for g in generations}
    generation = published.get(identity.generation)
    if generation is None:
        return False
    checker, new = FileChecker(folder, ledger), list[FileMark]()
    if not checker.is_intact(folder.warehouse, generation.sha256, new):
        return False
    checker.keep(new)
    newest = generations[0].generation
    return identity.generation == newest or folder.staged_generation(newest).exists()


def wal_path(folder: TenantFolder) -> Path:
    """Return where DuckDB would look for a WAL of the tenant's file."""
    return folder.warehouse.with_name(folder.warehouse.name + ".wal")


def _refuse_wal(folder: TenantFolder) -> None:
    if wal_path(folder).exists() or wal_path(folder).is_symlink():
        raise ForeignFile(
            f"{wal_path(folder)} lies beside the tenant's file",
            "no such file: finops never writes one, and DuckDB would apply it to its answers",
            f"Rebuild the tenant, which sets it aside: finops rebuild {folder.tenant}",
        )


def _opened_for_writing(folder: TenantFolder) -> DamagedFile:
    return DamagedFile(
        f"{folder.warehouse} is open for writing in another program",
        "programs that open it read-only",
        "Close it there, or open it with duckdb -readonly",
    )


def damaged_warehouse(folder: TenantFolder, state: str) -> DamagedFile:
    """Return the error for a tenant's file that is not the one that was published."""
    return DamagedFile(
        f"{folder.warehouse} {state}",
        f"the file that finops published last for tenant {folder.tenant}",
        f"Build it again: finops rebuild {folder.tenant}",
    )
