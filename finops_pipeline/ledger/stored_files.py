"""The files of partitions by their content: current ones, superseded ones, and their marks.

Put here: their records in the ledger. Keep out: where a file lies and reading it (lake).

A file is superseded when its partition gets another file or none. It is released when a generation
of the tenant's file is published that no longer needs it, and collected some time later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from finops_pipeline.ledger.ledger import Ledger, Write
from finops_pipeline.ledger.schema import FILE_MARKS, STORED_FILES, SUPERSEDED_FILES


@dataclass(frozen=True, order=True)
class Place:
    """A partition of any table; `key` is a source, a project or a metric."""

    table_name: str
    key: str
    billing_period: str


@dataclass(frozen=True, order=True)
class StoredFile:
    """One immutable file of a partition."""

    place: Place
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class SupersededFile:
    """A file that is no longer current; `released_at` is empty while the tenant's file needs it."""

    file: StoredFile
    released_at: str


@dataclass(frozen=True)
class FileMark:
    """What the file system said about a file when its content was last checked.

    `mark` changes whenever the file is replaced or written (lake/file_marks.py).
    """

    path: str
    sha256: str
    mark: str


def read_stored_files(ledger: Ledger) -> dict[Place, StoredFile]:
    """Read the current file of every partition that has one."""
    files = (_file(row) for row in ledger.rows(STORED_FILES))
    return {file.place: file for file in files}


def read_superseded_files(ledger: Ledger) -> list[SupersededFile]:
    """Read the files that are kept for readers of earlier generations."""
    rows = ledger.rows(SUPERSEDED_FILES)
    return [SupersededFile(_file(row), row["released_at"] or "") for row in rows]


def read_needed_files(ledger: Ledger) -> list[StoredFile]:
    """Read the files that the newest publication needs.

    They are the current ones and, while the tenant's file is older than the newest publication,
    the superseded ones that its views still name.
    """
    superseded = read_superseded_files(ledger)
    needed = {s.file for s in superseded if not s.released_at}
    return sorted(needed.union(read_stored_files(ledger).values()))


def _file(row: Mapping[Any, Any]) -> StoredFile:
    place = Place(*(str(row[name]) for name in ("table_name", "key", "billing_period")))
    return StoredFile(place, str(row["sha256"]), int(str(row["size_bytes"])))


def record_file(place: Place, file: StoredFile | None) -> Write:
    """Make a file the current one of its partition (None: it has none); supersede the last one."""

    def write(db: sa.Connection) -> None:
        same = _same_place(STORED_FILES, place)
        row = db.execute(sa.select(STORED_FILES).where(same)).mappings().first()
        before = None if row is None else _file(row)
        if before == file:
            return
        db.execute(sa.delete(STORED_FILES).where(same))
        if before is not None:
            _supersede(db, before)
        if file is not None:
            _forget(db, file)
            db.execute(sa.insert(STORED_FILES), _row(file))

    return write


def release_superseded(at: str) -> Write:
    """Release what is superseded: the new generation of the tenant's file does not need it."""

    def write(db: sa.Connection) -> None:
        table = SUPERSEDED_FILES
        db.execute(sa.update(table).where(table.c.released_at.is_(None)).values(released_at=at))

    return write


def limit_releases(at: str) -> Write:
    """Replace later times of release with this one, because the clock was set back."""

    def write(db: sa.Connection) -> None:
        table = SUPERSEDED_FILES
        db.execute(sa.update(table).where(table.c.released_at > at).values(released_at=at))

    return write


def forget_superseded(files: Iterable[StoredFile]) -> Write:
    """Remove the records of superseded files that have been collected."""

    def write(db: sa.Connection) -> None:
        for file in files:
            _forget(db, file)

    return write


def read_marks(ledger: Ledger) -> dict[str, FileMark]:
    """Read the marks of files by path, relative to the tenant's folder."""
    return {row["path"]: FileMark(**row) for row in ledger.rows(FILE_MARKS)}


def record_marks(marks: Iterable[FileMark]) -> Write:
    """Record marks in place of earlier ones."""

    def write(db: sa.Connection) -> None:
        for mark in marks:
            db.execute(sa.delete(FILE_MARKS).where(FILE_MARKS.c.path == mark.path))
            db.execute(sa.insert(FILE_MARKS), asdict(mark))

    return write


def forget_marks(paths: Iterable[str]) -> Write:
    """Remove the marks of files that have been collected."""

    def write(db: sa.Connection) -> None:
        for path in paths:
            db.execute(sa.delete(FILE_MARKS).where(FILE_MARKS.c.path == path))

    return write


def forget_all_marks(db: sa.Connection) -> None:
    """Remove all marks, because they describe the files of another folder."""
    db.execute(sa.delete(FILE_MARKS))


def _same_place(table: sa.Table, place: Place) -> sa.ColumnElement[bool]:
    return (
        (table.c.table_name == place.table_name)
        & (table.c.key == place.key)
        & (table.c.billing_period == place.billing_period)
    )


def _row(file: StoredFile) -> dict[str, object]:
    return {**asdict(file.place), "sha256": file.sha256, "size_bytes": file.size_bytes}


def _supersede(db: sa.Connection, file: StoredFile) -> None:
    _forget(db, file)
    db.execute(sa.insert(SUPERSEDED_FILES), {**_row(file), "released_at": None})


def _forget(db: sa.Connection, file: StoredFile) -> None:
    table = SUPERSEDED_FILES
    same = _same_place(table, file.place) & (table.c.sha256 == file.sha256)
    db.execute(sa.delete(table).where(same))
