"""Private discounts as gross lines or net columns, never mixed in a sum; both equal the bill."""

from __future__ import annotations

from decimal import Decimal

from finops_pipeline.contracts.cur import KNOWN_LINE_TYPES
from tests.support.line_item_bills import (
    PLAN,
    Bills,
    Line,
    bills,
    line,
    only,
    plan,
    prepared,
    single,
    total,
)

__all__ = ["bills", "prepared"]

DISCOUNTS = [kind for kind in KNOWN_LINE_TYPES if kind.endswith("Discount")]


def usage_line(kind: str, cost: str, net: str, **more: str) -> Line:
    return line(kind, cost, lineItem_NetUnblendedCost=net, lineItem_UsageAmount="2", **more)


def test_discounts_as_lines_are_gross(bills: Bills) -> None:
    """Each kind lowers the billed cost, in a charge of its own; no check complains about net."""
    charges = bills.charges([
        line("Usage", "100", lineItem_UsageAmount="10", pricing_publicOnDemandCost="110"),
        *(line(kind, "-1.25", lineItem_ProductCode="AmazonEC2", lineItem_LineItemDescription=kind)
          for kind in DISCOUNTS),
    ])  # fmt: skip
    assert len(DISCOUNTS) == 8 and bills.failed_checks == ""
    assert total(charges, "BilledCost") == total(charges, "EffectiveCost") == 90
    for charge in only(charges, ChargeCategory="Adjustment"):
        assert charge["ServiceName"] == "Amazon Elastic Compute Cloud"
        assert charge["ListCost"] == charge["ContractedCost"] == Decimal("-1.25")
        assert charge["PricingQuantity"] is None and charge["ChargeFrequency"] == "One-Time"
    unknown_types = bills.rows("select sum(unknown_line_items) as n from data_status")
    assert unknown_types == [{"n": 0}]


def test_discounts_in_net_columns(bills: Bills) -> None:
    """Gross stays gross; every row also has a net cost, and their sum is the net bill."""
    charges = bills.charges([
        usage_line("Usage", "100", "90", pricing_publicOnDemandCost="100"),
        usage_line("Tax", "10", "10", lineItem_TaxType="VAT"),
        usage_line("EdpDiscount", "-16", "0"),
        plan("SavingsPlanCoveredUsage", "8", lineItem_NetUnblendedCost="7.2",
             lineItem_UsageAmount="1", savingsPlan_SavingsPlanEffectiveCost="5",
             savingsPlan_NetSavingsPlanEffectiveCost="4.5"),
        plan("SavingsPlanNegation", "-8", lineItem_NetUnblendedCost="-7.2"),
        plan("SavingsPlanRecurringFee", "4", lineItem_NetUnblendedCost="3.6",
             savingsPlan_TotalCommitmentToDate="6", savingsPlan_UsedCommitment="5",
             savingsPlan_AmortizedUpfrontCommitmentForBillingPeriod="2",
             savingsPlan_NetAmortizedUpfrontCommitmentForBillingPeriod="1.8",
             savingsPlan_RecurringCommitmentForBillingPeriod="4",
             savingsPlan_NetRecurringCommitmentForBillingPeriod="3.6"),
        plan("SavingsPlanUpfrontFee", "24", lineItem_NetUnblendedCost="21.6"),
    ])  # fmt: skip
    assert bills.failed_checks == ""
    usage = single(charges, x_LineItemType="Usage")
    assert (usage["BilledCost"], usage["x_NetUnblendedCost"]) == (100, 90)
    covered = single(charges, x_LineItemType="SavingsPlanCoveredUsage")
    assert (covered["BilledCost"], covered["x_NetUnblendedCost"]) == (0, 0)
    # a sixth of the plan was not used: gross 1 of 6, and the same share of the net 5.4
    unused = single(charges, x_RowKind="unused")
    assert (unused["EffectiveCost"], unused["BilledCost"]) == (1, 0)
    assert unused["x_NetEffectiveCost"].quantize(Decimal("1e-12")) == Decimal("0.9")
    assert (
        total(charges, "x_NetUnblendedCost")
        == 100 + 10 + 0 + Decimal("21.6") + 0 + Decimal("3.6") - 10
    )
    of_plan = total(charges, "x_NetEffectiveCost", CommitmentDiscountId=PLAN)
    assert of_plan.quantize(Decimal("1e-12")) == Decimal("5.4")


def test_negations_whose_nets_alone_do_not_cancel(bills: Bills) -> None:
    """Gross costs cancel, net costs do not: an adjustment has the rest, so both sums are exact."""
    charges = bills.charges([
        plan("SavingsPlanCoveredUsage", "8", lineItem_NetUnblendedCost="7.2",
             lineItem_UsageAmount="1", savingsPlan_SavingsPlanEffectiveCost="5",
             savingsPlan_NetSavingsPlanEffectiveCost="4.5"),
        plan("SavingsPlanNegation", "-8", lineItem_NetUnblendedCost="-7.1999"),
    ])  # fmt: skip
    residual = single(charges, x_RowKind="residual")
    assert (residual["BilledCost"], residual["EffectiveCost"]) == (0, 0)
    assert residual["x_NetUnblendedCost"] == residual["x_NetEffectiveCost"] == Decimal("0.0001")


UNUSED = [
    ("0", "1", "3", "0"),
    ("5.4", "3", "3", "5.4"),
    ("1000000000.0000000001", "1", "1", "1000000000.0000000001"),
    ("0.0000000003", "1", "3", "0.0000000001"),
    ("2", "-1", "4", "-0.5"),
]
"""net commitment, unused and total gross commitment; net cost of the unused part"""


def test_the_net_cost_of_the_unused_part_of_a_plan(bills: Bills) -> None:
    """The unused share of the net commitment; exact where nothing was used."""
    charges = bills.charges([
        plan("SavingsPlanRecurringFee", "9", arn=f"{PLAN}{at}", lineItem_NetUnblendedCost="8",
             savingsPlan_TotalCommitmentToDate=committed,
             savingsPlan_UsedCommitment=f"{Decimal(committed) - Decimal(unused):f}",
             savingsPlan_NetRecurringCommitmentForBillingPeriod=net)
        for at, (net, unused, committed, _) in enumerate(UNUSED)
    ])  # fmt: skip
    for at, (_, _, _, expected) in enumerate(UNUSED):
        charge = single(charges, x_RowKind="unused", CommitmentDiscountId=f"{PLAN}{at}")
        error = abs(charge["x_NetEffectiveCost"] - Decimal(expected))
        assert error <= Decimal("1e-15") * max(abs(Decimal(expected)), 1), at
