"""A folder that is made once for a test file, and is as it was then when each test begins.

Put here: making it and putting it back. Keep out: what is in it.

Two ingested tenants take seconds to make and a tenth of a second to copy. The copy goes back to
the same path, because a data folder that has moved would first have to settle in its new place.
A test file that defines the fixture `tmp_path` by `rewind` has the folder there, and everything
that is made from `tmp_path` (`empty`, FINOPS_DATA) with it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

_USED, _PRESERVED = "used", "preserved"


def preserve(folder: Path, make: Callable[[Path], object]) -> Path:
    """Let `make` fill a folder below `folder`, and preserve it for `rewind`; return `folder`."""
    (folder / _USED).mkdir()
    make(folder / _USED)
    (folder / _USED).rename(folder / _PRESERVED)
    return folder


def rewind(folder: Path) -> Path:
    """Put the preserved folder back to where it was made; return its path."""
    used = folder / _USED
    if used.exists():
        shutil.rmtree(used)
    shutil.copytree(folder / _PRESERVED, used, symlinks=True)
    return used


def rewound_by(make: Callable[[Path], object]) -> tuple[Any, Any]:
    """Return two fixtures: the preserved folder of a test file, and the folder for each test."""

    @pytest.fixture(scope="module")
    def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
        return preserve(tmp_path_factory.mktemp("rewound"), make)

    @pytest.fixture
    def tmp_path(pristine: Path) -> Path:
        return rewind(pristine)

    return pristine, tmp_path
