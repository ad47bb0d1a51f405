"""The marts of commitments once more, from the charges, in Polars and Python's own decimals.

Put here: use, inventory, coverage and eligible spend computed another way than in marts/sql. Keep
out: the comparison (mart_comparison.py), marts of usage (second_opinion_usage.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Any

import polars as pl

from tests.support.mart_comparison import Row, percent, total

TEN = Decimal("1e-10")
SIZES = {"nano": "0.25", "micro": "0.5", "small": "1", "medium": "2", "large": "4", "xlarge": "8"}
LINES = ["Usage", "DiscountedUsage", "SavingsPlanCoveredUsage"]
BY_COMMITMENT = ["billing_period", "source", "commitment_discount_id", "billing_currency"]


def committed(charges: pl.DataFrame) -> pl.DataFrame:
    """Charges of commitments that say something about use: no refunds, no corrections."""
    return charges.filter(
        pl.col("CommitmentDiscountId").is_not_null(),
        pl.col("ChargeClass").is_null(),
        pl.col("x_LineItemType").fill_null("-") != "Refund",
        pl.col("ChargeCategory").is_in(["Purchase", "Usage"]),
    ).rename(
        {
            "x_Source": "source",
            "CommitmentDiscountId": "commitment_discount_id",
            "BillingCurrency": "billing_currency",
            "ChargePeriodStart": "period_start",
        }
    )


def kind_of_fee(row: Row) -> str:
    """`fee`, `upfront`, `used` or `unused`."""
    if row["CommitmentDiscountStatus"]:
        return str(row["CommitmentDiscountStatus"]).lower()
    recurring = {"RIFee": True, "SavingsPlanRecurringFee": True, "Fee": False,
                 "SavingsPlanUpfrontFee": False}  # fmt: skip
    stated = recurring.get(row["x_LineItemType"] or "", row["ChargeFrequency"] == "Recurring")
    return "fee" if stated else "upfront"


def groups(frame: pl.DataFrame, keys: list[str]) -> Iterator[tuple[Row, list[Row]]]:
    """Yield each group's key and its rows."""
    for values, part in frame.group_by(keys):
        yield dict(zip(keys, values, strict=True)), part.to_dicts()


def use_of(rows: list[Row]) -> dict[str, Any]:
    """Sums of a commitment's charges by what they are."""
    by_kind: dict[str, list[Row]] = {"fee": [], "upfront": [], "used": [], "unused": []}
    for row in rows:
        by_kind[kind_of_fee(row)].append(row)
    quantity = "CommitmentDiscountQuantity"
    return {
        "charges": len(rows),
        "committed_quantity": total(by_kind["fee"], quantity),
        "covered_quantity": total(by_kind["used"], quantity),
        "unused_quantity": total(by_kind["unused"], quantity),
        "fees_billed": total(by_kind["fee"], "BilledCost"),
        "upfront_share": total(by_kind["fee"], "x_AmortizedUpfrontCost"),
        "used_cost": total(by_kind["used"], "EffectiveCost"),
        "unused_cost": total(by_kind["unused"], "EffectiveCost"),
        "not_yet_used_cost": total(by_kind["unused"], "x_NotYetUsedCost"),
        "upfront_billed": total(by_kind["upfront"], "BilledCost"),
    }


def utilization_hourly(charges: pl.DataFrame) -> list[Row]:
    """Rows of `commitment_utilization_hourly`."""
    of_periods = committed(charges).with_columns(
        ((pl.col("ChargePeriodEnd") - pl.col("period_start")).dt.total_seconds() // 3600).alias(
            "period_hours"
        )
    )
    result = []
    for key, rows in groups(of_periods, [*BY_COMMITMENT, "period_start", "period_hours"]):
        use = use_of(rows)
        paid = None
        if use["upfront_share"] is not None:
            paid = use["fees_billed"] + use["upfront_share"]
            use["cost_so_far"] = paid - (use["not_yet_used_cost"] or 0)
        else:
            use["cost_so_far"] = None
        used = None if paid is None else paid - (use["unused_cost"] or 0)
        result.append(key | use | {"used_percent": percent(used, use["cost_so_far"])})
    return result


