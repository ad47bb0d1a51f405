"""The marts of usage once more, from the charges, in Polars and Python's own decimals.

Put here: data transfer, storage, instance hours and split costs computed another way than in
marts/sql. Keep out: the comparison (mart_comparison.py), marts of commitments.
"""

from __future__ import annotations

import calendar
import json
import re
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from tests.support.mart_comparison import Row, percent, total
from tests.support.second_opinion_coverage import LINES, collect, size_of, type_of

COSTS = {"billed_cost": "BilledCost", "effective_cost": "EffectiveCost", "list_cost": "ListCost"}
PLACE = {"billing_period": "billing_period", "project": "project", "source": "x_Source",
         "sub_account_id": "SubAccountId", "region_id": "RegionId",
         "billing_currency": "BillingCurrency"}  # fmt: skip
SERVED = PLACE | {"service_name": "ServiceName", "service_code": "x_ServiceCode"}


def usage_of(charges: pl.DataFrame) -> list[Row]:
    """Usage of the bill itself: no corrections, no unused parts."""
    return charges.filter(
        pl.col("ChargeCategory") == "Usage",
        pl.col("ChargeClass").is_null(),
        pl.col("x_RowKind") == "line",
        pl.col("CommitmentDiscountStatus").fill_null("-") != "Unused",
    ).to_dicts()


def kind_of_transfer(code: str, meter: str, operation: str) -> str | None:
    """The kind of a transfer, or None for what moves no data."""
    if "ByteHrs" in meter:
        return None
    moves = "Bytes" in meter or "DataXfer" in meter or code == "AWSDataTransfer"
    if moves and not meter.endswith("Processing-Bytes"):
        if "VPCPeering-" in meter:
            return "VPC peering"
        if operation.startswith("CreateVpnConnection"):
            return "VPN"
        for word, kind in (("TransitGateway-", "Transit gateway"), ("NatGateway-", "NAT gateway"),
                           ("VpcEndpoint-", "VPC endpoint")):  # fmt: skip
            if word in meter:
                return kind
        if code == "AWSDirectConnect" or "DataXfer-" in meter:
            return "Direct Connect"
        if code == "AmazonCloudFront" or "CloudFront-" in meter:
            return "CloudFront"
        parts = meter.split("-")
        if "AWS" in parts and ("In" in parts or "Out" in parts):
            return "Inter-region"
        if "Regional" in parts or "xAZ" in parts:
            return "Inter-AZ"
        if "DataTransfer" in parts and ("In" in parts or "Out" in parts):
            return "Internet"
        if "In" in parts or "Out" in parts or code == "AWSDataTransfer":
            return "Other"
    return None


def transfers(charges: pl.DataFrame) -> list[Row]:
    """Rows of `data_transfer`."""
    rows = []
    for row in usage_of(charges):
        meter = row["x_UsageType"] or ""
        kind = kind_of_transfer(row["x_ServiceCode"] or "", meter, row["x_Operation"] or "")
        if kind:
            parts = set(re.split("[-:]", meter))
            size = {"GB": 1, "TB": 1024}.get(row["ConsumedUnit"] or "")
            rows.append(
                {key: row[column] for key, column in (SERVED | COSTS).items()}
                | {
                    "charge_date": row["ChargePeriodStart"].date(),
                    "kind": kind,
                    "direction": "in" if "In" in parts else "out" if "Out" in parts else None,
                    "usage_type": row["x_UsageType"],
                    "resource_id": row["ResourceId"],
                    "size": row["ConsumedQuantity"] * size if size else None,
                }
            )
    keys = (*SERVED, "charge_date", "kind", "direction", "usage_type", "resource_id")
    return [
        dict(zip(keys, values, strict=True))
        | {"charges": len(part), "gigabytes": whole(part, "size")}
        | {name: total(part, name) for name in COSTS}
        for values, part in collect(rows, keys).items()
    ]


def whole(rows: list[Row], column: str) -> Decimal | None:
    """Add up a column; None unless every row states it."""
    return total(rows, column) if all(row[column] is not None for row in rows) else None


CLASSES = [
    ("TimedStorage-SIA", "Standard-IA"), ("GlacierByteHrs", "Glacier Flexible Retrieval"),
    ("TimedStorage-GDA", "Glacier Deep Archive"), ("EBS:Snapshot", "Snapshot"),
    ("VolumeUsage.gp3", "gp3"), ("VolumeUsage.gp2", "gp2"), ("GP2-Storage", "gp2"),
    ("Aurora:StorageUsage", "Aurora Standard"), ("TimedStorage-ByteHrs", "Standard"),
]  # fmt: skip
"""Word in the usage type -> class, for what the tests' bills have."""


def storage(charges: pl.DataFrame) -> list[Row]:
    """Rows of `storage_costs`."""
    rows = []
    for row in usage_of(charges):
        meter = row["x_UsageType"] or ""
        in_months = row["ConsumedUnit"] == "GB-Months"
        if in_months or any(w in meter for w in ("TimedStorage", "EBS:Volume", "EBS:Snapshot")):
            classes = [name for word, name in CLASSES if word in meter]
            rows.append(
                {key: row[column] for key, column in (SERVED | COSTS).items()}
                | {
                    "storage_class": classes[0] if classes else "Other",
                    "usage_type": row["x_UsageType"],
                    "resource_id": row["ResourceId"],
                    "resource_name": row["ResourceName"],
                    "size": row["ConsumedQuantity"] if in_months else None,
                }
            )
    keys = (*SERVED, "storage_class", "usage_type", "resource_id", "resource_name")
    return [
        dict(zip(keys, values, strict=True))
        | {"charges": len(part), "gigabyte_months": whole(part, "size")}
        | {name: total(part, name) for name in COSTS}
        for values, part in collect(rows, keys).items()
    ]


