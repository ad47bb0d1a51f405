"""What the rules of waste know besides the bill: what exists, how it is used, and what is unknown.

Put here: the contracts of these tables, in column order. Keep out: their SQL (marts/waste), what
rules find (waste_tables.py), inventories and statistics themselves (resource_inventory.py,
resource_usage.py).
"""

from __future__ import annotations

from finops_pipeline.contracts.column import COUNT, FLAG, JSON, TEXT, Column, Table
from finops_pipeline.contracts.resource_inventory import INSTANT
from finops_pipeline.contracts.resource_usage import METRIC, STATISTIC

_BILL = Column("source", TEXT, "Source (export) of the bill.", False)
_TYPE = Column("resource_type", TEXT, "CloudFormation's name: AWS::EC2::Volume, …", False)
_ACCOUNT = Column("account_id", TEXT, "AWS account of the resource.", False)
_REGION = Column("region_id", TEXT, "AWS region code; null for global services.")
_ID = Column("resource_id", TEXT, "Short id, as inventories have it.", False)

INVENTORY_GAPS = Table(
    name="inventory_gaps",
    kind="status",
    meaning="Types of resources that no inventory has listed since the last 30 complete days began,"
    " where the bill has their service.",
    grain=("source", "sub_account_id", "region_id", "service_code", "resource_type"),
    columns=(
        _BILL,
        Column("sub_account_id", TEXT, "AWS account that used the service."),
        Column("region_id", TEXT, "AWS region code; null for global services."),
        Column("service_code", TEXT, "AWS product code.", False),
        _TYPE,
        Column("reason", TEXT, "Why its resources are unknown.", False),
        Column("cure", TEXT, "The permission or inventory that would tell.", False),
    ),
)

LISTED_RESOURCES = Table(
    name="listed_resources",
    kind="mart",
    meaning="Each resource that inventories have listed, once, with its newest description.",
    grain=("project", "account_id", "region_id", "resource_type", "resource_id"),
    columns=(
        Column("project", TEXT, "Project that claims the resource.", False),
        _ACCOUNT,
        _REGION,
        _TYPE,
        _ID,
        Column("billed_resource_id", TEXT, "Id in the bills; null if it was never billed."),
        Column("is_there", FLAG, "Whether the newest list of its type has it.", False),
        Column("state", TEXT, "State as its service calls it."),
        Column("created_at", INSTANT, "When it was created, if its service tells."),
        Column("attributes", JSON, "What its service says about it, as JSON."),
        Column("permission", TEXT, "IAM action that would tell more about it."),
    ),
)

RECENT_METRICS = Table(
    name="recent_metrics",
    kind="mart",
    meaning="What CloudWatch says about the last 14 complete days of a bill, by metric.",
    grain=("source", "account_id", "region_id", "resource_type", "resource_id", "metric_name"),
    columns=(
        _BILL,
        _ACCOUNT,
        Column("region_id", TEXT, "AWS region code.", False),
        _TYPE,
        _ID,
        METRIC,
        Column("days", COUNT, "Days with statistics, of 14.", False),
        Column("maximum", STATISTIC, "Highest sample of all days."),
        Column("average_maximum", STATISTIC, "Mean of the highest samples of each day."),
        Column("total", STATISTIC, "Sum of all days."),
        Column("maximum_total", STATISTIC, "Sum of the day with the highest one."),
        Column("p99", STATISTIC, "Highest 99th percentile of a day."),
        Column("gap", TEXT, "Which days are unknown, and why; null if none."),
        Column("gap_cure", TEXT, "The permission that would tell, if one does."),
    ),
)

WASTE_INPUTS = (INVENTORY_GAPS, LISTED_RESOURCES, RECENT_METRICS)
