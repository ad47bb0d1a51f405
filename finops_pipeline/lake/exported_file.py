"""A self-contained DuckDB file with the contents of a tenant's file, to share with others.

Put here: opening both files on a confined connection, writing the new one atomically, recognising
an earlier one. Keep out: which tables it gets (application/tenant_export.py).
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from finops_pipeline.errors import FileProblem
from finops_pipeline.lake import files
from finops_pipeline.lake.duck import (
    Connection,
    DuckDBError,
    DuckDBInputOutputError,
    Limits,
    open_in_memory,
    read_settings,
    text,
)
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.warehouse import STORAGE_VERSION
from finops_pipeline.lake.warehouse_access import attach_own

SOURCE, EXPORT = "w", "export"
"""The names under which the tenant's file and the new file are attached."""


@contextmanager
def exporting(folder: TenantFolder, target: Path, limits: Limits) -> Iterator[Connection]:
    """Open a connection with the tenant's file as `w`, and a new, empty file as `export`.

    The connection can read no other tenant's files. If the block ends without an error, the new
    file takes the place of `target`.

    Raises:
        Unknown: nothing has been built for this tenant yet.
        ForeignFile, DamagedFile: the tenant's file is not the one that was published.
        FileProblem: the new file cannot be written there.
    """
    private = _make_private_folder(target)
    part = private / target.name
    try:
        with open_in_memory(read_settings(limits)) as connection:
            _attach_new(connection, part, target)
            attach_own(connection, folder, SOURCE)
            yield connection
            connection.execute(f"checkpoint {EXPORT}")
            connection.execute(f"detach {EXPORT}")
        files.sync(part)
        part.replace(target)
        files.sync(target.parent)
    finally:
        shutil.rmtree(private, ignore_errors=True)


def _make_private_folder(target: Path) -> Path:
    """Make a folder beside the target that only this user can read, even after a kill."""
    try:
        return Path(tempfile.mkdtemp(prefix=".", suffix=".part", dir=target.parent))
    except OSError as error:
        if files.no_room(error):
            raise
        raise _not_writable(target) from error


def _not_writable(target: Path) -> FileProblem:
    return FileProblem(
        f"{target} cannot be written", "a folder that exists and that this user can write"
    )


def _attach_new(connection: Connection, part: Path, target: Path) -> None:
    try:
        # The tenant's file is attached afterwards: then the connection may open nothing else.
        connection.execute(
            f"attach {text(str(part))} as {EXPORT} (storage_version {text(STORAGE_VERSION)})"
        )
    except DuckDBInputOutputError as error:
        if files.no_room(error):
            raise
        raise _not_writable(target) from error


def read_exported_fact(path: Path) -> str:
    """Return the sentence in which an export identifies itself; empty for any other file."""
    try:
        with path.open("rb") as stream:
            if stream.read(12)[8:] != b"DUCK":
                return ""
        with open_in_memory(read_settings(Limits())) as connection:
            connection.execute(f"attach {text(str(path))} as earlier (read_only)")
            connection.execute("set global enable_external_access = false")
            row = connection.execute(
                "select what from earlier.main.about where name = 'exported' and kind = 'file'"
            ).fetchone()
    except (OSError, DuckDBError):
        return ""
    return str(row[0]) if row else ""
