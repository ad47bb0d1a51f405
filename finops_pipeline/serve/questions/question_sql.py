"""A question as one parameterised SELECT on the smallest table that can answer it.

Put here: the only place that turns questions into SQL. Every identifier comes from the contracts,
every value is a parameter. Keep out: which table answers (question_fields.py), running it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from finops_pipeline.contracts.allocation_marts import DIMENSION_COSTS
from finops_pipeline.lake.duck import ident
from finops_pipeline.serve.questions.question import (
    Filter,
    Granularity,
    Metric,
    Order,
    Question,
)
from finops_pipeline.serve.questions.question_fields import (
    CostField,
    FieldKind,
    choose_table,
    find_field,
)
from finops_pipeline.serve.questions.question_period import Period, find_period, period_before

CURRENCY = "billing_currency"
UNIT = "consumed_unit"
_USAGE = "consumed_quantity"

_TEXT = """\
with

answer as (
    select
        {columns}
    from {source}
    where {conditions}
    group by all
),

summed as (
    select
        *,
        {further},
        sum({value}) over (partition by {group}) as group_value
    from answer
),

ranked as (
    select *, dense_rank() over (partition by {within} order by {ranked}) as position
    from summed
)

select * exclude (group_value, position), max(position) over (partition by {within}) as groups
from ranked{limit}
order by {order}
"""


@dataclass(frozen=True)
class ResolvedQuestion:
    """A question whose period, fields and names are those of the tenant's file.

    `measure`: the column that is summed. `before`: the period to compare with.
    """

    question: Question
    period: Period
    before: Period | None
    group_by: Sequence[CostField]
    filters: Sequence[Filter]

    @property
    def measure(self) -> str:
        """The column that is summed, by the name that every table has for it."""
        match self.question.metric:
            case Metric.COST:
                return f"{self.question.basis}_cost"
            case Metric.USAGE:
                return _USAGE
            case Metric.CHARGES:
                return "charges"

    @property
    def group_columns(self) -> list[str]:
        """The column of each field by which it is grouped.

        `tag:Team` and `tag:team` are two tags, but DuckDB ignores case in names of columns.
        """
        names: list[str] = []
        for field in self.group_by:
            name, number = field.name, 2
            while name.casefold() in map(str.casefold, names):
                name, number = f"{field.name} ({number})", number + 1
            names.append(name)
        return names

    @property
    def periods(self) -> list[Period]:
        """The period, and the one to compare with if there is one."""
        return [self.period, *([self.before] if self.before else [])]

    @property
    def needs_days(self) -> bool:
        """Whether months are not enough, because a period or the answer has days."""
        return self.question.granularity is Granularity.DAY or not self.counts_by_month

    @property
    def counts_by_month(self) -> bool:
        """Whether a charge counts in the month that bills it; else on the day of its usage."""
        return all(period.is_whole_months for period in self.periods)


@dataclass(frozen=True)
class Statement:
    """SQL with the values of its parameters, and the table that it reads."""

    sql: str
    values: Mapping[str, Any]
    table: str


def resolve(question: Question, today: date, filters: Sequence[Filter]) -> ResolvedQuestion:
    """Return a question with its days and fields.

    Args:
        question: what is asked.
        today: the day from which relative periods count.
        filters: the question's filters with the names of the file.

    Raises:
        QueryRefused: the period or a field cannot be used.
    """
    period = find_period(question, today)
    before = period_before(period, question.compare_to) if question.compare_to else None
    return ResolvedQuestion(
        question, period, before, [find_field(name) for name in question.group_by], filters
    )


def build_statement(resolved: ResolvedQuestion) -> Statement:
    """Return the SELECT that answers a question: a row per group, in order.

    Its last columns are of all groups of a currency (and unit), also of those beyond the limit:
    `total`, with a comparison `total_before`, and `groups`, their number.

    Raises:
        QueryRefused: no table has all fields of the question.
    """
    return _Builder(resolved).build()


class _Builder:
    """Collects the parts of one statement and the values of its parameters."""

    def __init__(self, resolved: ResolvedQuestion) -> None:
        self._resolved = resolved
        self._question = resolved.question
        self._values: dict[str, Any] = {}
        filtered = [find_field(filter.field) for filter in resolved.filters]
        self._fields = [*resolved.group_by, *filtered]
        self._table = choose_table(self._fields, resolved.measure, resolved.needs_days)

    def build(self) -> Statement:
        """Return the statement."""
        groups, limit = self._group_columns(), self._question.limit
        columns = [*(f"{sql} as {name}" for name, sql in groups), *self._measures()]
        names = [name for name, _ in groups]
        period = [] if self._question.granularity is Granularity.TOTAL else names[:1]
        within = [UNIT, CURRENCY] if self._question.metric is Metric.USAGE else [CURRENCY]
        fields = [name for name in names if name not in (*period, *within)]
        sql = _TEXT.format(
            columns=_lines(columns),
            source=self._source(),
            conditions="\n        and ".join(self._conditions()),
            further=_lines(self._further_columns(within)),
            value=self._rank_value(),
            group=", ".join([*fields, *within]),
            ranked=", ".join([*self._direction(), *fields]) or "1",
            within=", ".join(within),
            limit=f"\nqualify position <= {self._parameter(limit)}" if limit else "",
            order=", ".join([*period, *within, "position"]),
        )
        return Statement(sql, self._values, self._table.name)

    def _group_columns(self) -> list[tuple[str, str]]:
        columns = []
        match self._question.granularity:
            case Granularity.MONTH if self._resolved.counts_by_month:
                columns.append(("billing_period", "billing_period"))
            case Granularity.MONTH:
                columns.append(("month", "strftime(charge_date, '%Y-%m')"))
            case Granularity.DAY:
                columns.append(("charge_date", "charge_date"))
            case Granularity.TOTAL:
                pass
        for name, field in zip(self._resolved.group_columns, self._resolved.group_by, strict=True):
            columns.append((ident(name), self._expression(field)))
        if self._question.metric is Metric.USAGE:
            columns.append((UNIT, UNIT))
        columns.append((CURRENCY, CURRENCY))
        return columns

    def _expression(self, field: CostField) -> str:
        if field.kind not in (FieldKind.TAG, FieldKind.COST_CATEGORY):
            return ident(field.column)
        # A JSON pointer, in which ~ and / of the key are escaped (RFC 6901).
        pointer = "/" + field.key.replace("~", "~0").replace("/", "~1")
        value = f"json_extract_string({ident(field.column)}, {self._parameter(pointer)})"
        return f"nullif({value}, '')"  # an empty tag is a missing one, as in tag_coverage

    def _measures(self) -> list[str]:
        measure = self._resolved.measure
        if not self._resolved.before:
            return [f"{_sum(measure)} as {measure}"]
        now = self._within(self._resolved.period)
        before = self._within(self._resolved.before)
        return [
            f"{_sum(measure, before)} as {measure}_before",
            f"{_sum(measure, now)} as {measure}",
        ]

    def _conditions(self) -> list[str]:
        within = [self._within(period) for period in self._resolved.periods]
        conditions = [within[0] if len(within) == 1 else f"({' or '.join(within)})"]
        conditions += [self._condition(filter) for filter in self._resolved.filters]
        if self._table is DIMENSION_COSTS:
            field = next(f for f in self._fields if f.kind is FieldKind.DIMENSION)
            conditions.append(f"dimension = {self._parameter(field.key)}")
        if self._question.metric is Metric.USAGE:
            conditions.append(f"{_USAGE} is not null")
        return conditions

    def _within(self, period: Period) -> str:
        if self._resolved.counts_by_month:
            first, last = self._parameter(period.months[0]), self._parameter(period.months[-1])
            return f"billing_period between {first} and {last}"
        first, end = self._parameter(period.first), self._parameter(period.end)
        return f"(charge_date >= {first} and charge_date < {end})"

    def _condition(self, filter: Filter) -> str:
        expression = self._expression(find_field(filter.field))
        listed = [value for value in filter.values if value]
        parts = []
        if listed:
            parts.append(f"list_contains({self._parameter(listed)}::varchar[], {expression})")
        if "" in filter.values:
            parts.append(f"{expression} is null")
        condition = " or ".join(parts)
        return f"({condition}) is not true" if filter.is_excluded else f"({condition})"

    def _parameter(self, value: Any) -> str:
        for name, existing in self._values.items():
            if existing == value and type(existing) is type(value):
                return f"${name}"
        name = f"value_{len(self._values) + 1}"
        self._values[name] = value
        return f"${name}"

    def _source(self) -> str:
        if self._table is DIMENSION_COSTS:
            return "dimension_costs left join projects using (project)"
        return ident(self._table.name)

    def _further_columns(self, within: Sequence[str]) -> list[str]:
        measure = self._resolved.measure
        names = {"total": measure}
        change = []
        if self._resolved.before:
            names["total_before"] = f"{measure}_before"
            change = [f"{self._change} as change"]
        over = f"over (partition by {', '.join(within)})"
        return change + [
            f"case when count({column}) {over} = count(*) {over} then sum({column}) {over} end"
            f" as {name}"
            for name, column in names.items()
        ]

    def _rank_value(self) -> str:
        if self._question.order is Order.LARGEST_CHANGE:
            return self._change
        return self._resolved.measure

    @property
    def _change(self) -> str:
        return f"{self._resolved.measure} - {self._resolved.measure}_before"

    def _direction(self) -> list[str]:
        return {
            Order.LARGEST: ["group_value desc"],
            Order.SMALLEST: ["group_value asc"],
            Order.LARGEST_CHANGE: ["abs(group_value) desc"],
            Order.NAME: [],
        }[self._question.order]


def _lines(columns: Sequence[str]) -> str:
    return ",\n        ".join(columns)


def _sum(measure: str, condition: str = "") -> str:
    """Return the sum of a column; a net cost is null unless every charge has it."""
    filtered = f" filter ({condition})" if condition else ""
    total = f"sum({measure}){filtered}"
    if measure == "charges":
        return f"coalesce({total}, 0)::bigint"
    if not condition and not measure.startswith("net_"):
        return total
    if measure.startswith("net_"):
        is_whole = f"count({measure}){filtered} = count(*){filtered}"
        return f"case when {is_whole} then coalesce({total}, 0) end"
    return f"coalesce({total}, 0)"
