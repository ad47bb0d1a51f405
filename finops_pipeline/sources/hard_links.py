"""Files that are in two folders at once, because one is a hard link to the other.

Put here: finding them by device and inode. Keep out: whose folders they are
(application/installation.py), symbolic links (location.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

Inode = tuple[int, int]


def find_hard_links(paths: Iterable[Path], folders: Iterable[Path]) -> list[Path]:
    """List those of some files that are also below one of the folders, under any name.

    Folders are searched only if a file has several names at all, which is rare.

    Args:
        paths: files, or folders with everything below them.
        folders: local folders; missing ones are ignored.
    """
    linked = {inode: path for path in paths for inode, path in _list_linked(path)}
    if not linked:
        return []
    others = {inode for folder in folders for inode, _ in _list_linked(folder)}
    return sorted(path for inode, path in linked.items() if inode in others)


def _list_linked(path: Path) -> Iterator[tuple[Inode, Path]]:
    """Yield the regular files with more than one name at or below a path."""
    if not path.is_dir():
        yield from _linked(path)
        return
    for parent, _, names in os.walk(path):
        for name in names:
            yield from _linked(Path(parent, name))


def _linked(path: Path) -> Iterator[tuple[Inode, Path]]:
    try:
        stat = path.stat()
    except OSError:
        return
    if stat.st_nlink > 1 and path.is_file():
        yield (stat.st_dev, stat.st_ino), path
