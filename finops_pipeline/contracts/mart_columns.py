"""Columns that several tables share, so that the same quantity always has the same name.

Put here: columns and groups of columns that at least two tables use. Keep out: the marts themselves
(cost_marts.py), columns of charges (focus.py).
"""

from __future__ import annotations

from finops_pipeline.contracts.column import COUNT, DAY, JSON, MONEY, TEXT, Column

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
RESOURCE_COLUMNS = (
    Column("sub_account_id", TEXT, "AWS account that used the service."),
    Column("region_id", TEXT, "AWS region code; null for global services."),
    Column("availability_zone", TEXT, "Availability zone of the resource."),
    Column("service_name", TEXT, "AWS service.", False),
    Column("service_code", TEXT, "AWS product code."),
    Column("publisher_name", TEXT, "Who produced the service (a Marketplace seller).", False),
    Column("billing_entity", TEXT, "AWS or AWS Marketplace."),
    Column("charge_category", TEXT, "Usage, Purchase, Tax, Credit or Adjustment.", False),
    Column("charge_class", TEXT, "Correction of an earlier, invoiced period."),
    Column("charge_frequency", TEXT, "One-Time, Recurring or Usage-Based.", False),
    Column("line_item_type", TEXT, "AWS line item type; null for a FOCUS export."),
    Column("row_kind", TEXT, "line, unused or residual, as x_RowKind of the charge.", False),
    Column("usage_type", TEXT, "AWS usage type."),
    Column("operation", TEXT, "AWS operation."),
    Column("instance_type", TEXT, "Instance type."),
    Column("pricing_category", TEXT, "Standard, Dynamic (Spot), Committed or Other."),
    Column("commitment_discount_id", TEXT, "ARN of the reservation or Savings Plan."),
    Column("commitment_discount_status", TEXT, "Used or Unused."),
    Column("resource_id", TEXT, "ARN or id of the resource."),
    Column("resource_name", TEXT, "Name that the resource's owner gave it (tag Name)."),
    Column("resource_type", TEXT, "Kind of resource."),
    Column("tags", JSON, "Tags, a JSON object as text; users' keys without their prefix."),
    Column("cost_categories", JSON, "AWS cost categories, a JSON object as text."),
)
"""What a charge is for, down to the resource and its tags, without its hour and its line."""

CHARGE_GROUP = Column(
    "charge_group",
    TEXT,
    "Kind of cost; every charge is in exactly one group. usage includes line items of types that"
    " AWS does not document; commitments includes recurring fees and unused parts.",
    False,
    (
        *("usage", "commitments", "credits_and_refunds", "discounts", "tax", "support"),
        *("marketplace", "upfront_and_fees"),
    ),
)
PERIOD = Column("billing_period", TEXT, "Billing period YYYY-MM.", False)
CHARGE_DATE = Column(
    "charge_date",
    DAY,
    "Day (UTC) on which the charge's period starts; the effective cost of an unused commitment is"
    " spread over the days that it covers.",
    False,
)
CHARGES_WITHOUT_NET_COST = Column(
    "charges_without_net_cost",
    COUNT,
    "Number of charges that bill an amount but have no net cost.",
    False,
)
