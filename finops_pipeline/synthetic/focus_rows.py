"""A line as FOCUS 1.2 rows: one, two if part of a commitment fee is unused, or none.

Put here: which FOCUS rows a line becomes and their values, rule by rule.
Keep out: Parquet types and files (`focus_export`).

This is the provider's implementation of the standard. It deliberately shares nothing with the
pipeline's conformance rules, so that each can be tested against the other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from finops_pipeline.synthetic.catalogue import REGION_NAMES, SAVINGS_PLANS
from finops_pipeline.synthetic.cur_columns import invoice_id, invoicing_entity
from finops_pipeline.synthetic.rows import ZERO, Line
from finops_pipeline.synthetic.usage import Scene

FocusValue = str | Decimal | datetime | tuple[tuple[str, str], ...] | None
FocusRow = dict[str, FocusValue]

UNITS: dict[str, str] = {
    "Hrs": "Hours",
    "GB-Mo": "GB-Months",
    "Lambda-GB-Second": "GB-Seconds",
}


def focus_rows(scene: Scene, line: Line) -> Iterator[FocusRow]:
    """Yield the FOCUS rows of a line, PascalCase column → value; absent columns are null.

    A negation has no row: covered usage is not billed in FOCUS, so there is nothing to cancel.
    """
    if line.kind == "SavingsPlanNegation":
        return
    yield _row(scene, line)
    if line.unused:
        yield _unused_row(scene, line)


def _category(line: Line) -> str:
    if line.kind in {"Usage", "DiscountedUsage", "SavingsPlanCoveredUsage", "Refund"}:
        return "Usage"
    if line.is_commitment_fee or line.kind == "Fee":
        return "Purchase"
    return line.kind if line.kind in {"Tax", "Credit"} else "Adjustment"


def _is_correction(scene: Scene, line: Line) -> bool:
    """Check whether a line corrects an earlier, invoiced period."""
    return line.kind == "Refund" and line.end <= scene.period.start


def _frequency(line: Line) -> str:
    if line.kind in {"Usage", "DiscountedUsage", "SavingsPlanCoveredUsage"}:
        return "Usage-Based"
    if line.kind in {"RIFee", "SavingsPlanRecurringFee", "Tax"}:
        return "Recurring"
    return "Recurring" if line.kind == "Fee" and line.bill_type == "Anniversary" else "One-Time"


def _row(scene: Scene, line: Line) -> FocusRow:
    category = _category(line)
    covered = line.kind == "SavingsPlanCoveredUsage"
    used = covered or line.kind == "DiscountedUsage"
    billed = ZERO if covered else line.cost
    row = _common(scene, line) | {
        "BilledCost": billed,
        "EffectiveCost": line.used if used else ZERO if line.is_commitment_fee else line.cost,
        "PricingCurrencyEffectiveCost": (
            line.used if used else ZERO if line.is_commitment_fee else line.cost
        ),
        "ListCost": line.cost,
        "ContractedCost": line.cost,
        "ChargeCategory": category,
        "ChargeClass": "Correction" if _is_correction(scene, line) else None,
        "ChargeDescription": line.description,
        "ChargeFrequency": _frequency(line),
    }
    if category in {"Usage", "Purchase"} and not _is_correction(scene, line):
        row |= _prices(line)
    if category == "Usage" and not _is_correction(scene, line):
        row |= {"ConsumedQuantity": line.amount, "ConsumedUnit": _unit(line)}
    if line.commitment:
        row |= _commitment(line)
        row["CommitmentDiscountStatus"] = "Used" if used else None
        row["CommitmentDiscountQuantity"] = _commitment_quantity(line)
    if line.is_commitment_fee:
        row |= {"ResourceId": line.commitment, "ResourceType": _commitment_type(line)}
    return row


def _prices(line: Line) -> FocusRow:
    """Make the prices, which multiplied by the quantity are exactly the costs."""
    contracted = line.rate if line.rate is not None else ZERO
    if line.kind == "DiscountedUsage" and line.public_rate is not None:
        contracted = line.public_rate
    listed = line.public_rate if line.public_rate is not None else contracted
    committed = line.kind in {"DiscountedUsage", "SavingsPlanCoveredUsage"}
    pricing = "Dynamic" if "SpotUsage" in line.usage_type else "Standard"
    return {
        "ListUnitPrice": listed,
        "ListCost": listed * line.amount,
        "ContractedUnitPrice": contracted,
        "ContractedCost": contracted * line.amount,
        "PricingCurrencyListUnitPrice": listed,
        "PricingCurrencyContractedUnitPrice": contracted,
        "PricingQuantity": line.amount,
        "PricingUnit": _unit(line),
        "PricingCategory": "Committed" if committed else pricing,
        **_sku(line),
    }


def _sku(line: Line) -> FocusRow:
    sku = str(line.details["product_sku"])
    facts = {
        "InstanceType": line.details.get("product_instance_type"),
        "InstanceSeries": line.details.get("product_instance_family"),
        "OperatingSystem": line.details.get("product_operating_system"),
    }
    price_details = {key: str(value) for key, value in facts.items() if value}
    return {
        "SkuId": sku,
        "SkuMeter": line.usage_type,
        "SkuPriceId": str(line.details.get("pricing_rate_code", f"{sku}.{line.kind.upper()}")),
        "SkuPriceDetails": json.dumps(price_details) if price_details else None,
    }


def _unused_row(scene: Scene, line: Line) -> FocusRow:
    """Make the row of a commitment's unused part: nothing billed, its share as effective cost."""
    savings_plan = line.product is SAVINGS_PLANS
    hours = line.money("reservation_unused_quantity")
    quantity = line.unused if savings_plan else hours
    prices = ("ListUnitPrice", "ContractedUnitPrice", "PricingCurrencyListUnitPrice",
              "PricingCurrencyContractedUnitPrice", "ListCost", "ContractedCost")  # fmt: skip
    return (
        _common(scene, line)
        | dict.fromkeys(prices, ZERO)
        | _commitment(line)
        | _sku(line)
        | {
            "BilledCost": ZERO,
            "EffectiveCost": line.unused,
            "PricingCurrencyEffectiveCost": line.unused,
            "ChargeCategory": "Usage",
            "ChargeDescription": f"Unused portion of {line.commitment}",
            "ChargeFrequency": "Usage-Based",
            "CommitmentDiscountStatus": "Unused",
            "CommitmentDiscountQuantity": quantity,
            "PricingCategory": "Committed",
            "PricingQuantity": quantity,
            "PricingUnit": "USD" if savings_plan else "Hours",
            "ResourceId": line.commitment,
            "ResourceType": _commitment_type(line),
        }
    )


