"""The marts of costs by resource, usage type, hour, group of charges and tag.

Put here: the contracts of these marts, in column order. Keep out: their SQL (marts/sql), marts of
projects, months and invoices (cost_marts.py).
"""

from __future__ import annotations

from finops_pipeline.contracts.column import MONEY, TEXT, TIME, Column, Table
from finops_pipeline.contracts.mart_columns import (
    CHARGE_DATE,
    CHARGE_GROUP,
    CHARGES_WITHOUT_NET_COST,
    COST_COLUMNS,
    GROUP_COLUMNS,
    NET_COST_COLUMNS,
    PERIOD,
    PROJECT_COLUMNS,
    RESOURCE_COLUMNS,
)

_ACCOUNT_AND_SERVICE = tuple(
    column for column in GROUP_COLUMNS if column.name in ("sub_account_id", "service_name")
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
        CHARGE_GROUP,
        COST_COLUMNS[0],
        Column(
            "consumed_quantity", MONEY,
            "Amount used, in consumed_unit; null if no charge states it.",
        ),
        *COST_COLUMNS[1:],
        *NET_COST_COLUMNS,
        CHARGES_WITHOUT_NET_COST,
    ),
)  # fmt: skip

HOURLY_COSTS = Table(
    name="hourly_costs",
    kind="mart",
    meaning=(
        "Costs of each hour of the last 35 days of the data. It leaves out whatever has no hour:"
        " taxes, credits, monthly fees, and all charges of daily sources."
    ),
    grain=(
        "billing_period", "charge_hour", "project", "source", "sub_account_id", "region_id",
        "service_name", "charge_category", "pricing_category", "billing_currency",
    ),
    columns=(
        PERIOD,
        Column("charge_hour", TIME, "First moment of the hour (UTC).", False),
        *PROJECT_COLUMNS,
        Column("source", TEXT, "Source (export) that the charges came from.", False),
        *GROUP_COLUMNS[:-1],
        Column("pricing_category", TEXT, "Standard, Dynamic (Spot), Committed or Other."),
        GROUP_COLUMNS[-1],
        *COST_COLUMNS,
    ),
)  # fmt: skip

CHARGE_GROUPS = Table(
    name="charge_groups",
    kind="mart",
    meaning="What a total consists of: costs of each project and day by group of charges.",
    grain=(
        "billing_period", "charge_date", "project", "sub_account_id", "service_name",
        "charge_group", "billing_currency",
    ),
    columns=(
        PERIOD, CHARGE_DATE, *PROJECT_COLUMNS, *_ACCOUNT_AND_SERVICE, CHARGE_GROUP,
        GROUP_COLUMNS[-1], *COST_COLUMNS, *NET_COST_COLUMNS,
    ),
)  # fmt: skip

PRICE_WATERFALL = Table(
    name="price_waterfall",
    kind="mart",
    meaning=(
        "The steps from public prices to the bill. The columns from list_cost to adjustment_cost"
        " add up to effective_cost; effective_cost, commitment_fees and amortized_fees add up to"
        " billed_cost. Savings are negative. The savings rate of several rows is -sum(saved_cost)"
        " / sum(list_cost), never an average of rates."
    ),
    grain=(
        "billing_period", "project", "sub_account_id", "service_name", "billing_currency",
    ),
    columns=(
        PERIOD, *PROJECT_COLUMNS, *_ACCOUNT_AND_SERVICE, GROUP_COLUMNS[-1],
        Column("list_cost", MONEY, "Usage at public prices, without refunds.", False),
        Column(
            "spot_savings", MONEY,
            "Saved because Spot prices are lower than public ones.",
            False,
        ),
        Column(
            "negotiated_savings", MONEY,
            "Saved because agreed prices are lower than public ones.",
            False,
        ),
        Column(
            "commitment_savings", MONEY,
            "Saved on usage that reservations and Savings Plans covered, compared with agreed"
            " prices.", False,
        ),
        Column("unused_cost", MONEY, "Effective cost of the unused part of commitments.", False),
        Column("discount_cost", MONEY, "Effective cost of line items that are discounts.", False),
        Column("credit_cost", MONEY, "Effective cost of credits and refunds.", False),
        Column(
            "fee_cost", MONEY,
            "Effective cost of purchases other than commitments: support, Marketplace"
            " subscriptions, other fees.", False,
        ),
        Column("tax_cost", MONEY, "Effective cost of taxes.", False),
        Column(
            "adjustment_cost", MONEY,
            "Effective cost of everything else: remainders of negations, and line items of types"
            " that AWS does not document.", False,
        ),
        Column(
            "effective_cost", MONEY,
            "Amortized basis: the sum of the columns from list_cost on.",
            False,
        ),
        Column("commitment_fees", MONEY, "Fees of commitments billed in this month.", False),
        Column(
            "amortized_fees", MONEY,
            "The effective cost of commitments, which fees of this or an earlier month paid for,"
            " as a negative amount.", False,
        ),
        Column("billed_cost", MONEY, "Cash basis: AWS unblended cost.", False),
        Column(
            "saved_cost", MONEY,
            "Sum of spot_savings, negotiated_savings, commitment_savings and unused_cost; negative"
            " if anything was saved.", False,
        ),
    ),
)  # fmt: skip

_TAG_COLUMNS = (
    Column(
        "tag_kind", TEXT,
        "user_tag: the customer's tag; aws_tag: AWS's own tag (aws:…); or a cost category.",
        False, ("user_tag", "aws_tag", "cost_category"),
    ),
    Column("tag_key", TEXT, "Key of the tag, or name of the cost category.", False),
)  # fmt: skip

TAG_COSTS = Table(
    name="tag_costs",
    kind="mart",
    meaning=(
        "Costs of each value of each tag key. Every key has rows for all costs of the month, so"
        " never add up several keys. Costs without the key have the value null, so the rows of each"
        " key add up to the costs of the month."
    ),
    grain=(
        "billing_period", "project", "sub_account_id", "service_name", "tag_kind", "tag_key",
        "tag_value", "billing_currency",
    ),
    columns=(
        PERIOD, *PROJECT_COLUMNS, *_ACCOUNT_AND_SERVICE, *_TAG_COLUMNS,
        Column("tag_value", TEXT, "Value as in the bill; null for costs without the key."),
        GROUP_COLUMNS[-1], *COST_COLUMNS[:3],
        Column(
            "taggable_cost", MONEY,
            "Effective cost of usage with a resource, which can have a tag.", False,
        ),
    ),
)  # fmt: skip

TAG_COVERAGE = Table(
    name="tag_coverage",
    kind="mart",
    meaning=(
        "How much of the taggable cost has a tag, by key. Taxes, support, credits, commitments and"
        " usage without a resource cannot be tagged and do not count."
    ),
    grain=(
        "billing_period", "project", "sub_account_id", "service_name", "tag_kind", "tag_key",
        "billing_currency",
    ),
    columns=(
        PERIOD, *PROJECT_COLUMNS, *_ACCOUNT_AND_SERVICE, *_TAG_COLUMNS, GROUP_COLUMNS[-1],
        Column("taggable_cost", MONEY, "Effective cost of usage with a resource.", False),
        Column("tagged_cost", MONEY, "The part with a value that is not empty.", False),
        Column("untagged_cost", MONEY, "taggable_cost minus tagged_cost.", False),
    ),
)  # fmt: skip

RESOURCE_MARTS = (
    RESOURCE_DAILY_COSTS,
    HOURLY_COSTS,
    CHARGE_GROUPS,
    PRICE_WATERFALL,
    TAG_COSTS,
    TAG_COVERAGE,
)
