"""The command for budgets: what was spent, what the month will cost, and when a budget is passed.

Put here: `finops budgets`. Keep out: what it lists (application/budget_list.py).
"""

from __future__ import annotations

from dataclasses import astuple, fields
from typing import Annotated

import typer

from finops_pipeline.application.budget_list import BudgetStatus, list_budgets
from finops_pipeline.cli.show import (
    ExactOption,
    Format,
    open_installation,
    refuse_parquet,
    table,
    write_records,
)
from finops_pipeline.cli.text_table import Layout
from finops_pipeline.tenants.months import check_month

_DISPENSABLE = ("reason", "cost_basis", "credits", "daily_cost", "scope", "as_of_day")


def budgets_command(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="Name of a tenant.")],
    month: Annotated[
        str, typer.Option(metavar="YYYY-MM", help="The month; if omitted, the newest one.")
    ] = "",
    format: Annotated[Format, typer.Option(help="table, csv or json.")] = Format.TABLE,
    exact: ExactOption = False,
) -> None:
    """Show what was spent of each budget of a month, and what the month will cost."""
    refuse_parquet(format)
    statuses = list_budgets(open_installation(), tenant, check_month(month) if month else "")
    if format is not Format.TABLE:
        write_records(format, BudgetStatus, statuses)
        return
    empty = "No budget has a month yet: declare budgets in tenants.yaml, and ingest a bill."
    names = [field.name for field in fields(BudgetStatus)]
    table(names, map(astuple, statuses), layout=Layout("", exact, _DISPENSABLE, empty))