def _commitment_type(line: Line) -> str:
    plan = "savings_plan_savings_plan_a_r_n" in line.details
    return "Savings Plan" if plan else "Reserved Instance"


def _commitment(line: Line) -> FocusRow:
    plan = _commitment_type(line) == "Savings Plan"
    return {
        "CommitmentDiscountId": line.commitment,
        "CommitmentDiscountCategory": "Spend" if plan else "Usage",
        "CommitmentDiscountType": _commitment_type(line),
        "CommitmentDiscountUnit": "USD" if plan else "Hours",
    }


def _commitment_quantity(line: Line) -> Decimal:
    """Return how much of the commitment this row uses or buys, in the commitment's unit."""
    if line.kind == "SavingsPlanCoveredUsage":
        return line.used
    if line.kind == "SavingsPlanRecurringFee":
        return line.money("savings_plan_total_commitment_to_date")
    if line.kind == "SavingsPlanUpfrontFee":
        return line.cost
    if line.kind in {"RIFee", "Fee"}:
        return line.money("reservation_total_reserved_units")
    return line.amount


def _unit(line: Line) -> str:
    return UNITS.get(line.unit, line.unit or "Units")


def _common(scene: Scene, line: Line) -> FocusRow:
    """Make the columns that all rows of a line share: accounts, time, region, service."""
    payer, marker = scene.source.accounts["payer"], scene.tenant.marker
    billing = line.product.billing_entity
    row: FocusRow = {
        "BillingAccountId": payer,
        "BillingAccountName": f"{scene.tenant.display_name} ({marker})",
        "BillingAccountType": "Management Account",
        "BillingCurrency": "USD",
        "BillingPeriodStart": scene.period.start,
        "BillingPeriodEnd": scene.period.end,
        "ChargePeriodStart": line.start,
        "ChargePeriodEnd": line.end,
        "InvoiceId": invoice_id(scene, line) or None,
        "InvoiceIssuerName": invoicing_entity(line),
        "PricingCurrency": "USD",
        "ProviderName": "AWS",
        "PublisherName": line.product.seller if billing != "AWS" else "Amazon Web Services, Inc.",
        "ServiceName": line.product.name,
        "ServiceCategory": line.product.category,
        "ServiceSubcategory": line.product.subcategory,
        "SubAccountId": line.account,
        "SubAccountName": f"labs {line.account} ({marker})",
        "SubAccountType": "AWS Account",
        "Tags": tuple((key.removeprefix("user:"), text) for key, text in line.tags),
        "x_CostCategories": (("Area", line.cost_category),) if line.cost_category else (),
        "x_Operation": line.operation or None,
        "x_UsageType": line.usage_type or None,
        "x_ServiceCode": line.product.code,
    }
    if line.region:
        row |= {"RegionId": line.region, "RegionName": REGION_NAMES[line.region]}
    if line.operation == "RunInstances":
        row["AvailabilityZone"] = f"{line.region}a"
    if line.resource_id:
        row |= {"ResourceId": line.resource_id, "ResourceType": line.product.resource_type}
    return row
