"""Output of commands: tables for people; CSV, JSON and Parquet for programs.

Put here: formatting values and rows. Keep out: obtaining rows.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import IO, Annotated, Any

import simplejson
import typer

from finops_pipeline.application.installation import Installation
from finops_pipeline.cli.text_table import Layout, lay_out, screen_width
from finops_pipeline.errors import QueryRefused, counted, one_line, printable
from finops_pipeline.log import configure_logging
from finops_pipeline.serve.csv_lines import csv_line
from finops_pipeline.settings import load_settings

Row = Sequence[Any]
ExactOption = Annotated[
    bool, typer.Option("--exact", help="Show every digit of amounts, not cents.")
]


class Format(StrEnum):
    """The formats of an answer."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"
    XLSX = "xlsx"


BINARY_FORMATS = (Format.PARQUET, Format.XLSX)
"""Formats that only the answer to a query can have, and that no terminal can show."""


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


def say(text: str = "", to_stderr: bool = False) -> None:
    """Print text for people; control characters in it are replaced."""
    typer.echo(printable(text), err=to_stderr)


def table(
    names: Sequence[str], rows: Iterable[Row], title: str = "", layout: Layout | None = None
) -> None:
    """Print rows as a table on stdout that fits the terminal; see text_table.py."""
    layout = layout or Layout()
    arranged = lay_out(names, rows, replace(layout, title=title or layout.title), screen_width())
    for line in arranged.lines:
        typer.echo(line)
    if arranged.has_more:
        complain(
            f"only the first {counted(arranged.rows, 'row is', 'rows are')} shown;"
            " --format csv gives all of them"
        )


def write_csv(
    stream: IO[str], names: Sequence[str], rows: Iterable[Row], is_raw: bool = False
) -> None:
    """Write rows as RFC 4180 CSV with a header; amounts with all digits, null as nothing.

    Args:
        is_raw: write text exactly as it is.
    """
    # What is printed must not control the terminal; files and pipes are exact.
    shown = printable if stream.isatty() else str
    stream.write(shown(csv_line(names, is_raw)))
    for row in rows:
        stream.write(shown(csv_line(row, is_raw)))


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
        return {_key(key): _with_text_keys(item) for key, item in value.items()}
    return [_with_text_keys(item) for item in value] if isinstance(value, list | tuple) else value


def _key(value: Any) -> str:
    """Return a key as text, spelled as a value of its type is."""
    return str(value) if isinstance(value, str | float) else json_text(value).strip('"')


def _json_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return simplejson.RawJSON(format(value, "f"))
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def write_rows(format: Format, names: Sequence[str], rows: Iterable[Row]) -> None:
    """Write rows on stdout as CSV or JSON.

    Raises:
        typer.BadParameter: Parquet or XLSX, which only the answer to a query can have.
    """
    refuse_parquet(format)
    write = write_json if format is Format.JSON else write_csv
    write(sys.stdout, names, rows)


def write_records(format: Format, kind: type[Any], records: Iterable[Any]) -> None:
    """Write instances of a dataclass on stdout as CSV or JSON, a column per field."""
    names = [field.name for field in fields(kind)]
    write_rows(format, names, (astuple(record) for record in records))


def refuse_parquet(format: Format) -> None:
    """Refuse the formats that only the answer to a query can have, before any work.

    Raises:
        typer.BadParameter: it is one of them.
    """
    if format in BINARY_FORMATS:
        raise typer.BadParameter("give table, csv or json", param_hint="--format")
