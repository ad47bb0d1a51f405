"""The marts of usage: data transfer, storage, instance hours, and shares of tasks and pods.

Put here: the contracts of these marts, in column order. Keep out: their SQL (marts/sql), marts of
commitments (commitment_marts.py).
"""

from __future__ import annotations

from finops_pipeline.contracts.column import COUNT, DAY, MONEY, TEXT, Column, Table
from finops_pipeline.contracts.commitment_marts import PERCENT
from finops_pipeline.contracts.mart_columns import COST_COLUMNS, PERIOD, PROJECT_COLUMNS

_DAY = Column("charge_date", DAY, "Day (UTC) on which the charge's period starts.", False)
_SOURCE = Column("source", TEXT, "Source (export) that the charges came from.", False)
_PLACE = (
    Column("sub_account_id", TEXT, "AWS account that used the service."),
    Column("region_id", TEXT, "AWS region code; null for global services."),
)
_SERVICE = (
    Column("service_name", TEXT, "AWS service.", False),
    Column("service_code", TEXT, "AWS product code."),
)
_USAGE_TYPE = Column("usage_type", TEXT, "AWS usage type.")
_RESOURCE = Column("resource_id", TEXT, "ARN or id of the resource; null if not stated.")
_CURRENCY = Column("billing_currency", TEXT, "Currency of the costs; never mixed.", False)
_CHARGES = COST_COLUMNS[0]
_COSTS = COST_COLUMNS[1:4]

DATA_TRANSFER = Table(
    name="data_transfer",
    kind="mart",
    meaning="Daily costs of data transfer, by kind and direction.",
    grain=(
        "billing_period", "charge_date", "project", "source", "sub_account_id", "region_id",
        "service_name", "service_code", "kind", "direction", "usage_type", "resource_id",
        "billing_currency",
    ),
    columns=(
        PERIOD, _DAY, *PROJECT_COLUMNS, _SOURCE, *_PLACE, *_SERVICE,
        Column(
            "kind", TEXT,
            "Internet, Inter-region, Inter-AZ, NAT gateway, VPC peering, Transit gateway, VPN,"
            " Direct Connect, CloudFront, VPC endpoint or Other; exactly one for each charge.",
            False,
        ),
        Column("direction", TEXT, "in or out; null if the bill counts both together."),
        _USAGE_TYPE, _RESOURCE, _CURRENCY, _CHARGES,
        Column("gigabytes", MONEY, "Data transferred; null unless every charge is in GB or TB."),
        *_COSTS,
    ),
)  # fmt: skip

STORAGE_COSTS = Table(
    name="storage_costs",
    kind="mart",
    meaning="Monthly costs of storage, by service, storage class, and bucket or volume.",
    grain=(
        "billing_period", "project", "source", "sub_account_id", "region_id", "service_name",
        "service_code", "storage_class", "usage_type", "resource_id", "resource_name",
        "billing_currency",
    ),
    columns=(
        PERIOD, *PROJECT_COLUMNS, _SOURCE, *_PLACE, *_SERVICE,
        Column("storage_class", TEXT, "Standard, Standard-IA, gp3, Snapshot, … or Other.", False),
        _USAGE_TYPE,
        Column("resource_id", TEXT, "Bucket, volume or other resource; null if not stated."),
        Column("resource_name", TEXT, "Name that the resource's owner gave it (tag Name)."),
        _CURRENCY, _CHARGES,
        Column(
            "gigabyte_months", MONEY,
            "GB-months stored; null unless every charge is in GB-months.",
        ),
        *_COSTS,
    ),
)  # fmt: skip

COMPUTE_HOURS = Table(
    name="compute_hours",
    kind="mart",
    meaning="Hours that instances ran in a month, by family and purchase option.",
    grain=(
        "billing_period", "project", "source", "sub_account_id", "region_id", "service_name",
        "service_code", "instance_family", "instance_type", "resource_id", "billing_currency",
    ),
    columns=(
        PERIOD, *PROJECT_COLUMNS, _SOURCE, *_PLACE, *_SERVICE,
        Column("instance_family", TEXT, "Instance family (m5, db.r6g)."),
        Column("instance_type", TEXT, "Instance type."),
        _RESOURCE, _CURRENCY, _CHARGES,
        Column(
            "running_hours", MONEY,
            "Hours that it ran: the sum of the next four columns.",
            False,
        ),
        Column("on_demand_hours", MONEY, "Hours on demand.", False),
        Column("spot_hours", MONEY, "Hours on Spot.", False),
        Column("savings_plan_hours", MONEY, "Hours that a Savings Plan covered.", False),
        Column("reserved_hours", MONEY, "Hours that a reservation covered.", False),
        Column(
            "normalized_hours", MONEY,
            "Hours times the size factor of the instance: 1 for small; a database with a standby"
            " (Multi-AZ) counts twice. Null unless every size is known.",
        ),
        Column("hours_in_period", MONEY, "Running hours within the days of period_hours.", False),
        Column(
            "period_hours", COUNT,
            "Hours of the days that the bill states completely, without the newest day of an"
            " unfinished month.",
            False,
        ),
        *_COSTS,
        Column(
            "elasticity_percent", PERCENT,
            "Percentage of period_hours that the resource ran, in all its rows; 100: never"
            " stopped.",
        ),
        Column("note", TEXT, "Why the elasticity is missing or above 100."),
    ),
)  # fmt: skip

SPLIT_COSTS = Table(
    name="split_costs",
    kind="mart",
    meaning="Shares of tasks and pods in the cost of their instances; never add them to the bill.",
    grain=(
        "billing_period", "charge_date", "project", "source", "sub_account_id", "region_id",
        "platform", "cluster", "namespace", "workload", "workload_type", "parent_resource_id",
        "billing_currency",
    ),
    columns=(
        PERIOD, _DAY, *PROJECT_COLUMNS, _SOURCE, *_PLACE,
        Column("platform", TEXT, "EKS, ECS, or the service of the task.", False),
        Column(
            "cluster", TEXT,
            "Name of the cluster; null if neither a tag nor the ARN contains it.",
        ),
        Column("namespace", TEXT, "Kubernetes namespace."),
        Column(
            "workload", TEXT,
            "Deployment or other workload of the pod, or service of the task.",
        ),
        Column("workload_type", TEXT, "Kind of Kubernetes workload, such as Deployment."),
        Column("parent_resource_id", TEXT, "Instance that the tasks or pods ran on.", False),
        _CURRENCY,
        Column("charges", COUNT, "Number of split rows summed.", False),
        Column("split_cost", MONEY, "Share of the instance's cost that they used.", False),
        Column("unused_cost", MONEY, "Share of the instance's unused cost.", False),
        Column("net_split_cost", MONEY, "split_cost after private discounts; null if not stated."),
        Column(
            "net_unused_cost", MONEY,
            "unused_cost after private discounts; null if not stated.",
        ),
        Column("total_cost", MONEY, "split_cost plus unused_cost.", False),
    ),
)  # fmt: skip

USAGE_MARTS = (DATA_TRANSFER, STORAGE_COSTS, COMPUTE_HOURS, SPLIT_COSTS)
