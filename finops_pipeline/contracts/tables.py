"""Every table and view of a tenant's DuckDB file: kind, meaning, grain, columns.

Put here: the contract of the marts, dimensions and status tables, in column order. Keep out:
their SQL (marts/sql) and the columns of a charge (focus.py).
"""

from __future__ import annotations

from finops_pipeline.contracts.column import COUNT, DAY, FLAG, MONEY, TEXT, Column, Table
from finops_pipeline.contracts.file_tables import FILE_IDENTITY, PARTITION_FILES
from finops_pipeline.contracts.focus import COSTS
from finops_pipeline.contracts.proofs import (
    BILL_TOTALS,
    CHECK_RESULTS,
    CONFORMANCE,
    PARTITIONS,
    RECONCILIATION,
)

_PROJECT = (
    Column("project", TEXT, "Project that the charges belong to.", False),
    Column("environment", TEXT, "Environment of the project (prod, staging, dev, …)."),
    Column("business_unit", TEXT, "Business unit of the project."),
)
_CUT = (
    Column("sub_account_id", TEXT, "AWS account that used the service."),
    Column("region_id", TEXT, "AWS region code; null for global services."),
    Column("service_name", TEXT, "AWS service.", False),
    Column("charge_category", TEXT, "Usage, Purchase, Tax, Credit or Adjustment.", False),
    Column("billing_currency", TEXT, "Currency of the costs; never mixed.", False),
)
_MONEY = (
    Column("charges", COUNT, "Number of charges summed.", False),
    Column("billed_cost", MONEY, "Cash basis: AWS unblended cost.", False),
    Column("effective_cost", MONEY, "Amortized basis: commitments spread over usage.", False),
    Column("list_cost", MONEY, "Cost at public list prices.", False),
    Column("contracted_cost", MONEY, "Cost at contracted prices, before commitments.", False),
)
_NET_BILLED = Column(
    "net_billed_cost",
    MONEY,
    "Billed cost after private discounts; null unless every charge has it.",
)
_NET = (
    _NET_BILLED,
    Column(
        "net_effective_cost",
        MONEY,
        "Effective cost after private discounts; null unless every charge has it.",
    ),
)
_PERIOD = Column("billing_period", TEXT, "Billing period YYYY-MM.", False)

DAILY_COSTS = Table(
    name="daily_costs",
    kind="mart",
    meaning="Costs of each project and day, on every cost basis.",
    grain=(
        "billing_period", "charge_date", "project", "sub_account_id", "region_id",
        "service_name", "charge_category", "billing_currency",
    ),
    columns=(
        _PERIOD,
        Column(
            "charge_date", DAY,
            "Day (UTC) on which the charge's period starts; the effective cost of an unused"
            " commitment is on each day that it covers.", False,
        ),
        *_PROJECT, *_CUT, *_MONEY, *_NET,
        Column(
            "charges_without_net_cost", COUNT,
            "Number of charges that bill an amount but have no net cost.", False,
        ),
    ),
)  # fmt: skip

UNUSED_COMMITMENT_DAYS = Table(
    name="unused_commitment_days",
    kind="mart",
    meaning="The unused part of reservations and Savings Plans, on each day that it covers.",
    grain=(
        "billing_period", "charge_date", "project", "source", "sub_account_id", "region_id",
        "service_name", "charge_category", "commitment_discount_id", "billing_currency",
    ),
    columns=(
        _PERIOD,
        Column(
            "charge_date", DAY,
            "Day (UTC). In a running month, days after the last day of usage have what is not used"
            " yet.", False,
        ),
        Column("project", TEXT, "Project that the charges belong to.", False),
        Column("source", TEXT, "Source (export) that the charges came from.", False),
        *_CUT,
        Column("commitment_discount_id", TEXT, "ARN of the reservation or Savings Plan."),
        Column("effective_cost", MONEY, "Amortized basis: the day's share.", False),
        _NET[-1],
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
    columns=(_PERIOD, *_PROJECT, *_CUT, *_MONEY, *_NET),
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
        _PERIOD,
        Column("source", TEXT, "Source (export) that the charges came from.", False),
        Column("billing_account_id", TEXT, "Account that pays the bill.", False),
        Column("invoice_id", TEXT, "Invoice; null until AWS finalises it."),
        Column("invoice_issuer_name", TEXT, "Who issues the invoice.", False),
        *(column for column in _CUT if column.name != "region_id"),
        Column("charges", COUNT, "Number of charges summed.", False),
        Column("billed_cost", MONEY, "Cash basis: AWS unblended cost.", False),
        _NET_BILLED,
    ),
)  # fmt: skip

