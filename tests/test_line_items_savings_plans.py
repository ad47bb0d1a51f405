"""Savings Plans over their term: paid upfront in full, in part or not at all, and partly unused."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.support.line_item_bills import (
    PLAN,
    Bills,
    Line,
    bills,
    line,
    only,
    plan,
    prepared,
    total,
)
from tests.support.tiers import some_every_day

__all__ = ["bills", "prepared"]

HOURS = 4
"""Hours of a month in these bills; a plan commits 3 an hour, of which 2.25 are used."""
COMMITTED, USED = Decimal(3), Decimal("2.25")


def month_of(month: str, recurring: Decimal) -> list[Line]:
    """Fee, covered usage and its negation, hour by hour."""
    lines = []
    for hour in range(HOURS):
        day = f"{month}-{hour + 3:02d}"
        lines += [
            plan(
                "SavingsPlanRecurringFee", f"{recurring:f}", day, lineItem_UsageAmount="1",
                savingsPlan_TotalCommitmentToDate=f"{COMMITTED:f}", pricing_unit="Hrs",
                savingsPlan_UsedCommitment=f"{USED:f}",
                savingsPlan_AmortizedUpfrontCommitmentForBillingPeriod=f"{COMMITTED - recurring:f}",
                savingsPlan_RecurringCommitmentForBillingPeriod=f"{recurring:f}",
            ),
            plan("SavingsPlanCoveredUsage", "4", day, lineItem_UsageAmount="10",
                 savingsPlan_SavingsPlanEffectiveCost=f"{USED:f}", pricing_unit="Hrs",
                 pricing_publicOnDemandCost="4"),
            plan("SavingsPlanNegation", "-4", day),
        ]  # fmt: skip
    return lines


@pytest.mark.parametrize("recurring", some_every_day([Decimal("1.5"), Decimal(3), Decimal(0)]))
def test_a_plan_over_two_months(bills: Bills, recurring: Decimal) -> None:
    """What was paid upfront is billed once; each month costs the commitment, used and unused."""
    upfront = (COMMITTED - recurring) * 8760
    bought = [plan("SavingsPlanUpfrontFee", f"{upfront:f}", "2026-08-01", bill_BillType="Purchase",
                   lineItem_UsageAmount="1")] if upfront else []  # fmt: skip
    bills.charges([*bought, *month_of("2026-08", recurring)], "2026-08")
    assert bills.failed_checks == ""
    charges = bills.charges(month_of("2026-09", recurring))
    assert bills.failed_checks == ""
    assert total(charges, "BilledCost", ChargeCategory="Usage") == 0
    assert total(charges, "BilledCost", ChargeFrequency="One-Time") == upfront
    assert total(charges, "BilledCost") == upfront + 2 * HOURS * recurring
    for month in ("2026-08", "2026-09"):
        of = {"billing_period": month}
        unused = only(charges, **of, CommitmentDiscountStatus="Unused")
        assert [c["EffectiveCost"] for c in unused] == [COMMITTED - USED] * HOURS
        assert {(c["PricingUnit"], c["PricingQuantity"]) for c in unused} == {
            ("USD", COMMITTED - USED)
        }
        used = total(charges, "EffectiveCost", **of, CommitmentDiscountStatus="Used")
        fees = only(charges, **of, ChargeFrequency="Recurring")
        paid = total(fees, "BilledCost") + total(fees, "x_AmortizedUpfrontCost")
        assert used + total(unused, "EffectiveCost") == paid == HOURS * COMMITTED
        assert total(charges, "EffectiveCost", **of) == HOURS * COMMITTED
        quantity = "CommitmentDiscountQuantity"
        assert total(fees, quantity) == total(charges, quantity, **of, ChargeCategory="Usage")
        assert {c["PricingUnit"] for c in fees} == {"Hours"}
    # covered usage is worth its on-demand price, the unused part nothing
    assert total(charges, "ListCost", ChargeCategory="Usage") == 2 * HOURS * 4
    commitments = only(charges, ChargeCategory="Purchase")
    assert {c["CommitmentDiscountUnit"] for c in commitments} == {"USD"}


def test_more_used_than_committed_is_no_saving(bills: Bills) -> None:
    """AWS rounds used and total separately; the difference is a negative unused part, not lost."""
    fee = {"savingsPlan_TotalCommitmentToDate": "3", "savingsPlan_UsedCommitment": "3.0000000001"}
    charges = bills.charges([
        plan("SavingsPlanRecurringFee", "3", **fee),
        plan("SavingsPlanCoveredUsage", "4", lineItem_UsageAmount="10",
             savingsPlan_SavingsPlanEffectiveCost="3.0000000001"),
        plan("SavingsPlanNegation", "-4"),
    ])  # fmt: skip
    assert bills.failed_checks == ""
    (unused,) = only(charges, CommitmentDiscountStatus="Unused")
    assert unused["EffectiveCost"] == Decimal("-1e-10")
    assert total(charges, "EffectiveCost") == 3


def test_a_refund_that_pays_back_discounts_counts_cid_1497(bills: Bills) -> None:
    """A plan of 300 with 40 refunded costs 260; only a refund of its one-time fee does not count.

    Report: aws-solutions-library-samples/cloud-intelligence-dashboards-framework#1497.
    """
    fee = {"savingsPlan_TotalCommitmentToDate": "300", "savingsPlan_UsedCommitment": "200"}
    refund = {"lineItem_ProductCode": "ComputeSavingsPlans", "bill_BillType": "Refund"}
    discount = "Refund of an Enterprise Discount Program discount"
    charges = bills.charges([
        plan("SavingsPlanRecurringFee", "300", **fee),
        plan("SavingsPlanCoveredUsage", "250", lineItem_UsageAmount="1",
             savingsPlan_SavingsPlanEffectiveCost="200"),
        plan("SavingsPlanNegation", "-250"),
        line("Refund", "-25", lineItem_LineItemDescription=discount, **refund),
        plan("Refund", "-15", lineItem_LineItemDescription=discount, **refund),
        line("Refund", "-7", **refund | {"lineItem_LineItemDescription":
             "Refund for one-time fee for Savings Plan ID: one"}),
    ])  # fmt: skip
    assert bills.failed_checks == ""
    assert total(charges, "EffectiveCost") == 260
    assert total(charges, "BilledCost") == 300 - 40 - 7
    paid_back = only(charges, ChargeCategory="Adjustment")
    assert sorted(c["EffectiveCost"] for c in paid_back) == [-25, -15]
    assert {c["CommitmentDiscountId"] for c in paid_back} == {None, PLAN}
    (returned,) = only(charges, BilledCost=Decimal(-7))
    assert (returned["ChargeCategory"], returned["EffectiveCost"]) == ("Purchase", 0)
