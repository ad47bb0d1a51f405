"""From the files of a delivery to one DuckDB relation in the source's own columns.

Put here: headers, CSV and Parquet readers, records that are not even records. Keep out:
whether a value can be read (judge.py) and what is published (land.py).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path

from finops_pipeline.contracts.bills import BillForm
from finops_pipeline.contracts.cur import SLASHED
from finops_pipeline.errors import FileProblem
from finops_pipeline.lake import files
from finops_pipeline.lake.duck import Connection, DuckDBError, columns_of, ident, text, texts

SOURCE_FILE = "x_SourceFile"
"""The one column landing adds: the file of the delivery a row stood in."""

_AGAIN = "Copy or download it again; the previous delivery stays published"


RESERVED = (
    "x_sourcefile",
    "x_problem",
    "x_rounded",
    "x_month",
    "x_n",
    "file_row_number",
    "source",
    "project",
    "tenant",
    "billing_period",
)
"""Names (in lower case) that mean something to us; a bill's own column of that name is kept
with `__2` added."""


@dataclass(frozen=True)
class ReadableFile:
    """One file of a delivery, ready to be scanned.

    `path` is the inflated text of a CSV, or a link to the Parquet file, in the staging folder:
    DuckDB takes `*?[]{}` in a path for a pattern, so a delivered name never reaches it.
    `columns` are the file's names, in order, with the unique names and types under which they
    are read. `as_text` names columns that are numbers of another type in another file.
    """

    name: str
    path: Path
    columns: tuple[tuple[str, str, str], ...]
    is_csv: bool
    null_words: tuple[str, ...]
    as_text: tuple[str, ...] = ()

    @property
    def types(self) -> dict[str, str]:
        """Unique name -> DuckDB type."""
        return {unique: kind for _, unique, kind in self.columns}

    def scan(self, serial: bool = False) -> str:
        """SQL that reads every record, with the file's name added.

        Records with the wrong number of fields or bad quoting go to `reject_errors`.

        Args:
            serial: one thread, in file order, so that `row_number() over ()` counts records.
        """
        origin = f"{text(self.name)} as {SOURCE_FILE}"
        path = text(str(self.path))
        if not self.is_csv:
            names = ", ".join(
                f"{ident(own)}{'::varchar' if unique in self.as_text else ''} as {ident(unique)}"
                for own, unique, _ in self.columns
            )
            return f"select {names}, {origin} from read_parquet({path}, hive_partitioning = false)"
        types = ", ".join(f"{text(unique)}: 'VARCHAR'" for _, unique, _ in self.columns)
        return (
            f"select *, {origin} from read_csv({path}, auto_detect = false,"
            f" header = true, delim = ',', quote = '\"', escape = '\"',"
            f" nullstr = {texts(list(self.null_words))}, columns = {{{types}}},"
            f" parallel = {str(not serial).lower()}, max_line_size = 8388608,"
            " store_rejects = true, ignore_errors = true)"
        )


def open_files(
    connection: Connection, named: list[tuple[str, Path]], form: BillForm, work: Path
) -> list[ReadableFile]:
    """Make the files of a delivery scannable together.

    Args:
        named: each file's name (in messages and x_SourceFile) and where its bytes lie.
        work: a folder for inflated texts and links.

    Raises:
        FileProblem: a file is damaged, of unknown kind, empty, or lacks a required column.
    """
    opened = [
        _open(connection, name, path, form, work / f"delivered-{number:05d}")
        for number, (name, path) in enumerate(named)
    ]
    kinds: dict[str, set[str]] = {}
    for file in opened:
        for name, kind in file.types.items():
            kinds.setdefault(name, set()).add(kind)
    # United as numbers, a decimal beside a float would become a float.
    mixed = tuple(
        name
        for name, types in kinds.items()
        if len(types) > 1 and not any(kind.startswith(_NESTED) or "[" in kind for kind in types)
    )
    return [replace(file, as_text=mixed) for file in opened]


_NESTED = ("MAP", "STRUCT", "UNION")


def _open(
    connection: Connection, name: str, path: Path, form: BillForm, scratch: Path
) -> ReadableFile:
    lower = name.lower()
    is_csv = False
    if lower.endswith(".parquet"):
        path = files.link(path, scratch.with_suffix(".parquet"))
        try:
            relation = f"read_parquet({text(str(path))}, hive_partitioning = false)"
            found = columns_of(connection, relation)
        except DuckDBError as error:
            raise _damaged(name, error) from error
    elif lower.endswith((".csv", ".csv.gz", ".csv.zip", ".gz", ".zip")):
        scratch = scratch.with_suffix(".csv")
        files.inflate(path, scratch)
        path, is_csv = scratch, True
        found = dict.fromkeys(_unique(_header(name, scratch)), "VARCHAR")
    else:
        raise FileProblem(f"{name} is of no kind that is read", ".csv, .csv.gz, .csv.zip, .parquet")
    unique = list(found) if is_csv else _unique(list(found))
    columns = tuple(
        (own, other, kind) for (own, kind), other in zip(found.items(), unique, strict=True)
    )
    _require(name, tuple(unique), form)
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


def _header(name: str, path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
            header = next(csv.reader(stream), [])
    except csv.Error as error:
        raise FileProblem(
            f"{name} has an unreadable header ({error})", "UTF-8 CSV", _AGAIN
        ) from error
    if not header:
        raise FileProblem(f"{name} is empty", "a CSV with a header line", _AGAIN)
    return header


def _unique(header: list[str]) -> list[str]:
    """Names that differ also for SQL, which ignores case, and from our own."""
    unique: list[str] = []
    taken = set(RESERVED)
    for position, column in enumerate(header, start=1):
        base = column.strip() or f"column_{position}"
        name, count = base, 2
        while name.lower() in taken:
            name, count = f"{base}__{count}", count + 1
        taken.add(name.lower())
        unique.append(name)
    return unique


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
