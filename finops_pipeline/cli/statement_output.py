"""Statements as a table, CSV, JSON, Parquet, a workbook or a page to print.

Put here: the formats of statements and their columns. Keep out: the page (statement_page.py), which
statements there are (application).
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

import typer

from finops_pipeline.application.installation import Installation
from finops_pipeline.application.statement_documents import DocumentPart, StatementDocument
from finops_pipeline.application.tenant_export import check_outside
from finops_pipeline.cli.command_table import CommandEntry
from finops_pipeline.cli.query import new_file
from finops_pipeline.cli.show import Row, complain, say, table, write_csv, write_json
from finops_pipeline.cli.statement_page import write_page
from finops_pipeline.cli.text_table import Layout
from finops_pipeline.contracts.statement_tables import STATEMENTS
from finops_pipeline.errors import FileProblem, QueryRefused

_HEAD = ("version", "kind", "closed_at", "month_state", "reason")
COLUMNS = (*(column.name for column in STATEMENTS.columns), "printed_amount")
"""The columns of a file: those of the table `statements`, and the amount as it is printed."""


class StatementFormat(StrEnum):
    """The formats of statements."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"
    XLSX = "xlsx"
    HTML = "html"


_BINARY = (StatementFormat.PARQUET, StatementFormat.XLSX)


@dataclass(frozen=True)
class Output:
    """Where statements are written (None: stdout), and how.

    `requested`: the format; None: the one that the file's name ends in, or a table.
    """

    requested: StatementFormat | None
    path: Path | None
    is_exact: bool = False

    @property
    def format(self) -> StatementFormat:
        """The format to write.

        Raises:
            FileProblem: the name of the file does not say it.
        """
        if self.requested is not None:
            return self.requested
        if self.path is None:
            return StatementFormat.TABLE
        suffix = self.path.suffix.lower().removeprefix(".")
        if suffix not in set(StatementFormat) - {StatementFormat.TABLE}:
            raise FileProblem(
                f"the name of {self.path} does not say which format to write",
                "a name that ends in .csv, .json, .parquet, .xlsx or .html",
                "Choose such a name with -o, or add --format",
            )
        return StatementFormat(suffix)


def write_documents(
    installation: Installation, documents: Sequence[StatementDocument], output: Output
) -> None:
    """Write statements.

    Raises:
        FileProblem: the file lies in the data folder, or its name does not say the format.
        QueryRefused: the format cannot be written there.
    """
    format = output.format
    if format is StatementFormat.TABLE:
        if output.path is not None:
            raise typer.BadParameter("a table is written to the terminal only; leave out -o")
        _print_tables(documents, output.is_exact)
        return
    if output.path is None:
        if format in _BINARY and sys.stdout.isatty():
            name = format.value
            cure = f"Add --output FILE.{name}"
            raise QueryRefused(f"{name} cannot be written to a terminal", "a file", cure)
        _write(documents, format, sys.stdout.buffer)
        return
    check_outside(installation, output.path)
    with new_file(output.path) as stream:
        _write(documents, format, stream)
    say(f"wrote {output.path}", to_stderr=True)


def _write(
    documents: Sequence[StatementDocument], format: StatementFormat, stream: BinaryIO
) -> None:
    rows = [row for document in documents for row in _rows(document)]
    if format is StatementFormat.PARQUET:
        # Loaded only here: pyarrow takes a tenth of a second to import.
        CommandEntry("statement_parquet:write_parquet", "").load_function()(rows, stream)
        return
    if format is StatementFormat.XLSX:
        write_workbook = CommandEntry("spreadsheet:write_workbook", "").load_function()
        if note := write_workbook(stream, COLUMNS, rows):
            complain(note)
        return
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
    try:
        if format is StatementFormat.HTML:
            write_page(text, documents)
        elif format is StatementFormat.JSON:
            write_json(text, COLUMNS, rows)
        else:
            write_csv(text, COLUMNS, rows)
    finally:
        text.flush()
        text.detach()


def _rows(document: StatementDocument) -> Iterator[Row]:
    for part in document.parts:
        head = _head_of(part)
        for printed in part.lines:
            month, *rest = astuple(printed.line)
            yield (month, *head, *rest, printed.printed)


def _head_of(part: DocumentPart) -> Row:
    """Return the columns that say which version it is; nothing for one that is not closed."""
    if part.entry is None:
        return (None,) * len(_HEAD)
    entry = part.entry
    reason = entry.reason or None
    return (entry.version, entry.kind, entry.closed_at, entry.month_state, reason)


def _print_tables(documents: Sequence[StatementDocument], is_exact: bool) -> None:
    """Print the lines of each project, and then the totals."""
    names = ("project", "version", "line_kind", "line", "charge_group", "currency", "amount")
    rows, totals = list[Row](), list[Row]()
    for document in documents:
        project, currency = document.head.project, document.currency
        for part in document.parts:
            version = part.entry.version if part.entry else None
            for each in part.lines:
                line = each.line
                if line.amount:
                    amount = line.amount if is_exact else each.printed
                    kind = (line.line_kind, line.line, line.charge_group)
                    rows.append((project, version, *kind, currency, amount))
        total = document.total if is_exact else document.printed_total
        totals.append((project, currency, total))
    layout = Layout(is_exact=is_exact, dispensable=("charge_group", "version"))
    table(names, rows, layout=layout)
    say()
    table(("project", "currency", "total"), totals, layout=Layout(is_exact=is_exact))
