"""How answers look: tables for people, CSV, JSON and Parquet for programs.

Put here: spelling of values and rows. Keep out: where rows come from.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import IO, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from finops_pipeline.application.installation import Installation
from finops_pipeline.errors import one_line
from finops_pipeline.log import configure_logging
from finops_pipeline.money import plain
from finops_pipeline.settings import load_settings

Row = Sequence[Any]


class Format(StrEnum):
    """Forms of an answer."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def open_installation() -> Installation:
    """The installation that the environment describes."""
    settings = load_settings()
    configure_logging(settings.log_format)
    return Installation(settings)


def complain(message: str) -> None:
    """One line on stderr."""
    typer.echo(f"finops: {one_line(message)}", err=True)


def split(words: str, kind: str) -> tuple[str, str]:
    """`acme/prod` -> its two names.

    Raises:
        typer.BadParameter: there is no slash, or more than one.
    """
    tenant, slash, name = words.partition("/")
    if not slash or "/" in name or not tenant or not name:
        raise typer.BadParameter(f"{words!r} is not TENANT/{kind}", param_hint=f"TENANT/{kind}")
    return tenant, name


def cell(value: Any) -> str:
    """A value for people: amounts without trailing zeros, nothing for null."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return plain(value)
    # A tag's value must not steer the terminal it is shown on.
    spelled = str(value)
    return "".join(sign if sign.isprintable() or sign in "\n\t" else "?" for sign in spelled)


def table(names: Sequence[str], rows: Iterable[Row], title: str = "") -> None:
    """Print rows as a table on stdout; as wide as it needs when not on a terminal."""
    console = Console(width=None if sys.stdout.isatty() else 320, highlight=False)
    shown = Table(title=title or None, title_justify="left", header_style="bold")
    kept = [list(row) for row in rows]
    for index, name in enumerate(names):
        numeric = any(isinstance(row[index], int | Decimal) for row in kept)
        shown.add_column(Text(name), justify="right" if numeric else "left", overflow="fold")
    for row in kept:
        shown.add_row(*(Text(cell(value)) for value in row))
    console.print(shown)


def write_csv(stream: IO[str], names: Sequence[str], rows: Iterable[Row]) -> None:
    """Rows as RFC 4180 CSV with a header; amounts in full, null as nothing."""
    writer = csv.writer(stream)
    writer.writerow(names)
    for row in rows:
        writer.writerow([_exact(value) for value in row])


def write_json(stream: IO[str], names: Sequence[str], rows: Iterable[Row]) -> None:
    """Rows as a JSON array of objects; amounts are numbers with every digit they have."""
    stream.write("[")
    for position, row in enumerate(rows):
        fields = (f"{json.dumps(n)}: {_json(v)}" for n, v in zip(names, row, strict=True))
        stream.write(("," if position else "") + "\n  {" + ", ".join(fields) + "}")
    stream.write("\n]\n")


def _exact(value: Any) -> Any:
    return format(value, "f") if isinstance(value, Decimal) else value


def _json(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date | datetime):
        return json.dumps(value.isoformat())
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(k))}: {_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_json(item) for item in value) + "]"
    return json.dumps(value, default=str)
