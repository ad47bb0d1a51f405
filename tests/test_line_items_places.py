"""Capacity reservations, tiers and the free tier, currencies, and the other partitions of AWS."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.support.line_item_bills import (
    PLAN,
    RESERVED,
    Bills,
    Line,
    bills,
    line,
    only,
    plan,
    prepared,
    reserved,
    single,
    total,
)

__all__ = ["bills", "prepared"]

CAPACITY = "arn:aws:ec2:us-east-1:111122223333:capacity-reservation/cr-0a1b2c3d"


def usage(usage_type: str, cost: str, amount: str = "1", **more: str) -> Line:
    return line("Usage", cost, lineItem_UsageType=usage_type, lineItem_UsageAmount=amount,
                lineItem_ProductCode="AmazonEC2", **more)  # fmt: skip


def test_capacity_that_was_reserved(bills: Bills) -> None:
    """Used and unused hours of a reserved capacity, by columns or by usage type."""
    arn, status = (f"capacityReservation/CapacityReservation{w}" for w in ("ARN", "Status"))
    has_columns = bills.form == "cur-2.0"
    lines = [
        usage("USE1-UnusedBox:m5.large", "0.96", "10", lineItem_ResourceId=CAPACITY),
        usage("USE1-BoxUsage:m5.large", "1.344", "14", lineItem_ResourceId="i-0123"),
        usage("USE1-UnusedDed:m5.large", "1.06", "10", lineItem_ResourceId=CAPACITY),
        usage("USE1-BoxUsage:m5.large", "0.5", "5", lineItem_ResourceId="i-0456"),
    ]
    if has_columns:  # only CUR 2.0 states in which reservation an instance ran
        for usage_line, used_status in zip(lines, ("Unused", "Used", "unused", ""), strict=True):
            usage_line[arn], usage_line[status] = (CAPACITY if used_status else ""), used_status
        lines.append(usage("USE1-m5.large", "0.25") | {arn: CAPACITY, status: "UNUSED"})
    charges = bills.charges(lines)
    assert bills.failed_checks == ""
    unused = only(charges, CapacityReservationStatus="Unused")
    assert {c["CapacityReservationId"] for c in unused} == {CAPACITY}
    assert total(unused, "EffectiveCost") == Decimal("2.27" if has_columns else "2.02")
    used = only(charges, CapacityReservationStatus="Used")
    assert total(used, "EffectiveCost") == (Decimal("1.344") if has_columns else 0)
    assert single(charges, ResourceId="i-0456")["CapacityReservationId"] is None
    # reserved capacity is paid whether used or not; it is not a commitment discount
    assert {c["CommitmentDiscountId"] for c in charges} == {None}


def test_tiers_and_the_free_tier(bills: Bills) -> None:
    """Each tier is a price of the same SKU; the free tier has the price 0."""
    sku = {"product_sku": "SKU1", "pricing_unit": "GB"}

    def tier(rate: str, price: str, amount: str, cost: str) -> Line:
        return usage("USE1-DataTransfer-Out-Bytes", cost, amount, pricing_RateCode=f"SKU1.T.{rate}",
                   lineItem_UnblendedRate=price, pricing_publicOnDemandRate=price,
                   pricing_publicOnDemandCost=cost, **sku)  # fmt: skip

    charges = bills.charges([
        tier("FREE", "0.0000000000", "100", "0.0000000000"),
        tier("TIER1", "0.09", "10240", "921.6"),
        tier("TIER2", "0.085", "3.3333333333", "0.2833333333"),
    ])  # fmt: skip
    assert bills.failed_checks == ""
    assert {c["SkuId"] for c in charges} == {"SKU1"}
    prices = {c["SkuPriceId"]: c["ContractedUnitPrice"] for c in charges}
    assert prices == {"SKU1.T.FREE": 0, "SKU1.T.TIER1": Decimal("0.09"),
                      "SKU1.T.TIER2": Decimal("0.085")}  # fmt: skip
    free = single(charges, SkuPriceId="SKU1.T.FREE")
    assert free["PricingQuantity"] == free["ConsumedQuantity"] == 100
    assert (free["ListUnitPrice"], free["ListCost"], free["BilledCost"]) == (0, 0, 0)


def test_currencies_are_not_added(bills: Bills) -> None:
    """A tenant has two currencies: no mart, check or status has a sum of both."""
    euro = {"lineItem_CurrencyCode": "EUR", "pricing_currency": "USD",
            "pricing_publicOnDemandRate": "5", "pricing_publicOnDemandCost": "5"}  # fmt: skip
    charges = bills.charges([usage("A", "1"), usage("A", "2", **euro), usage("A", "4", **euro)])
    assert bills.failed_checks == ""
    for table in ("monthly_costs", "daily_costs", "monthly_bill", "data_status"):
        sums = bills.rows(f"select billing_currency as c, sum(billed_cost) as b from {table}"
                          " group by all order by all")  # fmt: skip
        assert sums == [{"c": "EUR", "b": 6}, {"c": "USD", "b": 1}], table
    # prices in a currency other than the bill's are not those of the price list
    other = only(charges, BillingCurrency="EUR")
    assert {c["PricingCurrency"] for c in other} == {"USD"}
    assert {c["PricingCurrencyContractedUnitPrice"] for c in other} == {None}
    assert {c["PricingCurrencyListUnitPrice"] for c in other} == {5}


def test_a_public_amount_in_another_currency_is_no_list_cost(bills: Bills) -> None:
    """Bills in rupees with public prices in dollars: list and contracted cost stay in rupees."""
    rupee = {"lineItem_CurrencyCode": "INR", "pricing_currency": "USD", "pricing_unit": "Hrs",
             "pricing_publicOnDemandCost": "96", "pricing_publicOnDemandRate": "96"}  # fmt: skip
    on_demand = usage("BoxUsage", "8000", **rupee, lineItem_UnblendedRate="8000")
    covered = reserved("DiscountedUsage", "0", reservation_EffectiveCost="4000", **rupee,
                       lineItem_UsageAmount="1")  # fmt: skip
    plan_usage = plan("SavingsPlanCoveredUsage", "70", savingsPlan_SavingsPlanEffectiveCost="50",
                      lineItem_UsageAmount="1", **rupee)  # fmt: skip
    negation = plan("SavingsPlanNegation", "-70", lineItem_CurrencyCode="INR")
    # the same currency, or none stated: the public amount is the list cost
    own = usage("BoxUsage", "7", **rupee | {"pricing_currency": "INR"})
    unstated = usage("BoxUsage", "6", **rupee | {"pricing_currency": ""})
    charges = bills.charges([on_demand, covered, plan_usage, negation, own, unstated])
    assert bills.failed_checks == ""
    amounts = {(c["EffectiveCost"], c["ListCost"], c["ContractedCost"], c["ListUnitPrice"])
               for c in charges}  # fmt: skip
    assert amounts == {(8000, 8000, 8000, 8000), (4000, 4000, 4000, 4000), (50, 70, 70, 70),
                       (7, 96, 7, 96), (6, 96, 6, 96)}  # fmt: skip
    foreign = only(charges, PricingCurrency="USD")
    assert {c["PricingCurrencyListUnitPrice"] for c in foreign} == {96}
    # as AWS states it
    assert {c["x_PublicOnDemandCost"] for c in charges} == {96}


def test_data_transfer_is_in_the_region_that_it_comes_from(bills: Bills) -> None:
    """Only where nothing else states the region; transfer from outside AWS comes from none."""
    ways = {"product_fromRegionCode": "us-east-1", "product_toRegionCode": "eu-west-1"}
    out = "USE1-EUW1-AWS-Out-Bytes"
    charges = bills.charges([
        usage(out, "1", **ways),
        usage(out, "2", **ways, product_region="ap-south-1"),
        usage(out, "3", **ways, lineItem_AvailabilityZone="sa-east-1b"),
        usage("EUW1-DataTransfer-In-Bytes", "4", product_toRegionCode="eu-west-1"),
    ])  # fmt: skip
    assert bills.failed_checks == ""
    regions = {int(c["BilledCost"]): (c["RegionId"], c["RegionName"]) for c in charges}
    assert regions == {
        1: ("us-east-1", "US East (N. Virginia)"),
        2: ("ap-south-1", "Asia Pacific (Mumbai)"),
        3: ("sa-east-1", "South America (Sao Paulo)"),
        4: (None, None),
    }


def test_covered_usage_has_the_type_of_its_own_resource(bills: Bills) -> None:
    """A commitment is the resource of its fees and unused parts only."""
    database = "arn:aws:rds:us-east-1:111122223333:db:d1"
    instance = {"lineItem_ResourceId": "i-1", "product_productFamily": "Compute Instance"}
    charges = bills.charges([
        usage("BoxUsage", "0.1", **instance),
        plan("SavingsPlanCoveredUsage", "0.3", savingsPlan_SavingsPlanEffectiveCost="0.07",
             lineItem_UsageAmount="1", **instance),
        plan("SavingsPlanNegation", "-0.3"),
        plan("SavingsPlanRecurringFee", "1", savingsPlan_TotalCommitmentToDate="1",
             savingsPlan_UsedCommitment="0.07"),
        reserved("DiscountedUsage", "0", reservation_EffectiveCost="0.2",
                 lineItem_ResourceId=database, lineItem_UsageAmount="1"),
        reserved("RIFee", "1.2", reservation_UnusedRecurringFee="1", lineItem_UsageAmount="1"),
    ])  # fmt: skip
    assert bills.failed_checks == ""
    types = {(c["ResourceId"], c["ResourceType"]) for c in charges}
    assert types == {
        ("i-1", "Compute Instance"), (database, "db"),
        (PLAN, "Savings Plan"), (RESERVED, "Reserved Instance"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("partition", "region", "region_name", "currency", "issuer"),
    [
        ("aws-cn", "cn-north-1", "China (Beijing)", "CNY", "Beijing Sinnet Technology Co., Ltd."),
        ("aws-cn", "cn-northwest-1", "China (Ningxia)", "CNY",
         "Ningxia Western Cloud Data Technology Co. Ltd."),
        ("aws-us-gov", "us-gov-west-1", "AWS GovCloud (US-West)", "USD",
         "Amazon Web Services, Inc."),
    ],
)  # fmt: skip
def test_other_partitions(
    bills: Bills, partition: str, region: str, region_name: str, currency: str, issuer: str
) -> None:
    """Regions, ARNs, issuers and commitments of China and GovCloud are read as elsewhere."""
    plan = f"arn:{partition}:savingsplans::111122223333:savingsplan/one"
    billing = {"lineItem_CurrencyCode": currency, "bill_InvoicingEntity": issuer,
            "lineItem_LegalEntity": issuer, "pricing_currency": currency}  # fmt: skip
    table = f"arn:{partition}:dynamodb:{region}:111122223333:table/orders"
    charges = bills.charges([
        usage("BoxUsage", "7", product_region=region, lineItem_ResourceId=table, **billing),
        usage("BoxUsage", "8", lineItem_AvailabilityZone=f"{region}a", **billing),
        line("SavingsPlanRecurringFee", "2", savingsPlan_SavingsPlanARN=plan, **billing,
             savingsPlan_TotalCommitmentToDate="2", savingsPlan_UsedCommitment="0.5"),
        line("SavingsPlanCoveredUsage", "1", savingsPlan_SavingsPlanARN=plan, **billing,
             savingsPlan_SavingsPlanEffectiveCost="0.5", lineItem_UsageAmount="1"),
        line("SavingsPlanNegation", "-1", savingsPlan_SavingsPlanARN=plan, **billing),
    ])  # fmt: skip
    assert bills.failed_checks == ""
    assert {c["BillingCurrency"] for c in charges} == {currency}
    assert (
        {c["InvoiceIssuerName"] for c in charges}
        == {issuer}
        == {c["PublisherName"] for c in charges}
    )
    for cost in (7, 8):
        charge = single(charges, BilledCost=Decimal(cost))
        assert (charge["RegionId"], charge["RegionName"]) == (region, region_name)
    assert single(charges, BilledCost=Decimal(7))["ResourceType"] == "table"
    of_plan = only(charges, CommitmentDiscountId=plan)
    assert {c["CommitmentDiscountType"] for c in of_plan} == {"Savings Plan"}
    assert {c["CommitmentDiscountUnit"] for c in of_plan} == {currency}
    assert total(of_plan, "EffectiveCost") == 2
