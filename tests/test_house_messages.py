"""Rules of the source for what it prints: counted nouns, and one place that writes to a terminal.

Put here: rules about texts that a scan of the source can check. Keep out: cures (test_cures.py),
structure (test_house.py).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from finops_pipeline.errors import counted
from tests.support.house_measures import python_files

NOUNS = re.compile(
    r" (?:[a-z]+ ){0,2}?(rows|files|months|items|days|bytes|manifests|deliveries|statements|columns"
    r"|characters|accounts|charges|records|tenants|sources|projects|values|requests|attempts|times"
    r"|installations|differences|findings|checks|fields|seconds|hours|lines|tables|gaps)\b"
)
NUMBER = re.compile(r"len\(|sum\(|(?!counted\()[a-z_.]*(count|size|bytes|number)")
"""The start of an expression that is a number; names in capitals are constants."""
NEVER_ONE = {
    "len(statements)", "len(manifests)", "len(matches)", "len(ids)", "keys.count(key)",
    "len(names)", "len(text)", "len(node.value)",  # said only of several, or of too many
    "size", "limits.answer_bytes",  # more than a limit of many
    "days",  # "marks 1 of its days"
}  # fmt: skip


def numbers_before_nouns(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and expression of `{number} rows` in the f-strings of a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.JoinedStr):
            continue
        for value, text in zip(node.values, node.values[1:], strict=False):
            if isinstance(value, ast.FormattedValue) and isinstance(text, ast.Constant):
                expression = ast.unparse(value.value)
                is_number = bool(NUMBER.match(expression)) or (
                    expression.endswith("s") and expression.isidentifier()
                )
                if NOUNS.match(str(text.value)) and is_number:
                    yield node.lineno, expression


def test_a_number_and_its_noun_agree() -> None:
    """`{n} rows` reads "1 rows" one day; counted(n, 'row') does not."""
    wrong = {
        f"{path.name}:{line}": expression
        for path in python_files("finops_pipeline")
        if "synthetic" not in path.parts
        for line, expression in numbers_before_nouns(path)
        if expression not in NEVER_ONE
    }
    assert wrong == {}
    assert [counted(n, "line item") for n in (0, 1, 2)] == ["0 line items", "1 line item",
                                                            "2 line items"]  # fmt: skip


def test_the_rule_sees_a_wrong_message(tmp_path: Path) -> None:
    file = tmp_path / "wrong.py"
    file.write_text('x = f"{len(rows)} rows"\ny = f"{size} more bytes"\nz = f"{name} rows"\n')
    assert [line for line, _ in numbers_before_nouns(file)] == [1, 2]


ECHOES = {"show.py", "failures.py", "version.py", "app.py", "pages.py", "start.py",
          "query_library.py", "declarations.py", "completion.py"}  # fmt: skip
"""Files that may write text as it is: what they write is JSON, SQL of the library or YAML."""


@pytest.mark.parametrize("path", python_files("finops_pipeline/cli"), ids=lambda path: path.name)
def test_text_reaches_a_terminal_without_control_characters(path: Path) -> None:
    """Commands print with `say`, `table` and `complain`, which replace them."""
    if path.name not in ECHOES:
        assert not re.search(
            r"typer\.echo\(|(?<![.\w])print\(|stdout\.write\(", path.read_text("utf-8")
        )
