"""Validate landed rows and compute their totals.

Put here: conditions on values (numbers, times, period, required). Keep out: reading files
(relation.py), storing the rows that fail (quarantine.py).
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
class RowChecks:
    """SQL expressions that check the rows of a landed relation."""

    problem: str
    """VARCHAR: what is wrong with the row, or null."""
    rounded: str
    """BIGINT: the number of the row's values that have more than 18 decimals."""
    values: dict[str, str]
    """canonical name -> expression of its declared type, null where unreadable."""
    all_valid: str
    """BOOLEAN aggregate: whether no row has a problem. Far cheaper than `problem`: each column is
    read separately, and DuckDB evaluates each value of a dictionary once."""
    unreadable: dict[str, str]
    """column -> BIGINT aggregate: how many of its values cannot be read and become null, because no
    billed or effective cost needs them."""


def row_checks(
    form: BillForm, columns: dict[str, str], month: str, empty: Container[str] = ()
) -> RowChecks:
    """Make the checks for a relation with these columns (name -> DuckDB type).

    Args:
        empty: columns without any values, which need no check.
    """
    typed = {n: (c, kind) for n, (c, kind) in form.typed(columns).items() if c not in empty}
    values = {name: cast(column, columns[column], kind) for name, (column, kind) in typed.items()}
    relation = _Relation(form, columns, typed, values)
    rounded = [
        _has_more_decimals(column, columns[column])
        for column, kind in typed.values()
        if kind == MONEY and columns[column] in ("VARCHAR", "DOUBLE", "FLOAT")
    ]
    return RowChecks(
        problem=_problem(relation, month),
        rounded=" + ".join(f"({flag})::bigint" for flag in rounded) or "0::bigint",
        values=values,
        all_valid=_all_valid(relation, month),
        unreadable={
            column: f"{_count_filled(column, columns[column])} - count({values[name]})"
            for name, (column, _) in typed.items()
            if name not in form.cost_columns
        },
    )


@dataclass(frozen=True)
class _Relation:
    """A landed relation: `columns` name -> DuckDB type; `typed` and `values` by canonical name."""

    form: BillForm
    columns: dict[str, str]
    typed: dict[str, tuple[str, str]]
    values: dict[str, str]

    @property
    def required(self) -> list[str]:
        """The relation's columns that every row must fill."""
        by_name = self.form.find(self.columns)
        return [by_name[name] for name in self.form.required]

    @property
    def for_costs(self) -> list[tuple[str, str, str]]:
        """Canonical name, column and declared type of what billed and effective cost need."""
        return [
            (name, *column) for name, column in self.typed.items() if name in self.form.cost_columns
        ]


def _problem(relation: _Relation, month: str) -> str:
    """Write SQL of what is wrong with a row, or null."""
    columns, values = relation.columns, relation.values
    cases = []
    for name, column, kind in relation.for_costs:
        noun = "number" if kind == MONEY else "time"
        raw = filled(column, columns[column])
        problem = f"{text(column + ': ')} || {raw} || {text(f' is not a {noun}')}"
        cases.append(f"when {raw} is not null and {values[name]} is null then {problem}")
    for column in relation.required:
        problem = text(f"{column} is empty")
        cases.append(f"when {filled(column, columns[column])} is null then {problem}")
    period_start = relation.form.period_start
    if period_start in values:
        start = values[period_start]
        cases.append(
            f"when strftime({start}, '%Y-%m') <> {text(month)} then"
            f" {text(relation.typed[period_start][0] + ': ')} || {start}"
            f" || {text(f' is not in {month}')}"
        )
    return f"case {' '.join(cases)} end"


def _all_valid(relation: _Relation, month: str) -> str:
    """Write SQL of an aggregate that is true if no row has a problem."""
    columns, values = relation.columns, relation.values
    conditions = [
        f"{_count_filled(column, columns[column])} = count({values[name]})"
        for name, column, _ in relation.for_costs
    ]
    conditions += [
        f"{_count_filled(column, columns[column])} = count(*)" for column in relation.required
    ]
    if relation.form.period_start in values:
        start = values[relation.form.period_start]
        ends = [f"strftime({end}({start}), '%Y-%m') = {text(month)}" for end in ("min", "max")]
        conditions.append(f"coalesce({' and '.join(ends)}, true)")
    return " and ".join(conditions)


def filled(column: str, kind: str) -> str:
    """Write SQL of a column's value as trimmed text, null if it is empty."""
    if kind == "VARCHAR":
        return f"nullif(trim({ident(column)}), '')"
    return f"{ident(column)}::varchar"


def _count_filled(column: str, kind: str) -> str:
    """Write SQL of how many rows have a value; only text is compared with empty text."""
    return f"count({filled(column, kind) if kind == 'VARCHAR' else ident(column)})"


