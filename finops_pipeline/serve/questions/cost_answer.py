"""The answer to a question about costs: rows, and what a reader must know to trust them.

Put here: asking one tenant's file, totals, states of the months, notes. Keep out: the SQL
(question_sql.py), formatting (cli/costs.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from finops_pipeline import clock
from finops_pipeline.application.installation import Installation
from finops_pipeline.errors import QueryRefused, did_you_mean
from finops_pipeline.money import difference, exact_sum
from finops_pipeline.serve.questions.question import MOST_ROWS, Filter, Metric, Question
from finops_pipeline.serve.questions.question_fields import FieldKind, find_field
from finops_pipeline.serve.questions.question_names import FileNames, resolve_filter
from finops_pipeline.serve.questions.question_sql import (
    CURRENCY,
    UNIT,
    ResolvedQuestion,
    Statement,
    build_statement,
    resolve,
)
from finops_pipeline.serve.sandbox import Sandbox, open_sandbox

Row = Sequence[Any]


@dataclass(frozen=True)
class CostTotal:
    """The sum of all groups in one currency (and unit), including those that are not shown.

    `rest`: the sum of the groups that are not shown. Sums are None if a net cost is not known.
    """

    billing_currency: str
    consumed_unit: str | None
    total: Decimal | int | None
    total_before: Decimal | int | None
    rest: Decimal | int | None
    groups: int
    groups_shown: int


@dataclass(frozen=True)
class MonthTrust:
    """The state of one source's month, as `finops status` shows it, when the file was built."""

    billing_period: str
    source: str
    state: str
    landed_at: datetime | None


@dataclass(frozen=True)
class CostAnswer:
    """Rows by column, and what they mean.

    `question`: with the filters as the file names them. `missing_months`: months of the period
    without a bill. `is_truncated`: there are more rows than an answer may have.
    """

    resolved: ResolvedQuestion
    columns: Sequence[str]
    rows: Sequence[Row]
    totals: Sequence[CostTotal]
    months: Sequence[MonthTrust]
    missing_months: Sequence[str]
    built_at: str
    is_truncated: bool
    statement: Statement

    @property
    def unsettled_months(self) -> list[MonthTrust]:
        """The months whose numbers are not reconciled with the bill."""
        return [month for month in self.months if month.state not in ("reconciled", "landed")]


class CostAsker:
    """One tenant's file, open for questions; for one thread at a time."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def ask(self, question: Question) -> CostAnswer:
        """Answer one question.

        Raises:
            QueryRefused: the period or a field cannot be used, or fields cannot be combined.
            QueryStopped: the query reached a limit.
            Unknown: a filter names something that the file does not have.
        """
        names = FileNames(self._sandbox.connection)
        filters = [_resolve(filter, names) for filter in question.filters]
        resolved = resolve(question, clock.now().date(), filters)
        _check_dimensions(resolved, names)
        statement = build_statement(resolved)
        columns, rows = self._run(statement)
        is_truncated = len(rows) > MOST_ROWS
        shown = [column for column in columns if column not in ("total", "total_before", "groups")]
        records = [dict(zip(columns, row, strict=True)) for row in rows[:MOST_ROWS]]
        months = self._months(resolved)
        return CostAnswer(
            resolved,
            shown,
            [[record[name] for name in shown] for record in records],
            _totals(resolved, records),
            months,
            _missing(resolved, months),
            self._built_at(),
            is_truncated,
            statement,
        )

    def _run(self, statement: Statement) -> tuple[list[str], list[Row]]:
        connection = self._sandbox.execute(statement.sql, statement.values)
        columns = [column[0] for column in connection.description or []]
        return columns, connection.fetchmany(MOST_ROWS + 1)

    def _months(self, resolved: ResolvedQuestion) -> list[MonthTrust]:
        periods = [resolved.period, *([resolved.before] if resolved.before else [])]
        months = sorted({month for period in periods for month in period.months})
        rows = self._sandbox.execute(
            "select billing_period, source, state, max(landed_at)"
            " from data_status where list_contains($months::varchar[], billing_period)"
            " group by all order by all",
            {"months": months},
        ).fetchall()
        return [MonthTrust(*row) for row in rows]

    def _built_at(self) -> str:
        row = self._sandbox.execute(
            "select built_at from about where kind = 'file' and name = 'generation'"
        ).fetchone()
        return str(row[0]) if row else ""


@contextmanager
def open_costs(installation: Installation, tenant: str) -> Iterator[CostAsker]:
    """Open a tenant's file for questions.

    Args:
        installation: the installation that has the tenant.
        tenant: name of the tenant, as the caller may see it.

    Raises:
        Unknown: no such tenant, or it has no file yet.
        ForeignFile, DamagedFile: the file is not the one that was published for this tenant.
    """
    folder = installation.folder(installation.registry.tenant(tenant).name)
    with open_sandbox(folder, installation.query_limits) as sandbox:
        yield CostAsker(sandbox)


def _resolve(filter: Filter, names: FileNames) -> Filter:
    return resolve_filter(filter, find_field(filter.field), names)


def _check_dimensions(resolved: ResolvedQuestion, names: FileNames) -> None:
    fields = [*resolved.group_by, *(find_field(filter.field) for filter in resolved.filters)]
    for field in fields:
        if field.kind is FieldKind.DIMENSION and field.key not in names.dimensions:
            listed = ", ".join(names.dimensions)
            raise QueryRefused(
                f"no dimension {field.key!r} is declared",
                f"one of {listed}" if listed else "",
                did_you_mean(field.key, names.dimensions).rstrip()
                or "Declare dimensions in tenants.yaml (docs/dimensions.md)",
            )


def _totals(resolved: ResolvedQuestion, records: Sequence[dict[str, Any]]) -> list[CostTotal]:
    """Return the total of each currency, which every row of it repeats."""
    fields = [field.name for field in resolved.group_by]
    has_unit = resolved.question.metric is Metric.USAGE
    by_currency: dict[tuple[str, str | None], list[dict[str, Any]]] = {}
    for record in records:
        key = (record[CURRENCY], record[UNIT] if has_unit else None)
        by_currency.setdefault(key, []).append(record)
    return [
        CostTotal(
            currency,
            unit,
            of_currency[0]["total"],
            of_currency[0].get("total_before"),
            _rest(of_currency[0]["total"], [record[resolved.measure] for record in of_currency]),
            of_currency[0]["groups"],
            len({tuple(record[name] for name in fields) for record in of_currency}),
        )
        for (currency, unit), of_currency in by_currency.items()
    ]


def _rest(total: Decimal | int | None, shown: Sequence[Any]) -> Decimal | int | None:
    if total is None or None in shown:
        return None
    if isinstance(total, int):
        hidden: int = total - sum(shown)
        return hidden
    return difference(total, exact_sum(shown))


def _missing(resolved: ResolvedQuestion, months: Sequence[MonthTrust]) -> list[str]:
    billed = {month.billing_period for month in months}
    periods = [resolved.period, *([resolved.before] if resolved.before else [])]
    asked = sorted({month for period in periods for month in period.months})
    return [month for month in asked if month not in billed]
