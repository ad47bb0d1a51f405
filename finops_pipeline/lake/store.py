"""The store of a tenant's partition files: immutable, named by their content.

Put here: putting, listing and deleting such files. Keep out: which of them are current (the
ledger), publishing them (publish.py).

This is the seam at which an object store can take the place of a folder (docs/decisions/0045).
"""

from __future__ import annotations

from pathlib import Path

from finops_pipeline.errors import ForeignFile
from finops_pipeline.lake import files
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.own_files import make_folder, protect_file, require_own
from finops_pipeline.ledger.stored_files import Place, StoredFile

_RECORD = ".json"
"""The ending of the name of a record, which lies beside its file."""


class PartitionStore:
    """The partition files of one tenant."""

    def __init__(self, folder: TenantFolder) -> None:
        self._folder = folder
        self._unsynced: set[Path] = set()

    def put(self, place: Place, staged: Path) -> StoredFile:
        """Move a finished file into the store under the name of its content."""
        files.sync(staged)
        file = StoredFile(place, files.fingerprint(staged), staged.stat().st_size)
        final = self._folder.stored(file)
        require_own(self._folder, final)
        make_folder(self._folder, final.parent)
        protect_file(self._folder, staged)
        staged.replace(final)
        self._unsynced.add(final.parent)
        return file

    def put_record(self, file: StoredFile, content: str) -> None:
        """Write a record of a file that was put beside it; it is deleted with the file."""
        path = self._folder.stored(file).with_suffix(_RECORD)
        new = path.with_suffix(".new")
        require_own(self._folder, new)
        new.write_text(content, encoding="utf-8")
        protect_file(self._folder, new)
        files.sync(new)
        new.replace(path)
        self._unsynced.add(path.parent)

    def read_record(self, path: Path) -> str:
        """Return the record beside a file; empty if it has none that can be read."""
        record = path.with_suffix(_RECORD)
        try:
            require_own(self._folder, record)
            return record.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError, ForeignFile):
            return ""

    def sync(self) -> None:
        """Force the names of the files that were put to disk."""
        folders = {parent for path in self._unsynced for parent in (path, *path.parents)}
        for folder in folders:
            if folder.is_relative_to(self._folder.store):
                files.sync(folder)
        self._unsynced.clear()

    def list_paths(self) -> set[Path]:
        """List the files of all partitions in the store."""
        store = self._folder.store
        periods = ("billing_period", "snapshot_date")
        return {p for name in periods for p in store.glob(f"*/*=[a-z]*/{name}=*/*.parquet")}

    def delete(self, path: Path) -> None:
        """Delete a file of the store, and its partition's folders if they are then empty."""
        require_own(self._folder, path)
        path.with_suffix(_RECORD).unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        for parent in path.parents:
            if parent == self._folder.store or not parent.is_dir() or any(parent.iterdir()):
                return
            parent.rmdir()
