"""Copies of SQLite databases, as of one moment and while another process may write them.

Put here: copying, and recognising a SQLite file. Keep out: what the databases hold.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from finops_pipeline.database.private_files import Permissions, sync_path

SQLiteError = sqlite3.Error
_HEADER = b"SQLite format 3\x00"


def is_sqlite(path: Path) -> bool:
    """Return whether a file begins as every SQLite database does."""
    with path.open("rb") as stream:
        return stream.read(len(_HEADER)) == _HEADER


def copy_database(source: Path, target: Path, permissions: Permissions) -> None:
    """Copy a database with SQLite's own backup, check the copy, and put it in place atomically.

    Raises:
        SQLiteError: the database cannot be read, or is damaged; the target stays as it was.
    """
    new = target.with_name(f"{target.name}.new")
    permissions.make_file(new)
    with closing(_connect(source)) as database, closing(_connect(new)) as copy:
        database.backup(copy)
        problems = copy.execute("pragma quick_check").fetchall()
        if problems != [("ok",)]:
            raise sqlite3.DatabaseError(f"{source} is damaged: {problems[0][0]}")
    sync_path(new)
    new.replace(target)
    sync_path(target.parent)


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True)
