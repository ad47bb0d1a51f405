"""Columns that several tables share, so that the same quantity always has the same name.

Put here: columns and groups of columns that at least two tables use. Keep out: the marts themselves
(cost_marts.py), columns of charges (focus.py).
"""

from __future__ import annotations

from finops_pipeline.contracts.column import COUNT, MONEY, TEXT, Column

PROJECT_COLUMNS = (
    Column("project", TEXT, "Project that the charges belong to.", False),
    Column("environment", TEXT, "Environment of the project (prod, staging, dev, …)."),
    Column("business_unit", TEXT, "Business unit of the project."),
)
GROUP_COLUMNS = (
    Column("sub_account_id", TEXT, "AWS account that used the service."),
    Column("region_id", TEXT, "AWS region code; null for global services."),
    Column("service_name", TEXT, "AWS service.", False),
    Column("charge_category", TEXT, "Usage, Purchase, Tax, Credit or Adjustment.", False),
    Column("billing_currency", TEXT, "Currency of the costs; never mixed.", False),
)
COST_COLUMNS = (
    Column("charges", COUNT, "Number of charges summed.", False),
    Column("billed_cost", MONEY, "Cash basis: AWS unblended cost.", False),
    Column("effective_cost", MONEY, "Amortized basis: commitments spread over usage.", False),
    Column("list_cost", MONEY, "Cost at public list prices.", False),
    Column("contracted_cost", MONEY, "Cost at contracted prices, before commitments.", False),
)
NET_BILLED_COST = Column(
    "net_billed_cost",
    MONEY,
    "Billed cost after private discounts; null unless every charge has it.",
)
NET_COST_COLUMNS = (
    NET_BILLED_COST,
    Column(
        "net_effective_cost",
        MONEY,
        "Effective cost after private discounts; null unless every charge has it.",
    ),
)
PERIOD = Column("billing_period", TEXT, "Billing period YYYY-MM.", False)
