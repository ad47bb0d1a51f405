"""Figures about the source itself: which words names are made of, how long functions are.

Put here: counting, and printing it for a person: `python -m tests.support.house_measures`. Keep
out: the limits (test_house.py asserts them).
"""

from __future__ import annotations

import ast
import re
import statistics
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("finops_pipeline", "tests", "benchmarks", "conformance")

_LIST = """
said told one found mine here words theirs there asked known some what none kept others shown
wanted them
"""
VAGUE_WORDS = frozenset(_LIST.split())
"""Words that do not say what a thing is, when a name is made of them."""


@dataclass(frozen=True)
class BoundName:
    """A name that the source binds, and where."""

    name: str
    path: str
    line: int

    @property
    def is_vague(self) -> bool:
        """Whether one of its words is a vague one (`found`, `_told`, `one_month`)."""
        return bool(VAGUE_WORDS & set(re.split(r"_+|(?<=[a-z])(?=[A-Z])", self.name.lower())))


@dataclass(frozen=True)
class Function:
    """A function's size: lines from `def` to its end, and arguments without self and cls."""

    name: str
    path: str
    line: int
    lines: int
    arguments: int
    is_command: bool


def python_files(folder: str) -> list[Path]:
    """Python files below a folder of the checkout, in order."""
    return sorted((ROOT / folder).rglob("*.py"))


def bound_names(folders: tuple[str, ...] = FOLDERS) -> list[BoundName]:
    """Every assigned name, argument, function and class, in the order of the source."""
    return [
        BoundName(name, path.relative_to(ROOT).as_posix(), line)
        for folder in folders
        for path in python_files(folder)
        for name, line in _bound(ast.parse(path.read_text(encoding="utf-8")))
    ]


def _bound(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name, node.lineno
        elif isinstance(node, ast.alias) and node.asname:
            yield node.asname, node.lineno


def functions(folders: tuple[str, ...] = FOLDERS) -> list[Function]:
    """Every function and method."""
    return [
        Function(
            node.name,
            path.relative_to(ROOT).as_posix(),
            node.lineno,
            (node.end_lineno or node.lineno) - node.lineno + 1,
            len(_arguments(node.args)),
            any("typer." in ast.unparse(note) for note in _annotations(node.args)),
        )
        for folder in folders
        for path in python_files(folder)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def _annotations(args: ast.arguments) -> list[ast.expr]:
    every = [*args.posonlyargs, *args.args, *args.kwonlyargs]
    return [argument.annotation for argument in every if argument.annotation is not None]


def _arguments(args: ast.arguments) -> list[str]:
    every = [*args.posonlyargs, *args.args, *args.kwonlyargs]
    return [argument.arg for argument in every if argument.arg not in {"self", "cls"}]


def main(paths: list[str]) -> None:
    """Print the figures, and every place that counts against them below the paths given."""
    folders = tuple(paths) or FOLDERS
    for folder in folders:
        names = bound_names((folder,))
        vague = [name for name in names if name.is_vague]
        sizes = functions((folder,))
        lengths = [function.lines for function in sizes] or [0]
        print(  # noqa: T201
            f"{folder}: {len(vague)} of {len(names)} bound names are vague"
            f" ({len(vague) / max(len(names), 1):.2%}); functions: median"
            f" {statistics.median(lengths):g} lines, longest {max(lengths)}; more than four"
            f" arguments: {sum(function.arguments > 4 for function in sizes)}"
        )
        if paths:
            for name in vague:
                print(f"  {name.path}:{name.line} {name.name}")  # noqa: T201
            for function in sizes:
                if function.lines > 60 or function.arguments > 4:
                    print(  # noqa: T201
                        f"  {function.path}:{function.line} {function.name}: {function.lines}"
                        f" lines, {function.arguments} arguments"
                    )
            print(Counter(name.name for name in vague).most_common(20))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
