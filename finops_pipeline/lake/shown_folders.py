"""The folders `costs`, `landing` and so on, which other programs read with a pattern.

Put here: building a tree of links for each publication and showing the newest. Keep out: the files
themselves (store.py).

`costs` is a link to the newest tree, which has one link to a file in the store for each partition.
All folders change at once, by replacing one link. A program that lists a folder while it changes
opens files of one publication, or finds that a file does not exist and has to list again: a name is
made from the content of its file, so no name ever stands for another content.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from finops_pipeline.lake import files
from finops_pipeline.lake.layout import TABLES, TenantFolder, file_name, place_path
from finops_pipeline.lake.own_files import make_folder, require_own
from finops_pipeline.ledger.stored_files import StoredFile

_NEWEST = ".newest"
_KEPT_TREES = 2
"""The newest and the one before, which a program may be listing."""


def shown_publication(folder: TenantFolder) -> int:
    """Return the number of the publication that the folders show; 0 if they show none."""
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
    _set_aside(folder, folder.root / _NEWEST)
    _replace_link(folder.root / _NEWEST, f"{folder.trees.name}/{tree.name}")
    for table in TABLES:
        shown = folder.root / table
        if not shown.is_symlink() or shown.readlink() != Path(_NEWEST, table):
            _set_aside(folder, shown)
            _replace_link(shown, f"{_NEWEST}/{table}")
    _remove_old_trees(folder, int(publication))


def _replace_link(link: Path, target: str) -> None:
    """Point a link to a target, in one step."""
    new = link.with_name(f"{link.name}.new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(link)
    files.sync(link.parent)


def _set_aside(folder: TenantFolder, shown: Path) -> None:
    """Move away a folder in the place of a link: of an older version, or made by a copy."""
    if shown.is_dir() and not shown.is_symlink():
        make_folder(folder, folder.staging)
        aside = folder.staging / f"older-{shown.name}"
        files.clear_folder(aside)
        shown.rename(aside)


def _remove_old_trees(folder: TenantFolder, newest: int) -> None:
    numbers = sorted(
        (int(path.name) for path in folder.trees.iterdir() if path.name.isdecimal()), reverse=True
    )
    for number in [n for n in numbers if n != newest][_KEPT_TREES - 1 :]:
        files.clear_folder(folder.trees / str(number))