PROJECTS = Table(
    name="projects",
    kind="dimension",
    meaning="Projects as the registry declares them, and the built-in `unassigned`.",
    grain=("project",),
    columns=(
        Column("project", TEXT, "Name.", False),
        Column("display_name", TEXT, "Free text."),
        Column("environment", TEXT, "prod, staging, dev, …"),
        Column("business_unit", TEXT, "Business unit."),
        Column("sources", TEXT, "Sources that it reads, separated by commas."),
    ),
)

ACCOUNTS = Table(
    name="accounts",
    kind="dimension",
    meaning="Which project claims an AWS account on which days.",
    grain=("sub_account_id", "project", "from_day"),
    columns=(
        Column("sub_account_id", TEXT, "AWS account.", False),
        Column("project", TEXT, "Project that claims it.", False),
        Column("from_day", DAY, "First claimed day; null if the claim has no beginning."),
        Column("to_day", DAY, "First day that is no longer claimed; null if the claim has no end."),
    ),
)

DATA_STATUS = Table(
    name="data_status",
    kind="status",
    meaning="Whether a month's numbers can be trusted, and why: one row per source and currency.",
    grain=("source", "billing_period", "billing_currency"),
    columns=(
        Column("source", TEXT, "Source (export).", False),
        _PERIOD,
        Column("billing_currency", TEXT, "Currency; null when nothing landed."),
        Column(
            "state",
            TEXT,
            "reconciled, open, outdated, differs, incomplete, landed, empty or refused"
            " (docs/naming.md).",
            False,
        ),
        Column("reason", TEXT, "Why it is not reconciled, or what to keep in mind."),
        Column("delivery_id", TEXT, "Fingerprint of the delivery that the numbers come from."),
        Column("execution_id", TEXT, "AWS's own id for that delivery."),
        Column("landed_at", TEXT, "When it landed (UTC)."),
        Column("rows_read", COUNT, "Rows in the delivery's files (all currencies)."),
        Column("rows_kept", COUNT, "Rows that landed (all currencies)."),
        Column("rows_quarantined", COUNT, "Rows that could not be read (see quarantine)."),
        Column("values_rounded", COUNT, "Numbers rounded to 18 decimal places."),
        Column(
            "values_unreadable", COUNT, "Values that no cost needs, null as they cannot be read."
        ),
        Column("account_ids_restored", COUNT, "Rows whose account id had lost its leading zeros."),
        Column("unknown_line_items", COUNT, "Line items of a type without a rule, kept unchanged."),
        Column("source_cost", MONEY, "Unblended (FOCUS: billed) cost of the rows that landed."),
        Column("billed_cost", MONEY, "Billed cost of the charges of all projects."),
        Column("effective_cost", MONEY, "Effective cost of the charges of all projects."),
        Column(
            "drift", TEXT, "How the bill's columns changed since the month before, if they did."
        ),
    ),
)

DELIVERY_HISTORY = Table(
    name="delivery_history",
    kind="status",
    meaning="Costs by delivery, current or superseded: which numbers were valid at what time.",
    grain=(
        "source", "billing_period", "landed_at", "delivery_id", "project", "service_name",
        "billing_currency",
    ),
    columns=(
        Column("source", TEXT, "Source (export).", False),
        _PERIOD,
        Column("landed_at", TEXT, "When it landed (UTC); valid until the next delivery.", False),
        Column("delivery_id", TEXT, "Fingerprint of the delivery; repeats are numbered.", False),
        Column("execution_id", TEXT, "AWS's own id for it; null if its files were imported."),
        Column("is_current", FLAG, "Whether this delivery is the published one.", False),
        Column("project", TEXT, "Project, by the claims when the delivery was built.", False),
        Column("service_name", TEXT, "AWS service.", False),
        Column("billing_currency", TEXT, "Currency of the costs; never mixed.", False),
        Column("charges", COUNT, "Number of charges summed.", False),
        Column("billed_cost", MONEY, "Cash basis: AWS unblended cost.", False),
        Column("effective_cost", MONEY, "Amortized basis: commitments spread over usage.", False),
    ),
)  # fmt: skip

