"""Moving away what lies in a tenant's folder and cannot stay in its place.

Put here: the folder that it goes to. Keep out: recognising it (set_aside.py, shown_folders.py).

Nothing is deleted. A link is moved itself, never what it leads to.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from finops_pipeline import clock
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.own_files import make_folder


@dataclass(frozen=True)
class Unusable:
    """A file, folder or link of a tenant's folder that cannot be used, and why."""

    path: Path
    reason: str


def move_aside(folder: TenantFolder, found: Iterable[Unusable]) -> list[Unusable]:
    """Move these into the folder for it, under the present time; return those that were there."""
    moved, now = list[Unusable](), clock.now().strftime("%Y-%m-%dT%H-%M-%SZ")
    for unusable in found:
        if not os.path.lexists(unusable.path):
            continue
        target = folder.set_aside / now / unusable.path.relative_to(folder.root)
        while os.path.lexists(target):
            target = target.with_name(f"{target.name}.more")
        _own_folder(folder, target.parent)
        unusable.path.rename(target)
        moved.append(unusable)
    return moved


def _own_folder(folder: TenantFolder, path: Path) -> None:
    """Create a folder in `.set-aside`, which must not lead elsewhere."""
    aside = folder.set_aside
    if aside.is_symlink() or (aside.exists() and not aside.is_dir()):
        name = f"{aside.name}.{clock.now().strftime('%Y-%m-%dT%H-%M-%SZ')}"
        aside.rename(aside.with_name(name))
    make_folder(folder, path)
