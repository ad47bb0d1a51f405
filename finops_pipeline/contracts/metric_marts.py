"""Business metrics and the mart that divides costs by them.

Put here: the contracts of these tables, in column order. Keep out: their SQL (marts/sql), files of
values (lake/metric_values.py).
"""

from __future__ import annotations

from finops_pipeline.contracts.column import DAY, MONEY, TEXT, Column, Table
from finops_pipeline.contracts.mart_columns import CHARGE_DATE, PERIOD

_METRIC = Column("metric", TEXT, "Name of the metric: orders, active-users, …", False)

BUSINESS_METRICS = Table(
    name="business_metrics",
    kind="dimension",
    meaning="Daily values of business metrics, as loaded by `finops metrics load`.",
    grain=("day", "metric", "project"),
    columns=(
        PERIOD,
        Column("day", DAY, "Day (UTC).", False),
        _METRIC,
        Column("project", TEXT, "Project to which the value belongs; null: the whole tenant."),
        Column("value", MONEY, "Number of units, never negative.", False),
    ),
)

UNIT_COSTS = Table(
    name="unit_costs",
    kind="mart",
    meaning="Cost per unit of a business metric on each day, of a project or the whole tenant.",
    grain=("billing_period", "charge_date", "metric", "project", "billing_currency"),
    columns=(
        PERIOD,
        CHARGE_DATE,
        _METRIC,
        Column("project", TEXT, "Project whose costs these are; null: the whole tenant."),
        Column("billing_currency", TEXT, "Currency of the costs; never mixed.", False),
        Column("value", MONEY, "Units of the day; null if there is no value for it."),
        Column("billed_cost", MONEY, "Cash basis: AWS unblended cost.", False),
        Column("effective_cost", MONEY, "Amortized basis: commitments spread over usage.", False),
        Column(
            "billed_cost_per_unit", MONEY,
            "Billed cost of a unit; null without units on that day, and from 10^19 on.",
        ),
        Column(
            "effective_cost_per_unit", MONEY,
            "Effective cost of a unit; null without units on that day, and from 10^19 on.",
        ),
    ),
)  # fmt: skip

METRIC_MARTS = (UNIT_COSTS,)
