"""What exists: the resources of inventories with their costs, and what inventories do not cover.

Put here: the contracts of these tables, in column order, and the columns of landed snapshots. Keep
out: their SQL (marts/sql), how they are used (resource_usage.py), costs by resource without an
inventory (resource_marts.py).
"""

from __future__ import annotations

from finops_pipeline.contracts.column import DAY, FLAG, JSON, MONEY, TEXT, Column, Table

TAGS = "MAP(VARCHAR, VARCHAR)"
INSTANT = "TIMESTAMP WITH TIME ZONE"

PROJECT = Column("project", TEXT, "Project that claims the resource.", False)
ACCOUNT = Column("account_id", TEXT, "AWS account of the resource.", False)
REGION = Column("region_id", TEXT, "AWS region code; `global` for global services.", False)
KIND = Column("resource_type", TEXT, "CloudFormation's name: AWS::EC2::Volume, …", False)
IDENTIFIER = Column("resource_id", TEXT, "Short id, unique in its account, region and type.", False)

_DESCRIPTION = (
    Column("resource_arn", TEXT, "ARN; null if AWS gives the resource none."),
    Column("resource_name", TEXT, "Name: the tag Name, or the name that its service gives."),
    Column("state", TEXT, "State as its service calls it: running, available, …; null: none."),
    Column("created_at", INSTANT, "When it was created, if its service tells."),
    Column("first_seen", DAY, "First day on which an inventory had it."),
    Column("last_seen", DAY, "Last day on which an inventory had it."),
    Column("changed_on", DAY, "Last day on which its description had changed."),
    Column("tags", TAGS, "Its tags, as AWS states them."),
    Column(
        "attributes", JSON,
        "What its service says about it, as JSON: attachments, sizes, …; a key is absent where it"
        " was not told.",
    ),
)  # fmt: skip

LANDED = (
    ACCOUNT,
    REGION,
    KIND,
    IDENTIFIER,
    *_DESCRIPTION,
    Column("service_code", TEXT, "Code of its service in bills: AmazonEC2, …"),
)
"""The columns of a landed snapshot, which has everything that its source has ever listed."""

SOURCE = Column("source", TEXT, "Source (inventory) that lists it.", False)

INVENTORY = Table(
    name="inventory",
    kind="dimension",
    meaning="Every resource that an inventory has listed, by project; `resources` adds its costs.",
    grain=("project", "source", "account_id", "region_id", "resource_type", "resource_id"),
    columns=(PROJECT, SOURCE, *LANDED),
)

RESOURCES = Table(
    name="resources",
    kind="mart",
    meaning="What exists and what it costs: the resources of inventories, and billed ones that no"
    " inventory lists; costs of the last 30 complete days.",
    grain=(
        "billing_period", "project", "account_id", "region_id", "resource_type", "resource_id",
        "source", "billing_currency",
    ),
    columns=(
        Column("billing_period", TEXT, "Newest month that has charges, the same in each row.",
               False),
        Column("project", TEXT, "Project that claims the resource or its charges.", False),
        Column("source", TEXT, "Source (inventory) that lists it; null: no inventory does."),
        Column("account_id", TEXT, "AWS account of the resource."),
        Column("region_id", TEXT, "AWS region code; null for global services."),
        Column("resource_type", TEXT, "CloudFormation's name; that of the bill if only billed."),
        Column("resource_id", TEXT, "Short id; the billed id if no inventory lists it.", False),
        *_DESCRIPTION,
        Column("billed_resource_id", TEXT, "Id in the bills; null if it was never billed."),
        Column("billed_cost", MONEY, "Cash basis: AWS unblended cost of the 30 days."),
        Column("effective_cost", MONEY, "Amortized basis: its cost with commitments spread."),
        Column("list_cost", MONEY, "Cost of the 30 days at public list prices."),
        Column("billing_currency", TEXT, "Currency of the costs; null without a bill."),
        Column("has_bill", FLAG, "Whether charges of the 30 days name it.", False),
        Column("in_inventory", FLAG, "Whether an inventory has listed it.", False),
    ),
)  # fmt: skip

COVERAGE_STATES = ("collected", "denied", "failed", "not asked")
PERMISSION = Column("permission", TEXT, "IAM action that cures `denied`; null otherwise.")
REASON = Column("reason", TEXT, "Why it is not collected, or what is missing of it.")

LANDED_COVERAGE = (
    ACCOUNT,
    Column("region_id", TEXT, "AWS region code; `global` for global services.", False),
    KIND,
    Column("as_of", DAY, "Day of the newest attempt.", False),
    Column(
        "state", TEXT, "Whether its resources were listed; unless `collected`, unknown.", False,
        COVERAGE_STATES,
    ),
    PERMISSION,
    REASON,
)  # fmt: skip

INVENTORY_COVERAGE = Table(
    name="inventory_coverage",
    kind="status",
    meaning="Which types of resources inventories list, by account and region, and why some are"
    " unknown.",
    grain=("source", "account_id", "region_id", "resource_type"),
    columns=(Column("source", TEXT, "Source (inventory) that was asked.", False), *LANDED_COVERAGE),
)
