"""Files and folders that only their owner can read, or also its group where the settings say so.

Put here: creating them with these permissions from the start. Keep out: which files there are.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Permissions:
    """The permissions of everything that finops creates.

    `group_readable`: the group may read; new files take over the group of their folder.
    """

    group_readable: bool = False

    @property
    def file(self) -> int:
        """The mode of a file."""
        return 0o640 if self.group_readable else 0o600

    @property
    def folder(self) -> int:
        """The mode of a folder."""
        return 0o750 | stat.S_ISGID if self.group_readable else 0o700

    def make_folder(self, path: Path) -> None:
        """Create a folder with its parents; folders that exist stay as they are."""
        missing = []
        while not path.exists():
            missing.append(path)
            path = path.parent
        for new in reversed(missing):
            new.mkdir(exist_ok=True)
            # chmod and not the mode of mkdir, which the process's umask would narrow.
            new.chmod(self.folder)

    def make_file(self, path: Path) -> None:
        """Create an empty file in the place of an earlier one; refuse to follow a link."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        handle = os.open(path, flags, self.file)
        try:
            os.fchmod(handle, self.file)
        finally:
            os.close(handle)


def sync_path(path: Path) -> None:
    """Force a file's bytes, or a folder's names, to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
