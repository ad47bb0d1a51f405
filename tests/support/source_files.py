"""The source as data: every Python file with its text and syntax tree, every SQL file.

Put here: reading them for the tests of the house. Keep out: rules (test_house*.py).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import finops_pipeline

PACKAGE = Path(finops_pipeline.__file__).parent
ROOT = PACKAGE.parent


@dataclass(frozen=True)
class Module:
    """One Python file: its path below the checkout, text and syntax tree."""

    name: str
    text: str
    tree: ast.Module

    @property
    def is_door(self) -> bool:
        """Whether it is an `__init__` or `__main__`, whose door-plate may be one line."""
        return self.name.endswith(("__init__.py", "__main__.py"))


def read_modules(folder: Path) -> list[Module]:
    found = []
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        found.append(Module(path.relative_to(ROOT).as_posix(), text, ast.parse(text)))
    return found


MODULES = read_modules(PACKAGE)
EVERYWHERE = MODULES + read_modules(ROOT / "tests")
STAGE_SQL = sorted([*PACKAGE.glob("focus/sql/*.sql"), *PACKAGE.glob("marts/sql/*.sql")])
CHECK_SQL = sorted(PACKAGE.glob("marts/checks/*.sql"))
QUERY_SQL = sorted(PACKAGE.glob("marts/queries/*.sql"))
ALLOCATION_SQL = sorted(PACKAGE.glob("marts/allocation/*.sql"))
STATEMENT_SQL = sorted(PACKAGE.glob("marts/statements/*.sql"))
SCOPED_SQL = sorted(PACKAGE.glob("marts/scoped/*.sql"))
WASTE_SQL = sorted([*PACKAGE.glob("marts/waste/*.sql"), *PACKAGE.glob("marts/waste_rules/*.sql")])
BUDGET_SQL = sorted(PACKAGE.glob("marts/budgets/*.sql"))
ALERT_SQL = sorted([*PACKAGE.glob("marts/alert_rules/*.sql"), *PACKAGE.glob("marts/reports/*.sql")])
EVERY_SQL = sorted(PACKAGE.rglob("*.sql"))
by_name = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)


def calls_in(tree: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    """Every call below a node, with the words before its parenthesis."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node, ast.unparse(node.func)
