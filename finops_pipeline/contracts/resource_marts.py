"""The marts that keep resources, usage types and tags: what analyses of costs start from.

Put here: the contracts of these marts, in column order. Keep out: their SQL (marts/sql), marts of
projects, months and invoices (cost_marts.py).
"""

from __future__ import annotations

from finops_pipeline.contracts.column import MONEY, TEXT, Column, Table
from finops_pipeline.contracts.mart_columns import (
    CHARGE_DATE,
    CHARGES_WITHOUT_NET_COST,
    COST_COLUMNS,
    GROUP_COLUMNS,
    NET_COST_COLUMNS,
    PERIOD,
    PROJECT_COLUMNS,
    RESOURCE_COLUMNS,
)

RESOURCE_DAILY_COSTS = Table(
    name="resource_daily_costs",
    kind="mart",
    meaning="Costs and quantities of each resource, usage type and day, on every cost basis.",
    grain=(
        "billing_period", "charge_date", "project", "source",
        *(column.name for column in RESOURCE_COLUMNS), "consumed_unit", "billing_currency",
    ),
    columns=(
        PERIOD,
        CHARGE_DATE,
        *PROJECT_COLUMNS,
        Column("source", TEXT, "Source (export) that the charges came from.", False),
        *RESOURCE_COLUMNS,
        Column("consumed_unit", TEXT, "Unit of consumed_quantity."),
        GROUP_COLUMNS[-1],
        COST_COLUMNS[0],
        Column(
            "consumed_quantity", MONEY,
            "Amount used; null where no charge states it. Never added up over units.",
        ),
        *COST_COLUMNS[1:],
        *NET_COST_COLUMNS,
        CHARGES_WITHOUT_NET_COST,
    ),
)  # fmt: skip

RESOURCE_MARTS = (RESOURCE_DAILY_COSTS,)
