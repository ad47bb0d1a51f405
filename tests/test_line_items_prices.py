"""Prices, quantities and costs at the limits of their range: exact, and no bill is refused."""

from __future__ import annotations

from decimal import Decimal

from tests.support.line_item_bills import Bills, bills, line, prepared, single, total

__all__ = ["bills", "prepared"]

HUGE = "9999999999999999999"
"""Nineteen nines: two of them can be added without exceeding DECIMAL(38,18)."""

ENDS = [
    ("999999", "999999", "-999999999"),
    ("999999.999999", "900000", "-999999999.999999999"),
    ("999999.999999", "999999.999999", "-999999999.999999999"),
    ("999999.999999", "899999.99999999", "899999999999.089999"),
    ("-999999", "899999", "999999999.999999999"),
    ("1000000", "1000000", "999999999.99"),
    ("999999999999", "0.999999999999999999", "-999999999.999999999999999999"),
    ("999999.999999999999999", "1", "999999.999999999999999"),
    ("999999999999.99999999", "0.0001", "99999999.999999999999"),
    ("1", HUGE, f"-{HUGE}"),
    ("1", HUGE, "-1"),
    ("-1", HUGE, "1"),
    (HUGE, HUGE, HUGE),
    (HUGE, "0.000000000000000001", f"-{HUGE}"),
    ("0.000000000000000001", HUGE, HUGE),
    ("0.000000000000000001", "0.000000000000000001", "0"),
    ("10000000000000", "0.000001", "10000000"),
]
"""amount, rate, cost"""


def test_amounts_at_the_limits_are_ingested(bills: Bills) -> None:
    """Whatever amount and rate are, the cost is exact to the last decimal; nothing overflows."""
    lines = [
        line("Usage", cost, lineItem_UsageAmount=amount, lineItem_UnblendedRate=rate,
             pricing_publicOnDemandRate=rate, pricing_publicOnDemandCost=cost,
             lineItem_LineItemDescription=str(at))
        for at, (amount, rate, cost) in enumerate(ENDS)
    ]  # fmt: skip
    charges = bills.ingested(lines)
    for at, (amount, _, cost) in enumerate(ENDS):
        charge = single(charges, ChargeDescription=str(at))
        assert charge["BilledCost"] == charge["ListCost"] == Decimal(cost), at
        assert charge["ContractedUnitPrice"] >= 0 and charge["ListUnitPrice"] >= 0, at
        assert abs(charge["PricingQuantity"]) == abs(Decimal(amount)), at


def test_list_costs_of_the_opposite_sign_are_ingested(bills: Bills) -> None:
    """No quantity has the sign of both costs, so a price breaks a rule, but nothing overflows."""
    lines = [
        line("Usage", cost, lineItem_UsageAmount=amount, lineItem_UnblendedRate=rate,
             pricing_publicOnDemandRate=rate,
             pricing_publicOnDemandCost=f"{Decimal(cost).copy_negate():f}")
        for amount, rate, cost in ENDS
    ]  # fmt: skip
    charges = bills.ingested(lines)
    assert total(charges, "ListCost") == total(charges, "BilledCost").copy_negate()


SIGNS = [
    ("Usage", "4", "2", "4", "0.5"),
    ("Usage", "4", "-2", "-4", "0.5"),
    ("Usage", "-4", "-2", "-4", "0.5"),
    ("Usage", "0", "2", "1", "2"),
    ("Usage", "", "-2", "-1", "2"),
    ("Usage", "0", "0", "0", "0"),
    ("Usage", "5", "0", "5", "0"),
    ("Usage", "-5", "0", "-5", "0"),
    ("Fee", "0", "-3", "-1", "3"),
    ("Fee", "", "0", "1", "0"),
    ("Fee", "2", "3", "2", "1.5"),
    ("Refund", "2", "-3", "-2", "1.5"),
    ("Refund", "", "-3", "-1", "3"),
]
"""type, amount, cost; quantity, price"""


def test_a_price_times_its_quantity(bills: Bills) -> None:
    """Prices are never negative: the quantity has the cost's sign, and is 1 where it is missing."""
    charges = bills.charges([
        line(kind, cost, lineItem_UsageAmount=amount, lineItem_LineItemDescription=str(at))
        for at, (kind, amount, cost, _, _) in enumerate(SIGNS)
    ])  # fmt: skip
    for at, (kind, amount, _, quantity, price) in enumerate(SIGNS):
        charge = single(charges, ChargeDescription=str(at))
        assert charge["PricingQuantity"] == Decimal(quantity), at
        assert charge["ContractedUnitPrice"] == charge["ListUnitPrice"] == Decimal(price), at
        if kind == "Usage":
            assert charge["ConsumedQuantity"] == Decimal(amount or 0), at


def test_charges_without_sku_in_the_bill_get_a_derived_sku(bills: Bills) -> None:
    """Usage and purchases always have a SKU and a SKU price, the same in every month."""
    product = {"lineItem_ProductCode": "AmazonEC2", "lineItem_UsageType": "BoxUsage:m5.large"}
    lines = [
        line("Usage", "1", **product),
        line("Fee", "2"),
        line("Usage", "3", product_sku="SKU7", **product),
        line("Usage", "4", product_sku="SKU7", pricing_RateCode="SKU7.A.B", **product),
        line("Tax", "5", product_sku="SKU7", pricing_RateCode="SKU7.A.B", pricing_unit="Hrs",
             lineItem_UsageAmount="1", lineItem_UnblendedRate="5", **product),
    ]  # fmt: skip
    charges = bills.charges(lines)
    skus = {int(c["BilledCost"]): (c["SkuId"], c["SkuPriceId"]) for c in charges}
    derived = "AmazonEC2:BoxUsage:m5.large"
    assert skus == {
        1: (derived, derived),
        2: ("Fee", "Fee"),
        3: ("SKU7", "SKU7"),
        4: ("SKU7", "SKU7.A.B"),
        5: (None, None),
    }
