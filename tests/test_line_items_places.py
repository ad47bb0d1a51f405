"""Capacity reservations, tiers and the free tier, currencies, and the other partitions of AWS."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.support.line_item_bills import Bills, Line, bills, line, only, prepared, single, total

__all__ = ["bills", "prepared"]

CAPACITY = "arn:aws:ec2:us-east-1:111122223333:capacity-reservation/cr-0a1b2c3d"


def use(usage_type: str, cost: str, amount: str = "1", **more: str) -> Line:
    return line("Usage", cost, lineItem_UsageType=usage_type, lineItem_UsageAmount=amount,
                lineItem_ProductCode="AmazonEC2", **more)  # fmt: skip


def test_capacity_that_was_reserved(bills: Bills) -> None:
    """Used and unused hours of a reserved capacity, by columns or by usage type."""
    arn, status = (f"capacityReservation/CapacityReservation{w}" for w in ("ARN", "Status"))
    columns = bills.form == "cur-2.0"
    lines = [
        use("USE1-UnusedBox:m5.large", "0.96", "10", lineItem_ResourceId=CAPACITY),
        use("USE1-BoxUsage:m5.large", "1.344", "14", lineItem_ResourceId="i-0123"),
        use("USE1-UnusedDed:m5.large", "1.06", "10", lineItem_ResourceId=CAPACITY),
        use("USE1-BoxUsage:m5.large", "0.5", "5", lineItem_ResourceId="i-0456"),
    ]
    if columns:  # only CUR 2.0 says which reservation an instance ran in
        for one_line, said in zip(lines, ("Unused", "Used", "unused", ""), strict=True):
            one_line[arn], one_line[status] = (CAPACITY if said else ""), said
        lines.append(use("USE1-m5.large", "0.25") | {arn: CAPACITY, status: "UNUSED"})
    found = bills.charges(lines)
    assert bills.failed_checks == ""
    unused = only(found, CapacityReservationStatus="Unused")
    assert {c["CapacityReservationId"] for c in unused} == {CAPACITY}
    assert total(unused, "EffectiveCost") == Decimal("2.27" if columns else "2.02")
    used = only(found, CapacityReservationStatus="Used")
    assert total(used, "EffectiveCost") == (Decimal("1.344") if columns else 0)
    assert single(found, ResourceId="i-0456")["CapacityReservationId"] is None
    # reserved capacity is paid as used or not; it is no commitment discount
    assert {c["CommitmentDiscountId"] for c in found} == {None}


def test_tiers_and_the_free_tier(bills: Bills) -> None:
    """Each tier is a price of one SKU; the free one has the price 0."""
    sku = {"product_sku": "SKU1", "pricing_unit": "GB"}

    def tier(rate: str, price: str, amount: str, cost: str) -> Line:
        return use("USE1-DataTransfer-Out-Bytes", cost, amount, pricing_RateCode=f"SKU1.T.{rate}",
                   lineItem_UnblendedRate=price, pricing_publicOnDemandRate=price,
                   pricing_publicOnDemandCost=cost, **sku)  # fmt: skip

    found = bills.charges([
        tier("FREE", "0.0000000000", "100", "0.0000000000"),
        tier("TIER1", "0.09", "10240", "921.6"),
        tier("TIER2", "0.085", "3.3333333333", "0.2833333333"),
    ])  # fmt: skip
    assert bills.failed_checks == ""
    assert {c["SkuId"] for c in found} == {"SKU1"}
    prices = {c["SkuPriceId"]: c["ContractedUnitPrice"] for c in found}
    assert prices == {"SKU1.T.FREE": 0, "SKU1.T.TIER1": Decimal("0.09"),
                      "SKU1.T.TIER2": Decimal("0.085")}  # fmt: skip
    free = single(found, SkuPriceId="SKU1.T.FREE")
    assert free["PricingQuantity"] == free["ConsumedQuantity"] == 100
    assert (free["ListUnitPrice"], free["ListCost"], free["BilledCost"]) == (0, 0, 0)


def test_currencies_stay_apart(bills: Bills) -> None:
    """Two currencies in one tenant: no mart, check or status has a sum of both."""
    euro = {"lineItem_CurrencyCode": "EUR", "pricing_currency": "USD"}
    found = bills.charges([use("A", "1"), use("A", "2", **euro), use("A", "4", **euro)])
    assert bills.failed_checks == ""
    for table in ("monthly_costs", "daily_costs", "monthly_bill", "data_status"):
        sums = bills.rows(f"select billing_currency as c, sum(billed_cost) as b from {table}"
                          " group by all order by all")  # fmt: skip
        assert sums == [{"c": "EUR", "b": 6}, {"c": "USD", "b": 1}], table
    # prices in another currency than the bill's are not those of the price list
    other = only(found, BillingCurrency="EUR")
    assert {c["PricingCurrency"] for c in other} == {"USD"}
    assert {c["PricingCurrencyContractedUnitPrice"] for c in other} == {None}


@pytest.mark.parametrize(
    ("partition", "region", "where", "currency", "issuer"),
    [
        ("aws-cn", "cn-north-1", "China (Beijing)", "CNY", "Beijing Sinnet Technology Co., Ltd."),
        ("aws-cn", "cn-northwest-1", "China (Ningxia)", "CNY",
         "Ningxia Western Cloud Data Technology Co. Ltd."),
        ("aws-us-gov", "us-gov-west-1", "AWS GovCloud (US-West)", "USD",
         "Amazon Web Services, Inc."),
    ],
)  # fmt: skip
def test_other_partitions(
    bills: Bills, partition: str, region: str, where: str, currency: str, issuer: str
) -> None:
    """Regions, ARNs, issuers and commitments of China and GovCloud are read as everywhere."""
    plan = f"arn:{partition}:savingsplans::111122223333:savingsplan/one"
    here = {"lineItem_CurrencyCode": currency, "bill_InvoicingEntity": issuer,
            "lineItem_LegalEntity": issuer, "pricing_currency": currency}  # fmt: skip
    table = f"arn:{partition}:dynamodb:{region}:111122223333:table/orders"
    found = bills.charges([
        use("BoxUsage", "7", product_region=region, lineItem_ResourceId=table, **here),
        use("BoxUsage", "8", lineItem_AvailabilityZone=f"{region}a", **here),
        line("SavingsPlanRecurringFee", "2", savingsPlan_SavingsPlanARN=plan, **here,
             savingsPlan_TotalCommitmentToDate="2", savingsPlan_UsedCommitment="0.5"),
        line("SavingsPlanCoveredUsage", "1", savingsPlan_SavingsPlanARN=plan, **here,
             savingsPlan_SavingsPlanEffectiveCost="0.5", lineItem_UsageAmount="1"),
        line("SavingsPlanNegation", "-1", savingsPlan_SavingsPlanARN=plan, **here),
    ])  # fmt: skip
    assert bills.failed_checks == ""
    assert {c["BillingCurrency"] for c in found} == {currency}
    assert (
        {c["InvoiceIssuerName"] for c in found} == {issuer} == {c["PublisherName"] for c in found}
    )
    for cost in (7, 8):
        charge = single(found, BilledCost=Decimal(cost))
        assert (charge["RegionId"], charge["RegionName"]) == (region, where)
    assert single(found, BilledCost=Decimal(7))["ResourceType"] == "table"
    of_plan = only(found, CommitmentDiscountId=plan)
    assert {c["CommitmentDiscountType"] for c in of_plan} == {"Savings Plan"}
    assert {c["CommitmentDiscountUnit"] for c in of_plan} == {currency}
    assert total(of_plan, "EffectiveCost") == 2
