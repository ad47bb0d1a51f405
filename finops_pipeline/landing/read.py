"""From the files of a delivery to one DuckDB relation in the source's own columns.

Put here: headers, CSV and Parquet readers, records that are not even records. Keep out:
whether a value can be read (judge.py) and what is published (land.py).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from finops_pipeline.contracts.bills import BillForm
from finops_pipeline.contracts.cur import SLASHED
from finops_pipeline.errors import FileProblem
from finops_pipeline.lake import files
from finops_pipeline.lake.duck import Connection, DuckDBError, columns_of, ident, text, texts

SOURCE_FILE = "x_SourceFile"
"""The one column landing adds: the file of the delivery a row stood in."""

_AGAIN = "Copy or download it again; the previous delivery stays published"


@dataclass(frozen=True)
class ReadableFile:
    """One file of a delivery, ready to be scanned.

    `path` is the inflated text of a CSV, or the Parquet file itself; `columns` its names in
    order, made unique (a repeated header gets `__2`, since SQL names ignore case).
    """

    name: str
    path: Path
    columns: tuple[str, ...]
    is_csv: bool
    null_words: tuple[str, ...]

    def scan(self, serial: bool = False) -> str:
        """SQL that reads every record, with the file's name added.

        Records with the wrong number of fields or bad quoting go to `reject_errors`.

        Args:
            serial: one thread, in file order, so that `row_number() over ()` counts records.
        """
        origin = f"{text(self.name)} as {SOURCE_FILE}"
        if not self.is_csv:
            names = ", ".join(ident(name) for name in self.columns if name != SOURCE_FILE)
            return (
                f"select {names}, {origin} from"
                f" read_parquet({text(str(self.path))}, hive_partitioning = false)"
            )
        types = ", ".join(f"{text(name)}: 'VARCHAR'" for name in self.columns)
        return (
            f"select *, {origin} from read_csv({text(str(self.path))}, auto_detect = false,"
            f" header = true, delim = ',', quote = '\"', escape = '\"',"
            f" nullstr = {texts(list(self.null_words))}, columns = {{{types}}},"
            f" parallel = {str(not serial).lower()}, max_line_size = 8388608,"
            " store_rejects = true, ignore_errors = true)"
        )


def open_file(
    connection: Connection, name: str, path: Path, form: BillForm, scratch: Path
) -> ReadableFile:
    """Make one file scannable: inflate CSV text, read the header, find the required columns.

    Args:
        name: the file's name in messages and in x_SourceFile.
        path: where its bytes lie.
        scratch: a path that the inflated text may be written to.

    Raises:
        FileProblem: damaged, unknown kind, empty, or a required column is missing.
    """
    lower = name.lower()
    if lower.endswith(".parquet"):
        try:
            relation = f"read_parquet({text(str(path))}, hive_partitioning = false)"
            columns = tuple(columns_of(connection, relation))
        except DuckDBError as error:
            raise _damaged(name, error) from error
        is_csv = False
    elif lower.endswith((".csv", ".csv.gz", ".csv.zip", ".gz", ".zip")):
        files.inflate(path, scratch)
        columns, path, is_csv = _header(name, scratch), scratch, True
    else:
        raise FileProblem(f"{name} is of no kind that is read", ".csv, .csv.gz, .csv.zip, .parquet")
    _require(name, columns, form)
    return ReadableFile(name, path, columns, is_csv, form.null_words)


def relation_of(readable: list[ReadableFile]) -> str:
    """SQL over all files of a delivery, united by column name (sets vary between files)."""
    return "\nunion all by name\n".join(file.scan() for file in readable)


def run(connection: Connection, sql: str, name: str) -> None:
    """Run a statement that reads delivery files.

    Raises:
        FileProblem: a file turned out to be damaged while it was read.
    """
    try:
        connection.execute(sql)
    except (DuckDBError, UnicodeDecodeError) as error:
        raise _damaged(name, error) from error


def _damaged(name: str, error: Exception) -> FileProblem:
    return FileProblem(
        f"{name} cannot be read ({str(error).splitlines()[0]})",
        "a complete file as AWS wrote it",
        _AGAIN,
    )


def _header(name: str, path: Path) -> tuple[str, ...]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            header = next(csv.reader(stream), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise FileProblem(
            f"{name} has an unreadable header ({error})", "UTF-8 CSV", _AGAIN
        ) from error
    if not header:
        raise FileProblem(f"{name} is empty", "a CSV with a header line", _AGAIN)
    columns: list[str] = []
    for position, column in enumerate(header, start=1):
        base = column.strip() or f"column_{position}"
        taken = {other.lower() for other in columns}
        unique, count = base, 2
        while unique.lower() in taken:
            unique, count = f"{base}__{count}", count + 1
        columns.append(unique)
    return tuple(columns)


def _require(name: str, columns: tuple[str, ...], form: BillForm) -> None:
    found = form.find(dict.fromkeys(columns, ""))
    missing = [column for column in form.required if column not in found]
    if missing:
        spelling = SLASHED if any("/" in column for column in columns) else {}
        raise FileProblem(
            f"{name} lacks the column {', '.join(spelling.get(c, c) for c in missing)}",
            f"at least {', '.join(spelling.get(c, c) for c in form.required)}",
            "Include these columns in the export; check the source's format",
        )
