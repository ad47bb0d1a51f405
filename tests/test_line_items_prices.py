"""Prices, quantities and costs at the ends of their range: exact, and no bill stays out."""

from __future__ import annotations

from decimal import Decimal

from tests.support.line_item_bills import Bills, bills, line, prepared, single, total

__all__ = ["bills", "prepared"]

HUGE = "9999999999999999999"
"""Nineteen nines: two of them can be added without leaving what money holds."""

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


def test_amounts_at_the_ends_come_in(bills: Bills) -> None:
    """Whatever the bill multiplies, its cost comes in to the last decimal; nothing overflows."""
    lines = [
        line("Usage", cost, lineItem_UsageAmount=amount, lineItem_UnblendedRate=rate,
             pricing_publicOnDemandRate=rate, pricing_publicOnDemandCost=cost,
             lineItem_LineItemDescription=str(at))
        for at, (amount, rate, cost) in enumerate(ENDS)
    ]  # fmt: skip
    found = bills.ingested(lines)
    for at, (amount, _, cost) in enumerate(ENDS):
        charge = single(found, ChargeDescription=str(at))
        assert charge["BilledCost"] == charge["ListCost"] == Decimal(cost), at
        assert charge["ContractedUnitPrice"] >= 0 and charge["ListUnitPrice"] >= 0, at
        assert abs(charge["PricingQuantity"]) == abs(Decimal(amount)), at


def test_costs_of_other_signs_come_in(bills: Bills) -> None:
    """No quantity has the sign of both costs: one price fails, and nothing overflows."""
    lines = [
        line("Usage", cost, lineItem_UsageAmount=amount, lineItem_UnblendedRate=rate,
             pricing_publicOnDemandRate=rate,
             pricing_publicOnDemandCost=f"{Decimal(cost).copy_negate():f}")
        for amount, rate, cost in ENDS
    ]  # fmt: skip
    found = bills.ingested(lines)
    assert total(found, "ListCost") == total(found, "BilledCost").copy_negate()


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
    """Prices are never negative: the quantity has the cost's sign, and is 1 where none is told."""
    found = bills.charges([
        line(kind, cost, lineItem_UsageAmount=amount, lineItem_LineItemDescription=str(at))
        for at, (kind, amount, cost, _, _) in enumerate(SIGNS)
    ])  # fmt: skip
    for at, (kind, amount, _, quantity, price) in enumerate(SIGNS):
        charge = single(found, ChargeDescription=str(at))
        assert charge["PricingQuantity"] == Decimal(quantity), at
        assert charge["ContractedUnitPrice"] == charge["ListUnitPrice"] == Decimal(price), at
        if kind == "Usage":
            assert charge["ConsumedQuantity"] == Decimal(amount or 0), at


def test_skus_where_the_bill_has_none(bills: Bills) -> None:
    """Use and purchases always have a SKU and a price of it, the same in every month."""
    told = {"lineItem_ProductCode": "AmazonEC2", "lineItem_UsageType": "BoxUsage:m5.large"}
    lines = [
        line("Usage", "1", **told),
        line("Fee", "2"),
        line("Usage", "3", product_sku="SKU7", **told),
        line("Usage", "4", product_sku="SKU7", pricing_RateCode="SKU7.A.B", **told),
        line("Tax", "5", product_sku="SKU7", pricing_RateCode="SKU7.A.B", pricing_unit="Hrs",
             lineItem_UsageAmount="1", lineItem_UnblendedRate="5", **told),
    ]  # fmt: skip
    found = bills.charges(lines)
    named = {int(c["BilledCost"]): (c["SkuId"], c["SkuPriceId"]) for c in found}
    derived = "AmazonEC2:BoxUsage:m5.large"
    assert named == {
        1: (derived, derived),
        2: ("Fee", "Fee"),
        3: ("SKU7", "SKU7"),
        4: ("SKU7", "SKU7.A.B"),
        5: (None, None),
    }
