"""docs/cookbook.md: every question's SQL runs on two tenants and answers in the stated shape.

Put here: the page's queries and commands. Keep out: what the numbers are (test_queries_of_marts.py,
test_marts_again.py).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

import finops_pipeline
from finops_pipeline.marts.use_cases import use_case
from finops_pipeline.serve.sandbox import Sandbox, open_sandbox
from tests.conftest import TemporaryInstallation
from tests.support.globex import finops

PAGE = Path(finops_pipeline.__file__).parents[1] / "docs" / "cookbook.md"
SECTIONS = {
    section.partition("\n")[0]: section
    for section in re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
}
COMMAND = re.compile(r"^finops (queries run .*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def sandboxes(built: TemporaryInstallation) -> Iterator[list[Sandbox]]:
    """The files of both tenants, open for all questions."""
    limits, folder = built.installation.query_limits, built.installation.folder
    with (
        open_sandbox(folder("acme"), limits) as acme,
        open_sandbox(folder("globex"), limits) as globex,
    ):
        yield [acme, globex]


@pytest.mark.parametrize("question", SECTIONS)
def test_the_sql_of_a_question_answers_in_the_stated_shape(
    sandboxes: list[Sandbox], question: str
) -> None:
    (sql,) = re.findall(r"```sql\n(.*?)```", SECTIONS[question], re.DOTALL)
    (shape,) = re.findall(r"^Columns: (.*?)\.$", SECTIONS[question], re.MULTILINE | re.DOTALL)
    columns = re.findall(r"`(\w+)`", shape)
    for sandbox in sandboxes:
        connection = sandbox.execute(sql)
        described = connection.description or []
        rows = connection.fetchall()
        assert [column[0] for column in described] == columns
        assert not {"DOUBLE", "FLOAT"} & {str(column[1]) for column in described}
        assert rows or "may be empty" in SECTIONS[question]


@pytest.mark.parametrize("question", SECTIONS)
def test_the_command_of_a_question_runs(built: TemporaryInstallation, question: str) -> None:
    (command,) = COMMAND.findall(SECTIONS[question])
    arguments = shlex.split(command)
    assert use_case(arguments[3]).meaning
    assert finops(*arguments, data=built.data)[0] == 0
