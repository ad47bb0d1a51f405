"""From the files of a delivery to one DuckDB relation in the source's own columns.

Put here: headers, CSV and Parquet readers, records that are not even records. Keep out:
whether a value can be read (validation.py) and what is published (delivery_landing.py).
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
from finops_pipeline.errors import FileProblem
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
"""The one column landing adds: the file of the delivery a row stood in."""

_AGAIN = "Copy or download it again; the previous delivery stays published"


@dataclass(frozen=True)
class ReadableFile:
    """One file of a delivery, ready to be scanned.

    `path` is the inflated text of a CSV, or a link to the Parquet file, in the staging folder:
    DuckDB takes `*?[]{}` in a path for a pattern, so a delivered name never reaches it.
    `columns` are the file's names, in order, with the unique names and types under which they
    are read. `headers` are the names as delivered, an export's aliases undone. `as_text` names
    columns that are of another type in another file, `accounts` those of account ids.
    """

    name: str
    path: Path
    columns: tuple[tuple[str, str, str], ...]
    is_csv: bool
    null_words: tuple[str, ...]
    headers: tuple[str, ...] = ()
    as_text: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()

    @property
    def types(self) -> dict[str, str]:
        """Unique name -> DuckDB type."""
        return {unique: kind for _, unique, kind in self.columns}

    def scan(self, serial: bool = False, alike: Sequence[ReadableFile] = ()) -> str:
        """SQL that reads every record, with the file's name added.

        Records with the wrong number of fields or bad quoting go to `reject_errors`.

        Args:
            serial: one thread, in file order, so that `row_number() over ()` counts records.
            alike: more files with the same columns, to be read by the same scan: scans of their
                own would each hold buffers and row groups, and spill.
        """
        together = (self, *alike)
        paths = texts([str(file.path) for file in together])
        cases = [f"when {text(str(file.path))} then {text(file.name)}" for file in together]
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
            f" nullstr = {texts(list(self.null_words))}, columns = {{{types}}},"
            f" parallel = {str(not serial).lower()}, max_line_size = {_LINE_SIZE},"
            " store_rejects = true, ignore_errors = true, filename = 'x_path')"
        )

    def _value(self, own: str, unique: str, kind: str) -> str:
        """SQL: a Parquet column as it lands."""
        if unique in self.accounts and kind.split("(")[0] in _NUMBERS:
            return _account(own)
        return _spelled(own, kind) if unique in self.as_text else ident(own)


@dataclass(frozen=True)
class DeliveryFiles:
    """The files of a delivery as they were fetched.

    `named` is each file's name (in messages and x_SourceFile) and where its bytes lie; `work` a
    folder for inflated texts and links; `renames` maps what an export's query calls columns, in
    lower case, to their own names.
    """

    named: list[tuple[str, Path]]
    form: BillForm
    work: Path
    renames: Mapping[str, str] = field(default_factory=dict)


def open_files(connection: Connection, delivered: DeliveryFiles) -> list[ReadableFile]:
    """Make the files of a delivery scannable together.

    Raises:
        FileProblem: a file is damaged, of unknown kind, empty, or lacks a required column.
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
        _open(connection, delivered, (name, path), at)
        for (name, path), at in zip(named, scratch, strict=True)
    ]
    names = names_in_delivery([file.headers for file in opened], form)
    opened = [_named(file, own) for file, own in zip(opened, names, strict=True)]
    kinds: dict[str, set[str]] = {}
    for file in opened:
        for name, kind in file.types.items():
            kinds.setdefault(name, set()).add(kind)
    # United as numbers, a decimal beside a float would become a float.
    mixed = tuple(name for name, types in kinds.items() if len(types) > 1)
    return [replace(file, as_text=mixed, accounts=_accounts(file, form)) for file in opened]


def _accounts(file: ReadableFile, form: BillForm) -> tuple[str, ...]:
    by_name = form.find(file.types)
    return tuple(by_name[name] for name in form.account_ids if name in by_name)


def _named(file: ReadableFile, names: tuple[str, ...]) -> ReadableFile:
    columns = zip(file.columns, names, strict=True)
    return replace(file, columns=tuple((own, name, kind) for (own, _, kind), name in columns))


_NESTED = ("MAP", "STRUCT", "UNION")
_NUMBERS = ("INTEGER", "BIGINT", "HUGEINT", "UINTEGER", "UBIGINT", "FLOAT", "DOUBLE", "DECIMAL")
_NUMBERED = re.compile(r"_\d+$")


def _spelled(column: str, kind: str) -> str:
    """SQL: a Parquet column as text, JSON where it is nested."""
    nested = kind.startswith(_NESTED) or "[" in kind
    return f"to_json({ident(column)})::varchar" if nested else f"{ident(column)}::varchar"


