"""Coverage of commitments, and what they could cover, once more in Polars and Python's decimals.

Put here: which usage is eligible, its size, coverage and eligible spend. Keep out: use and
inventory (second_opinion_commitments.py), the comparison (mart_comparison.py).
"""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from tests.support.mart_comparison import Row, percent, total

SIZES = {"nano": "0.25", "micro": "0.5", "small": "1", "medium": "2", "large": "4", "xlarge": "8"}
LINES = ["Usage", "DiscountedUsage", "SavingsPlanCoveredUsage"]


def family_of(code: str, meter: str, is_covered: bool) -> str | None:
    """The family of usage, or None where no commitment could cover it."""
    plain = re.sub(r"^[A-Z]{2,4}\d?-", "", meter)
    words = {
        "AmazonECS": [("Fargate", "Fargate")],
        "AmazonEKS": [("Fargate", "Fargate")],
        "AWSLambda": [("GB-Second", "Lambda"), ("Provisioned-Concurrency", "Lambda")],
        "AmazonSageMaker": [(":ml.", "SageMaker")],
        "AmazonRDS": [("Serverless", "Aurora Serverless"), ("InstanceUsage", "RDS"),
                      ("Multi-AZUsage", "RDS"), ("Multi-AZClusterUsage", "RDS")],
        "AmazonElastiCache": [("NodeUsage", "ElastiCache")],
        "AmazonMemoryDB": [("NodeUsage", "MemoryDB")],
        "AmazonES": [("ESInstance", "OpenSearch")],
        "AmazonRedshift": [("Node:", "Redshift")],
        "AmazonDynamoDB": [("CapacityUnit-Hrs", "DynamoDB"),
                           ("RequestUnits", "DynamoDB On-Demand")],
    }  # fmt: skip
    if code == "AmazonEC2":
        starts = ("BoxUsage", "DedicatedUsage", "HostUsage", "UnusedBox", "UnusedDed")
        return "EC2 Instance" if is_covered or plain.startswith(starts) else None
    for word, family in words.get(code, []):
        if word in meter:
            return family
    return "Other" if is_covered else None


def type_of(stated: str | None, meter: str) -> str | None:
    """The type of the instance, from its column or else from the usage type."""
    named = meter.rpartition(":")[2]
    name = stated or (named if ":" in meter and "." in named else None)
    return name.removesuffix(".search") if name else None


def size_of(stated: str | None, meter: str) -> tuple[str | None, Decimal | None]:
    """The family of the instance and the factor of its size."""
    name = type_of(stated, meter)
    if not name or "." not in name:
        return None, None
    family, _, size = name.rpartition(".")
    if size in SIZES:
        return family, Decimal(SIZES[size])
    multiple = size.removesuffix("xlarge")
    return family, Decimal(8 * int(multiple)) if multiple.isdigit() else None


def plans_of(family: str, instances: str | None) -> list[str]:
    """Kinds of Savings Plans that cover the family."""
    if family == "EC2 Instance":
        return ["Compute", "EC2 Instance"]
    if family in ("Fargate", "Lambda"):
        return ["Compute"]
    if family == "SageMaker":
        return ["SageMaker"]
    if family in ("Aurora Serverless", "DynamoDB", "DynamoDB On-Demand"):
        return ["Database"]
    if family == "RDS" and instances:
        generation = re.search(r"\d", instances.partition(".")[2])
        return ["Database"] if generation is None or int(generation.group()) >= 7 else []
    return []


RESERVABLE = {
    "EC2 Instance",
    "RDS",
    "ElastiCache",
    "MemoryDB",
    "OpenSearch",
    "Redshift",
    "DynamoDB",
}


