"""The answer to a question about costs: rows, and what a reader must know to trust them.

Put here: asking one tenant's file, totals, states of the months, notes. Keep out: the SQL
(question_sql.py), formatting (cli/costs.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from finops_pipeline import clock
from finops_pipeline.application.installation import Installation
from finops_pipeline.errors import QueryRefused, did_you_mean
from finops_pipeline.money import difference, exact_sum
from finops_pipeline.serve.caveats import RECONCILED_STATES
from finops_pipeline.serve.questions.answer_cache import AnswerSize, RememberedAnswers
from finops_pipeline.serve.questions.file_facts import FileFacts, MonthTrust
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
_OF_CURRENCIES = ("total", "total_before", "groups")
"""Columns that every row of a currency (and unit) repeats."""
_MOST_REMEMBERED_CHARACTERS = 10_000
"""Of a question; a longer one is answered anew each time."""


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
    def unreconciled_months(self) -> list[MonthTrust]:
        """The months whose numbers are not reconciled with the bill."""
        return [month for month in self.months if month.state not in RECONCILED_STATES]


def _size(answer: CostAnswer, characters: int) -> AnswerSize:
    """Return the size of an answer to a question of so many characters."""
    # The answer has the question's filters once more, and so do the statement's values.
    characters += len(str(answer.resolved)) + len(str(answer.statement))
    characters += sum(len(value) for row in answer.rows for value in row if isinstance(value, str))
    return AnswerSize(len(answer.rows) * len(answer.columns), characters)


class CostAsker:
    """One tenant's file, open for questions; for one thread at a time.

    Args:
        sandbox: the file.
        remembered: answers that were given before, if the sandbox stays with one generation.
    """

    def __init__(self, sandbox: Sandbox, remembered: RememberedAnswers | None = None) -> None:
        self._sandbox = sandbox
        self._remembered = remembered
        self._facts = FileFacts(sandbox)

    @property
    def facts(self) -> FileFacts:
        """What the file that is open says about itself."""
        if self._facts.mark != self._sandbox.mark:
            self._facts = FileFacts(self._sandbox)
        return self._facts

    def ask(self, question: Question, today: date | None = None) -> CostAnswer:
        """Answer one question.

        Args:
            question: what is asked.
            today: the day on which it is asked; None: the present one.

        Raises:
            QueryRefused: the period or a field cannot be used, or fields cannot be combined.
            QueryStopped: the query reached a limit.
            Unknown: a filter names something that the file does not have.
        """
        self._sandbox.refresh()
        today = today or clock.now().date()
        characters = len(str(question))
        if self._remembered is None or characters > _MOST_REMEMBERED_CHARACTERS:
            return self._answer(question, today)
        key = (question, today)
        answer: CostAnswer | None = self._remembered.get(key)
        if answer is None:
            answer = self._answer(question, today)
            self._remembered.keep(key, answer, _size(answer, characters))
        return answer

    def _answer(self, question: Question, today: date) -> CostAnswer:
        names = self.facts.names
        filters = [_resolve(filter, names) for filter in question.filters]
        resolved = resolve(question, today, filters)
        _check_dimensions(resolved, names)
        statement = build_statement(resolved)
        columns, rows = self._run(statement)
        is_truncated = len(rows) > MOST_ROWS
        shown = [column for column in columns if column not in _OF_CURRENCIES]
        records = [dict(zip(columns, row, strict=True)) for row in rows[:MOST_ROWS]]
        of_currencies = self._all_totals(statement, columns) if is_truncated else records
        months = self._months(resolved)
        return CostAnswer(
            resolved,
            shown,
            [[record[name] for name in shown] for record in records],
            _totals(resolved, records, of_currencies),
            months,
            _missing(resolved, months),
            self._facts.built_at,
            is_truncated,
            statement,
        )

    def _run(self, statement: Statement) -> tuple[list[str], list[Row]]:
        connection = self._sandbox.execute(statement.sql, statement.values)
        columns = [column[0] for column in connection.description or []]
        return columns, connection.fetchmany(MOST_ROWS + 1)

    def _all_totals(self, statement: Statement, columns: Sequence[str]) -> list[dict[str, Any]]:
        """Read the totals of every currency, also of one that has no row in a truncated answer."""
        names = [name for name in columns if name in (CURRENCY, UNIT, *_OF_CURRENCIES)]
        sql = f"select distinct {', '.join(names)} from ({statement.sql})"
        rows = self._sandbox.execute(sql, statement.values).fetchall()
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _months(self, resolved: ResolvedQuestion) -> list[MonthTrust]:
        months = set(_asked_months(resolved))
        if not resolved.counts_by_month:
            months |= self._facts.months_of_days(resolved.periods)
        return [month for month in self._facts.months if month.billing_period in months]


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


def _totals(
    resolved: ResolvedQuestion,
    records: Sequence[dict[str, Any]],
    of_currencies: Sequence[dict[str, Any]],
) -> list[CostTotal]:
    """Return the total of each currency, which every row of it repeats.

    Args:
        records: the rows that are shown.
        of_currencies: at least one row of each currency, with its totals.
    """
    has_unit = resolved.question.metric is Metric.USAGE

    def key_of(record: dict[str, Any]) -> tuple[str, str | None]:
        return record[CURRENCY], record[UNIT] if has_unit else None

    totals = []
    for key, total in sorted({key_of(record): record for record in of_currencies}.items()):
        shown = [record for record in records if key_of(record) == key]
        groups = {tuple(record[name] for name in resolved.group_columns) for record in shown}
        totals.append(
            CostTotal(
                *key,
                total["total"],
                total.get("total_before"),
                _rest(total["total"], [record[resolved.measure] for record in shown]),
                total["groups"],
                len(groups),
            )
        )
    return totals


def _rest(total: Decimal | int | None, shown: Sequence[Any]) -> Decimal | int | None:
    if total is None or None in shown:
        return None
    if isinstance(total, int):
        hidden: int = total - sum(shown)
        return hidden
    return difference(total, exact_sum(shown))


def _asked_months(resolved: ResolvedQuestion) -> list[str]:
    return sorted({month for period in resolved.periods for month in period.months})


def _missing(resolved: ResolvedQuestion, months: Sequence[MonthTrust]) -> list[str]:
    billed = {month.billing_period for month in months}
    return [month for month in _asked_months(resolved) if month not in billed]
