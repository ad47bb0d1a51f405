"""Neither usage nor commitment: credits, refunds, tax, support, goods of other sellers."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from tests.support.line_item_bills import Bills, Line, bills, line, only, prepared, single, total

__all__ = ["bills", "prepared"]


SEPTEMBER = {"bill_BillingPeriodStartDate": "2026-09-01T00:00:00Z"}
"""The bill of September, for lines about earlier days."""


def item(code: str, kind: str, cost: str, day: str = "2026-09-05", **more: str) -> Line:
    return line(kind, cost, day, lineItem_ProductCode=code, **more)


def test_credits_belong_to_their_service_and_month(bills: Bills) -> None:
    """A credit lowers the cost of its service and of the month whose bill has it, on all bases."""
    bills.charges([item("AmazonEC2", "Usage", "10", "2026-08-20", lineItem_UsageAmount="1")],
                  "2026-08")  # fmt: skip
    charges = bills.charges([
        item("AmazonEC2", "Usage", "4", lineItem_UsageAmount="1"),
        item("AmazonEC2", "Credit", "-1.5", lineItem_LineItemDescription="Promotion"),
        # for usage of the previous month, but in the bill of this month, where AWS deducts it
        item("AmazonS3", "Credit", "-0.5", "2026-08-11", **SEPTEMBER),
    ])  # fmt: skip
    assert bills.failed_checks == ""
    credits = only(charges, ChargeCategory="Credit")
    for charge in credits:
        assert charge["ChargeClass"] is None and charge["ChargeFrequency"] == "One-Time"
        assert charge["BilledCost"] == charge["EffectiveCost"] == charge["ListCost"]
        assert charge["PricingQuantity"] is None and charge["ListUnitPrice"] is None
        assert charge["billing_period"] == "2026-09"
    by_service = bills.rows(
        "select billing_period as m, service_name as s, sum(billed_cost) as b from monthly_costs"
        " group by all order by all"
    )
    assert [tuple(row.values()) for row in by_service] == [
        ("2026-08", "Amazon Elastic Compute Cloud", 10),
        ("2026-09", "Amazon Elastic Compute Cloud", Decimal("2.5")),
        ("2026-09", "Amazon Simple Storage Service", Decimal("-0.5")),
    ]


def test_refunds_of_this_month_and_of_earlier_ones(bills: Bills) -> None:
    """Only a refund for an invoiced period is a Correction; the same holds for tax."""
    hours = {"lineItem_UsageAmount": "4"}
    august = SEPTEMBER | {"lineItem_UsageEndDate": "2026-08-21T00:00:00Z"}
    charges = bills.charges([
        item("AmazonEC2", "Refund", "-1", **hours),
        item("AmazonEC2", "Refund", "-2", "2026-08-20", **hours, **august),
        item("AmazonEC2", "Refund", "-3", bill_BillType="Refund"),
        item("AmazonEC2", "Refund", "-4", lineItem_TaxType="VAT"),
        item("AmazonEC2", "Refund", "-5", "2026-08-20", lineItem_TaxType="VAT", **august),
        # a reversed refund: prices stay positive, the quantity has the sign of the cost
        item("AmazonEC2", "Refund", "6", **hours),
        # the last hour of the previous month, which AWS ends a second early
        item("AmazonEC2", "Refund", "-7", "2026-08-31",
           lineItem_UsageEndDate="2026-08-31T23:59:59Z", **SEPTEMBER),
    ])  # fmt: skip
    assert bills.failed_checks == ""
    kinds = {int(c["BilledCost"]): (c["ChargeCategory"], c["ChargeClass"], c["PricingQuantity"])
             for c in charges}  # fmt: skip
    assert kinds == {
        -1: ("Usage", None, -4),
        -2: ("Usage", "Correction", None),
        -3: ("Usage", "Correction", None),
        -4: ("Tax", None, None),
        -5: ("Tax", "Correction", None),
        6: ("Usage", None, 4),
        -7: ("Usage", "Correction", None),
    }
    assert all(c["EffectiveCost"] == c["BilledCost"] for c in charges)
    assert single(charges, BilledCost=Decimal(-1))["ConsumedQuantity"] == -4
    assert single(charges, BilledCost=Decimal(-7))["ChargePeriodEnd"] == datetime(2026, 9, 1)  # noqa: DTZ001
    assert {c["x_TaxType"] for c in only(charges, ChargeCategory="Tax")} == {"VAT"}


def test_tax_and_support(bills: Bills) -> None:
    charges = bills.charges([
        item("AmazonEC2", "Tax", "1.9", lineItem_TaxType="VAT", lineItem_UsageAmount="1",
           lineItem_LegalEntity="Amazon Web Services EMEA SARL", product_sku="NOTAX"),
        item("AWSSupportBusiness", "Fee", "100", lineItem_UsageAmount="1",
           bill_BillType="Anniversary", lineItem_UsageType="Dollar"),
        item("AmazonRegistrar", "Fee", "12", lineItem_UsageAmount="1", bill_BillType="Purchase"),
        item("AWSSupportBusiness", "Fee", "-7", bill_BillType="Anniversary"),
    ])  # fmt: skip
    assert bills.failed_checks == ""
    tax = single(charges, ChargeCategory="Tax")
    assert (tax["x_TaxType"], tax["BilledCost"]) == ("VAT", Decimal("1.9"))
    assert tax["PublisherName"] == "Amazon Web Services EMEA SARL"
    support = single(charges, BilledCost=Decimal(100))
    assert support["ChargeCategory"] == "Purchase" and support["ChargeFrequency"] == "Recurring"
    assert support["EffectiveCost"] == 100 and support["CommitmentDiscountId"] is None
    assert support["ContractedUnitPrice"] == 100 and support["PricingCategory"] == "Standard"
    assert single(charges, BilledCost=Decimal(12))["ChargeFrequency"] == "One-Time"
    refund = single(charges, BilledCost=Decimal(-7))
    assert (refund["PricingQuantity"], refund["ContractedUnitPrice"]) == (-1, 7)


def test_goods_of_other_sellers(bills: Bills) -> None:
    """The seller publishes, AWS sells and invoices; the product is the service."""

    def market(kind: str, cost: str, seller: str, **more: str) -> Line:
        return item(
            "9q1abcdefghijkl2mnop3", kind, cost, bill_BillingEntity="AWS Marketplace",
            bill_InvoicingEntity="Amazon Web Services EMEA SARL", lineItem_LegalEntity=seller,
            lineItem_UsageAmount="2", product_ProductName="Observe Pro", **more,
        )  # fmt: skip

    charges = bills.charges([
        market("Usage", "3", "Observe Ltd.", lineItem_UsageType="SoftwareUsage:m5.large"),
        market("Fee", "500", "Observe Ltd.", bill_BillType="Purchase"),
        market("Tax", "95", "Observe Ltd.", lineItem_TaxType="VAT"),
        market("Refund", "-500", "Observe Ltd.", bill_BillType="Refund"),
        market("Usage", "1", ""),
        item("AmazonEC2", "Usage", "1", bill_BillingEntity="AWS", lineItem_UsageAmount="1",
           bill_InvoicingEntity="", lineItem_LegalEntity=""),
    ])  # fmt: skip
    assert bills.failed_checks == ""
    goods = only(charges, x_BillingEntity="AWS Marketplace")
    assert {c["ServiceName"] for c in goods} == {"Observe Pro"}
    assert {c["InvoiceIssuerName"] for c in goods} == {"Amazon Web Services EMEA SARL"}
    assert {c["ProviderName"] for c in charges} == {"AWS"}
    assert len(only(goods, PublisherName="Observe Ltd.")) == 4
    # a seller that the bill does not name is not AWS
    assert len(only(goods, PublisherName="AWS Marketplace")) == 1
    own = single(charges, x_BillingEntity="AWS")
    assert own["PublisherName"] == "Amazon Web Services, Inc."
    assert own["InvoiceIssuerName"] == "AWS"
    assert total(charges, "BilledCost") == 100
