"""Files of business metrics from users: CSV or Parquet, a row per day and metric.

Put here: reading and checking such a file; every error names the line and the column. Keep out:
storing values (application/business_metrics.py, lake/metric_values.py).

The columns are `date`, `metric`, `value` and optionally `project`, in any order.
"""

from __future__ import annotations

import csv
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from finops_pipeline.errors import FileProblem, RegistryError, counted
from finops_pipeline.lake import files
from finops_pipeline.lake.duck import Connection, DuckDBError, ident, open_in_memory, text
from finops_pipeline.lake.metric_values import MetricKey, MetricValues
from finops_pipeline.money import read_amount
from finops_pipeline.tenants.names import check_name

REQUIRED, OPTIONAL = ("date", "metric", "value"), ("project",)
MAX_ROWS = 1_000_000
_LEAST, _LIMIT = Decimal("0.000000001"), Decimal(10) ** 12
_FORM = "a CSV or Parquet file with the columns date, metric, value and, optionally, project"
_SHOWN = 60
_PARQUET_MAGIC = b"PAR1"

Texts = tuple[str | None, ...]
"""The values of a row, in the order of the file's columns."""

Rows = Generator[tuple[str, Texts], None, None]
"""The place and the texts of each row, the header first."""


@dataclass(frozen=True)
class MetricFile:
    """A file that was read: the values, and for each the place where it is."""

    path: Path
    values: MetricValues
    places: dict[MetricKey, str]


def read_metric_file(path: Path, project: str = "") -> MetricFile:
    """Read a file of business metrics.

    Args:
        project: the project of all values; empty: as the file says, or the whole tenant.

    Raises:
        FileProblem: it cannot be read, or a value in it is not valid; the message names the place.
    """
    is_parquet = _read_start(path) == _PARQUET_MAGIC
    with closing(_parquet_rows(path) if is_parquet else _csv_rows(path)) as rows:
        _, header = next(rows, ("", ()))
        columns = _check_header(path, [(name or "").strip() for name in header], project)
        return _collect(path, columns, rows, project)


def _read_start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(len(_PARQUET_MAGIC))
    except OSError as error:
        reason = "is a folder" if path.is_dir() else f"cannot be read ({error.strerror})"
        raise FileProblem(f"{path} {reason}", _FORM) from error


def _csv_rows(path: Path) -> Rows:
    """Yield the place and the texts of each row, the header first; blank lines are left out."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            for row in reader:
                if any(cell.strip() for cell in row):
                    yield f"line {reader.line_num}", tuple(row)
    except (UnicodeDecodeError, csv.Error) as error:
        raise FileProblem(f"{path} is not a CSV in UTF-8 ({error})", _FORM) from error


def _parquet_rows(path: Path) -> Rows:
    """Yield the place and the texts of each row, the names of the columns first.

    DuckDB treats `*?[]{}` in a path as a pattern, which may match files that were not checked. So
    it reads a link with a name of our own.
    """
    with TemporaryDirectory() as folder, open_in_memory({}) as connection:
        link = files.link(path, Path(folder) / "values.parquet")
        try:
            relation = f"read_parquet({text(str(link))}, hive_partitioning = false)"
            names, query = _select_texts(connection, relation)
            yield "", tuple(names)
            number = 0
            while rows := query.fetchmany(10_000):
                for row in rows:
                    number += 1
                    yield f"row {number}", row
        except DuckDBError as error:
            reason = str(error).splitlines()[0].replace(str(link), path.name)
            raise FileProblem(f"{path} is not a readable Parquet file ({reason})", _FORM) from error


def _select_texts(connection: Connection, relation: str) -> tuple[list[str], Connection]:
    described = connection.execute(f"describe select * from {relation}").fetchall()
    columns = ", ".join(f"{ident(row[0])}::varchar" for row in described)
    query = connection.execute(f"select {columns} from {relation}")
    return [str(row[0]) for row in described], query


def _check_header(path: Path, header: Sequence[str], project: str) -> list[str]:
    names = [name.lower() for name in header]
    expected = f"the columns {', '.join(REQUIRED)} and, optionally, {OPTIONAL[0]}"
    has_each = all(names.count(name) == 1 for name in REQUIRED)
    if not has_each or any(n not in REQUIRED + OPTIONAL or names.count(n) > 1 for n in names):
        found = ", ".join(header) or "nothing"
        if len(found) > 2 * _SHOWN:
            found = f"{found[: 2 * _SHOWN]}…"
        raise FileProblem(
            f"{path} has the columns {found}",
            expected,
            "Correct the first line; the separator is a comma",
        )
    if project and OPTIONAL[0] in names:
        raise FileProblem(
            f"{path} has a column project, and --project was given",
            "one of the two",
            "Leave out --project",
        )
    return names


def _collect(
    path: Path, columns: list[str], rows: Iterable[tuple[str, Texts]], project: str
) -> MetricFile:
    values, places = MetricValues(), dict[MetricKey, str]()
    for place, row in rows:
        where = f"{path}, {place}"
        if len(row) != len(columns):
            found = counted(len(row), "value")
            raise FileProblem(f"{where} has {found}", counted(len(columns), "value"))
        fields = {name: (cell or "").strip() for name, cell in zip(columns, row, strict=True)}
        key = _read_key(where, fields, project)
        if key in values:
            scope = f"project {key.project}" if key.project else "the whole tenant"
            raise FileProblem(
                f"{where} repeats {key.metric} of {scope} on {key.day}, which {places[key]} has",
                "one value for each day, metric and project",
                "Add the values up, or leave one of them out",
            )
        values[key] = _read_value(where, fields["value"])
        places[key] = place
        if len(values) > MAX_ROWS:
            raise FileProblem(f"{path} has more than {MAX_ROWS:,} rows", "a smaller file")
    if not values:
        raise FileProblem(f"{path} has no values", "a row for each day and metric")
    return MetricFile(path, values, places)


def _read_key(where: str, fields: dict[str, str], project: str) -> MetricKey:
    day = fields["date"].removesuffix(" 00:00:00")
    try:
        if len(day) != len("2026-10-01"):
            raise ValueError(day)
        read = date.fromisoformat(day)
    except ValueError as error:
        raise FileProblem(f"{where}: date is {_shown(day)}", "a day such as 2026-10-01") from error
    try:
        metric = check_name("metric", fields["metric"])
    except RegistryError as error:
        raise FileProblem(f"{where}: {error.found}", error.expected, error.cure) from error
    return MetricKey(metric, project or fields.get("project", ""), read)


def _read_value(where: str, raw: str) -> Decimal:
    amount = read_amount(raw)
    if amount is None or amount[1] or not (amount[0] == 0 or _LEAST <= amount[0] < _LIMIT):
        cure = "Leave out days without a value" if not raw else ""
        raise FileProblem(
            f"{where}: value is {_shown(raw)}",
            f"a number such as 1250 or 0.5: 0, or at least {_LEAST:f}, with up to 12 digits before"
            " the point and 18 after it",
            cure,
        )
    return amount[0]


def _shown(raw: str) -> str:
    return repr(raw) if len(raw) <= _SHOWN else f"{raw[:_SHOWN]!r}…"