def _account(column: str) -> str:
    """SQL: an account id that was written as a number, with the zeros that a number loses."""
    whole = f"try_cast({ident(column)} as bigint)"
    return (
        f"case when {whole} = {ident(column)} and {whole} between 0 and 999999999999"
        f" then printf('%012d', {whole}) else {ident(column)}::varchar end"
    )


def _is_text(name: str) -> bool:
    return name.lower().endswith((".csv", ".csv.gz", ".csv.zip", ".gz", ".zip"))


def _open(
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
        headers = _header(name, path)
        types = dict.fromkeys(_unique(headers), "VARCHAR")
    else:
        raise FileProblem(f"{name} is not of a supported kind", ".csv, .csv.gz, .csv.zip, .parquet")
    stripped = [header.strip() or f"column_{n}" for n, header in enumerate(headers, start=1)]
    headers = [renames.get(header.lower(), header) for header in stripped]
    unique = _unique(headers)
    columns = tuple(
        (own, other, kind) for (own, kind), other in zip(types.items(), unique, strict=True)
    )
    _require(name, tuple(unique), form)
    return ReadableFile(name, path, columns, is_csv, form.null_words, tuple(headers))


def _parquet_columns(
    connection: Connection, path: Path, name: str
) -> tuple[list[str], dict[str, str]]:
    """The headers of a Parquet file, and its columns as DuckDB names and types them."""
    try:
        types = columns_of(
            connection, f"read_parquet({text(str(path))}, hive_partitioning = false)"
        )
        check_parquet(connection, path, name)
        headers = parquet_names(connection, path) if _has_doubles(types) else list(types)
    except (DuckDBError, UnicodeDecodeError) as error:
        raise _damaged(name, error) from error
    return headers, types


def _has_doubles(names: Iterable[str]) -> bool:
    """Whether DuckDB may have numbered names that differ only by case."""
    lower = {name.lower() for name in names}
    return any(_NUMBERED.sub("", name) in lower for name in lower if _NUMBERED.search(name))


def relation_of(readable: list[ReadableFile]) -> str:
    """SQL over all files of a delivery, united by column name (sets vary between files)."""
    groups: dict[object, list[ReadableFile]] = {}
    for file in readable:
        shape = (file.is_csv, file.columns, file.null_words, file.as_text, file.accounts)
        groups.setdefault(shape, []).append(file)
    return "\nunion all by name\n".join(first.scan(alike=rest) for first, *rest in groups.values())


def run(connection: Connection, sql: str, name: str, readable: list[ReadableFile]) -> None:
    """Run a statement that reads delivery files.

    Args:
        name: what to name in a message when it is none of the files alone.

    Raises:
        FileProblem: a file turned out to be damaged while it was read.
    """
    try:
        connection.execute(sql)
    except OutOfMemory as error:
        widest = max(readable, key=lambda file: len(file.columns))
        raise FileProblem(
            f"{name} does not fit into the memory that may be used: {widest.name} has"
            f" {len(widest.columns)} columns",
            "at most some thousand columns",
            "Raise FINOPS_MEMORY_LIMIT, or export fewer tags as columns",
        ) from error
    except (DuckDBError, UnicodeDecodeError) as error:
        if files.no_room(error):
            raise
        raise _damaged(_culprit(connection, readable) or name, error) from error


def _culprit(connection: Connection, readable: list[ReadableFile]) -> str:
    """The file that cannot be read on its own, if there is one."""
    for file in readable:
        try:
            connection.execute(f"select max(hash(t)) from ({file.scan()}) t")
        except (DuckDBError, UnicodeDecodeError):
            return file.name
    return ""


_ERROR_NAME = re.compile(r"\b(\w+ ){0,2}\w*(Error|Exception): ")


def _damaged(name: str, error: Exception) -> FileProblem:
    reason = _ERROR_NAME.sub("", str(error).splitlines()[0])
    return FileProblem(
        f"{name} cannot be read ({reason})", "a complete file as AWS wrote it", _AGAIN
    )


_LINE_SIZE = 8388608
"""The longest record that is read, in bytes."""


def _lines(stream: TextIO) -> Iterator[str]:
    while line := stream.readline(_LINE_SIZE):
        yield line


def _header(name: str, path: Path) -> list[str]:
    files.any_cell_size()
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
            header = next(csv.reader(_lines(stream)), [])
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
    by_name = form.find(dict.fromkeys(columns, ""))
    again = {f"{own}__2".lower(): own for own in by_name.values()}  # as _unique names them
    for column in columns:
        if column.lower() in again:
            raise FileProblem(
                f"{name} has the column {again[column.lower()]} twice",
                "each column that costs are computed from once",
                _AGAIN,
            )
    missing = [column for column in form.required if column not in by_name]
    if missing:
        spelling = SLASHED if any("/" in column for column in columns) else {}
        raise FileProblem(
            f"{name} lacks the column {', '.join(spelling.get(c, c) for c in missing)}",
            f"at least {', '.join(spelling.get(c, c) for c in form.required)}",
            "Include these columns in the export; check the source's format",
        )
