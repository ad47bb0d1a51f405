"""Comparison of files with the ledger: by a mark from the file system, otherwise by content.

Put here: marks and checking files by them. Keep out: which files an answer needs (serve, marts).

Hashing every file for every answer would take seconds. A mark holds the file's inode, size and
times. Replacing or writing a file changes them, and no program can set the change time (ctime).
Where the mark differs, for example after a restore, the content decides, and the new mark is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from finops_pipeline.errors import DamagedFile, ForeignFile, SchemaTooNew, counted
from finops_pipeline.lake.files import fingerprint
from finops_pipeline.lake.layout import (
    BUSINESS_METRICS,
    COSTS,
    STATEMENTS,
    TenantFolder,
    key_of,
)
from finops_pipeline.lake.own_files import require_own
from finops_pipeline.ledger.ledger import Ledger, LedgerError
from finops_pipeline.ledger.stored_files import FileMark, StoredFile, read_marks, record_marks


def mark_of(path: Path) -> str:
    """Return the mark of a file."""
    stat = path.stat()
    return f"{stat.st_ino}:{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ctime_ns}"


class FileChecker:
    """Checks files of a tenant against their checksums, each once while its mark stays the same."""

    def __init__(self, folder: TenantFolder, ledger: Ledger) -> None:
        self._folder = folder
        self._ledger = ledger
        self._marks = read_marks(ledger)

    def check(self, files: Iterable[StoredFile]) -> None:
        """Check partition files.

        Raises:
            DamagedFile: a file is missing or its content is not the recorded one.
            ForeignFile: a file is a link.
        """
        new = list[FileMark]()
        for file in files:
            path = self._folder.stored(file)
            if not path.exists():
                raise damaged_partition(self._folder, file, "is missing")
            if not self.is_intact(path, file.sha256, new):
                raise damaged_partition(self._folder, file, "is not the file that was published")
        self.keep(new)

    def is_published(self, file: StoredFile) -> bool:
        """Return whether a partition's file is there with the content that was published.

        Raises:
            ForeignFile: it is a link.
        """
        path, new = self._folder.stored(file), list[FileMark]()
        if not path.exists() or not self.is_intact(path, file.sha256, new):
            return False
        self.keep(new)
        return True

    def find_damage(self, files: Iterable[StoredFile]) -> list[DamagedFile | ForeignFile]:
        """Return the errors of all partition files that cannot be used, see `check`."""
        found = list[DamagedFile | ForeignFile]()
        for file in files:
            try:
                self.check([file])
            except (DamagedFile, ForeignFile) as error:
                found.append(error)
        return found

    def is_intact(self, path: Path, sha256: str, new: list[FileMark]) -> bool:
        """Return whether a file has this content; add its mark to `new` if it had to be read."""
        name, mark = self._folder.relative(path), mark_of(path)
        if self._marks.get(name) == FileMark(name, sha256, mark):
            return True
        require_own(self._folder, path)
        if fingerprint(path) != sha256:
            return False
        new.append(FileMark(name, sha256, mark))
        return True

    def keep(self, new: list[FileMark]) -> None:
        """Store marks for later checks; if the ledger cannot be written, files are hashed again."""
        self._marks |= {mark.path: mark for mark in new}
        if new:
            with suppress(LedgerError, SchemaTooNew):
                self._ledger.write(record_marks(new))


def _damaged_statement(folder: TenantFolder, file: StoredFile, state: str) -> DamagedFile:
    """Return the error for a closed statement, which nothing can compute again."""
    month, version = file.place.billing_period, file.place.key
    return DamagedFile(
        f"{folder.stored(file)} {state}",
        f"version {version} of the statements of {folder.tenant} {month} with SHA-256"
        f" {file.sha256}",
        "Copy this file from a backup to its place; in the backup it is below"
        f" {folder.root.name}/store",
    )


def damaged_partition(folder: TenantFolder, file: StoredFile, state: str) -> DamagedFile:
    """Return the error for a partition's file that is missing or was changed."""
    place, path = file.place, folder.stored(file)
    option = f" --project {place.key}" if key_of(place.table_name) == "project" else ""
    if place.table_name != COSTS:
        option = ""
    if place.table_name == STATEMENTS:
        return _damaged_statement(folder, file, state)
    cure = f"Build it again: finops rebuild {folder.tenant}{option} --month {place.billing_period}"
    if place.table_name == BUSINESS_METRICS:
        cure = f"Load its values again: finops metrics load {folder.tenant} FILE"
    return DamagedFile(
        f"{path} {state}",
        f"{place.table_name} of {folder.tenant}/{place.key} {place.billing_period} with"
        f" {counted(file.size_bytes, 'byte')}",
        cure,
    )
