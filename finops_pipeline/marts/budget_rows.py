"""Budgets and what was spent of them, in the file being built.

Put here: filling `budgets` and `budget_status`. Keep out: their SQL (marts/budgets), declaring
budgets (tenants/budgets.py), alerts about them (marts/alert_rules).

Reads: resource_daily_costs, allocations, data_status
Writes: <tenant>.duckdb (budgets, budget_status)
"""

from __future__ import annotations

from functools import cache
from importlib import resources

from finops_pipeline.contracts.budget_tables import BUDGET_STATUS, BUDGET_TABLES, BUDGETS
from finops_pipeline.contracts.tables import DATA_STATUS
from finops_pipeline.lake.duck import Connection
from finops_pipeline.lake.warehouse import WAREHOUSE
from finops_pipeline.marts.status_tables import Rows, fill_table
from finops_pipeline.tenants.budgets import Budget
from finops_pipeline.tenants.model import Tenant

DIMENSION_DAYS, MONTHLY_METERS = "dimension_days", "monthly_meters"


@cache
def budget_sql(name: str) -> str:
    """Read the SQL of a table of budgets."""
    folder = resources.files("finops_pipeline.marts") / "budgets"
    return (folder / f"{name}.sql").read_text(encoding="utf-8")


def budget_code() -> str:
    """Return everything that these tables depend on besides data, for a fingerprint."""
    queries = [budget_sql(name) for name in (MONTHLY_METERS, DIMENSION_DAYS, BUDGET_STATUS.name)]
    return "\n".join([repr(BUDGET_TABLES), *queries])


def fill_budgets(connection: Connection, tenant: Tenant) -> None:
    """Fill the tables of budgets.

    Args:
        connection: a connection with the file being built, whose marts and `data_status` are up to
            date.
    """
    fill_table(connection, BUDGETS, _budget_rows(tenant.budgets))
    connection.execute(f"delete from {WAREHOUSE}.{BUDGET_STATUS.name}")
    if not tenant.budgets:
        return
    marts = ("resource_daily_costs", "allocation_days", "allocations")
    for name in (*marts, BUDGETS.name, DATA_STATUS.name):
        connection.execute(f"create or replace view {name} as from {WAREHOUSE}.{name}")
    connection.execute(
        f"create or replace table {MONTHLY_METERS} as from ({budget_sql(MONTHLY_METERS)})"
    )
    # Without a budget for a dimension the table stays empty, and its joins cost nothing.
    has_dimensions = any(budget.dimension for budget in tenant.budgets)
    limit = "" if has_dimensions else " limit 0"
    connection.execute(
        f"create or replace table {DIMENSION_DAYS} as from ({budget_sql(DIMENSION_DAYS)}){limit}"
    )
    connection.execute(
        f"insert into {WAREHOUSE}.{BUDGET_STATUS.name} from ({budget_sql(BUDGET_STATUS.name)})"
    )


def _budget_rows(budgets: tuple[Budget, ...]) -> Rows:
    return [
        (
            budget.name,
            budget.scope,
            budget.project or None,
            budget.environment or None,
            budget.dimension or None,
            budget.dimension_value or None,
            budget.basis.value,
            budget.amount,
            budget.currency,
        )
        for budget in budgets
    ]
