"""A message as plain data, and as text, HTML and JSON.

Put here: what a message consists of, and making its words harmless in each form. Keep out: sending
it (webhook.py, mail.py, command.py), what it says (application).

Words come from bills and declarations: a resource may be called `<b>` or `@channel`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from finops_pipeline.errors import one_line

_LONGEST_LINE, _LONGEST_SLACK = 1000, 30_000
_APART = "\u200b"
"""A space of no width: it keeps a program from reading a word as a mention or a link."""


@dataclass(frozen=True)
class Section:
    """A part of a message: a heading with lines of text, or with the rows of a table."""

    heading: str
    lines: Sequence[str] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


@dataclass(frozen=True)
class Message:
    """A message to one tenant's people. `facts`: what a program needs to know of it, as data."""

    tenant: str
    title: str
    sections: tuple[Section, ...]
    facts: dict[str, Any]


def plain_words(text: str) -> str:
    """Return a text on one line, without control characters, and not endlessly long."""
    words = one_line(text)
    return words if len(words) <= _LONGEST_LINE else f"{words[: _LONGEST_LINE - 1]}…"


def as_text(message: Message) -> str:
    """Return a message as plain text."""
    parts = [plain_words(message.title)]
    for section in message.sections:
        lines = [plain_words(line) for line in section.lines]
        if section.rows:
            lines += _aligned([section.columns, *section.rows])
        parts.append("\n".join([plain_words(section.heading), *(f"  {line}" for line in lines)]))
    return "\n\n".join(parts) + "\n"


def _aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    cells = [[plain_words(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(_padded(row, widths)).rstrip() for row in cells]


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        cell.rjust(width) if _is_number(cell) else cell.ljust(width)
        for cell, width in zip(row, widths, strict=True)
    ]


def _is_number(cell: str) -> bool:
    return re.fullmatch(r"[<>+-]*\d[\d.]*( %)?", cell) is not None


def as_html(message: Message) -> str:
    """Return a message as a small HTML document; nothing in it is loaded from elsewhere."""
    body = [f"<h2>{_html(message.title)}</h2>"]
    for section in message.sections:
        body.append(f"<h3>{_html(section.heading)}</h3>")
        body += [f"<p>{_html(line)}</p>" for line in section.lines]
        if section.rows:
            body.append(_html_table(section))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"></head>'
        f'<body style="font-family: sans-serif">{"".join(body)}</body></html>\n'
    )


def _html_table(section: Section) -> str:
    head = "".join(f'<th align="left">{_html(name)}</th>' for name in section.columns)
    rows = "".join(
        "<tr>" + "".join(_html_cell(plain_words(cell)) for cell in row) + "</tr>"
        for row in section.rows
    )
    return f'<table cellpadding="4"><tr>{head}</tr>{rows}</table>'


def _html_cell(cell: str) -> str:
    side = "right" if _is_number(cell) else "left"
    return f'<td align="{side}">{escape(cell)}</td>'


def _html(text: str) -> str:
    return escape(plain_words(text))


def as_slack(message: Message) -> dict[str, Any]:
    """Return a message as the JSON of a Slack webhook, in which no word is markup."""
    text = slack_words(as_text(message))
    if len(text) > _LONGEST_SLACK:
        text = f"{text[:_LONGEST_SLACK]}…"
    return {"text": text, "mrkdwn": False}


def slack_words(text: str) -> str:
    """Return a text in which Slack and similar programs find no mention, link or markup.

    Slack's own escapes are those of `&`, `<` and `>`; others also read `@name` and `[a](b)`.
    """
    for sign, harmless in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(sign, harmless)
    for sign in ("@", "://", "](", "*", "_", "~", "`"):
        text = text.replace(sign, f"{sign[0]}{_APART}{sign[1:]}")
    return text


def as_data(message: Message) -> dict[str, Any]:
    """Return a message as data for a command."""
    return {
        "tenant": message.tenant,
        "title": plain_words(message.title),
        "text": as_text(message),
        **message.facts,
    }
