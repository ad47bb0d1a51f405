"""The published files of a tenant's folder, found the way another program finds them.

Put here: finding, overwriting and removing published files; what the folders show; a copy of an
installation that has settled in its new place. Keep out: what the files contain.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from finops_pipeline.application.installation import Installation
from finops_pipeline.lake.duck import PARQUET, Connection, open_in_memory, text
from finops_pipeline.lake.file_marks import FileChecker
from finops_pipeline.lake.file_owners import owner_option
from finops_pipeline.lake.files import fingerprint
from finops_pipeline.lake.layout import TABLES, key_of
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.lake.warehouse import WAREHOUSE, building, reading
from finops_pipeline.lake.writing import settle, tenant_writer
from finops_pipeline.ledger.ownership import Identity
from finops_pipeline.ledger.stored_files import Place, read_stored_files
from finops_pipeline.settings import Settings


@dataclass(frozen=True)
class ShownFile:
    """What the folders show of a partition; the name is made from the content."""

    name: str
    size: int
    modified_at: int


def partition_folder(table: str, key: str, month: str) -> str:
    """Return the shown folder of a partition relative to the tenant's folder."""
    return f"{table}/{key_of(table)}={key}/billing_period={month}"


def published_files(folder: Path, table: str = "*") -> list[Path]:
    """List the files of a tenant's partitions (of one table) that the folders show."""
    tables = TABLES if table == "*" else (table,)
    shown = (path for name in tables for path in (folder / name).glob("*/*/*.parquet"))
    return sorted(_in_store(folder, path) for path in shown)


def stored_files(folder: Path) -> set[Path]:
    """List every partition file in a tenant's store, shown or not."""
    return set((folder / ".store").glob("*/*=[a-z]*/*/*.parquet"))


def published_file(folder: Path, table: str, key: str, month: str) -> Path:
    """Return the file of a partition, which the folders show once."""
    (path,) = (folder / partition_folder(table, key, month)).iterdir()
    return _in_store(folder, path)


def is_published(folder: Path, table: str, key: str, month: str) -> bool:
    """Return whether the folders show a file of a partition."""
    return any((folder / table).glob(f"{key_of(table)}={key}/billing_period={month}/*.parquet"))


def _in_store(folder: Path, shown: Path) -> Path:
    """Return the file behind a shown link, also where a copy has followed the links."""
    stored = folder / ".store" / shown.relative_to(folder)
    assert stored.is_file(), f"{shown} shows a file that is not in the store"
    assert stored.samefile(shown) or not shown.is_symlink()
    return stored


def shown_partitions(folder: Path) -> dict[str, ShownFile]:
    """Return the one file that the folders show for each partition, by the partition's folder."""
    shown: dict[str, ShownFile] = {}
    for path in published_files(folder):
        partition = path.parent.relative_to(folder / ".store").as_posix()
        assert partition not in shown, f"{partition} is shown twice"
        stat = path.stat()
        shown[partition] = ShownFile(path.name, stat.st_size, stat.st_mtime_ns)
    return shown


def overwrite(path: Path, content: bytes) -> None:
    """Change a published file in place, as a program that does not know the rules would."""
    path.chmod(0o600)
    path.write_bytes(content)


def store_copy(path: Path, place: Path, owner: Identity, columns: str = "*") -> Path:
    """Put the rows of a file, with changed columns, into a store as if the owner had written it."""
    place.mkdir(parents=True, exist_ok=True)
    staged = place / "staged"
    rows = f"from read_parquet({text(str(path))}, hive_partitioning = false)"
    with open_in_memory({}) as connection:
        connection.execute(
            f"copy (select {columns} {rows}) to {text(str(staged))}"
            f" ({PARQUET}, {owner_option(owner)})"
        )
    stem = path.name.partition("-")[0]
    return staged.rename(place / f"{stem}-{fingerprint(staged)[:24]}.parquet")


def publish_instead(installation: Installation, tenant: str, place: Place, path: Path) -> None:
    """Publish a file in the place of a partition's own, as a conversion with a fault would."""
    folder = installation.folder(tenant)
    with tenant_writer(folder, wait_seconds=0) as writer, writer.publication() as publication:
        publication.put(place, Path(shutil.copy(path, publication.scratch("wrong.parquet"))))
        publication.commit()


@contextmanager
def changing_tables(installation: Installation, tenant: str) -> Iterator[Connection]:
    """Publish the tenant's file as the block changes it, as a refresh with a fault would."""
    folder = installation.folder(tenant)
    with tenant_writer(folder, wait_seconds=0) as writer, writer.publication() as publication:
        with building(publication, installation.limits) as connection:
            connection.execute(f"use {WAREHOUSE}")
            yield connection
            connection.execute("use memory")
        publication.commit()


def copy_installation(data: Path, target: Path) -> Path:
    """Copy a data folder with its links, and let every tenant settle in the new place.

    The first command after a copy rewrites the tenants' views and marks the copied files as
    checked. A test that counts changed files needs this to have happened before.
    """
    shutil.copytree(data, target, symlinks=True)
    for tenant in Installation(Settings(data=target)).registry.names():
        settle_copy(target, tenant)
    return target


def settle_copy(data: Path, tenant: str) -> None:
    """Let a tenant settle in a folder that was copied: afterwards, reading it changes no file."""
    folder = Installation(Settings(data=data)).folder(tenant)
    if folder.ledger.exists():
        settle(folder)
        ledger = open_ledger(folder)
        FileChecker(folder, ledger).check(read_stored_files(ledger).values())
        if folder.warehouse.exists():
            with reading(folder):
                pass  # the file itself is marked as checked
