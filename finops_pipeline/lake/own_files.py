"""Paths of a tenant's folder that lead out of it, and the permissions of what is in it.

Put here: checking that a file is the tenant's own before it is opened, noticing that a folder was
replaced, making folders and files that only the owner can read. Keep out: checking contents
(file_marks.py).
"""

from __future__ import annotations

import os
from pathlib import Path

from finops_pipeline.errors import ForeignFile
from finops_pipeline.lake.layout import TenantFolder


class HeldFolder:
    """A folder that is held open, so that no later folder can be mistaken for it.

    While it is open, no other folder gets its inode number, even if it is deleted.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            self._handle = -1

    def is_at(self, path: Path) -> bool:
        """Return whether this folder, and no other, is at a path now."""
        try:
            return self._handle >= 0 and os.path.samestat(os.fstat(self._handle), path.stat())
        except FileNotFoundError:
            return False

    def close(self) -> None:
        """Close the folder; it is then at no path."""
        if self._handle >= 0:
            os.close(self._handle)
        self._handle = -1


def require_own(folder: TenantFolder, path: Path) -> None:
    """Check that a path, if it exists, is a regular file or folder of this tenant, not a link.

    The data folder itself may be a link; no part of the path below it may.

    Raises:
        ForeignFile: a part of the path is a link, or the file is a device or the like.
    """
    base = Path(os.path.realpath(folder.lake.parent))
    expected = base / path.relative_to(folder.lake.parent)
    if Path(os.path.realpath(path)) != expected:
        cure = f"Rebuild the tenant, which sets the link aside: finops rebuild {folder.tenant}"
        if folder.lake.is_symlink():
            cure = f"Replace the link {folder.lake} with the folder that it points to"
        raise ForeignFile(
            f"{path} is a link or lies behind one",
            f"a file in the folder of tenant {folder.tenant}",
            cure,
        )
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ForeignFile(
            f"{path} is not a regular file",
            f"a file of tenant {folder.tenant}",
            f"Rebuild the tenant, which sets it aside: finops rebuild {folder.tenant}",
        )


def make_folder(folder: TenantFolder, path: Path) -> None:
    """Create a folder of a tenant with its parents, readable as the settings say."""
    folder.permissions.make_folder(path)


def protect_file(folder: TenantFolder, path: Path) -> None:
    """Give a file the permissions of the tenant's files."""
    path.chmod(folder.permissions.file)
