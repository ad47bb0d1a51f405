"""Starting is quick: a command imports only what it needs, and one table imports commands.

Put here: which modules a command may import, and that the command table is true. Keep out: seconds,
which depend on the machine.
"""

from __future__ import annotations

import ast
import inspect
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer

import finops_pipeline
from finops_pipeline.cli.app import app
from finops_pipeline.cli.command_table import COMMANDS, LIST_QUERIES, ROOT, CommandEntry
from tests.conftest import TemporaryInstallation

PACKAGE = Path(finops_pipeline.__file__).parent
HEAVY = ("duckdb", "dagster", "boto3", "botocore", "sqlalchemy", "pyarrow", "polars")
"""Not pydantic: typer itself imports it."""
ENTRIES = [
    pytest.param(entry, id=f"{group} {name}")
    for group, commands in COMMANDS.items()
    for name, entry in [*commands.items(), *([("", LIST_QUERIES)] if group == "queries" else [])]
]


def imported_by(*arguments: str, data: Path | None = None) -> set[str]:
    """The top-level modules that are imported when a command has ended."""
    code = (
        "import sys\n"
        "from finops_pipeline.cli.app import main\n"
        f"sys.argv = ['finops', *{arguments!r}]\n"
        "try:\n    main()\n"
        "except SystemExit as ended:\n    assert not ended.code\n"
        "sys.stderr.write(' '.join({name.partition('.')[0] for name in sys.modules}))\n"
    )
    environment = {**os.environ, **({"FINOPS_DATA": str(data)} if data else {})}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout
    return set(done.stderr.split())


@pytest.mark.parametrize("arguments", [["version"], ["--help"], ["source", "--help"]])
def test_a_command_without_data_imports_no_heavy_library(arguments: list[str]) -> None:
    assert imported_by(*arguments).isdisjoint(HEAVY)


def test_a_query_imports_neither_dagster_nor_polars(built: TemporaryInstallation) -> None:
    modules = imported_by("query", "acme", "select 1 as a", "--format", "csv", data=built.data)
    assert "duckdb" in modules, "the test sees what is imported"
    assert modules.isdisjoint({"dagster", "polars", "numpy", "pandas"})


def test_only_the_command_table_imports_while_the_program_runs() -> None:
    dynamic = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith(("import_module", "__import__"))
    }
    assert dynamic == {"cli/command_table.py", "cli/start.py"}
    for path in PACKAGE.rglob("*.py"):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                nested = [
                    n for n in ast.walk(function) if isinstance(n, ast.Import | ast.ImportFrom)
                ]
                assert not nested, f"{path.name}: {function.name}"


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_tables_help_is_the_docstring_of_the_command(entry: CommandEntry) -> None:
    documented = inspect.getdoc(entry.load_function()) or ""
    assert entry.help == documented.partition("\n")[0]


def test_the_table_has_every_group_and_no_other() -> None:
    command = typer.main.get_command(app)
    groups = {name for name, below in command.commands.items() if hasattr(below, "commands")}  # type: ignore[attr-defined]
    assert {ROOT, *groups} == set(COMMANDS)


def test_help_lists_every_command_with_its_help(empty: TemporaryInstallation) -> None:
    for group, commands in COMMANDS.items():
        output = empty.finops(*([] if group == ROOT else [group]), "--help").stdout
        text = " ".join(output.replace("│", " ").split())
        for name, entry in commands.items():
            assert f"{name} {entry.help}" in text


INTERRUPTED_LINE = (
    "finops: Interrupted. What was published stays; run the command again to continue.\n"
)


@pytest.mark.parametrize("delay", [0.05, 0.15, 0.3, 0.6])
def test_an_interrupt_while_starting_is_one_plain_line(
    built: TemporaryInstallation, delay: float
) -> None:
    """At whatever moment of the imports; -X importtime says that they have begun."""
    running = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "finops_pipeline.cli", "status"],
        env={**os.environ, "FINOPS_DATA": str(built.data)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Children inherit ignoring Ctrl-C from a parent that ignores it (nohup, a CI runner).
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert running.stderr is not None
    for line in running.stderr:
        if line.rstrip().endswith("finops_pipeline.cli.start"):
            break
    time.sleep(delay)
    running.send_signal(signal.SIGINT)
    _, error = running.communicate(timeout=60)
    printed = [line for line in error.splitlines(keepends=True) if "import time:" not in line]
    # On a fast machine the command may have ended, or be about to, before the longest delay.
    ended = [(0, []), (-signal.SIGINT, [])]
    assert (running.returncode, printed) in [(130, [INTERRUPTED_LINE]), *ended]
    assert delay > 0.1 or running.returncode == 130
