"""The files of a delivery as one DuckDB relation in the source's own columns.

Put here: headers, CSV and Parquet readers, records that cannot be parsed. Keep out: checking
values (validation.py), publishing (delivery_landing.py).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TextIO

from finops_pipeline.contracts.bills import BillForm
from finops_pipeline.contracts.cur import SLASHED
from finops_pipeline.contracts.headers import RESERVED
from finops_pipeline.errors import FileProblem, counted
from finops_pipeline.lake import files
from finops_pipeline.lake.duck import (
    Connection,
    DuckDBError,
    OutOfMemory,
    columns_of,
    ident,
    text,
    texts,
)
from finops_pipeline.lake.parquet_integrity import check_parquet
from finops_pipeline.landing.column_names import names_in_delivery, parquet_names

SOURCE_FILE = "x_SourceFile"
"""The only column that landing adds: the file of the delivery that a row comes from."""

_AGAIN = "Copy or download it again; the previous delivery stays published"


@dataclass(frozen=True)
class ReadableFile:
    """One file of a delivery, ready to be scanned.

    `path` is the inflated text of a CSV, or a link to the Parquet file, in the staging folder:
    DuckDB treats `*?[]{}` in a path as a pattern, so a delivered name is never part of a path.
    `columns` are the file's names, in order, with the unique names and types under which they
    are read. `headers` are the names as delivered, with aliases of an export replaced. `as_text`
    are the columns that have another type in another file, `accounts` those of account ids.
    """

    name: str
    path: Path
    columns: tuple[tuple[str, str, str], ...]
    is_csv: bool
    null_texts: tuple[str, ...]
    headers: tuple[str, ...] = ()
    as_text: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()

    @property
    def types(self) -> dict[str, str]:
        """DuckDB types by unique name."""
        return {unique: kind for _, unique, kind in self.columns}

    def scan(self, serial: bool = False, alike: Sequence[ReadableFile] = ()) -> str:
        """Write SQL that reads every record, with the file's name added.

        Records with the wrong number of fields or bad quoting go to `reject_errors`.

        Args:
            serial: one thread, in file order, so that `row_number() over ()` counts records.
            alike: more files with the same columns, to be read by the same scan: separate scans
                would each hold buffers and row groups in memory, and spill.
        """
        files_of_scan = (self, *alike)
        paths = texts([str(file.path) for file in files_of_scan])
        cases = [f"when {text(str(file.path))} then {text(file.name)}" for file in files_of_scan]
        origin = f"case x_path {' '.join(cases)} end as {SOURCE_FILE}"
        if not self.is_csv:
            names = ", ".join(
                f"{self._value(own, unique, kind)} as {ident(unique)}"
                for own, unique, kind in self.columns
            )
            return (
                f"select {names}, {origin} from read_parquet({paths}, hive_partitioning = false,"
                " filename = 'x_path')"
            )
        types = ", ".join(f"{text(unique)}: 'VARCHAR'" for _, unique, _ in self.columns)
        return (
            f"select * exclude (x_path), {origin} from read_csv({paths}, auto_detect = false,"
            f" hive_partitioning = false, header = true, delim = ',', quote = '\"', escape = '\"',"
            f" nullstr = {texts(list(self.null_texts))}, columns = {{{types}}},"
            f" parallel = {str(not serial).lower()}, max_line_size = {_LINE_SIZE},"
            " store_rejects = true, ignore_errors = true, filename = 'x_path')"
        )

    def _value(self, own: str, unique: str, kind: str) -> str:
        """Write SQL of a Parquet column as it lands."""
        is_text = unique in self.as_text or unique in self.accounts
        return _text_value(own, kind) if is_text else ident(own)


@dataclass(frozen=True)
class DeliveryFiles:
    """The files of a delivery as they were fetched.

    `named` is each file's name (in messages and x_SourceFile) and its path; `work` is a folder for
    inflated text and links; `renames` maps the aliases of an export's query, in lower
    case, to AWS's names of the columns.
    """

    named: list[tuple[str, Path]]
    form: BillForm
    work: Path
    renames: Mapping[str, str] = field(default_factory=dict)


def open_files(connection: Connection, delivered: DeliveryFiles) -> list[ReadableFile]:
    """Prepare the files of a delivery so that they can be scanned together.

    Raises:
        FileProblem: a file is damaged, unsupported, empty, or lacks a required column.
    """
    named, form = delivered.named, delivered.form
    scratch = [delivered.work / f"delivered-{number:05d}" for number in range(len(named))]
    texts_of = [
        (path, at.with_suffix(".csv"), name)
        for (name, path), at in zip(named, scratch, strict=True)
        if _is_text(name)
    ]
    files.inflate_all(texts_of)
    opened = [
        _open_file(connection, delivered, (name, path), at)
        for (name, path), at in zip(named, scratch, strict=True)
    ]
    names = names_in_delivery([file.headers for file in opened], form)
    opened = [_rename_columns(file, own) for file, own in zip(opened, names, strict=True)]
    kinds: dict[str, set[str]] = {}
    for file in opened:
        for name, kind in file.types.items():
            kinds.setdefault(name, set()).add(kind)
    # A union of a decimal and a float column would be a float column.
    mixed = tuple(name for name, types in kinds.items() if len(types) > 1)
    return [replace(file, as_text=mixed, accounts=_account_columns(file, form)) for file in opened]


def _account_columns(file: ReadableFile, form: BillForm) -> tuple[str, ...]:
    by_name = form.find(file.types)
    return tuple(by_name[name] for name in form.account_ids if name in by_name)


def _rename_columns(file: ReadableFile, names: tuple[str, ...]) -> ReadableFile:
    columns = zip(file.columns, names, strict=True)
    return replace(file, columns=tuple((own, name, kind) for (own, _, kind), name in columns))


_NESTED = ("MAP", "STRUCT", "UNION")
_NUMBERED = re.compile(r"_\d+$")


def _text_value(column: str, kind: str) -> str:
    """Write SQL of a Parquet column as text, or as JSON if it is nested."""
    nested = kind.startswith(_NESTED) or "[" in kind
    return f"to_json({ident(column)})::varchar" if nested else f"{ident(column)}::varchar"


def _is_text(name: str) -> bool:
    return name.lower().endswith((".csv", ".csv.gz", ".csv.zip", ".gz", ".zip"))


def _open_file(
    connection: Connection, delivered: DeliveryFiles, file: tuple[str, Path], scratch: Path
) -> ReadableFile:
    form, renames = delivered.form, delivered.renames
    name, path = file
    is_csv = _is_text(name)
    if name.lower().endswith(".parquet"):
        path = files.link(path, scratch.with_suffix(".parquet"))
        headers, types = _parquet_columns(connection, path, name)
    elif is_csv:
        path = scratch.with_suffix(".csv")
        headers = _read_header(name, path)
        types = dict.fromkeys(_make_unique(headers), "VARCHAR")
    else:
        raise FileProblem(
            f"{name} is not of a supported file type", ".csv, .csv.gz, .csv.zip or .parquet"
        )
    stripped = [header.strip() or f"column_{n}" for n, header in enumerate(headers, start=1)]
    headers = [renames.get(header.lower(), header) for header in stripped]
    unique = _make_unique(headers)
    columns = tuple(
        (own, other, kind) for (own, kind), other in zip(types.items(), unique, strict=True)
    )
    _check_columns(name, tuple(unique), form)
    return ReadableFile(name, path, columns, is_csv, form.null_texts, tuple(headers))


def _parquet_columns(
    connection: Connection, path: Path, name: str
) -> tuple[list[str], dict[str, str]]:
    """Read the headers of a Parquet file, and its columns as DuckDB names and types them."""
    try:
        types = columns_of(
            connection, f"read_parquet({text(str(path))}, hive_partitioning = false)"
        )
        check_parquet(connection, path, name)
        headers = parquet_names(connection, path) if _has_doubles(types) else list(types)
    except (DuckDBError, UnicodeDecodeError) as error:
        raise _damage_error(name, error) from error
    return headers, types


def _has_doubles(names: Iterable[str]) -> bool:
    """Check whether DuckDB may have numbered names that differ only by case."""
    lower = {name.lower() for name in names}
    return any(_NUMBERED.sub("", name) in lower for name in lower if _NUMBERED.search(name))


def relation_of(readable: list[ReadableFile]) -> str:
    """Write SQL over all files of a delivery, matched by column name, as columns may vary."""
    groups: dict[object, list[ReadableFile]] = {}
    for file in readable:
        shape = (file.is_csv, file.columns, file.null_texts, file.as_text, file.accounts)
        groups.setdefault(shape, []).append(file)
    return "\nunion all by name\n".join(first.scan(alike=rest) for first, *rest in groups.values())


def run(connection: Connection, sql: str, name: str, readable: list[ReadableFile]) -> None:
    """Run a statement that reads delivery files.

    Args:
        name: what a message names if no single file is the cause.

    Raises:
        FileProblem: a file is damaged, or has too many columns for the memory limit.
    """
    try:
        connection.execute(sql)
    except OutOfMemory as error:
        widest = max(readable, key=lambda file: len(file.columns))
        raise FileProblem(
            f"{name} needs more memory than the limit allows: {widest.name} has"
            f" {counted(len(widest.columns), 'column')}",
            "at most a few thousand columns",
            "Raise FINOPS_MEMORY_LIMIT, or export fewer tags as columns",
        ) from error
    except (DuckDBError, UnicodeDecodeError) as error:
        if files.no_room(error):
            raise
        raise _damage_error(_find_unreadable(connection, readable) or name, error) from error


def _find_unreadable(connection: Connection, readable: list[ReadableFile]) -> str:
    """Return the name of the file that cannot be read on its own; empty if there is none."""
    for file in readable:
        try:
            connection.execute(f"select max(hash(t)) from ({file.scan()}) t")
        except (DuckDBError, UnicodeDecodeError):
            return file.name
    return ""


_ERROR_NAME = re.compile(r"\b(\w+ ){0,2}\w*(Error|Exception): ")


def _damage_error(name: str, error: Exception) -> FileProblem:
    reason = _ERROR_NAME.sub("", str(error).splitlines()[0])
    return FileProblem(
        f"{name} cannot be read ({reason})", "a complete file as AWS wrote it", _AGAIN
    )


_LINE_SIZE = 8388608
"""The longest record that can be read, in bytes."""


def _read_lines(stream: TextIO) -> Iterator[str]:
    while line := stream.readline(_LINE_SIZE):
        yield line


def _read_header(name: str, path: Path) -> list[str]:
    files.allow_long_cells()
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
            header = next(csv.reader(_read_lines(stream)), [])
    except csv.Error as error:
        raise FileProblem(
            f"{name} has an unreadable header ({error})", "a CSV in UTF-8", _AGAIN
        ) from error
    if not header:
        raise FileProblem(f"{name} is empty", "a CSV with a header line", _AGAIN)
    return header


def _make_unique(header: list[str]) -> list[str]:
    """Make names unique even for SQL, which ignores case, and different from reserved names."""
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


def _check_columns(name: str, columns: tuple[str, ...], form: BillForm) -> None:
    by_name = form.find(dict.fromkeys(columns, ""))
    repeated = {f"{own}__2".lower(): own for own in by_name.values()}  # as _unique names them
    for column in columns:
        if column.lower() in repeated:
            raise FileProblem(
                f"{name} has the column {repeated[column.lower()]} twice",
                "only one such column, because costs are computed from it",
                _AGAIN,
            )
    missing = [column for column in form.required if column not in by_name]
    if missing:
        spelling = SLASHED if any("/" in column for column in columns) else {}
        raise FileProblem(
            f"{name} lacks the {'column' if len(missing) == 1 else 'columns'}"
            f" {', '.join(spelling.get(c, c) for c in missing)}",
            f"at least the columns {', '.join(spelling.get(c, c) for c in form.required)}",
            "Include these columns in the export, or correct the source's format",
        )