def utilization(charges: pl.DataFrame) -> list[Row]:
    """Rows of `commitment_utilization`, but for the note."""
    result = []
    for key, rows in groups(committed(charges), BY_COMMITMENT):
        use = use_of(rows)
        used, unused = use["used_cost"] or Decimal(0), use["unused_cost"] or Decimal(0)
        later = use["not_yet_used_cost"] or Decimal(0)
        if use["fees_billed"] is None and use["used_cost"] is None and use["unused_cost"] is None:
            continue
        has_fee = use["fees_billed"] is not None
        cost = None
        if has_fee and use["upfront_share"] is not None:
            cost = use["fees_billed"] + use["upfront_share"]
        elif has_fee:
            cost = used + unused
        quantity, idle = use["committed_quantity"], use["unused_quantity"] or Decimal(0)
        units = None if quantity is None else quantity - idle
        result.append(
            key
            | {
                "total_quantity": quantity,
                "used_quantity": units if has_fee else None,
                "unused_quantity": idle if has_fee else None,
                "covered_quantity": use["covered_quantity"],
                "used_quantity_percent": None if later else percent(units, quantity),
                "total_cost": cost,
                "used_cost": used,
                "unused_cost": unused,
                "not_yet_used_cost": later,
                "used_percent": None if cost is None else percent(cost - unused, cost - later),
            }
        )
    return result


def inventory(charges: pl.DataFrame) -> list[Row]:
    """Rows of `commitments`."""
    newest: dict[tuple[str, str], date] = {}
    usage = charges.filter(
        pl.col("ChargeCategory") == "Usage",
        pl.col("ChargeClass").is_null(),
        pl.col("CommitmentDiscountStatus").fill_null("-") != "Unused",
    )
    for key, rows in groups(usage, ["billing_period", "x_Source"]):
        days = [row["ChargePeriodStart"].date() for row in rows]
        newest[key["billing_period"], key["x_Source"]] = max(days)
    result = []
    for key, rows in groups(committed(charges), BY_COMMITMENT):
        fees = [row for row in rows if kind_of_fee(row) == "fee"]
        periods = {(row["period_start"], row["ChargePeriodEnd"]) for row in fees}
        hours = sum((end - start) // timedelta(hours=1) for start, end in periods)
        use = use_of(rows)
        as_of = newest[key["billing_period"], key["source"]]
        end = max((r["x_CommitmentEnd"] for r in rows if r["x_CommitmentEnd"]), default=None)
        recurring, upfront, size = (
            None if value is None or not hours else per_hour(value, hours)
            for value in (use["fees_billed"], use["upfront_share"], use["committed_quantity"])
        )
        hourly = None
        if recurring is not None and upfront is not None:
            hourly = per_hour(use["fees_billed"] + use["upfront_share"], hours)
        if hourly is None and rows[0]["CommitmentDiscountType"] == "Savings Plan":
            hourly = size
        result.append(
            key
            | {
                "as_of_day": as_of,
                "project": owner_project(rows),
                "owner_account_id": fees[0]["SubAccountId"] if fees else None,
                "commitment_discount_type": rows[0]["CommitmentDiscountType"],
                "offering": only(rows, "x_CommitmentOffering"),
                "term": only(rows, "x_CommitmentTerm"),
                "payment_option": only(rows, "x_CommitmentPaymentOption"),
                "end_time": end,
                "days_left": None if end is None else max((end.date() - as_of).days, 0),
                "committed_quantity_per_hour": size,
                "hourly_commitment": hourly,
                "upfront_billed": use["upfront_billed"],
            }
        )
    return result


def per_hour(amount: Decimal, hours: int) -> Decimal:
    """Divide, with ten decimals."""
    return (amount / hours).quantize(TEN, ROUND_FLOOR)


def owner_project(rows: list[Row]) -> str:
    """The project of the newest fee, or the first one that used the commitment."""
    paid = [row for row in rows if kind_of_fee(row) != "used"]
    if paid:
        return str(max(paid, key=lambda row: row["period_start"])["project"])
    return min(str(row["project"]) for row in rows)


def only(rows: list[Row], column: str) -> Any:
    """The only value that the rows state, or None."""
    values = {row[column] for row in rows} - {None}
    assert len(values) <= 1, values
    return values.pop() if values else None


# ---- coverage


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
