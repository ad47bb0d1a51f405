"""The folders `costs`, `landing` and so on, which other programs read with a pattern.

Put here: building a tree of links for each publication and showing the newest. Keep out: the files
themselves (store.py).

`costs` is a link to the newest tree, which has one link to a file in the store for each partition.
All folders change at once, by replacing one link. A program that lists a folder while it changes
opens files of one publication, or finds that a file does not exist and has to list again: a name is
made from the content of its file, so no name ever stands for another content.
"""

from __future__ import annotations

import filecmp
import os
from collections.abc import Iterable
from pathlib import Path

from finops_pipeline.lake import files
from finops_pipeline.lake.layout import TABLES, TenantFolder, file_name, place_path
from finops_pipeline.lake.moving_aside import Unusable, move_aside
from finops_pipeline.lake.own_files import make_folder, require_own
from finops_pipeline.lake.store import PartitionStore
from finops_pipeline.ledger.stored_files import StoredFile

_NEWEST = ".newest"
_KEPT_TREES = 2
"""The newest and the one before, which a program may be listing."""


def shown_publication(folder: TenantFolder) -> int:
    """Return the number of the publication that the folders show; 0 if they show none.

    They show none either if one of the links leads elsewhere, so that they are made again.
    """
    if find_false_links(folder):
        return 0
    link = folder.root / _NEWEST
    name = link.readlink().name if link.is_symlink() else ""
    return int(name) if name.isdecimal() and link.exists() else 0


def is_shown(folder: TenantFolder) -> bool:
    """Return whether the folders have shown a publication; then the ledger has an owner."""
    return (folder.root / _NEWEST).is_symlink()


def find_false_links(folder: TenantFolder) -> list[Path]:
    """List links in the place of the folders that do not lead to a tree of links."""
    expected = {folder.root / table: Path(_NEWEST, table) for table in TABLES}
    found = [path for path, to in expected.items() if path.is_symlink() and path.readlink() != to]
    newest = folder.root / _NEWEST
    trees = Path(folder.trees.name)
    is_false = newest.is_symlink() and (
        newest.readlink().parent != trees or not newest.readlink().name.isdecimal()
    )
    return [*found, newest] if is_false else found


def find_wrong_folders(folder: TenantFolder, current: Iterable[StoredFile]) -> list[Path]:
    """List what a pattern over the folders would read and should not, or would miss."""
    root, expected = folder.root.resolve(), dict[Path, Path]()
    for file in current:
        name = place_path(file.place, folder.tenant) / file_name(file, folder.tenant)
        expected[folder.root / name] = root / folder.relative(folder.stored(file))
    shown = {path for table in TABLES for path in folder.root.glob(f"{table}/*/*/*")}
    wrong = {path for path in shown if path.resolve() != expected.get(path)}
    return sorted(wrong | (expected.keys() - shown))


def show_files(folder: TenantFolder, publication: int, current: Iterable[StoredFile]) -> None:
    """Show exactly these files in the folders."""
    tree = folder.trees / str(int(publication))
    require_own(folder, tree)
    files.clear_folder(tree)
    for table in TABLES:
        make_folder(folder, tree / table)
    up = f"../../../../../{folder.store.name}"
    made = set[Path]()
    for file in sorted(current):
        place = place_path(file.place, folder.tenant)
        for part in (place.parent, place):
            if part not in made:
                made.add(part)
                make_folder(folder, tree / part)
        name = file_name(file, folder.tenant)
        (tree / place / name).symlink_to(f"{up}/{place}/{name}")
    false_links = find_false_links(folder)
    for name in (_NEWEST, *TABLES):
        _clear_place(folder, folder.root / name, false_links)
    _replace_link(folder, _NEWEST, f"{folder.trees.name}/{tree.name}")
    for table in TABLES:
        if not (folder.root / table).is_symlink():
            _replace_link(folder, table, f"{_NEWEST}/{table}")
    _remove_old_trees(folder, int(publication))


def _replace_link(folder: TenantFolder, name: str, target: str) -> None:
    """Point a link of the tenant's folder to a target, in one step."""
    make_folder(folder, folder.staging)
    new = folder.staging / f"{name}.new"
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(folder.root / name)
    files.sync(folder.root)


def _clear_place(folder: TenantFolder, shown: Path, false_links: list[Path]) -> None:
    """Move away what is in the place of a link: a folder of a user or of a copy, or a false link.

    Files of the store that an older version or a copy has put there too are removed, as they would
    keep their space when they are superseded.
    """
    if shown in false_links:
        move_aside(folder, [Unusable(shown, "leads elsewhere")])
    elif os.path.lexists(shown) and not shown.is_symlink():
        if shown.is_dir():
            _remove_copies(folder, shown)
        move_aside(folder, [Unusable(shown, "is in the place of a link")])


def _remove_copies(folder: TenantFolder, shown: Path) -> None:
    stored = {path.stat().st_ino: path for path in PartitionStore(folder).list_paths()}
    for parent, _, names in os.walk(shown, topdown=False):
        for path in (Path(parent, name) for name in names):
            relative = path.relative_to(folder.root)
            in_store = folder.store.joinpath(*(p for p in relative.parts if p != _NEWEST))
            original = stored.get(path.lstat().st_ino, in_store)
            if not path.is_symlink() and original.is_file() and _is_equal(path, original):
                path.unlink()
        if not any(Path(parent).iterdir()):
            Path(parent).rmdir()


def _is_equal(path: Path, other: Path) -> bool:
    return path.samefile(other) or filecmp.cmp(path, other, shallow=False)


def _remove_old_trees(folder: TenantFolder, newest: int) -> None:
    numbers = sorted(
        (int(path.name) for path in folder.trees.iterdir() if path.name.isdecimal()), reverse=True
    )
    for number in [n for n in numbers if n != newest][_KEPT_TREES - 1 :]:
        files.clear_folder(folder.trees / str(number))
