"""Which rows can be told true: SQL that names what is wrong with a row, and the totals.

Put here: conditions on values (numbers, times, period, required). Keep out: reading files
(read.py), keeping the rows that fail (quarantine.py).
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from finops_pipeline.contracts.bills import BillForm
from finops_pipeline.contracts.column import MONEY
from finops_pipeline.errors import FileProblem
from finops_pipeline.lake.duck import Connection, DuckDBError, columns_of, ident, text, utc_time
from finops_pipeline.lake.files import no_room
from finops_pipeline.landing.relation import SOURCE_FILE
from finops_pipeline.ledger.ledger import TotalRecord
from finops_pipeline.money import exact_sum


@dataclass(frozen=True)
class Judgement:
    """SQL expressions over a landed relation, made for its columns."""

    problem: str
    """VARCHAR: what is wrong with the row, or null."""
    rounded: str
    """BIGINT: how many of the row's numbers have more than 18 decimals."""
    values: dict[str, str]
    """canonical name -> expression of its promised type, null where unreadable."""
    sound: str
    """BOOLEAN aggregate: whether no row at all has a problem; far cheaper than `problem`, since
    each column is read by itself, and DuckDB works a dictionary's few values out once."""


def judgement(
    form: BillForm, columns: dict[str, str], month: str, empty: Container[str] = ()
) -> Judgement:
    """The judgement for a relation with these columns (name -> DuckDB type).

    Args:
        empty: columns known to have no value: nothing in them can be unreadable.
    """
    typed = {n: (c, kind) for n, (c, kind) in form.typed(columns).items() if c not in empty}
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
        sound=_sound(form, columns, typed, values, month),
    )


def _sound(
    form: BillForm,
    columns: dict[str, str],
    typed: dict[str, tuple[str, str]],
    values: dict[str, str],
    month: str,
) -> str:
    found = form.find(columns)
    asked = [
        f"count({filled(column, columns[column])}) = count({values[name]})"
        for name, (column, _) in typed.items()
    ]
    asked += [
        f"count({filled(found[name], columns[found[name]])}) = count(*)" for name in form.required
    ]
    if form.period_start in values:
        own = f"strftime({values[form.period_start]}, '%Y-%m')"
        asked.append(f"coalesce(min({own}) = {text(month)} and max({own}) = {text(month)}, true)")
    return " and ".join(asked)


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
    name = f"{ident(column)}::varchar"
    # A case, so that the patterns are only tried on the few texts that may be so.
    short = f"len({name}) <= 19 and not contains({name}, 'e') and not contains({name}, 'E')"
    return (
        f"case when {name} is null or ({short}) then false"
        f" else coalesce({fraction} - {exponent} > 18, false) end"
    )


@dataclass(frozen=True)
class Tally:
    """What a landed relation holds; totals and rows of files leave problem rows out."""

    rows: int
    problems: int
    first_problem: str | None
    values_rounded: int
    totals: tuple[TotalRecord, ...]
    rows_by_file: dict[str, int]


def tally(connection: Connection, relation: str, judged: Judgement, form: BillForm) -> Tally:
    """Judge every row and sum up what is kept, in one scan.

    `totals` are exact billed costs per currency, account, line item type and service, sorted.

    Raises:
        FileProblem: the sum has more than 20 digits before the point.
    """
    columns = columns_of(connection, relation)
    found = form.find(columns)

    def word(name: str) -> str:
        column = found.get(name)
        return f"coalesce({filled(column, columns[column])}, '')" if column else "''"

    money = cast(found[form.total], columns[found[form.total]], MONEY)
    words = [SOURCE_FILE, *map(word, (form.currency, form.account, form.line_type, form.service))]
    keys = ", ".join(f"{sql} as x_{position}" for position, sql in enumerate(words))
    sound = connection.execute(f"select {judged.sound} from {relation}").fetchone()
    problem = "null::varchar" if sound and sound[0] else judged.problem
    query = (
        "select x_0, x_1, x_2, x_3, x_4, count(*), count(x_problem), min(x_problem),"
        " coalesce(sum(x_rounded) filter (x_problem is null), 0)::bigint,"
        " sum(x_money) filter (x_problem is null)"
        f" from (select {keys}, {problem} as x_problem, {judged.rounded} as x_rounded,"
        f" {money} as x_money from {relation}) group by all order by all"
    )
    try:
        groups = connection.execute(query).fetchall()
    except DuckDBError as error:
        if no_room(error):
            raise
        raise FileProblem(
            f"the delivery's costs do not add up within 20 digits ({str(error).splitlines()[0]})",
            "amounts of a bill",
        ) from error
    return _added_up(groups)


def _added_up(groups: list[tuple[Any, ...]]) -> Tally:
    """From groups of (file, currency, account, type, service) to what a delivery holds."""
    by_file: dict[str, int] = {}
    kept: dict[tuple[str, str, str, str], tuple[int, Decimal]] = {}
    for file, currency, account, kind, service, rows, problems, _, _, billed in groups:
        by_file[file] = by_file.get(file, 0) + rows - problems
        if rows > problems:
            key = (currency, account, kind, service)
            before = kept.get(key, (0, Decimal(0)))
            kept[key] = (before[0] + rows - problems, exact_sum([before[1], billed]))
    return Tally(
        rows=sum(group[5] for group in groups),
        problems=sum(group[6] for group in groups),
        first_problem=min((group[7] for group in groups if group[7]), default=None),
        values_rounded=sum(group[8] for group in groups),
        totals=tuple(
            TotalRecord(currency, account, kind, rows, billed, service)
            for (currency, account, kind, service), (rows, billed) in sorted(kept.items())
        ),
        rows_by_file=by_file,
    )
