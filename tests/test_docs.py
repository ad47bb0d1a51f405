"""Documents stay true: generated pages are fresh, links lead somewhere, examples run.

Put here: checks of README and docs/. Keep out: rules of the source (test_house.py).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import finops_pipeline
from finops_pipeline.cli.app import app
from finops_pipeline.cli.pages import pages
from finops_pipeline.contracts.tables import TABLES
from finops_pipeline.reconciliation.comparisons import ComparisonState
from finops_pipeline.reconciliation.states import ReconciliationState
from finops_pipeline.settings import Settings
from finops_pipeline.tenants.declare import apply, read_declaration
from finops_pipeline.tenants.registry import Registry
from tests.conftest import LAST_MONTH, MONTHS, SEED, TemporaryInstallation

ROOT = Path(finops_pipeline.__file__).parents[1]
README = ROOT / "README.md"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "data" / "README.md"])
ALL_TEXT = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
on_each_page = pytest.mark.parametrize(
    "page", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix()
)


def _fenced(text: str, kind: str) -> list[str]:
    """The bodies of the fenced blocks of a kind ("" for blocks without one)."""
    blocks: list[tuple[str, list[str]]] = []
    inside = False
    for line in text.splitlines():
        if line.strip().startswith("```"):
            inside = not inside
            if inside:
                blocks.append((line.strip().removeprefix("```"), []))
        elif inside:
            blocks[-1][1].append(line + "\n")
    return ["".join(lines) for name, lines in blocks if name == kind]


def _prose(text: str) -> str:
    """A page without its fenced blocks and code spans."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^ *```.*?^ *```$", "", text, flags=re.S | re.M))


@pytest.mark.parametrize("name", sorted(pages()))
def test_generated_pages_are_fresh(name: str) -> None:
    written = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert written == pages()[name], "run make docs"


def test_generated_pages_describe_every_column_and_setting() -> None:
    dictionary, settings = pages()["data_dictionary.md"], pages()["settings.md"]
    for table in TABLES:
        section = dictionary.partition(f"\n## {table.name}\n")[2].partition("\n## ")[0]
        assert table.meaning in section
        for column in table.columns:
            assert f"| `{column.name}` | {column.type} |" in section, (table.name, column.name)
            assert column.meaning
    for name, field in Settings.model_fields.items():
        assert f"`FINOPS_{name.upper()}`" in settings
        assert field.description
        assert field.description in settings


def _commands(command: Any, command_name: str) -> Iterator[str]:
    below: dict[str, Any] = getattr(command, "commands", {})
    if not below:
        yield command_name
    for name, subcommand in below.items():
        yield from _commands(subcommand, f"{command_name} {name}")


def test_every_command_is_documented() -> None:
    commands = list(_commands(typer.main.get_command(app), "finops"))
    assert "finops project release" in commands
    assert [command for command in commands if command not in ALL_TEXT] == []


def test_documents_name_only_commands_that_exist() -> None:
    commands = {tuple(c.split()) for c in _commands(typer.main.get_command(app), "finops")}
    heads = {command[:2] for command in commands}
    for line in [*re.findall(r"`(finops [^`]+)`", ALL_TEXT), *_shell_lines()]:
        parts = tuple(line.split())
        assert parts[:2] in heads, line
        if parts[:2] not in commands and len(parts) > 2:
            assert parts[:3] in commands, line


def _shell_lines() -> Iterator[str]:
    for block in _fenced(ALL_TEXT, "sh"):
        yield from re.findall(r"^ *(finops .*)$", block, re.MULTILINE)


@on_each_page
def test_relative_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", _prose(page.read_text(encoding="utf-8"))):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        linked_file = (page.parent / name).resolve() if name else page
        assert linked_file.exists(), target
        assert linked_file.is_relative_to(ROOT), target
        if anchor:
            assert f"\n## {anchor}\n" in linked_file.read_text(encoding="utf-8"), target


@on_each_page
def test_no_document_names_a_machine_path(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [name for name in ("work", "root", "tmp", "home") if f"/{name}/" in text] == []


def test_every_page_of_docs_is_linked() -> None:
    linked = set()
    for page in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            linked.add((page.parent / target).resolve())
    decisions = ROOT / "docs" / "decisions"
    unlinked = {page for page in ROOT.glob("docs/**/*.md") if page not in linked}
    assert decisions in linked
    assert unlinked <= set(decisions.iterdir())


def test_every_dependency_is_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.split(r"[<>=~!\[; ]", entry)[0] for entry in requirements}
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| ([A-Za-z0-9-]+) \| ..", page, re.MULTILINE))
    explained -= {"package", "---"}
    assert explained == names


def test_the_readme_is_short_and_its_declaration_holds(tmp_path: Path) -> None:
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 150
    (example,) = _fenced(text, "yaml")
    declaration = tmp_path / "tenants.yaml"
    declaration.write_text(example, encoding="utf-8")
    declared = read_declaration(declaration)
    registry = Registry(f"sqlite:///{tmp_path / 'registry.sqlite'}")
    assert apply(registry, declared)
    (tenant,) = registry.tenants()
    assert tenant.name == "initech"
    assert [source.name for source in tenant.sources] == ["by-hand", "payer"]
    assert [claim.days for claim in tenant.project("prod").accounts] == [
        "always",
        "always to 2026-08-16",
    ]


def test_the_readme_lists_every_layer() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    installation = next(
        block for block in _fenced(README.read_text(encoding="utf-8"), "") if "cli " in block
    )
    listed = [re.split(r" {2,}", line)[0].strip() for line in installation.splitlines()]
    assert listed == layers


def test_the_tour_gives_the_answers_it_shows(
    built: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    text = (ROOT / "docs" / "tour.md").read_text(encoding="utf-8")
    assert f'seed={SEED}, last_month="{LAST_MONTH}", months={MONTHS}' in text
    examples = re.findall(
        r"```sh\nfinops query acme --exact -f /dev/stdin <<'SQL'\n(.*?)SQL\n```\n"
        r"\n```text\n(.*?)```\n",
        text,
        re.DOTALL,
    )
    assert len(examples) == text.count("finops query acme --exact -f") > 5
    for sql, answer in examples:
        assert built.finops("query", "acme", "--exact", sql).stdout == answer, sql


def test_the_runbook_and_naming_describe_every_state() -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    naming = (ROOT / "docs" / "naming.md").read_text(encoding="utf-8")
    for state in ComparisonState:
        assert f"\n| `{state}` | " in naming.partition("## States of a comparison")[2]
    for state in ReconciliationState:
        assert f"\n| `{state}` | " in naming
        if state != ReconciliationState.RECONCILED:
            assert re.search(rf"^## Status says `{state}`", runbook, re.MULTILINE), state