QUARANTINE = Table(
    name="quarantine",
    kind="view",
    meaning="Rows of deliveries that could not be read or converted.",
    grain=("source", "billing_period", "source_file", "line"),
    columns=(
        Column("source", TEXT, "Source (export).", False),
        _PERIOD,
        Column("source_file", TEXT, "File of the delivery.", False),
        Column("line", COUNT, "Line in the CSV (header is 1), or row in the Parquet file.", False),
        Column("reason", TEXT, "What is wrong with the row.", False),
        Column("raw_text", TEXT, "The row unchanged.", False),
    ),
)

COST_EXPLORER_DAILY = Table(
    name="cost_explorer_daily",
    kind="view",
    meaning="Daily costs according to AWS Cost Explorer, to compare with the bill; not charges.",
    grain=(
        "billing_period", "charge_date", "project", "source", "sub_account_id", "service_name",
        "billing_currency",
    ),
    columns=(
        _PERIOD,
        Column("charge_date", DAY, "Day (UTC).", False),
        Column("project", TEXT, "Project that claims the account on that day.", False),
        Column("source", TEXT, "Source (Cost Explorer's API or console) of the costs.", False),
        Column("sub_account_id", TEXT, "AWS account; null where the answer is by service only."),
        Column(
            "service_name", TEXT,
            "Service as Cost Explorer names it; null where the answer is by account only.",
        ),
        Column("billing_currency", TEXT, "Currency of the costs; never mixed.", False),
        Column("billed_cost", MONEY, "UnblendedCost; null where it was not requested."),
        Column("effective_cost", MONEY, "AmortizedCost; null where it was not requested."),
        Column("is_estimated", FLAG, "Whether AWS may still change it; null if AWS does not say."),
    ),
)  # fmt: skip

API_REQUESTS = Table(
    name="api_requests",
    kind="status",
    meaning="Paid requests to AWS: how many were sent and what AWS charges for them.",
    grain=("asked_at", "source", "service", "billing_period"),
    columns=(
        Column("asked_at", TEXT, "When they were sent (UTC).", False),
        Column("source", TEXT, "Source they were sent for.", False),
        Column("service", TEXT, "AWS service that was called.", False),
        _PERIOD,
        Column("requests", COUNT, "Requests sent, counting every page and every retry.", False),
        Column("cost_usd", MONEY, "The most that AWS charges for them, in USD.", False),
    ),
)

SLICES = Table(
    name="warehouse_slices",
    kind="status",
    meaning="State of a project's month that the marts were built from; a refresh compares it.",
    grain=("project", "billing_period"),
    columns=(
        Column("project", TEXT, "Project; empty for the file as a whole.", False),
        _PERIOD,
        Column("fingerprint", TEXT, "Fingerprint of what the slice was built from.", False),
    ),
)

MARTS = {
    table.name: table
    for table in (UNUSED_COMMITMENT_DAYS, DAILY_COSTS, MONTHLY_COSTS, MONTHLY_BILL)
}
TABLES = (
    COSTS,
    *MARTS.values(),
    COST_EXPLORER_DAILY,
    PROJECTS,
    ACCOUNTS,
    DATA_STATUS,
    RECONCILIATION,
    DELIVERY_HISTORY,
    BILL_TOTALS,
    PARTITIONS,
    CHECK_RESULTS,
    CONFORMANCE,
    API_REQUESTS,
    QUARANTINE,
    SLICES,
    FILE_IDENTITY,
    PARTITION_FILES,
)
"""All tables of a tenant's file, except the `landing_<source>` views, whose columns are the
source's own."""