METERS = {
    "AmazonEC2": r"(BoxUsage|SpotUsage|DedicatedUsage|HostUsage)(:|$)",
    "AmazonRDS": r"(InstanceUsage|Multi-AZUsage|Multi-AZClusterUsage):",
    "AmazonElastiCache": r"NodeUsage:",
    "AmazonES": r"ESInstance:",
    "AmazonRedshift": r"Node:",
    "AmazonSageMaker": r":ml\.",
}


def option_of(row: Row) -> str:
    """The purchase option of a charge, as the columns of the mart begin."""
    if row["PricingCategory"] == "Dynamic":
        return "spot"
    if row["CommitmentDiscountStatus"] != "Used":
        return "on_demand"
    return "savings_plan" if "savingsplan" in row["CommitmentDiscountId"] else "reserved"


def hours(charges: pl.DataFrame) -> list[Row]:
    """Rows of `compute_hours`, but for the note."""
    used = [r for r in usage_of(charges) if (r["x_LineItemType"] or "Usage") in LINES]
    days: dict[tuple[str, str], list[date]] = {}
    for row in used:
        days.setdefault((row["billing_period"], row["x_Source"]), []).append(
            row["ChargePeriodStart"].date()
        )
    rows = []
    for row in used:
        meter = row["x_UsageType"] or ""
        pattern = METERS.get(row["x_ServiceCode"] or "")
        if pattern is None or not re.search(pattern, meter):
            continue
        family, factor = size_of(row["x_InstanceType"], meter)
        copies = 3 if "Multi-AZCluster" in meter else 2 if "Multi-AZ" in meter else 1
        first, last = (f(days[row["billing_period"], row["x_Source"]]) for f in (min, max))
        is_whole = last.day == calendar.monthrange(last.year, last.month)[1]
        end = last + timedelta(days=1) if is_whole else last
        quantity = row["ConsumedQuantity"]
        rows.append(
            {key: row[column] for key, column in (SERVED | COSTS).items()}
            | {
                "instance_family": family,
                "instance_type": type_of(row["x_InstanceType"], meter),
                "resource_id": row["ResourceId"],
                "hours": quantity,
                "option": option_of(row),
                "normalized": None if factor is None else quantity * factor * copies,
                "in_period": quantity if row["ChargePeriodStart"].date() < end else Decimal(0),
                "period_hours": 24 * (end - first).days,
            }
        )
    keys = (*SERVED, "instance_family", "instance_type", "resource_id", "period_hours")
    by_resource = collect(rows, ("billing_period", "source", "resource_id"))
    result = []
    for values, part in collect(rows, keys).items():
        key = dict(zip(keys, values, strict=True))
        resource = (key["billing_period"], key["source"], key["resource_id"])
        ran = total(by_resource[resource], "in_period")
        named = key["resource_id"] is not None
        result.append(
            key
            | {
                "charges": len(part),
                "running_hours": total(part, "hours"),
                "normalized_hours": whole(part, "normalized"),
                "hours_in_period": total(part, "in_period"),
                "elasticity_percent": percent(ran, Decimal(key["period_hours"])) if named else None,
            }
            | {
                f"{option}_hours": total([r for r in part if r["option"] == option], "hours")
                or Decimal(0)
                for option in ("on_demand", "spot", "savings_plan", "reserved")
            }
            | {name: total(part, name) for name in COSTS}
        )
    return result


def splits(charges: pl.DataFrame) -> list[Row]:
    """Rows of `split_costs`."""
    rows = []
    for row in charges.filter(pl.col("x_ParentResourceId").is_not_null()).iter_rows(named=True):
        tags: dict[str, Any] = json.loads(row["Tags"] or "{}")
        path = (row["ResourceId"] or "").partition(":pod/")[2].split("/")
        task = (row["ResourceId"] or "").partition(":task/")[2].split("/")
        plain = {re.sub("[^a-z]", "", key.lower()): value for key, value in tags.items()}
        rows.append(
            {key: row[column] for key, column in PLACE.items()}
            | {
                "charge_date": row["ChargePeriodStart"].date(),
                "platform": (row["x_ServiceCode"] or "").removeprefix("Amazon"),
                "cluster": plain.get("awseksclustername") or plain.get("awsecsclustername")
                or (path[0] if len(path) > 1 else task[0] if len(task) > 1 else None),
                "namespace": plain.get("awseksnamespace")
                or (path[1] if len(path) > 2 else None),
                "workload": plain.get("awseksworkloadname") or plain.get("awseksdeployment")
                or plain.get("awsecsservicename"),
                "workload_type": plain.get("awseksworkloadtype"),
                "parent_resource_id": row["x_ParentResourceId"],
                "split_cost": row["x_SplitCost"] or Decimal(0),
                "unused_cost": row["x_SplitUnusedCost"] or Decimal(0),
            }
        )  # fmt: skip
    keys = (*PLACE, "charge_date", "platform", "cluster", "namespace", "workload",
            "workload_type", "parent_resource_id")  # fmt: skip
    return [
        dict(zip(keys, values, strict=True))
        | {
            "charges": len(part),
            "split_cost": total(part, "split_cost"),
            "unused_cost": total(part, "unused_cost"),
            "total_cost": (total(part, "split_cost") or 0) + (total(part, "unused_cost") or 0),
        }
        for values, part in collect(rows, keys).items()
    ]
