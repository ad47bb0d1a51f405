"""The house's rules over its own source: door-plates, proportion, names, documented errors.

Put here: rules that hold for every file of the package. Keep out: doors to the outside
(test_house_doors.py), SQL (test_house_sql.py), documents for people (test_docs.py).
"""

from __future__ import annotations

import ast
import statistics
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from finops_pipeline import errors
from finops_pipeline.contracts.tables import MARTS
from tests.support.house_measures import FOLDERS, bound_names, functions
from tests.support.source_files import (
    ALERT_SQL,
    ALLOCATION_SQL,
    BUDGET_SQL,
    CHECK_SQL,
    EVERY_SQL,
    EVERYWHERE,
    MODULES,
    QUERY_SQL,
    ROOT,
    SCOPED_SQL,
    STAGE_SQL,
    STATEMENT_SQL,
    WASTE_SQL,
    Module,
    by_name,
    calls_in,
)
from tests.support.tiers import LONG, QUICK

FILE_LINES = 350
MEDIAN_LINES, LONGEST_LINES, MOST_ARGUMENTS = 9, 60, 4
VAGUE_SHARE = 0.015
"""How many of all bound names may be made of words that do not say what a thing is."""


def test_the_rules_see_the_house() -> None:
    assert len(MODULES) > 50
    assert {path.stem for path in STAGE_SQL} > set(MARTS)
    kinds = (STAGE_SQL, CHECK_SQL, QUERY_SQL, ALLOCATION_SQL, STATEMENT_SQL, SCOPED_SQL, WASTE_SQL)
    kinds += (BUDGET_SQL, ALERT_SQL)
    assert sorted(path for kind in kinds for path in kind) == EVERY_SQL
    assert CHECK_SQL


@by_name
def test_every_room_has_a_door_plate(module: Module) -> None:
    plate = " ".join((ast.get_docstring(module.tree) or "").split())
    assert plate, "no module docstring"
    if not module.is_door:
        assert "Keep out" in plate or "stays out" in plate, "does not say what stays out"


@pytest.mark.parametrize("module", EVERYWHERE, ids=lambda module: module.name)
def test_files_have_a_noun_for_a_name(module: Module) -> None:
    assert Path(module.name).stem not in {"helpers", "helper", "utils", "util", "common", "misc"}


def test_no_file_is_too_long() -> None:
    files = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.py", "*.sql"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    lengths = {
        name: len((ROOT / name).read_text(encoding="utf-8").splitlines())
        for name in files
        if (ROOT / name).exists()
    }
    assert len(lengths) > 200
    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES} == {}


def test_functions_keep_their_proportion() -> None:
    sizes = functions(("finops_pipeline",))
    assert statistics.median(function.lines for function in sizes) <= MEDIAN_LINES
    assert [function for function in sizes if function.lines > LONGEST_LINES] == []


def test_functions_take_few_arguments() -> None:
    """Commands are left out: their arguments are what a user may type."""
    many = [
        function
        for function in functions(("finops_pipeline",))
        if function.arguments > MOST_ARGUMENTS
        and not (function.path.startswith("finops_pipeline/cli/") and function.is_command)
    ]
    assert many == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_names_say_what_things_are(folder: str) -> None:
    names = bound_names((folder,))
    vague = [name for name in names if name.is_vague]
    assert len(vague) <= VAGUE_SHARE * len(names), vague


def test_no_two_files_have_one_name() -> None:
    stems = Counter(
        Path(module.name).stem
        for module in MODULES
        if not module.is_door and Path(module.name).parent.name != "versions"
    )
    assert [stem for stem, count in stems.items() if count > 1] == []


LAZY_IMPORTS = {"finops_pipeline/cli/command_table.py", "finops_pipeline/cli/start.py"}
"""The files that import inside a function: a command loads what it needs, once Ctrl-C is heard."""


@by_name
def test_no_import_hides_in_a_function(module: Module) -> None:
    inside = [
        ast.unparse(node)
        for function in ast.walk(module.tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    calls = [words for _, words in calls_in(module.tree) if words.endswith("import_module")]
    assert bool(inside or calls) == (module.name in LAZY_IMPORTS), inside


# ---- docstrings show what is raised


REFUSALS = {
    name: {base.__name__ for base in kind.__mro__ if issubclass(base, errors.FinopsError)}
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.FinopsError)
}
"""Name of an exception -> its name and those of its kinds."""


def _own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """Nodes of a function without those of functions inside it."""
    for child in ast.iter_child_nodes(function):
        if not isinstance(child, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            yield child
            yield from _own_nodes(child)


def _public_functions(node: ast.Module | ast.ClassDef) -> Iterator[ast.FunctionDef]:
    for child in node.body:
        if isinstance(child, ast.FunctionDef) and not child.name.startswith("_"):
            yield child
        elif isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
            yield from _public_functions(child)


@by_name
def test_public_functions_say_what_they_raise(module: Module) -> None:
    """Commands are left out: their docstring is the help that users see, their errors one line."""
    if module.name.startswith("finops_pipeline/cli/"):
        return
    for function in _public_functions(module.tree):
        raised = {
            ast.unparse(node.exc.func).rpartition(".")[2]
            for node in _own_nodes(function)
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
        }
        for name in raised & REFUSALS.keys():
            said = (ast.get_docstring(function) or "").partition("Raises:")[2]
            assert any(kind in said for kind in REFUSALS[name]), f"{function.name} raises {name}"


def test_every_file_of_a_tier_exists() -> None:
    names = {path.stem for path in Path(__file__).parent.glob("test_*.py")}
    assert names >= QUICK | LONG
    assert not QUICK & LONG
