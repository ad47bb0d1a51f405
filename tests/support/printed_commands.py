"""Commands of finops that messages and documents print, as a user would type them.

Put here: finding them in the source and in Markdown, and filling their placeholders. Keep out:
running them (test_cures.py).

A command in a text is `finops`, a command of the table, and the arguments that follow: names in
capitals, interpolated values, options, quoted text. The first other word ends it.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from finops_pipeline.cli.app import app
from finops_pipeline.cli.command_table import COMMANDS, ROOT

EXAMPLE_NAMES = {"acme", "initech"}
_TOKEN = re.compile(
    r"""\s*(?P<text>
        "[^"]*" | '[^']*'
        | --?[a-z][a-z-]*
        | (?:\{[^{}]*\}|[A-Za-z0-9_./:…-])+
    )""",
    re.VERBOSE,
)
_VALUE = re.compile(r"\{|[A-Z][A-Z0-9/_-]+…?$|[^/]*[/.\d_]|s3://")
"""The beginning of a token that is an argument and no word of the sentence."""
_VALUES_OF = {"--history": 0, "--replace": 0, "--all": 0, "--last": 2}
"""Options that take no value, or several."""


@dataclass(frozen=True)
class PrintedCommand:
    """A command in a text; `words` still has its placeholders."""

    place: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join(self.words)


NOT_PRINTED = ("command_table.py", "pages.py", "http_cures.py")
"""Files whose texts are tables or patterns of commands."""


def commands_of_messages(folder: Path) -> list[PrintedCommand]:
    """Commands in the texts of the package, docstrings left out."""
    return [
        command
        for path in sorted(folder.rglob("*.py"))
        if "synthetic" not in path.parts and path.name not in NOT_PRINTED
        for line, text in _texts(ast.parse(path.read_text(encoding="utf-8")))
        for command in commands_in(text, f"{path.name}:{line}")
    ]


def commands_of_page(page: Path) -> list[PrintedCommand]:
    """Commands in the code of a Markdown page, in order; comments behind them are left out."""
    return [
        command
        for language, code in code_of_page(page)
        if language in ("sh", "")
        for line in code.splitlines()
        for command in commands_in(re.sub(r"\s#.*", "", line), page.name)
    ]


def code_of_page(page: Path) -> list[tuple[str, str]]:
    """Language and text of every piece of code of a Markdown page; that in a line has none."""
    text = page.read_text(encoding="utf-8")
    codes = re.finditer(r"```([a-z]*)\n(.*?)```|(?<!`)`([^`\n]+)`(?!`)", text, re.DOTALL)
    return [(code[1] or "", code[2] or code[3]) for code in codes]


def _texts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and text of string literals; interpolated values as `{expression}`."""
    skipped = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in ast.walk(node)
        if part is not node
    } | {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
        elif isinstance(node, ast.JoinedStr):
            yield (
                node.lineno,
                "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "{value}"
                    for part in node.values
                ),
            )


def commands_in(text: str, place: str) -> Iterator[PrintedCommand]:
    """Yield the commands that a text names."""
    for match in re.finditer(r"\bfinops (?=[a-z-])", text):
        rest = text[match.end() :]
        words = list(re.match(r"[a-z-]+(?: [a-z-]+)?", rest)[0].split())  # type: ignore[index]
        group = words[0] if len(words) > 1 and words[1] in COMMANDS.get(words[0], {}) else ROOT
        name = words[1] if group != ROOT else words[0]
        if name not in COMMANDS[group] and not (name in COMMANDS and group == ROOT):
            continue
        path = (name,) if group == ROOT else (group, name)
        yield PrintedCommand(place, (*path, *_arguments(rest[len(" ".join(path)) :])))


def _arguments(text: str) -> Iterator[str]:
    text = text.removeprefix("{value}")  # options that a message may add
    values = 0
    while match := _TOKEN.match(text):
        token = match["text"]
        word = re.sub(r"(\{value\})+", "{value}", token.rstrip(".:"))
        is_argument = word[:1] in "\"'" or word.startswith("-") or values > 0
        if not word or not (is_argument or _VALUE.match(word) or word in EXAMPLE_NAMES):
            return
        yield word
        values -= 1
        if word.startswith("-"):
            values = _VALUES_OF.get(word, 1)
        text = text[match.end() :]
        if token.rstrip(".:") != token or (text[:1] not in (" ", "") and not text.startswith("…")):
            return


# ---- filling placeholders


def parser_of(words: tuple[str, ...]) -> tuple[Any, tuple[str, ...]]:
    """The command line's own parser of a command, and the words that follow its name."""
    group: Any = typer.main.get_command(app)
    rest = list(words)
    context = group.make_context("finops", list(rest), resilient_parsing=True)
    while True:
        _, command, rest = group.resolve_command(context, rest)
        if not hasattr(command, "commands") or not rest:
            return command, tuple(rest)
        group, context = command, command.make_context(rest[0], rest, parent=context,
                                                       resilient_parsing=True)  # fmt: skip


def is_mention(printed: PrintedCommand) -> bool:
    """Whether a text only names a command that cannot be run without arguments."""
    command, rest = parser_of(printed.words)
    required = [p for p in command.params if p.required and p.param_type_name == "argument"]
    return bool(required) and not rest


def filled(printed: PrintedCommand, values: dict[str, str]) -> list[str]:
    """Return a command with values in place of its placeholders.

    Args:
        values: value by metavar of an argument, by option, or by the text that is printed.
    """
    command, rest = parser_of(printed.words)
    path = printed.words[: len(printed.words) - len(rest)]
    metavars = [str(p.metavar) for p in command.params if p.param_type_name == "argument"]
    done, position, option = list(path), 0, ""
    for word in rest:
        if word.startswith("--"):
            done.append(word)
            option = word
            continue
        stands_for = option or metavars[min(position, len(metavars) - 1)]
        text = word.strip("\"'")
        if re.match(r"\{|[A-Z][A-Z0-9/_-]+…?$", text):
            text = values.get(f"{' '.join(path)} {stands_for}", values.get(stands_for, text))
        done += [text] if word != word.strip("\"'") else shlex.split(values.get(text, text))
        position += not option
        option = ""
    return done
