"""A copy of the package and its tests in which a hole is planted, and the tests that are run there.

Put here: copying, planting, running. Keep out: the holes (planted_holes.py). The product has no
switch for this: what runs is the copy, in processes of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import finops_pipeline
from tests.support.planted_holes import Edit, Hole

_PACKAGE = Path(finops_pipeline.__file__).parent
_REPOSITORY = Path(__file__).parents[2]
_PATIENCE_SECONDS = 900
_FAILED = 1
"""Exit code of pytest when tests ran and some failed; any other says that they could not run."""


def apply_edit(edit: Edit, package: Path) -> str:
    """Return the text of a file with the hole.

    Raises:
        LookupError: the file has changed, so that the table of holes has to follow it.
    """
    text = (package / edit.file).read_text(encoding="utf-8")
    if text.count(edit.old) != 1:
        raise LookupError(
            f"{edit.file} has the text {edit.old!r} {text.count(edit.old)} times and not once;"
            " plant the hole in what replaced it (tests/support/planted_holes.py)"
        )
    return text.replace(edit.old, edit.new)


@dataclass(frozen=True)
class Ending:
    """How a run of tests ended: pytest's exit code and its output."""

    exit_code: int
    output: str

    @property
    def is_caught(self) -> bool:
        """Whether tests ran and failed."""
        return self.exit_code == _FAILED


def run_with_hole(hole: Hole, folder: Path) -> Ending:
    """Plant a hole in a new copy, and run the test that must find it."""
    package = copy_package(folder)
    for edit in hole.edits:
        text = apply_edit(edit, package)
        (package / edit.file).write_text(text, encoding="utf-8")
    ending = run_tests(folder, [hole.caught_by])
    shutil.rmtree(folder)
    return ending


def copy_package(folder: Path) -> Path:
    """Copy the package and its tests; return the folder of the package."""
    shutil.copytree(_PACKAGE, folder / _PACKAGE.name, symlinks=True)
    shutil.copytree(_REPOSITORY / "tests", folder / "tests", symlinks=True)
    shutil.copy2(_REPOSITORY / "pyproject.toml", folder)
    return folder / _PACKAGE.name


def run_tests(folder: Path, tests: list[str]) -> Ending:
    """Run tests of a copy until the first failure."""
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header", "--tb=line"]
    command = [sys.executable, "-m", "pytest", *options, "--basetemp", str(folder / "tmp")]
    inherited = ("PYTEST_", "FINOPS_")
    done = subprocess.run(
        [*command, *(f"tests/{test}" for test in tests)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=_PATIENCE_SECONDS,
        env={k: v for k, v in os.environ.items() if not k.startswith(inherited)}
        | {"PYTHONPATH": str(folder)},
    )
    return Ending(done.returncode, done.stdout + done.stderr)
