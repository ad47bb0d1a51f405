"""All marts of commitments and usage beside their second computation, for one tenant's file.

Put here: which computation belongs to which mart. Keep out: the computations (second_opinion_*.py).
"""

from __future__ import annotations

from decimal import localcontext

from finops_pipeline.lake.layout import TenantFolder
from tests.support import second_opinion_commitments as commitments
from tests.support import second_opinion_coverage as coverage
from tests.support import second_opinion_usage as usage
from tests.support.mart_comparison import Row, differences, read_charges, read_mart

COLUMNS = (
    "billing_period", "project", "x_Source", "SubAccountId", "RegionId", "BillingCurrency",
    "ChargeCategory", "ChargeClass", "ChargeFrequency", "ChargePeriodStart", "ChargePeriodEnd",
    "x_LineItemType", "x_RowKind", "x_ServiceCode", "ServiceName", "x_UsageType", "x_Operation",
    "x_InstanceType", "ResourceId", "ResourceName", "PricingCategory", "ConsumedUnit",
    "ConsumedQuantity", "BilledCost", "EffectiveCost", "ListCost", "CommitmentDiscountId",
    "CommitmentDiscountType", "CommitmentDiscountStatus", "CommitmentDiscountQuantity",
    "x_AmortizedUpfrontCost", "x_NotYetUsedCost", "x_CommitmentOffering", "x_CommitmentTerm",
    "x_CommitmentPaymentOption", "x_CommitmentEnd", "x_ParentResourceId", "x_SplitCost",
    "x_SplitUnusedCost", "Tags",
)  # fmt: skip


def expected_marts(folder: TenantFolder) -> dict[str, list[Row]]:
    """Compute every mart of commitments and usage from the charges of a tenant."""
    charges = read_charges(folder, COLUMNS)
    with localcontext(prec=60):
        eligible = coverage.eligible(charges)
        return {
            "commitment_utilization_hourly": commitments.utilization_hourly(charges),
            "commitment_utilization": commitments.utilization(charges),
            "commitments": commitments.inventory(charges),
            "commitment_coverage_hourly": coverage.coverage(eligible, coverage.HOURLY),
            "commitment_coverage": coverage.coverage(eligible, coverage.MONTHLY),
            "commitment_eligible_spend": coverage.eligible_spend(eligible),
            "data_transfer": usage.transfers(charges),
            "storage_costs": usage.storage(charges),
            "compute_hours": usage.hours(charges),
            "split_costs": usage.splits(charges),
        }


def mart_differences(folder: TenantFolder) -> list[str]:
    """Name the rows in which a tenant's marts of commitments and usage are not as computed."""
    return [
        difference
        for name, rows in expected_marts(folder).items()
        for difference in differences(name, read_mart(folder, name), rows)[:3]
    ]
