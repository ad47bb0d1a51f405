"""Output of commands: tables for people; CSV, JSON and Parquet for programs.

Put here: formatting values and rows. Keep out: obtaining rows.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import IO, Any

import simplejson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from finops_pipeline.application.installation import Installation
from finops_pipeline.errors import QueryRefused, one_line
from finops_pipeline.log import configure_logging
from finops_pipeline.money import plain
from finops_pipeline.settings import load_settings

Row = Sequence[Any]


class Format(StrEnum):
    """The formats of an answer."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def open_installation() -> Installation:
    """Open the installation that the environment describes."""
    settings = load_settings()
    configure_logging(settings.log_format)
    return Installation(settings)


def complain(message: str) -> None:
    """Print one line on stderr."""
    typer.echo(f"finops: {one_line(message)}", err=True)


def split(text: str, kind: str) -> tuple[str, str]:
    """Split `acme/prod` into its two names.

    Raises:
        typer.BadParameter: there is no slash, or more than one.
    """
    tenant, slash, name = text.partition("/")
    if not slash or "/" in name or not tenant or not name:
        raise typer.BadParameter(f"{text!r} is not TENANT/{kind}", param_hint=f"TENANT/{kind}")
    return tenant, name


def cell(value: Any) -> str:
    """Return a value for people: amounts without trailing zeros, nothing for null."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return plain(value)
    # The value of a tag must not control the terminal that it is printed on.
    return "".join(char if char.isprintable() or char in "\n\t" else "?" for char in str(value))


def table(names: Sequence[str], rows: Iterable[Row], title: str = "") -> None:
    """Print rows as a table on stdout; its width is that of the terminal, if there is one."""
    console = Console(width=None if sys.stdout.isatty() else 320, highlight=False)
    grid = Table(title=title or None, title_justify="left", header_style="bold")
    all_rows = [list(row) for row in rows]
    for index, name in enumerate(names):
        is_numeric = any(isinstance(row[index], int | Decimal) for row in all_rows)
        grid.add_column(Text(name), justify="right" if is_numeric else "left", overflow="fold")
    for row in all_rows:
        grid.add_row(*(Text(cell(value)) for value in row))
    console.print(grid)


def write_csv(stream: IO[str], names: Sequence[str], rows: Iterable[Row]) -> None:
    """Write rows as RFC 4180 CSV with a header; amounts with all digits, null as nothing."""
    writer = csv.writer(stream)
    writer.writerow(names)
    for row in rows:
        writer.writerow(
            [format(value, "f") if isinstance(value, Decimal) else value for value in row]
        )


def write_json(stream: IO[str], names: Sequence[str], rows: Iterable[Row]) -> None:
    """Write rows as a JSON array of objects; amounts are numbers with all their digits.

    Raises:
        QueryRefused: two columns have the same name, so an object cannot hold both.
    """
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise QueryRefused(
            f"several columns are named {repeated[0]!r}",
            "a different name for each column of a JSON result",
            "Rename them in the query: select … as NAME",
        )
    stream.write("[")
    for position, row in enumerate(rows):
        fields_of_row = dict(zip(names, row, strict=True))
        stream.write(("," if position else "") + "\n  " + json_text(fields_of_row))
    stream.write("\n]\n")


def json_text(value: Any) -> str:
    """Return a value as JSON on one line; decimals as exact numbers without an exponent."""
    return str(
        simplejson.dumps(
            _with_text_keys(value),
            use_decimal=False,
            ignore_nan=True,
            encoding=None,
            default=_json_value,
        )
    )


def _with_text_keys(value: Any) -> Any:
    """Return a value whose maps have text keys, as JSON requires: DuckDB's may be dates."""
    if isinstance(value, dict):
        return {str(key): _with_text_keys(item) for key, item in value.items()}
    return [_with_text_keys(item) for item in value] if isinstance(value, list | tuple) else value


def _json_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return simplejson.RawJSON(format(value, "f"))
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def write_rows(format: Format, names: Sequence[str], rows: Iterable[Row]) -> None:
    """Write rows on stdout as CSV or JSON.

    Raises:
        typer.BadParameter: Parquet, which only queries can be written as.
    """
    refuse_parquet(format)
    write = write_json if format is Format.JSON else write_csv
    write(sys.stdout, names, rows)


def write_records(format: Format, kind: type[Any], records: Iterable[Any]) -> None:
    """Write instances of a dataclass on stdout as CSV or JSON, a column per field."""
    names = [field.name for field in fields(kind)]
    write_rows(format, names, (astuple(record) for record in records))


def refuse_parquet(format: Format) -> None:
    """Refuse `--format parquet` before any work.

    Raises:
        typer.BadParameter: it is Parquet, which only queries can be written as.
    """
    if format is Format.PARQUET:
        raise typer.BadParameter("give table, csv or json", param_hint="--format")
