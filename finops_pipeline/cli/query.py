"""Commands that read a tenant's file.

Put here: `query`, `open`, and how answers are written. Keep out: running a query
(serve/queries.py).
"""

from __future__ import annotations

import io
import shlex
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from finops_pipeline.cli.command_table import CommandEntry
from finops_pipeline.cli.show import (
    BINARY_FORMATS,
    ExactOption,
    Format,
    complain,
    open_installation,
    say,
    table,
    write_csv,
    write_json,
)
from finops_pipeline.cli.text_table import Layout
from finops_pipeline.errors import QueryRefused
from finops_pipeline.lake.files import no_room
from finops_pipeline.lake.warehouse_access import require_warehouse
from finops_pipeline.serve.queries import Answer, Query, open_answer

RawOption = Annotated[
    bool, typer.Option("--raw", help="In CSV, put no ' before text that looks like a formula.")
]
TABLE_ROWS = 1000
"""Rows that a table shows; the other formats write all of them."""


@dataclass(frozen=True)
class Destination:
    """How an answer is written, and to which file (None: stdout).

    `is_exact`: every digit in a table. `is_raw`: text in CSV exactly as it is.
    """

    format: Format
    path: Path | None = None
    is_exact: bool = False
    is_raw: bool = False


def query_command(
    tenant: Annotated[str, typer.Argument(metavar="TENANT")],
    sql: Annotated[str | None, typer.Argument(metavar="SQL")] = None,
    file: Annotated[
        Path | None,
        typer.Option("-f", "--file", metavar="FILE", help="Read the SQL from this file."),
    ] = None,
    format: Annotated[Format, typer.Option(help="Format of the answer.")] = Format.TABLE,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write to this file instead of stdout.")
    ] = None,
    exact: ExactOption = False,
    raw: RawOption = False,
) -> None:
    """Run one SELECT on the tenant's file; it can read only this tenant's data."""
    if (sql is None) == (file is None):
        raise typer.BadParameter("give SQL, or -f FILE")
    text = _read_sql(file) if file else str(sql)
    write_answer(tenant, Query(text), Destination(format, output, exact, raw))


def _read_sql(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise QueryRefused(
            f"{file} cannot be read ({error.strerror})", "a file with one SELECT in UTF-8"
        ) from error
    except UnicodeDecodeError as error:
        raise QueryRefused(
            f"{file} is not UTF-8 text ({error.reason} at byte {error.start})",
            "a file with one SELECT in UTF-8",
            "Save the file as UTF-8",
        ) from error


def write_answer(tenant: str, query: Query, destination: Destination) -> None:
    """Run one SELECT on a tenant's file and write the answer; its caveat goes to stderr.

    Raises:
        QueryRefused: the file cannot or may not answer it, or the answer cannot be written where
            it should be; a file that is there stays as it is.
        Unknown: no such tenant, or it has no file yet.
    """
    if destination.format in BINARY_FORMATS and destination.path is None and sys.stdout.isatty():
        name = destination.format.value
        raise QueryRefused(
            f"{name} cannot be written to a terminal", "a file", f"Add --output FILE.{name}"
        )
    if destination.format is Format.TABLE and destination.path is not None:
        raise QueryRefused(
            "a table is written to the terminal only",
            "--format csv, json, parquet or xlsx with --output",
            "Add --format csv",
        )
    with open_answer(open_installation(), tenant, query) as answer:
        if destination.format is Format.TABLE:
            _print_table(answer, tenant, destination)
        elif destination.path is None:
            _write(answer, destination, sys.stdout.buffer)
        else:
            with new_file(destination.path) as stream:
                _write(answer, destination, stream)
        if caveat := answer.caveat(tenant):
            complain(caveat)


def _print_table(answer: Answer, tenant: str, destination: Destination) -> None:
    names = answer.execute()
    empty = (
        f"No row matches. To see what there is: finops status {tenant},"
        f' or finops query {tenant} "show tables"'
    )
    layout = Layout(is_exact=destination.is_exact, if_empty=empty, limit=TABLE_ROWS)
    table(names, answer.rows(), layout=layout)


def _write(answer: Answer, destination: Destination, stream: BinaryIO) -> None:
    """Write an answer in a format that programs read."""
    if destination.format is Format.PARQUET:
        # Loaded only here: pyarrow takes a tenth of a second to import.
        CommandEntry("parquet_answer:write_parquet", "").load_function()(answer, stream)
        return
    if destination.format is Format.XLSX:
        write_workbook = CommandEntry("spreadsheet:write_workbook", "").load_function()
        if note := write_workbook(stream, answer.execute(), answer.rows()):
            complain(note)
        return
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
    try:
        if destination.format is Format.JSON:
            write_json(text, answer.execute(), answer.rows())
        else:
            write_csv(text, answer.execute(), answer.rows(), destination.is_raw)
    finally:
        text.flush()
        text.detach()


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file for an answer; it takes the place of an earlier one when it is complete.

    Raises:
        QueryRefused: this user cannot write it.
    """
    target = path.resolve()
    is_device = target.exists() and not target.is_file()
    # A name of its own: the user may have a file `answer.csv.part`.
    part = target if is_device else target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with part.open("wb") as stream:
            yield stream
        if not is_device:
            part.replace(target)
    except OSError as error:
        if error.filename not in (str(part), str(target)) or no_room(error):
            raise
        raise QueryRefused(
            f"{path} cannot be written ({error.strerror})", "a file that this user can write"
        ) from error
    finally:
        if not is_device:
            with suppress(OSError):
                part.unlink()


def open_command(tenant: Annotated[str, typer.Argument(metavar="TENANT")]) -> None:
    """Print the command that opens the tenant's file, with its views, in the DuckDB shell."""
    installation = open_installation()
    folder = installation.folder(installation.registry.tenant(tenant).name)
    require_warehouse(folder)
    say(f"duckdb -readonly {shlex.quote(str(folder.warehouse))}")
    say(
        "\nOpen it from anywhere, always read-only. Its views (costs, landing_…) read the Parquet\n"
        "files of the tenant's folder; a copy of the file on another machine has only the tables.\n"
        "An open connection keeps showing the numbers from when it was opened: open the file\n"
        "again to see newer ones.\n"
        f'In Python: duckdb.connect("{folder.warehouse}", read_only=True)\n'
        "It needs DuckDB 1.4 or later.",
        to_stderr=True,
    )