def eligible(charges: pl.DataFrame) -> list[Row]:
    """Charges that commitments covered or could cover, one row each, with what marts add up."""
    usage = charges.filter(
        pl.col("ChargeCategory") == "Usage",
        pl.col("ChargeClass").is_null(),
        pl.col("x_RowKind") == "line",
        pl.col("x_ParentResourceId").is_null(),
        pl.col("x_LineItemType").is_null() | pl.col("x_LineItemType").is_in(LINES),
        pl.col("CommitmentDiscountStatus").fill_null("-") != "Unused",
        pl.col("PricingCategory").fill_null("-") != "Dynamic",
    )
    rows = []
    for row in usage.iter_rows(named=True):
        meter, covered = row["x_UsageType"] or "", row["CommitmentDiscountStatus"] == "Used"
        family = family_of(row["x_ServiceCode"] or "", meter, covered)
        if family is None:
            continue
        instances, factor = size_of(row["x_InstanceType"], meter)
        quantity = row["ConsumedQuantity"]
        copies = 3 if "Multi-AZCluster" in meter else 2 if "Multi-AZ" in meter else 1
        reserved = covered and row["CommitmentDiscountType"] == "Reserved Instance"
        nothing = Decimal(0)
        length = row["ChargePeriodEnd"] - row["ChargePeriodStart"]
        rows.append(
            {
                "billing_period": row["billing_period"],
                "period_start": row["ChargePeriodStart"],
                "period_hours": length // timedelta(hours=1),
                "project": row["project"],
                "source": row["x_Source"],
                "sub_account_id": row["SubAccountId"],
                "region_id": row["RegionId"],
                "service_family": family,
                "instance_family": instances,
                "savings_plans": ", ".join(plans_of(family, instances)) or None,
                "is_reservable": family in RESERVABLE,
                "consumed_unit": row["ConsumedUnit"],
                "billing_currency": row["BillingCurrency"],
                "eligible_quantity": quantity or nothing,
                "covered_quantity": (quantity if covered else None) or nothing,
                "normalized": None if None in (factor, quantity) else quantity * factor * copies,
                "is_covered": covered,
                "eligible_list_cost": row["ListCost"],
                "covered_list_cost": row["ListCost"] if covered else nothing,
                "reservation_list_cost": row["ListCost"] if reserved else nothing,
                "savings_plan_list_cost": row["ListCost"] if covered and not reserved else nothing,
                "on_demand_cost": nothing if covered else row["BilledCost"],
                "on_demand_list_cost": nothing if covered else row["ListCost"],
                "covered_cost": row["EffectiveCost"] if covered else nothing,
            }
        )
    return rows


SUMS = (
    "eligible_quantity", "covered_quantity", "eligible_list_cost", "covered_list_cost",
    "reservation_list_cost", "savings_plan_list_cost", "on_demand_cost", "covered_cost",
)  # fmt: skip
MONTHLY = (
    "billing_period", "project", "source", "sub_account_id", "region_id", "service_family",
    "instance_family", "consumed_unit", "billing_currency",
)  # fmt: skip
HOURLY = (*MONTHLY, "period_start", "period_hours", "savings_plans", "is_reservable")
SPEND = ("billing_period", "period_start", "period_hours", "project", "source", "region_id",
         "service_family", "instance_family", "billing_currency")  # fmt: skip


def collect(rows: list[Row], keys: tuple[str, ...]) -> dict[tuple[Any, ...], list[Row]]:
    """Collect rows by the values of `keys`."""
    collected: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        collected.setdefault(tuple(row[key] for key in keys), []).append(row)
    return collected


def coverage(rows: list[Row], keys: tuple[str, ...]) -> list[Row]:
    """Rows of `commitment_coverage` (keys MONTHLY) or `commitment_coverage_hourly` (HOURLY)."""
    result = []
    for values, part in collect(rows, keys).items():
        sums = {name: total(part, name) for name in SUMS}
        sizes = None if any(row["normalized"] is None for row in part) else part
        result.append(
            dict(zip(keys, values, strict=True))
            | sums
            | {
                "charges": len(part),
                "eligible_normalized_hours": sizes and total(sizes, "normalized"),
                "covered_normalized_hours": sizes and (
                    total([row for row in sizes if row["is_covered"]], "normalized") or Decimal(0)
                ),
                "covered_percent": percent(sums["covered_list_cost"], sums["eligible_list_cost"]),
            }
        )  # fmt: skip
    return result


def eligible_spend(rows: list[Row]) -> list[Row]:
    """Rows of `commitment_eligible_spend`."""
    by_kind = [
        row | {"commitment_kind": kind}
        for row in rows
        for kind in [
            *(f"{plan} Savings Plan" for plan in (row["savings_plans"] or "").split(", ") if plan),
            *(["Reserved Instance"] if row["is_reservable"] else []),
        ]
    ]
    keys = (*SPEND, "commitment_kind")
    result = []
    for values, part in collect(by_kind, keys).items():
        sums = {name: total(part, name) for name in ("on_demand_cost", "on_demand_list_cost")}
        if any(sums.values()):
            result.append(dict(zip(keys, values, strict=True)) | sums)
    return result
