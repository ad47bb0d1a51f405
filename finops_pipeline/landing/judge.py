"""Which rows can be told true: SQL that names what is wrong with a row, and the totals.

Put here: conditions on values (numbers, times, period, required). Keep out: reading files
(read.py), keeping the rows that fail (quarantine.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from finops_pipeline.contracts.bills import BillForm
from finops_pipeline.contracts.columns import MONEY
from finops_pipeline.errors import FileProblem
from finops_pipeline.lake.duck import Connection, DuckDBError, columns_of, ident, text, utc_time
from finops_pipeline.lake.ledger import TotalRecord
from finops_pipeline.landing.read import SOURCE_FILE


@dataclass(frozen=True)
class Judgement:
    """SQL expressions over a landed relation, made for its columns."""

    problem: str
    """VARCHAR: what is wrong with the row, or null."""
    rounded: str
    """BIGINT: how many of the row's numbers have more than 18 decimals."""
    values: dict[str, str]
    """canonical name -> expression of its promised type, null where unreadable."""


def judgement(form: BillForm, columns: dict[str, str], month: str) -> Judgement:
    """The judgement for a relation with these columns (name -> DuckDB type)."""
    typed = form.typed(columns)
    found = form.find(columns)
    values = {name: cast(column, columns[column], kind) for name, (column, kind) in typed.items()}
    cases = []
    for name, (column, kind) in typed.items():
        word = "number" if kind == MONEY else "time"
        raw = filled(column, columns[column])
        said = f"{text(column + ': ')} || {raw} || {text(f' is not a {word}')}"
        cases.append(f"when {raw} is not null and {values[name]} is null then {said}")
    for name in form.required:
        column = found[name]
        said = text(f"{column}: is empty")
        cases.append(f"when {filled(column, columns[column])} is null then {said}")
    if form.period_start in values:
        start = values[form.period_start]
        said = text(f"{found[form.period_start]}: ")
        cases.append(
            f"when strftime({start}, '%Y-%m') <> {text(month)}"
            f" then {said} || {start} || {text(f' is not in {month}')}"
        )
    rounded = [
        _has_more_decimals(column, columns[column])
        for column, kind in typed.values()
        if kind == MONEY and columns[column] in ("VARCHAR", "DOUBLE", "FLOAT")
    ]
    return Judgement(
        problem=f"case {' '.join(cases)} end",
        rounded=" + ".join(f"({flag})::bigint" for flag in rounded) or "0::bigint",
        values=values,
    )


def filled(column: str, kind: str) -> str:
    """SQL: a column's value as trimmed text, null when it is empty."""
    if kind == "VARCHAR":
        return f"nullif(trim({ident(column)}), '')"
    return f"{ident(column)}::varchar"


def cast(column: str, kind: str, promised: str) -> str:
    """SQL: a column's value in its promised type, null where that cannot be read.

    A float goes through its shortest text: 0.1 is 0.1 again, not 0.1000000000000000055.
    """
    if kind.startswith("TIMESTAMP") and promised != MONEY:
        zoned = f"{ident(column)}::timestamptz at time zone 'UTC'"
        return zoned if "TIME ZONE" in kind else f"{ident(column)}::timestamp"
    raw = filled(column, kind)
    if promised != MONEY:
        return utc_time(raw)
    # DuckDB reads 1_000 as a number; in a bill an underscore is a damaged digit.
    return f"case when not contains({raw}, '_') then try_cast({raw} as {promised}) end"


def _has_more_decimals(column: str, kind: str) -> str:
    """Whether a number's text has more than the 18 decimals that MONEY keeps."""
    raw = filled(column, kind)
    fraction = rf"len(rtrim(regexp_extract({raw}, '\.(\d*)', 1), '0'))"
    exponent = rf"coalesce(try_cast(regexp_extract({raw}, '[eE]([+-]?\d+)', 1) as int), 0)"
    long_enough = f"(len({raw}) > 19 or contains(lower({raw}), 'e'))"
    return f"coalesce({long_enough} and {fraction} - {exponent} > 18, false)"


@dataclass(frozen=True)
class Tally:
    """What a landed relation holds."""

    rows: int
    problems: int
    first_problem: str | None
    values_rounded: int


def tally(connection: Connection, relation: str, judged: Judgement) -> Tally:
    """Count rows, rows with a problem, and rounded values of the others."""
    row = connection.execute(
        "select count(*), count(x_problem), min(x_problem), coalesce(sum(x_rounded), 0)::bigint"
        f" from (select {judged.problem} as x_problem,"
        f" case when x_problem is null then {judged.rounded} else 0 end as x_rounded"
        f" from {relation})"
    ).fetchone()
    assert row is not None
    return Tally(rows=row[0], problems=row[1], first_problem=row[2], values_rounded=row[3])


def totals(connection: Connection, relation: str, form: BillForm) -> tuple[TotalRecord, ...]:
    """Rows and exact billed cost per currency, account and line item type, sorted.

    Raises:
        FileProblem: the sum has more than 20 digits before the point.
    """
    columns = columns_of(connection, relation)
    found = form.find(columns)

    def word(name: str) -> str:
        column = found.get(name)
        return f"coalesce({filled(column, columns[column])}, '')" if column else "''"

    money = cast(found[form.total], columns[found[form.total]], MONEY)
    query = (
        f"select {word(form.currency)}, {word(form.account)}, {word(form.line_type)},"
        f" count(*), sum({money}) from {relation} group by all order by all"
    )
    try:
        rows = connection.execute(query).fetchall()
    except DuckDBError as error:
        raise FileProblem(
            f"the delivery's costs do not add up within 20 digits ({str(error).splitlines()[0]})",
            "amounts of a bill",
        ) from error
    return tuple(TotalRecord(c, a, t, n, billed or Decimal(0)) for c, a, t, n, billed in rows)


def rows_by_file(connection: Connection, relation: str) -> dict[str, int]:
    """Rows per file of the delivery."""
    query = f"select {SOURCE_FILE}, count(*) from {relation} group by all"
    return dict(connection.execute(query).fetchall())
