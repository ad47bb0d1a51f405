"""The cost marts: costs by day and month, unused commitments by day, and the bill by invoice.

Put here: the contracts of these marts, in column order. Keep out: their SQL (marts/sql), tables
that are not marts (tables.py).
"""

from __future__ import annotations

from finops_pipeline.contracts.column import COUNT, DAY, MONEY, TEXT, Column, Table
from finops_pipeline.contracts.mart_columns import (
    CHARGE_DATE,
    CHARGES_WITHOUT_NET_COST,
    COST_COLUMNS,
    GROUP_COLUMNS,
    NET_BILLED_COST,
    NET_COST_COLUMNS,
    PERIOD,
    PROJECT_COLUMNS,
    RESOURCE_COLUMNS,
)

DAILY_COSTS = Table(
    name="daily_costs",
    kind="mart",
    meaning="Costs of each project and day, on every cost basis.",
    grain=(
        "billing_period", "charge_date", "project", "sub_account_id", "region_id",
        "service_name", "charge_category", "billing_currency",
    ),
    columns=(
        PERIOD,
        CHARGE_DATE,
        *PROJECT_COLUMNS, *GROUP_COLUMNS, *COST_COLUMNS, *NET_COST_COLUMNS,
        CHARGES_WITHOUT_NET_COST,
    ),
)  # fmt: skip

UNUSED_COMMITMENT_DAYS = Table(
    name="unused_commitment_days",
    kind="mart",
    meaning="The unused part of reservations and Savings Plans, on each day that it covers.",
    grain=(
        "billing_period", "charge_date", "project", "source",
        *(column.name for column in RESOURCE_COLUMNS), "billing_currency",
    ),
    columns=(
        PERIOD,
        Column(
            "charge_date", DAY,
            "Day (UTC). In an unfinished month, the part that is not used yet counts on the days"
            " after the last usage.", False,
        ),
        Column("project", TEXT, "Project that the charges belong to.", False),
        Column("source", TEXT, "Source (export) that the charges came from.", False),
        *RESOURCE_COLUMNS,
        GROUP_COLUMNS[-1],
        Column("effective_cost", MONEY, "Amortized basis: the day's share.", False),
        NET_COST_COLUMNS[-1],
    ),
)  # fmt: skip

MONTHLY_COSTS = Table(
    name="monthly_costs",
    kind="mart",
    meaning="Costs of each project and billing period, on every cost basis.",
    grain=(
        "billing_period", "project", "sub_account_id", "region_id", "service_name",
        "charge_category", "billing_currency",
    ),
    columns=(PERIOD, *PROJECT_COLUMNS, *GROUP_COLUMNS, *COST_COLUMNS, *NET_COST_COLUMNS),
)  # fmt: skip

MONTHLY_BILL = Table(
    name="monthly_bill",
    kind="mart",
    meaning="AWS's bill (unblended, gross), by source and invoice, regardless of the project.",
    grain=(
        "billing_period", "source", "billing_account_id", "invoice_id", "invoice_issuer_name",
        "sub_account_id", "service_name", "charge_category", "billing_currency",
    ),
    columns=(
        PERIOD,
        Column("source", TEXT, "Source (export) that the charges came from.", False),
        Column("billing_account_id", TEXT, "Account that pays the bill.", False),
        Column("invoice_id", TEXT, "Invoice; null until AWS finalises it."),
        Column("invoice_issuer_name", TEXT, "Who issues the invoice.", False),
        *(column for column in GROUP_COLUMNS if column.name != "region_id"),
        Column("charges", COUNT, "Number of charges summed.", False),
        Column("billed_cost", MONEY, "Cash basis: AWS unblended cost.", False),
        NET_BILLED_COST,
    ),
)  # fmt: skip

COST_MARTS = (UNUSED_COMMITMENT_DAYS, DAILY_COSTS, MONTHLY_COSTS, MONTHLY_BILL)
