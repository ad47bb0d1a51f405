"""A tenant's budgets: what was spent of each, and what the month will cost.

Put here: listing them. Keep out: declaring budgets (tenants/budgets.py), computing their status
(marts/budgets), commands (cli).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal

from finops_pipeline.application.installation import Installation
from finops_pipeline.contracts.budget_tables import BUDGET_STATUS
from finops_pipeline.errors import Unknown
from finops_pipeline.lake.duck import DuckDBError, fetch_dicts
from finops_pipeline.lake.warehouse import reading


@dataclass(frozen=True)
class BudgetStatus:
    """A budget in a month; the names and meanings are those of `budget_status`."""

    billing_period: str
    budget: str
    state: str
    amount: Decimal
    actual_cost: Decimal
    forecast_cost: Decimal | None
    billing_currency: str
    breach_day: date | None
    as_of_day: date | None
    daily_cost: Decimal | None
    credits: Decimal
    scope: str
    project: str | None
    environment: str | None
    dimension: str | None
    dimension_value: str | None
    cost_basis: str
    reason: str | None


def list_budgets(installation: Installation, tenant: str, month: str = "") -> list[BudgetStatus]:
    """List the budgets of a tenant in a month; empty: the newest one that has charges.

    Raises:
        Unknown: there is no such tenant, or nothing has been built for it yet.
    """
    name = installation.registry.tenant(tenant).name
    columns = ", ".join(field.name for field in fields(BudgetStatus))
    with reading(installation.folder(name)) as connection:
        try:
            query = connection.execute(
                f"select {columns} from {BUDGET_STATUS.name} where billing_period ="
                f" coalesce(nullif($month, ''), (select max(billing_period) from"
                f" {BUDGET_STATUS.name})) order by budget",
                {"month": month},
            )
            return [BudgetStatus(**row) for row in fetch_dicts(query)]
        except DuckDBError as error:
            if "does not exist" not in str(error):
                raise
            raise Unknown(
                f"the file of tenant {name} was built by an earlier version and has no budgets",
                "a file built by this version",
                f"Bring it up to date: finops ingest {name}",
            ) from error
