"""A line as Cost and Usage Report columns, for both generations of the report.

Put here: column names, their legacy `category/Name` spelling, and each column's value.
Keep out: files, manifests, Parquet types.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import cache

from finops_pipeline.synthetic.catalogue import token
from finops_pipeline.synthetic.rows import Detail, Line
from finops_pipeline.synthetic.usage import Scene

_LEGACY_NAMES = """
identity: LineItemId TimeInterval
bill: InvoiceId InvoicingEntity BillingEntity BillType PayerAccountId BillingPeriodStartDate
 BillingPeriodEndDate
lineItem: UsageAccountId LineItemType UsageStartDate UsageEndDate ProductCode UsageType
 Operation AvailabilityZone ResourceId UsageAmount NormalizationFactor NormalizedUsageAmount
 CurrencyCode UnblendedRate UnblendedCost BlendedRate BlendedCost LineItemDescription TaxType
 LegalEntity
product: ProductName fromLocation fromLocationType fromRegionCode instanceFamily instanceType
 location locationType operatingSystem productFamily region regionCode servicecode sku
 toLocation toLocationType toRegionCode transferType usagetype
pricing: LeaseContractLength OfferingClass PurchaseOption RateCode RateId currency
 publicOnDemandCost publicOnDemandRate term unit
reservation: AmortizedUpfrontCostForUsage AmortizedUpfrontFeeForBillingPeriod EffectiveCost
 EndTime ModificationStatus NumberOfReservations RecurringFeeForUsage ReservationARN StartTime
 SubscriptionId TotalReservedUnits UnitsPerReservation UnusedAmortizedUpfrontFeeForBillingPeriod
 UnusedQuantity UnusedRecurringFee UpfrontValue
savingsPlan: TotalCommitmentToDate SavingsPlanARN SavingsPlanRate UsedCommitment
 SavingsPlanEffectiveCost AmortizedUpfrontCommitmentForBillingPeriod
 RecurringCommitmentForBillingPeriod StartTime EndTime OfferingType PaymentOption PurchaseTerm
 Region
"""

# `category/Name` in the order of the file; `snake` gives the name that Parquet and CUR 2.0 use.
LEGACY_HEADERS = tuple(
    f"{group.split(':')[0]}/{name}"
    for group in re.split(r"\n(?=\w)", _LEGACY_NAMES.strip())
    for name in group.split(":")[1].split()
)


@cache
def snake(header: str) -> str:
    """Return `savingsPlan/SavingsPlanARN` as `savings_plan_savings_plan_a_r_n`."""
    category, name = header.split("/", 1)
    snake_name = re.sub(r"(?<!^)(?<!:)(?=[A-Z])", "_", name).lower().replace(":", "_")
    return f"{re.sub(r'(?=[A-Z])', '_', category).lower()}_{snake_name}"


# AWS's types in Parquet, where rates and counts of reservations are text.
_AMOUNT = re.compile(
    r".*(_cost|_amount|_normalization_factor|_fee|_for_usage|_fee_for_billing_period"
    r"|_commitment_for_billing_period|_commitment|_commitment_to_date|_quantity|_upfront_value)"
)


def is_amount(name: str) -> bool:
    """Check whether a column of the legacy report is a double in Parquet."""
    return _AMOUNT.fullmatch(name) is not None


def is_moment(name: str) -> bool:
    """Check whether a column is a timestamp in Parquet."""
    ends = ("_period_start_date", "_period_end_date", "_usage_start_date", "_usage_end_date")
    return name.endswith(ends)


def invoicing_entity(line: Line) -> str:
    """Return the company that issues the invoice of this line."""
    europe = "Amazon Web Services EMEA SARL"
    return europe if line.product.billing_entity == "AWS" else "AWS Marketplace"


def invoice_id(scene: Scene, line: Line) -> str:
    """Make the number of the invoice; '' while the month is open and none has been issued."""
    if not scene.period.complete:
        return ""
    issuer = (scene.tenant.name, scene.source.name, scene.period.month, invoicing_entity(line))
    return str(int(token("invoice", *issuer, length=8), 16) % 10**9 + 10**9)


def instant(moment: datetime, *, milliseconds: bool = False) -> str:
    """Format UTC time as AWS does: `2026-08-01T00:00:00Z`, or with `.000` before the Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (".000Z" if milliseconds else "Z")


def cur_values(scene: Scene, line: Line, number: int) -> dict[str, Detail | datetime]:
    """Make the filled columns of `line` by snake name; absent columns are null or empty.

    `number` is the line's position in the delivery, as line item ids are unique within one only.
    """
    period, source = scene.period, scene.source
    end = min(line.end, line.start + timedelta(days=1))
    values: dict[str, Detail | datetime] = {
        "identity_line_item_id": token(
            "line", scene.tenant.name, source.name, period.month, number, length=52
        ),
        "identity_time_interval": f"{instant(line.start)}/{instant(end)}",
        "bill_invoice_id": invoice_id(scene, line),
        "bill_invoicing_entity": invoicing_entity(line),
        "bill_billing_entity": line.product.billing_entity,
        "bill_bill_type": line.bill_type,
        "bill_payer_account_id": source.accounts["payer"],
        "bill_billing_period_start_date": period.start,
        "bill_billing_period_end_date": period.end,
        "line_item_usage_account_id": line.account,
        "line_item_line_item_type": line.kind,
        "line_item_usage_start_date": line.start,
        "line_item_usage_end_date": line.end,
        "line_item_product_code": line.product.code,
        "line_item_usage_type": line.usage_type,
        "line_item_operation": line.operation,
        "line_item_availability_zone": f"{line.region}a"
        if line.operation == "RunInstances"
        else "",
        "line_item_resource_id": line.resource_id,
        "line_item_usage_amount": line.amount,
        "line_item_currency_code": "USD",
        "line_item_unblended_cost": line.cost,
        "line_item_blended_cost": line.cost,
        "line_item_line_item_description": line.description,
        "line_item_tax_type": line.tax_type,
        "line_item_legal_entity": line.product.seller,
    }
    if line.rate is not None:
        values["line_item_unblended_rate"] = line.rate
        values["line_item_blended_rate"] = line.rate
    if line.public_rate is not None:
        values["pricing_public_on_demand_rate"] = line.public_rate
        values["pricing_public_on_demand_cost"] = line.public_rate * line.amount
    if line.net_cost is not None:
        values["line_item_net_unblended_cost"] = line.net_cost
    if line.unit:
        values["pricing_unit"] = line.unit
    return values | dict(line.details)
