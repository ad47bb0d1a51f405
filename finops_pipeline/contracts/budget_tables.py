"""Budgets and what was spent of them: the contracts of these tables, in column order.

Put here: the tables `budgets` and `budget_status`. Keep out: their SQL (marts/budgets), declaring
budgets (tenants/budgets.py).
"""

from __future__ import annotations

from finops_pipeline.contracts.column import DAY, MONEY, TEXT, Column, Table
from finops_pipeline.contracts.mart_columns import PERIOD

BUDGET_STATES = ("within", "forecast over", "over", "unknown")
_SCOPES = ("all", "project", "environment", "dimension")

_SCOPE = (
    Column("budget", TEXT, "Name of the budget.", False),
    Column("scope", TEXT, "What it is for.", False, _SCOPES),
    Column("project", TEXT, "Project that it is for; null for any other scope."),
    Column("environment", TEXT, "Environment that it is for; null for any other scope."),
    Column("dimension", TEXT, "Dimension that it is for; null for any other scope."),
    Column("dimension_value", TEXT, "Value of that dimension."),
    Column("cost_basis", TEXT, "Cost that counts.", False, ("effective", "billed")),
    Column("amount", MONEY, "Amount for each month.", False),
    Column("billing_currency", TEXT, "Currency of the amount; no other cost counts.", False),
)

BUDGETS = Table(
    name="budgets",
    kind="dimension",
    meaning="Budgets per month, as tenants.yaml declares them.",
    grain=("budget",),
    columns=_SCOPE,
)

BUDGET_STATUS = Table(
    name="budget_status",
    kind="mart",
    meaning=(
        "What was spent of each budget in the newest 13 months, and what the rest of an unfinished"
        " month costs if it goes on as in the last 14 complete days (without charges that come"
        " once, such as purchases and taxes)."
    ),
    grain=("billing_period", "budget"),
    columns=(
        PERIOD,
        *_SCOPE,
        Column("actual_cost", MONEY, "Cost of the month so far.", False),
        Column("credits", MONEY, "The part of it that credits give back, 0 or negative.", False),
        Column("as_of_day", DAY, "Newest complete day of the month; null before the first."),
        Column("daily_cost", MONEY, "Mean cost of a day lately; null if it is not known."),
        Column("forecast_cost", MONEY, "Cost of the whole month; null if it is not known."),
        Column(
            "breach_day", DAY,
            "Day on which the cost is more than the amount, or will be; null if never.",
        ),
        Column("state", TEXT, "State of the budget in this month.", False, BUDGET_STATES),
        Column("reason", TEXT, "What is not known or not counted."),
    ),
)  # fmt: skip

BUDGET_TABLES = (BUDGETS, BUDGET_STATUS)
