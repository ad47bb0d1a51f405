"""An answer as an Excel workbook with one sheet.

Put here: how values become cells, and what a sheet cannot hold. Keep out: running queries, files
(query.py). Loaded only when a workbook is written.

A cell holds a number as a double of 15 digits, so this is for reading and charts; CSV, JSON and
Parquet have every digit. Text is always text: no value of a bill becomes a formula or a link.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import xlsxwriter

from finops_pipeline.cli.show import json_text
from finops_pipeline.errors import QueryRefused, counted
from finops_pipeline.money import plain

MOST_ROWS, MOST_COLUMNS, MOST_CHARACTERS = 1_048_576, 16_384, 32_767
"""What a sheet and a cell can hold; the header takes one row."""

_EXACT_DIGITS = 15
_COPIED_BYTES = 1_000_000
_CURE = "Write it with --format csv or parquet, or select less"


class _Sheet:
    """A sheet that is written row by row and counts the numbers that Excel rounds."""

    def __init__(self, workbook: Any) -> None:
        self._sheet = workbook.add_worksheet("answer")
        self._bold = workbook.add_format({"bold": True})
        self._day = workbook.add_format({"num_format": "yyyy-mm-dd"})
        self._time = workbook.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self.rounded = 0

    def write_names(self, names: Sequence[str]) -> None:
        self._sheet.freeze_panes(1, 0)
        self._sheet.set_column(0, len(names) - 1, 18)
        for column, name in enumerate(names):
            self._sheet.write_string(0, column, name, self._bold)

    def write_cell(self, row: int, column: int, value: Any) -> None:
        if value is None:
            return
        if isinstance(value, bool):
            self._sheet.write_boolean(row, column, value)
        elif isinstance(value, int | float | Decimal):
            self._write_number(row, column, value)
        elif isinstance(value, date) and value.year >= 1900:
            self._write_time(row, column, value)
        else:
            self._write_text(row, column, value)

    def _write_number(self, row: int, column: int, value: int | float | Decimal) -> None:
        if not isfinite(value) or (isinstance(value, int) and abs(value) >= 10**_EXACT_DIGITS):
            self._sheet.write_string(row, column, str(value))
            return
        if isinstance(value, Decimal):
            digits = plain(value).replace(".", "").lstrip("-0")
            self.rounded += len(digits) > _EXACT_DIGITS
        self._sheet.write_number(row, column, value)

    def _write_time(self, row: int, column: int, value: date) -> None:
        if isinstance(value, datetime):
            naive = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
            self._sheet.write_datetime(row, column, naive, self._time)
        else:
            self._sheet.write_datetime(row, column, value, self._day)

    def _write_text(self, row: int, column: int, value: Any) -> None:
        text = json_text(value) if isinstance(value, list | tuple | dict) else str(value)
        text = value.hex() if isinstance(value, bytes) else text
        if len(text) > MOST_CHARACTERS:
            raise QueryRefused(
                f"row {row} has a text of {len(text):,} characters",
                f"at most {MOST_CHARACTERS:,}, the limit of a cell in Excel",
                _CURE,
            )
        self._sheet.write_string(row, column, text)


def write_workbook(stream: BinaryIO, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Write an answer as a workbook; return a note about rounded numbers, or nothing.

    Raises:
        QueryRefused: a sheet cannot hold the answer.
    """
    if len(names) > MOST_COLUMNS:
        raise QueryRefused(
            f"the answer has {len(names):,} columns", f"at most {MOST_COLUMNS:,}", _CURE
        )
    with TemporaryDirectory() as scratch:
        # Closing assembles the file even after an error, so it is copied only when complete.
        file = Path(scratch, "answer.xlsx")
        options = {"constant_memory": True, "tmpdir": scratch}
        with closing(xlsxwriter.Workbook(str(file), options)) as workbook:
            sheet = _fill(workbook, names, rows)
        with file.open("rb") as complete:
            while part := complete.read(_COPIED_BYTES):
                stream.write(part)
    if not sheet.rounded:
        return ""
    return (
        f"Excel keeps {_EXACT_DIGITS} digits of a number, and"
        f" {counted(sheet.rounded, 'number has', 'numbers have')} more:"
        " csv, json and parquet are exact"
    )


def _fill(workbook: Any, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> _Sheet:
    # A fixed time, so that the same answer gives the same bytes.
    workbook.set_properties({"created": datetime(2000, 1, 1, tzinfo=UTC)})
    sheet = _Sheet(workbook)
    sheet.write_names(names)
    for number, row in enumerate(rows, start=1):
        if number >= MOST_ROWS:
            raise QueryRefused(
                f"the answer has more than {MOST_ROWS - 1:,} rows",
                f"at most {MOST_ROWS - 1:,} and a header, the limit of a sheet in Excel",
                _CURE,
            )
        for column, value in enumerate(row):
            sheet.write_cell(number, column, value)
    return sheet
