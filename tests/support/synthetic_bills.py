"""How tests read the synthetic exports: files to rows, rows to amounts, FOCUS rules.

Put here: readers and rules that the tests of the synthetic estate share, written independently
from the written files alone (csv, pyarrow, Decimal), so that a mistake of the generator cannot
hide in its own truth. Keep out: tests; anything that reads through finops_pipeline's own stages.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from finops_pipeline.synthetic.cur_columns import snake

SEED, LAST = 11, "2026-09"
ZERO = Decimal(0)
SOURCES = [("acme", "payer"), ("acme", "labs"), ("globex", "payer"), ("globex", "legacy")]
LOCATIONS = {
    ("acme", "payer"): "acme/payer/finops/cur-hourly",
    ("acme", "labs"): "acme/labs/exports/labs-focus",
    ("globex", "payer"): "globex/payer/exports/cur2-daily",
    ("globex", "legacy"): "globex/legacy/finops/cur-legacy",
}
Row = dict[str, Any]


def current_manifests(folder: Path, tenant: str, source: str) -> dict[str, Path]:
    location = folder / LOCATIONS[tenant, source]
    if "finops" in location.parts:
        manifests = sorted(location.glob("*-*/*-Manifest.json"))
        return {f"{p.parent.name[:4]}-{p.parent.name[4:6]}": p for p in manifests}
    return {p.parent.name[-7:]: p for p in sorted(location.glob("metadata/*/*-Manifest.json"))}


def data_files(folder: Path, manifest: Path) -> list[Path]:
    """The files that a manifest names: keys start at the bucket, which is <tenant>/<source>."""
    bucket = folder.joinpath(*manifest.relative_to(folder).parts[:2])
    content = json.loads(manifest.read_text(encoding="utf-8"))
    keys = content.get("reportKeys")
    if keys is None:
        keys = [uri.removeprefix("s3://").split("/", 1)[1] for uri in content["dataFiles"]]
    return [bucket / key for key in keys]


def read_bill(folder: Path, manifest: Path) -> list[Row]:
    """Rows with snake_case CUR names (FOCUS names for FOCUS), numbers as Decimal."""
    return [row for file in data_files(folder, manifest) for row in read_file(file)]


def read_file(file: Path) -> Iterator[Row]:
    if file.name.endswith(".csv.gz"):
        text = io.StringIO(gzip.decompress(file.read_bytes()).decode(), newline="")
        for row in csv.DictReader(text):
            yield {name if "user:" in name else snake(name): value for name, value in row.items()}
        return
    table = pq.read_table(file)
    for row in table.to_pylist():
        yield {k: Decimal(repr(v)) if isinstance(v, float) else v for k, v in row.items()}


def number(row: Row, name: str) -> Decimal:
    return Decimal(row.get(name) or 0)


def cur_entry(row: Row) -> Row:
    """What counts of a CUR row: amortization rules of the gross basis, spelled out again."""
    kind = row["line_item_line_item_type"]
    plan = row.get("savings_plan_savings_plan_a_r_n") or ""
    reservation = row.get("reservation_reservation_a_r_n") or ""
    billed = number(row, "line_item_unblended_cost")
    fee = kind in {"RIFee", "SavingsPlanRecurringFee", "SavingsPlanUpfrontFee"} or bool(
        kind == "Fee" and reservation
    )
    used = unused = ZERO
    if kind == "SavingsPlanCoveredUsage":
        used = number(row, "savings_plan_savings_plan_effective_cost")
    elif kind == "DiscountedUsage":
        used = number(row, "reservation_effective_cost")
    elif kind == "SavingsPlanRecurringFee":
        unused = number(row, "savings_plan_total_commitment_to_date") - number(
            row, "savings_plan_used_commitment"
        )
    elif kind == "RIFee":
        unused = number(
            row, "reservation_unused_amortized_upfront_fee_for_billing_period"
        ) + number(row, "reservation_unused_recurring_fee")
    amortized = fee or kind in {
        "SavingsPlanCoveredUsage",
        "SavingsPlanNegation",
        "DiscountedUsage",
    }
    start = row["line_item_usage_start_date"]
    return {
        "kind": kind,
        "account": row["line_item_usage_account_id"],
        "day": start.date() if isinstance(start, datetime) else date.fromisoformat(start[:10]),
        "billed": billed,
        "effective": used + unused if amortized else billed,
        "commitment": plan or reservation,
        "fee": billed if fee else ZERO,
        "used": used,
        "unused": unused,
    }


def focus_entry(row: Row) -> Row:
    status, arn = row["CommitmentDiscountStatus"], row["CommitmentDiscountId"]
    return {
        "kind": row["ChargeCategory"],
        "account": row["SubAccountId"],
        "day": row["ChargePeriodStart"].date(),
        "billed": row["BilledCost"],
        "effective": row["EffectiveCost"],
        "commitment": arn or "",
        "fee": row["BilledCost"] if arn and row["ChargeCategory"] == "Purchase" else ZERO,
        "used": row["EffectiveCost"] if status == "Used" else ZERO,
        "unused": row["EffectiveCost"] if status == "Unused" else ZERO,
    }


def entries_of(rows: list[Row]) -> list[Row]:
    return [focus_entry(row) if "ChargeCategory" in row else cur_entry(row) for row in rows]


def claimed_by(declared: Row, source: str, account: str, day: date) -> str:
    for project in declared["projects"]:
        if source in project.get("sources", [project.get("source")]):
            for claim in project["accounts"]:
                entry = claim if isinstance(claim, dict) else {"id": claim}
                begun = entry.get("from") is None or entry["from"] <= day
                if entry["id"] == account and begun and day < entry.get("to", date.max):
                    return str(project["name"])
    return "unassigned"


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def bill_digests(folder: Path) -> dict[str, str]:
    return {n: d for n, d in digests(folder).items() if n not in {"truth.json", "tenants.yaml"}}


def focus_faults(row: Row) -> Iterator[str]:
    """Names of the cross-column rules of FOCUS 1.2 that the row breaks."""
    category, status = row["ChargeCategory"], row["CommitmentDiscountStatus"]
    normal = row["ChargeClass"] != "Correction"
    priced = ("ListUnitPrice", "ContractedUnitPrice", "PricingQuantity", "PricingUnit",
              "PricingCategory", "SkuId", "SkuPriceId")  # fmt: skip
    if category == "Tax" and any(row[name] is not None for name in priced):
        yield "R2"
    if category in {"Usage", "Purchase"} and normal and any(row[name] is None for name in priced):
        yield "R3"
    for cost, price in (("ListCost", "ListUnitPrice"), ("ContractedCost", "ContractedUnitPrice")):
        if row[price] is not None and row[price] * row["PricingQuantity"] != row[cost]:
            yield "R4"
    committed = row["CommitmentDiscountId"] is not None
    facts = [row[f"CommitmentDiscount{name}"] for name in ("Category", "Type")]
    if any((fact is not None) != committed for fact in facts):
        yield "R9"
    if (status is not None) != (committed and category == "Usage"):
        yield "R9"
    quantity = row["CommitmentDiscountQuantity"] is not None
    if quantity != committed or quantity != (row["CommitmentDiscountUnit"] is not None):
        yield "R10"
    if committed and (category == "Purchase" or status == "Unused"):
        if row["ResourceId"] != row["CommitmentDiscountId"]:
            yield "R11"
        if status == "Unused" and (row["BilledCost"] or row["ConsumedQuantity"] is not None):
            yield "R11"
    consumes = category == "Usage" and status != "Unused" and normal
    if (row["ConsumedQuantity"] is not None) != consumes:
        yield "R12"
    if (row["ConsumedUnit"] is not None) != consumes:
        yield "R12"
    if (status is not None) != (row["PricingCategory"] == "Committed"):
        yield "R13"
    if category == "Purchase" and row["ChargeFrequency"] == "Usage-Based":
        yield "R14"
