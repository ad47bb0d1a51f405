"""The isolation suite finds holes: each of many is planted in a copy, and a test must fail there.

Put here: that the table fits the package, and the runs. Keep out: the holes
(support/planted_holes.py), planting (support/holed_package.py).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import finops_pipeline
from tests.conftest import FIGURES
from tests.support.holed_package import Ending, apply_edit, copy_package, run_tests, run_with_hole
from tests.support.planted_holes import HOLES, Edit, Hole

PACKAGE = Path(finops_pipeline.__file__).parent
AT_A_TIME = 2
by_name = pytest.mark.parametrize("hole", HOLES, ids=[hole.name for hole in HOLES])


@by_name
def test_a_hole_still_fits_the_package(hole: Hole) -> None:
    """Every day, because only `make torture` plants it: the table must not become stale."""
    for edit in hole.edits:
        compile_or_keep(edit, apply_edit(edit, PACKAGE))
    file, _, test = hole.caught_by.partition("::")
    assert f"def {test}(" in (Path(__file__).parent / file).read_text(encoding="utf-8")


def compile_or_keep(edit: Edit, text: str) -> None:
    """A hole that is no Python would be found by every test."""
    if edit.file.endswith(".py"):
        compile(text, edit.file, "exec")


def test_a_hole_whose_text_is_gone_is_reported() -> None:
    with pytest.raises(LookupError, match=r"errors\.py has the text 'no such text' 0 times"):
        apply_edit(Edit("errors.py", "no such text", ""), PACKAGE)


@pytest.fixture(scope="module")
def endings(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> dict[str, Ending]:
    """The run of each hole, two at a time, and of a copy without one."""
    place = tmp_path_factory.mktemp("holes")
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        whole = pool.submit(run_whole, place / "whole")
        holed = {
            hole.name: pool.submit(run_with_hole, hole, place / str(number))
            for number, hole in enumerate(HOLES)
        }
        endings = {name: run.result() for name, run in holed.items()} | {"": whole.result()}
    lines = [
        f"{hole.name}: {'found' if endings[hole.name].is_caught else 'NOT FOUND'} by"
        f" {hole.caught_by.partition('::')[2]}"
        for hole in HOLES
    ]
    request.config.stash.setdefault(FIGURES, []).extend(lines)
    return endings


def run_whole(folder: Path) -> Ending:
    """Run all of these tests in a copy without a hole."""
    copy_package(folder)
    return run_tests(folder, sorted({hole.caught_by for hole in HOLES}))


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_nothing_is_found_where_there_is_no_hole(endings: dict[str, Ending]) -> None:
    assert endings[""].exit_code == 0, endings[""].output


@pytest.mark.torture
@pytest.mark.timeout(3600)
@by_name
def test_every_hole_is_found(endings: dict[str, Ending], hole: Hole) -> None:
    assert endings[hole.name].is_caught, endings[hole.name].output
