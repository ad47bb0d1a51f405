"""Invalid rows: those that cannot be read or typed, with reason, file, line and raw text.

Put here: locating such rows in their file and writing them. Keep out: deciding which rows are
invalid (validation.py). This runs only for deliveries that have invalid rows, so it may be slow.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from finops_pipeline.errors import FileProblem
from finops_pipeline.lake import files
from finops_pipeline.lake.duck import PARQUET, Connection, text
from finops_pipeline.landing.relation import ReadableFile
from finops_pipeline.landing.validation import RowChecks

Row = tuple[str, int, str, str]
"""(source_file, line, reason, raw_text); line counts from 1 with the header (CSV) or is the
row's number from 1 (Parquet)."""


def rejected_records(connection: Connection, file: ReadableFile) -> dict[int, tuple[str, str]]:
    """Map the numbers of a CSV's records without readable fields to (reason, raw text)."""
    if not file.is_csv:
        return {}
    rows = connection.execute(
        "select e.line, min(e.error_message), min(e.csv_line) from reject_errors e"
        " join reject_scans s using (scan_id, file_id) where s.file_path = ? group by e.line",
        [str(file.path)],
    ).fetchall()
    return {line: (_collapse_spaces(reason), raw or "") for line, reason, raw in rows}


def _collapse_spaces(reason: str) -> str:
    return " ".join(reason.split())


@dataclass(frozen=True)
class InvalidRows:
    """Which rows of a delivery's files are invalid.

    `relation` is SQL of the landed relation: the checks read all its columns, of which a file may
    lack some. `condition` is SQL that is true for rows that belong to the delivery;
    `with_rejects` is true if records without readable fields do.
    """

    checks: RowChecks
    relation: str
    condition: str
    with_rejects: bool

    def select(self, columns: str, rows: str) -> str:
        """Write SQL that selects the invalid rows among `rows`, ordered by their number x_n."""
        problem = self.checks.problem
        return (
            f"select {columns} from"
            f" ({rows} union all by name from {self.relation} where false)"
            f" where ({problem}) is not null and {self.condition} order by x_n"
        )


def read_invalid_rows(
    connection: Connection, file: ReadableFile, invalid: InvalidRows
) -> Iterator[Row]:
    """Read the invalid rows of one file, in file order."""
    if not file.is_csv:
        yield from _read_parquet_rows(connection, file, invalid)
        return
    # Every column is read, although few are needed: a record with invalid bytes is rejected only
    # if their column is read, and the count of records must be the same as before.
    connection.execute(
        "create or replace temp table x_in_order as"
        f" select row_number() over () as x_n, * from ({file.scan(serial=True)})"
    )
    rejected = rejected_records(connection, file)
    rows = connection.execute(
        invalid.select(f"x_n, {invalid.checks.problem}", "from x_in_order")
    ).fetchall()
    connection.execute("drop table x_in_order")
    problems, accepted = dict(rows), -1
    for record, line, raw in files.raw_records(file.path):
        if record in rejected:
            reason, rejected_text = rejected[record]
            _refuse_swallowed(file, line, raw)
            if invalid.with_rejects:
                yield file.name, line, reason, raw or rejected_text
        elif raw:  # an empty line is not a row; the header is number 0
            accepted += 1
            if accepted in problems:
                yield file.name, line, problems[accepted], raw


def _refuse_swallowed(file: ReadableFile, line: int, raw: str) -> None:
    """Refuse a record that an unclosed quote makes of many, as they would be counted as one row.

    Raises:
        FileProblem: a line inside the record is a complete record itself.
    """
    for inner in raw.splitlines()[1:]:
        if len(next(csv.reader([inner]), [])) == len(file.columns):
            raise FileProblem(
                f"{file.name} line {line}: a quote is never closed, so the row includes later ones",
                "a quote at both ends of a field",
                "Correct the file or download it again; the previous delivery stays published",
            )


def _read_parquet_rows(
    connection: Connection, file: ReadableFile, invalid: InvalidRows
) -> Iterator[Row]:
    numbered = (
        "select row_number() over () as x_n, to_json(t)::varchar as x_raw, t.*"
        f" from ({file.scan()}) t"
    )
    rows = connection.execute(
        invalid.select(f"x_n, {invalid.checks.problem}, x_raw", numbered)
    ).fetchall()
    for line, problem, raw in rows:
        yield file.name, line, problem, raw


def write_rows(connection: Connection, rows: list[Row], target: Path) -> None:
    """Write quarantined rows as Parquet, in batches so that any number of rows fits in memory."""
    batches = (
        pa.record_batch(
            [pa.array(column) for column in zip(*rows[first : first + _BATCH], strict=True)],
            schema=_SCHEMA,
        )
        for first in range(0, len(rows), _BATCH)
    )
    connection.register("x_quarantine", pa.RecordBatchReader.from_batches(_SCHEMA, batches))
    connection.execute(f"copy (from x_quarantine) to {text(str(target))} ({PARQUET})")
    connection.unregister("x_quarantine")


_BATCH = 1000
"""Rows that are passed to DuckDB at a time."""

_SCHEMA = pa.schema(
    [
        ("source_file", pa.string()),
        ("line", pa.int64()),
        ("reason", pa.string()),
        ("raw_text", pa.string()),
    ]
)
