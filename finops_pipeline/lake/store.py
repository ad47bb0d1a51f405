"""The store of a tenant's partition files: immutable, named by their content.

Put here: putting, listing and deleting such files. Keep out: which of them are current (the
ledger), publishing them (publish.py).

This is the seam at which an object store can take the place of a folder (docs/decisions/0045).
"""

from __future__ import annotations

from pathlib import Path

from finops_pipeline.lake import files
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.own_files import make_folder, protect_file, require_own
from finops_pipeline.ledger.stored_files import Place, StoredFile


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
        return set(store.glob("*/*=[a-z]*/billing_period=*/*.parquet"))

    def delete(self, path: Path) -> None:
        """Delete a file of the store, and its partition's folders if they are then empty."""
        require_own(self._folder, path)
        path.unlink(missing_ok=True)
        for parent in path.parents:
            if parent == self._folder.store or not parent.is_dir() or any(parent.iterdir()):
                return
            parent.rmdir()
