"""The marts that give charges the values of declared dimensions, and add them up.

Put here: the contracts of these marts, in column order. Keep out: their SQL (marts/sql), the tables
of rules (allocation_tables.py).
"""

from __future__ import annotations

from finops_pipeline.contracts.allocation_tables import RULES, VALUES, VERSIONS
from finops_pipeline.contracts.column import COUNT, DAY, FLAG, TEXT, Column, Table
from finops_pipeline.contracts.mart_columns import (
    CHARGE_DATE,
    COST_COLUMNS,
    GROUP_COLUMNS,
    NET_COST_COLUMNS,
    PERIOD,
    PROJECT_COLUMNS,
    RESOURCE_COLUMNS,
)

_RULES_SINCE = Column(
    "rules_since", DAY, "First day, within the month, since which the same rules are valid.", False
)
_COMPARED = {
    "sub_account_id", "region_id", "service_name", "service_code", "resource_id", "resource_name",
    "tags", "cost_categories",
}  # fmt: skip
_COMPARED_COLUMNS = tuple(
    Column(column.name, column.type, f"{column.meaning} Null if no rule of the month uses it.")
    for column in RESOURCE_COLUMNS
    if column.name in _COMPARED
)

ALLOCATION_DAYS = Table(
    name="allocation_days",
    kind="mart",
    meaning="Which rules are valid on a day, and which columns of charges the month's rules use.",
    grain=("billing_period", "project", "charge_date"),
    columns=(
        PERIOD,
        PROJECT_COLUMNS[0],
        CHARGE_DATE,
        _RULES_SINCE,
        Column("has_account", FLAG, "Whether a rule of the month uses accounts.", False),
        Column("has_region", FLAG, "Whether a rule uses regions.", False),
        Column("has_service", FLAG, "Whether a rule uses services.", False),
        Column("has_resource", FLAG, "Whether a rule uses names or ids of resources.", False),
        Column("has_tag", FLAG, "Whether a rule uses tags.", False),
        Column("has_cost_category", FLAG, "Whether a rule uses cost categories.", False),
    ),
)

ALLOCATIONS = Table(
    name="allocations",
    kind="mart",
    meaning="The values of all dimensions for each set of charges that the rules treat alike.",
    grain=(
        "billing_period", "project", "rules_since", "charge_category",
        *(column.name for column in _COMPARED_COLUMNS),
    ),
    columns=(
        PERIOD,
        PROJECT_COLUMNS[0],
        _RULES_SINCE,
        GROUP_COLUMNS[3],
        *_COMPARED_COLUMNS,
        VALUES,
        RULES,
        VERSIONS,
    ),
)  # fmt: skip

DIMENSION_COSTS = Table(
    name="dimension_costs",
    kind="mart",
    meaning="Monthly costs by dimension and value; each dimension has every charge exactly once.",
    grain=(
        "billing_period", "project", "dimension", "value", "rule", "rule_version", "service_name",
        "charge_category", "billing_currency",
    ),
    columns=(
        PERIOD,
        PROJECT_COLUMNS[0],
        Column("dimension", TEXT, "Dimension. Never add up several dimensions.", False),
        Column("value", TEXT, "Its value; null: unallocated."),
        Column(
            "rule", TEXT,
            "Rule that gave the value; (project): the project's own label; null: no rule matched.",
        ),
        Column("rule_version", COUNT, "Version of the rule."),
        *(column for column in GROUP_COLUMNS if column.name not in ("sub_account_id", "region_id")),
        *COST_COLUMNS,
        *NET_COST_COLUMNS,
    ),
)  # fmt: skip

ALLOCATION_MARTS = (ALLOCATION_DAYS, ALLOCATIONS, DIMENSION_COSTS)