def cast(column: str, kind: str, declared: str) -> str:
    """Write SQL of a column's value in its declared type, null where it cannot be read.

    A float is converted through its shortest text: 0.1 stays 0.1, not 0.1000000000000000055.
    """
    if kind.startswith("TIMESTAMP") and declared != MONEY:
        zoned = f"{ident(column)}::timestamptz at time zone 'UTC'"
        return zoned if "TIME ZONE" in kind else f"{ident(column)}::timestamp"
    raw = filled(column, kind)
    if declared != MONEY:
        return utc_time(raw)
    if kind != "VARCHAR":
        return f"try_cast({raw} as {declared})"
    # DuckDB reads 1_000 as a number; in a bill an underscore is a damaged digit.
    return f"case when not contains({raw}, '_') then try_cast({raw} as {declared}) end"


def _has_more_decimals(column: str, kind: str) -> str:
    """Write SQL of whether a number's text has more than the 18 decimals of MONEY."""
    raw = filled(column, kind)
    fraction = rf"len(rtrim(regexp_extract({raw}, '\.(\d*)', 1), '0'))"
    exponent = rf"coalesce(try_cast(regexp_extract({raw}, '[eE]([+-]?\d+)', 1) as int), 0)"
    name = f"{ident(column)}::varchar"
    # A case, so that the patterns are evaluated only for the few texts that may match.
    short = f"len({name}) <= 19 and not contains({name}, 'e') and not contains({name}, 'E')"
    return (
        f"case when {name} is null or ({short}) then false"
        f" else coalesce({fraction} - {exponent} > 18, false) end"
    )


@dataclass(frozen=True)
class Tally:
    """Counts and totals of a landed relation; all but `rows` and `problems` exclude problem rows.

    `values_unreadable`: column -> how many of its values became null.
    """

    rows: int
    problems: int
    first_problem: str | None
    values_rounded: int
    values_unreadable: dict[str, int]
    totals: tuple[TotalRecord, ...]
    rows_by_file: dict[str, int]


def tally(connection: Connection, relation: str, checks: RowChecks, form: BillForm) -> Tally:
    """Check every row and add up the valid ones in one scan.

    `totals` are exact billed costs per currency, account, line item type and service, sorted.

    Raises:
        FileProblem: the sum has more than 20 digits before the point.
    """
    columns = columns_of(connection, relation)
    by_name = form.find(columns)

    def filled_text(name: str) -> str:
        column = by_name.get(name)
        return f"coalesce({filled(column, columns[column])}, '')" if column else "''"

    money = cast(by_name[form.total], columns[by_name[form.total]], MONEY)
    names = (form.currency, form.account, form.line_type, form.service)
    key_columns = [SOURCE_FILE, *map(filled_text, names)]
    keys = ", ".join(f"{sql} as x_{position}" for position, sql in enumerate(key_columns))
    counts = ", ".join([checks.all_valid, *checks.unreadable.values()])
    all_valid, *unreadable = connection.execute(f"select {counts} from {relation}").fetchall()[0]
    problem = "null::varchar" if all_valid else checks.problem
    if not all_valid and any(unreadable):
        kept = f"{relation} where ({checks.problem}) is null"
        _, *unreadable = connection.execute(f"select {counts} from {kept}").fetchall()[0]
    query = (
        "select x_0, x_1, x_2, x_3, x_4, count(*), count(x_problem), min(x_problem),"
        " coalesce(sum(x_rounded) filter (x_problem is null), 0)::bigint,"
        " sum(x_money) filter (x_problem is null)"
        f" from (select {keys}, {problem} as x_problem, {checks.rounded} as x_rounded,"
        f" {money} as x_money from {relation}) group by all order by all"
    )
    try:
        groups = connection.execute(query).fetchall()
    except DuckDBError as error:
        if no_room(error):
            raise
        raise FileProblem(
            "the sum of the delivery's costs has more than 20 digits"
            f" ({str(error).splitlines()[0]})",
            "amounts of a plausible size",
        ) from error
    counted = zip(checks.unreadable, unreadable, strict=True)
    return _summarize(groups, {column: count for column, count in counted if count})


def _summarize(groups: list[tuple[Any, ...]], unreadable: dict[str, int]) -> Tally:
    """Add up groups of (file, currency, account, type, service) to totals of the delivery."""
    by_file: dict[str, int] = {}
    sums: dict[tuple[str, str, str, str], tuple[int, Decimal]] = {}
    for file, currency, account, kind, service, rows, problems, _, _, billed in groups:
        by_file[file] = by_file.get(file, 0) + rows - problems
        if rows > problems:
            key = (currency, account, kind, service)
            before = sums.get(key, (0, Decimal(0)))
            sums[key] = (before[0] + rows - problems, exact_sum([before[1], billed]))
    return Tally(
        rows=sum(group[5] for group in groups),
        problems=sum(group[6] for group in groups),
        first_problem=min((group[7] for group in groups if group[7]), default=None),
        values_rounded=sum(group[8] for group in groups),
        values_unreadable=unreadable,
        totals=tuple(
            TotalRecord(currency, account, kind, rows, billed, service)
            for (currency, account, kind, service), (rows, billed) in sorted(sums.items())
        ),
        rows_by_file=by_file,
    )
