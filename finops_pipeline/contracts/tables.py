"""Every table and view of a tenant's DuckDB file: kind, meaning, grain, columns.

Put here: the contracts of dimensions and status tables, and the list of all tables. Keep out: marts
(cost_marts.py), SQL (marts/sql), the columns of a charge (focus.py).
"""

from __future__ import annotations

from finops_pipeline.contracts.account_marts import ACCOUNT_MARTS
from finops_pipeline.contracts.allocation_marts import ALLOCATION_MARTS
from finops_pipeline.contracts.allocation_tables import ALLOCATED_COSTS, RULE_TABLES
from finops_pipeline.contracts.budget_tables import BUDGET_TABLES
from finops_pipeline.contracts.column import COUNT, DAY, FLAG, MONEY, TEXT, Column, Table
from finops_pipeline.contracts.commitment_marts import COMMITMENT_MARTS
from finops_pipeline.contracts.cost_marts import COST_MARTS
from finops_pipeline.contracts.file_tables import (
    ABOUT,
    FILE_IDENTITY,
    PARTITION_FILES,
    PROJECT_IDENTITIES,
)
from finops_pipeline.contracts.focus import COSTS
from finops_pipeline.contracts.mart_columns import PERIOD
from finops_pipeline.contracts.metric_marts import BUSINESS_METRICS, METRIC_MARTS
from finops_pipeline.contracts.proofs import (
    BILL_TOTALS,
    CHECK_RESULTS,
    CONFORMANCE,
    PARTITIONS,
    RECONCILIATION,
)
from finops_pipeline.contracts.resource_inventory import (
    INVENTORY,
    INVENTORY_COVERAGE,
    RESOURCES,
)
from finops_pipeline.contracts.resource_marts import RESOURCE_MARTS
from finops_pipeline.contracts.resource_usage import METRIC_COVERAGE, RESOURCE_METRICS
from finops_pipeline.contracts.shared_cost_marts import SHARED_COST_MARTS, SHARED_COST_RULES
from finops_pipeline.contracts.statement_tables import STATEMENT_TABLES
from finops_pipeline.contracts.tag_marts import REQUIRED_TAG_COVERAGE, REQUIRED_TAG_KEYS
from finops_pipeline.contracts.usage_marts import USAGE_MARTS
from finops_pipeline.contracts.waste_inputs import WASTE_INPUTS
from finops_pipeline.contracts.waste_tables import USAGE_WINDOW_MARTS, WASTE_TABLES

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
    meaning="Which project claims an AWS account on which days; `claims` has all claims.",
    grain=("sub_account_id", "project", "from_day"),
    columns=(
        Column("sub_account_id", TEXT, "AWS account.", False),
        Column("project", TEXT, "Project that claims it.", False),
        Column("from_day", DAY, "First claimed day; null if the claim has no beginning."),
        Column("to_day", DAY, "First day that is no longer claimed; null if the claim has no end."),
        Column(
            "sub_account_name",
            TEXT,
            "Name of the account, from the newest month in which the bill has one.",
        ),
    ),
)

CLAIMS = Table(
    name="claims",
    kind="dimension",
    meaning="Every claim of the projects to charges, with its priority and conditions.",
    grain=("project", "claim"),
    columns=(
        Column("project", TEXT, "Project that claims the charges.", False),
        Column("claim", TEXT, "claim and its number, or account, its id and its days.", False),
        Column(
            "priority",
            COUNT,
            "Of several claims, the one with the lowest number takes a charge.",
            False,
        ),
        Column("accounts", TEXT, "AWS accounts, separated by commas; null: all."),
        Column("regions", TEXT, "Regions, separated by commas; null: all."),
        Column("services", TEXT, "Names or codes of services, separated by commas; null: all."),
        Column("tags", TEXT, "Tags that a charge needs, as JSON: keys with lists of values."),
        Column("cost_categories", TEXT, "Cost categories that it needs, as JSON like `tags`."),
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
        PERIOD,
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
            "values_unreadable",
            COUNT,
            "Values that cannot be read and are null; billed and effective cost need none of them.",
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
        PERIOD,
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
        PERIOD,
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
        PERIOD,
        Column("charge_date", DAY, "Day (UTC).", False),
        Column(
            "project", TEXT,
            "Project that claims the account on that day; `unassigned` if a claim also requires"
            " other conditions, because costs from Cost Explorer have no tags or regions.",
            False,
        ),
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
        PERIOD,
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
        PERIOD,
        Column("fingerprint", TEXT, "Fingerprint of what the slice was built from.", False),
    ),
)

MARTS = {
    table.name: table
    for table in (
        *(*COST_MARTS, *ACCOUNT_MARTS, *RESOURCE_MARTS, *COMMITMENT_MARTS, *USAGE_MARTS),
        *(*ALLOCATION_MARTS, *METRIC_MARTS, *SHARED_COST_MARTS),
        *(REQUIRED_TAG_COVERAGE, *USAGE_WINDOW_MARTS, RESOURCES),
    )
}
TABLES = (
    ABOUT,
    COSTS,
    ALLOCATED_COSTS,
    *MARTS.values(),
    COST_EXPLORER_DAILY,
    PROJECTS,
    ACCOUNTS,
    CLAIMS,
    *RULE_TABLES,
    REQUIRED_TAG_KEYS,
    BUSINESS_METRICS,
    *(INVENTORY, INVENTORY_COVERAGE, RESOURCE_METRICS, METRIC_COVERAGE),
    SHARED_COST_RULES,
    *STATEMENT_TABLES,
    *WASTE_INPUTS,
    *WASTE_TABLES,
    *BUDGET_TABLES,
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
    PROJECT_IDENTITIES,
    PARTITION_FILES,
)
"""All tables of a tenant's file, except the `landing_<source>` views, whose columns are the
source's own."""
