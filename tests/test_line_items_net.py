"""Private discounts: gross lines or net columns, never both in one sum; both come to the bill."""

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


def use(kind: str, cost: str, net: str, **more: str) -> Line:
    return line(kind, cost, lineItem_NetUnblendedCost=net, lineItem_UsageAmount="2", **more)


def test_discounts_as_lines_are_gross(bills: Bills) -> None:
    """Each kind lowers what is billed, in a charge of its own; nothing is said of a net."""
    found = bills.charges([
        line("Usage", "100", lineItem_UsageAmount="10", pricing_publicOnDemandCost="110"),
        *(line(kind, "-1.25", lineItem_ProductCode="AmazonEC2", lineItem_LineItemDescription=kind)
          for kind in DISCOUNTS),
    ])  # fmt: skip
    assert len(DISCOUNTS) == 8 and bills.failed_checks == ""
    assert total(found, "BilledCost") == total(found, "EffectiveCost") == 90
    for charge in only(found, ChargeCategory="Adjustment"):
        assert charge["ServiceName"] == "Amazon Elastic Compute Cloud"
        assert charge["ListCost"] == charge["ContractedCost"] == Decimal("-1.25")
        assert charge["PricingQuantity"] is None and charge["ChargeFrequency"] == "One-Time"
    known = bills.rows("select sum(unknown_line_items) as n from data_status")
    assert known == [{"n": 0}]


def test_discounts_in_net_columns(bills: Bills) -> None:
    """Gross stays gross; the net stands beside, on every row, and comes to the net bill."""
    found = bills.charges([
        use("Usage", "100", "90", pricing_publicOnDemandCost="100"),
        use("Tax", "10", "10", lineItem_TaxType="VAT"),
        use("EdpDiscount", "-16", "0"),
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
    usage = single(found, x_LineItemType="Usage")
    assert (usage["BilledCost"], usage["x_NetUnblendedCost"]) == (100, 90)
    covered = single(found, x_LineItemType="SavingsPlanCoveredUsage")
    assert (covered["BilledCost"], covered["x_NetUnblendedCost"]) == (0, 0)
    # a sixth of the plan was not used: gross 1, and of the net 5.4 as much
    unused = single(found, x_RowKind="unused")
    assert (unused["EffectiveCost"], unused["BilledCost"]) == (1, 0)
    assert unused["x_NetEffectiveCost"].quantize(Decimal("1e-12")) == Decimal("0.9")
    assert (
        total(found, "x_NetUnblendedCost")
        == 100 + 10 + 0 + Decimal("21.6") + 0 + Decimal("3.6") - 10
    )
    of_plan = total(found, "x_NetEffectiveCost", CommitmentDiscountId=PLAN)
    assert of_plan.quantize(Decimal("1e-12")) == Decimal("5.4")


def test_negations_whose_nets_alone_do_not_cancel(bills: Bills) -> None:
    """The gross cancels, the net leaves a rest: it is an adjustment, that both bases stay whole."""
    found = bills.charges([
        plan("SavingsPlanCoveredUsage", "8", lineItem_NetUnblendedCost="7.2",
             lineItem_UsageAmount="1", savingsPlan_SavingsPlanEffectiveCost="5",
             savingsPlan_NetSavingsPlanEffectiveCost="4.5"),
        plan("SavingsPlanNegation", "-8", lineItem_NetUnblendedCost="-7.1999"),
    ])  # fmt: skip
    rest = single(found, x_RowKind="residual")
    assert (rest["BilledCost"], rest["EffectiveCost"]) == (0, 0)
    assert rest["x_NetUnblendedCost"] == rest["x_NetEffectiveCost"] == Decimal("0.0001")


UNUSED = [
    ("0", "1", "3", "0"),
    ("5.4", "3", "3", "5.4"),
    ("1000000000.0000000001", "1", "1", "1000000000.0000000001"),
    ("0.0000000003", "1", "3", "0.0000000001"),
    ("2", "-1", "4", "-0.5"),
]
"""net commitment, unused and total of the gross one; the net of what was unused"""


def test_the_net_of_what_a_plan_left_unused(bills: Bills) -> None:
    """The share of the net commitment that was not used; exact where all of it was not."""
    found = bills.charges([
        plan("SavingsPlanRecurringFee", "9", arn=f"{PLAN}{at}", lineItem_NetUnblendedCost="8",
             savingsPlan_TotalCommitmentToDate=whole,
             savingsPlan_UsedCommitment=f"{Decimal(whole) - Decimal(unused):f}",
             savingsPlan_NetRecurringCommitmentForBillingPeriod=net)
        for at, (net, unused, whole, _) in enumerate(UNUSED)
    ])  # fmt: skip
    for at, (_, _, _, wanted) in enumerate(UNUSED):
        charge = single(found, x_RowKind="unused", CommitmentDiscountId=f"{PLAN}{at}")
        missed = abs(charge["x_NetEffectiveCost"] - Decimal(wanted))
        assert missed <= Decimal("1e-15") * max(abs(Decimal(wanted)), 1), at
