"""The command `finops costs`: a question about costs without SQL.

Put here: its options, and how the answer is shown. Keep out: what a question means and how it is
answered (serve/questions).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from finops_pipeline.cli.show import (
    ExactOption,
    Format,
    complain,
    json_text,
    open_installation,
    refuse_parquet,
    say,
    table,
    write_csv,
)
from finops_pipeline.cli.text_table import Layout
from finops_pipeline.errors import QueryRefused, counted
from finops_pipeline.money import in_cents, plain
from finops_pipeline.serve.questions.answer_data import answer_data, read_conditions
from finops_pipeline.serve.questions.cost_answer import CostAnswer, open_costs
from finops_pipeline.serve.questions.question import (
    Comparison,
    CostBasis,
    Granularity,
    Metric,
    Order,
    read_question,
)

_By = Annotated[
    list[str] | None,
    typer.Option("--by", metavar="FIELD", help="Group by this field (docs/costs.md); repeatable."),
]
_Last = Annotated[
    tuple[int, str] | None,
    typer.Option(metavar="N UNIT", help="The last N complete days, weeks, months or years."),
]
_From = Annotated[str | None, typer.Option("--from", metavar="DATE", help="First month or day.")]
_To = Annotated[
    str | None, typer.Option("--to", metavar="DATE", help="Last month or day (included).")
]
_Names = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="Only this one; repeatable.")
]
_Where = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FIELD=VALUE", help="Only charges with this value (!=: without it); repeatable."
    ),
]
_Granularity = Annotated[Granularity, typer.Option(help="One sum, or one for each month or day.")]
_CompareTo = Annotated[Comparison | None, typer.Option(help="Compare with another period.")]
_Limit = Annotated[
    int | None, typer.Option(help="Show this many groups; a line gives the sum of the rest.")
]
_Sql = Annotated[bool, typer.Option("--sql", help="Also print the SQL of the answer.")]


def costs_command(
    tenant: Annotated[str, typer.Argument(metavar="TENANT")],
    by: _By = None,
    last: _Last = None,
    start: _From = None,
    end: _To = None,
    project: _Names = None,
    environment: _Names = None,
    account: _Names = None,
    region: _Names = None,
    service: _Names = None,
    where: _Where = None,
    basis: Annotated[CostBasis, typer.Option(help="Basis of the cost.")] = CostBasis.EFFECTIVE,
    metric: Annotated[Metric, typer.Option(help="What to add up.")] = Metric.COST,
    granularity: _Granularity = Granularity.TOTAL,
    compare_to: _CompareTo = None,
    order: Annotated[Order, typer.Option(help="Order of the groups.")] = Order.LARGEST,
    limit: _Limit = None,
    sql: _Sql = False,
    format: Annotated[Format, typer.Option(help="table, csv or json.")] = Format.TABLE,
    exact: ExactOption = False,
) -> None:
    """Show costs by any field and period: of everything, or of some projects or services."""
    refuse_parquet(format)
    named = {"project": project, "environment": environment, "account": account,
             "region": region, "service": service}  # fmt: skip
    of_options = [f"{field}={value}" for field, values in named.items() for value in values or []]
    period = {"last": f"{last[0]} {last[1]}" if last else None, "start": start, "end": end}
    groups = [field for text in by or [] for field in text.split(",")]
    question = read_question(
        {
            **{"metric": metric, "basis": basis, **period, "granularity": granularity},
            "group_by": groups,
            "filters": _conditions([*of_options, *(where or [])]),
            **{"compare_to": compare_to, "order": order, "limit": limit},
        }
    )
    with open_costs(open_installation(), tenant) as costs:
        answer = costs.ask(question)
    _write(tenant, answer, format, exact)
    if sql:
        say(f"\n{answer.statement.sql}", to_stderr=format is not Format.TABLE)
        say(
            f"Values: {json_text(dict(answer.statement.values))}",
            to_stderr=format is not Format.TABLE,
        )
    for note in _notes(tenant, answer):
        complain(note)


def _conditions(texts: list[str]) -> list[dict[str, Any]]:
    try:
        return read_conditions(texts)
    except QueryRefused as error:
        raise typer.BadParameter(error.found, param_hint="--where") from error


def _write(tenant: str, answer: CostAnswer, format: Format, is_exact: bool) -> None:
    match format:
        case Format.JSON:
            say(json_text(answer_data(tenant, answer)))
        case Format.CSV:
            write_csv(sys.stdout, answer.columns, answer.rows)
        case _:
            layout = Layout(
                title=_title(tenant, answer),
                is_exact=is_exact,
                if_empty=f"No charge matches. To see which months exist: finops status {tenant}",
            )
            table(answer.columns, answer.rows, layout=layout)
            for line in _totals(answer, is_exact):
                say(line)


def _title(tenant: str, answer: CostAnswer) -> str:
    """Return what the numbers are: tenant, basis, period, conditions."""
    question = answer.resolved.question
    what = {
        Metric.COST: f"{question.basis.replace('_', ' ')} cost",
        Metric.USAGE: "usage",
        Metric.CHARGES: "number of charges",
    }[question.metric]
    parts = [f"{tenant}: {what}", str(answer.resolved.period)]
    if answer.resolved.before:
        parts.append(f"compared with {answer.resolved.before}")
    for filter in answer.resolved.filters:
        values = " or ".join(value or "(none)" for value in filter.values)
        parts.append(f"{filter.field} {'other than ' if filter.is_excluded else ''}{values}")
    return ", ".join(parts)


def _totals(answer: CostAnswer, is_exact: bool) -> Iterator[str]:
    """Yield a line for each currency whose total is not in the table: all groups, and the rest."""
    has_groups = bool(answer.resolved.group_by)
    if not has_groups and answer.resolved.question.granularity is Granularity.TOTAL:
        return
    for total in answer.totals:
        unit = {
            Metric.COST: total.billing_currency,
            Metric.USAGE: f"{total.consumed_unit} (billed in {total.billing_currency})",
            Metric.CHARGES: f"charges in {total.billing_currency}",
        }[answer.resolved.question.metric]
        line = f"Total: {_amount(total.total, is_exact)} {unit}"
        if total.total_before is not None:
            line += f", before: {_amount(total.total_before, is_exact)} {unit}"
        rest = total.groups - total.groups_shown
        if rest:
            groups = counted(total.groups, "group")
            line += f" ({groups}; {rest} of them are not shown: {_amount(total.rest, is_exact)})"
        yield line


def _amount(amount: Any, is_exact: bool) -> str:
    if amount is None:
        return "unknown"
    if isinstance(amount, int):
        return str(amount)
    return plain(amount) if is_exact else in_cents(amount)


def _notes(tenant: str, answer: CostAnswer) -> Iterator[str]:
    """Yield what a reader must know: months without a bill, months that are not reconciled."""
    if answer.missing_months:
        yield (
            f"there is no bill for {_some(answer.missing_months)}, so nothing is counted there;"
            f" see finops gaps {tenant}"
        )
    unreconciled = answer.unreconciled_months
    if unreconciled:
        states = [f"{m.billing_period} {m.state} ({m.source})" for m in unreconciled]
        month = unreconciled[0].billing_period
        yield f"not reconciled: {_some(states)}; see finops status {tenant} {month}"
    if answer.is_truncated:
        rows = counted(len(answer.rows), "row is", "rows are")
        yield f"only the first {rows} shown; give --limit or a filter"
    has_before = answer.resolved.before is not None
    if answer.resolved.question.metric is Metric.COST and any(
        total.total is None or (has_before and total.total_before is None)
        for total in answer.totals
    ):
        yield "some charges have no net cost, so no net total can be stated"


def _some(names: Any) -> str:
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
