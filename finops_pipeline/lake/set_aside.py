"""What is in a tenant's folder but cannot be used: finding it.

Put here: links, other tenants' files, damaged and changed ones. Keep out: moving them away
(moving_aside.py), faults of a ledger (ledger_faults.py), what takes their place (repair.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from finops_pipeline import clock
from finops_pipeline.errors import DamagedFile, ForeignFile
from finops_pipeline.lake.duck import DuckDBError, open_in_memory, text
from finops_pipeline.lake.files import fingerprint
from finops_pipeline.lake.layout import STATEMENTS, TABLES, TenantFolder
from finops_pipeline.lake.ledger_faults import find_ledger_fault
from finops_pipeline.lake.moving_aside import Unusable
from finops_pipeline.lake.own_files import make_folder
from finops_pipeline.lake.shown_folders import find_false_links
from finops_pipeline.lake.store import PartitionStore
from finops_pipeline.lake.warehouse_access import check_identity, wal_path
from finops_pipeline.ledger.generations import read_generations
from finops_pipeline.ledger.ledger import Ledger
from finops_pipeline.ledger.stored_files import (
    StoredFile,
    read_stored_files,
    read_superseded_files,
)

_OF_SQLITE = ("-journal", "-wal", "-shm")
"""Name endings of files that SQLite would apply to the ledger beside them."""


def release_root(folder: TenantFolder) -> list[Unusable]:
    """Replace a link in the place of the tenant's folder with a folder that holds the link.

    This cannot be done under the lock, which lies in the folder.
    """
    if not folder.root.is_symlink():
        return []
    aside = folder.lake / f".{folder.root.name}.link"
    folder.root.rename(aside)
    kept = folder.set_aside / clock.now().strftime("%Y-%m-%dT%H-%M-%SZ") / folder.root.name
    make_folder(folder, kept.parent)
    aside.rename(kept)
    return [Unusable(folder.root, "is a link")]


def find_links(folder: TenantFolder) -> list[Unusable]:
    """List links, devices and files of other programs in places that only finops writes."""
    folders = (folder.staging, folder.store, folder.trees, folder.scoped)
    ledgers = (folder.ledger, folder.ledger_copy, folder.new_ledger_copy)
    single = (*ledgers, folder.warehouse, folder.lock)
    beside = [Path(f"{folder.ledger}{suffix}") for suffix in _OF_SQLITE]
    found = [Unusable(path, "is a link") for path in folders if path.is_symlink()]
    found += [
        Unusable(path, "is not a folder") for path in folders if _is_other(path, path.is_dir())
    ]
    for path in (*single, *beside):
        if path.is_symlink():
            found.append(Unusable(path, "is a link"))
        elif _is_other(path, path.is_file()):
            found.append(Unusable(path, "is not a regular file"))
    found += [Unusable(path, "leads elsewhere") for path in find_false_links(folder)]
    if os.path.lexists(wal_path(folder)):
        found.append(Unusable(wal_path(folder), "is a WAL, which finops never writes"))
    for path in folders:
        if path.is_dir() and not path.is_symlink():
            found += _links_inside(path, is_deep=path != folder.trees)
    return found


def _is_other(path: Path, is_as_expected: bool) -> bool:
    return path.exists() and not path.is_symlink() and not is_as_expected


def _links_inside(top: Path, is_deep: bool) -> Iterator[Unusable]:
    """Yield links and special files in a folder; if not `is_deep`, only on its first level."""
    for path in sorted(Path(entry.path) for entry in os.scandir(top)):
        if path.is_symlink():
            yield Unusable(path, "is a link")
        elif path.is_dir():
            if is_deep:
                yield from _links_inside(path, is_deep)
        elif not path.is_file():
            yield Unusable(path, "is not a regular file")


def find_unusable_ledger(folder: TenantFolder) -> list[Unusable]:
    """List the ledger, with what SQLite would apply to it, if it cannot be used.

    Raises:
        SchemaTooNew: a newer version of finops_pipeline wrote it, so it is not damaged.
    """
    if not folder.ledger.exists():
        return []
    fault = find_ledger_fault(folder, folder.ledger)
    paths = (folder.ledger, *(Path(f"{folder.ledger}{suffix}") for suffix in _OF_SQLITE))
    return [Unusable(path, fault) for path in paths if fault and path.exists()]


def find_older_folders(folder: TenantFolder) -> list[Unusable]:
    """List the folders of tables as older versions wrote them, which only their ledger explains."""
    shown = (folder.root / table for table in TABLES)
    return [
        Unusable(path, "has files of an older version, whose ledger is lost")
        for path in shown
        if path.is_dir() and not path.is_symlink()
    ]


def find_changed(folder: TenantFolder, ledger: Ledger) -> Iterator[Unusable]:
    """Yield the files that are not what the ledger says, by their content and not by their marks.

    Raises:
        SchemaTooNew: a newer version of finops_pipeline wrote the tenant's file.
    """
    yield from find_changed_files(folder, read_stored_files(ledger).values())
    yield from find_changed_files(folder, (item.file for item in read_superseded_files(ledger)))
    yield from find_changed_warehouse(folder, ledger)


def find_changed_files(folder: TenantFolder, stored: Iterable[StoredFile]) -> Iterator[Unusable]:
    """Yield the partition files that are there with another content."""
    for file in stored:
        path = folder.stored(file)
        if path.is_file() and fingerprint(path) != file.sha256:
            yield Unusable(path, "is not the file that was published")


def find_changed_warehouse(folder: TenantFolder, ledger: Ledger) -> Iterator[Unusable]:
    """Yield the tenant's file, and the staged one, if it is not the newest generation.

    While the newest is staged, the tenant's file may be an older one.

    Raises:
        SchemaTooNew: a newer version of finops_pipeline wrote it.
    """
    generations = read_generations(ledger)
    checksums = {generation.sha256 for generation in generations[:1]}
    for newest in generations[:1]:
        staged = folder.staged_generation(newest.generation)
        if staged.is_file() and fingerprint(staged) != newest.sha256:
            yield Unusable(staged, "is not the file that was staged for publication")
        elif staged.is_file():
            checksums |= {generation.sha256 for generation in generations}
    if not folder.warehouse.is_file() or ledger.owner() is None:
        return
    if fingerprint(folder.warehouse) not in checksums and (
        fault := _warehouse_fault(folder, is_recorded=bool(checksums))
    ):
        yield Unusable(folder.warehouse, fault)


def _warehouse_fault(folder: TenantFolder, is_recorded: bool) -> str:
    """Return why the tenant's file, whose content the ledger does not know, cannot be used.

    Without any recorded generation, the ledger was lost, and the tenant's own file stays.
    """
    try:
        with open_in_memory({}) as connection:
            connection.execute(f"attach {text(str(folder.warehouse))} as w (read_only)")
            check_identity(connection, folder, "w")
    except (ForeignFile, DamagedFile) as error:
        return error.found.removeprefix(f"{folder.warehouse} ")
    except DuckDBError:
        return "cannot be opened as a DuckDB file"
    return "is not a file that was published" if is_recorded else ""


def find_unrecorded_statements(folder: TenantFolder, ledger: Ledger) -> list[Unusable]:
    """List files of statements that a restored ledger does not name; they are not swept away."""
    named = {folder.stored(file) for file in read_stored_files(ledger).values()}
    return [
        Unusable(path, "is not a statement of this tenant, or the same version has another file")
        for path in sorted(PartitionStore(folder).list_paths() - named)
        if path.relative_to(folder.store).parts[0] == STATEMENTS
    ]
