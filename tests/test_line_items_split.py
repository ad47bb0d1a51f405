"""Split cost allocation: tasks and pods beside their instance, and nothing counted twice."""

from __future__ import annotations

from decimal import Decimal

from tests.support.line_item_bills import (
    Bills,
    Line,
    bills,
    line,
    only,
    plan,
    prepared,
    reserved,
    total,
)

__all__ = ["bills", "prepared"]

INSTANCE, SPOT = "i-0aaaabbbbccccdddd", "i-0eeeeffff00001111"


def pod(name: str, cost: str, unused: str, parent: str = INSTANCE, **more: str) -> Line:
    """The share of a pod in the hour of its instance; it bills nothing."""
    base = {
        "lineItem_ProductCode": "AmazonEKS", "lineItem_Operation": "EKSPod-EC2",
        "lineItem_UsageType": "USE1-EKS-EC2-vCPU-Hours", "lineItem_UsageAmount": "0.5",
        "lineItem_ResourceId": f"arn:aws:eks:us-east-1:111122223333:pod/one/{name}",
        "splitLineItem_ParentResourceId": parent, "splitLineItem_SplitCost": cost,
        "splitLineItem_UnusedCost": unused, "splitLineItem_NetSplitCost": "",
        "splitLineItem_NetUnusedCost": "",
    }  # fmt: skip
    return line("Usage", "0", **(base | more))


def hour(kind: str, cost: str, instance: str = INSTANCE, **more: str) -> Line:
    """An hour of an instance on demand."""
    base = {"lineItem_ResourceId": instance, "lineItem_UsageType": "USE1-BoxUsage:m5.large",
            "lineItem_ProductCode": "AmazonEC2", "lineItem_UsageAmount": "1"}  # fmt: skip
    return line(kind, cost, **(base | more))


def test_pods_and_tasks_cost_nothing_themselves(bills: Bills) -> None:
    charges = bills.charges([
        hour("Usage", "0.096"),
        # traffic also has the instance's id, but is not shared among pods
        hour("Usage", "0.5", lineItem_UsageType="USE1-DataTransfer-Out-Bytes"),
        pod("a", "0.06", "0.02"),
        pod("b", "0.012", "0.004", lineItem_ProductCode="AmazonECS",
            lineItem_Operation="ECSTask-EC2", splitLineItem_NetSplitCost="0.0108",
            splitLineItem_NetUnusedCost="0.0036"),
    ])  # fmt: skip
    assert bills.failed_checks == ""
    assert total(charges, "BilledCost") == total(charges, "EffectiveCost") == Decimal("0.596")
    assert total(charges, "ListCost") == Decimal("0.596")
    shares = only(charges, x_ParentResourceId=INSTANCE)
    assert len(shares) == 2
    assert total(shares, "x_SplitCost") == Decimal("0.072")
    assert total(shares, "x_SplitUnusedCost") == Decimal("0.024")
    assert total(shares, "x_NetSplitCost") == Decimal("0.0108")
    assert total(shares, "x_NetSplitUnusedCost") == Decimal("0.0036")
    for charge in only(charges, x_ParentResourceId=None):
        assert charge["x_SplitCost"] is None and charge["x_SplitUnusedCost"] is None
    marts = bills.rows("select sum(effective_cost) as e from monthly_costs")
    assert marts == [{"e": Decimal("0.596")}]


def test_rows_that_copy_the_commitment_of_their_instance(bills: Bills) -> None:
    """Whatever type and pricing AWS copies to a pod, the cost counts once, on the instance."""
    copied = {"savingsPlan_SavingsPlanEffectiveCost": "0.07", "pricing_publicOnDemandCost": "0.096"}
    by_plan = plan(
        "SavingsPlanCoveredUsage", "0.096", lineItem_ResourceId=INSTANCE,
        lineItem_UsageType="USE1-BoxUsage:m5.large", lineItem_UsageAmount="1", **copied,
    )  # fmt: skip
    pod_of_plan = pod("a", "0.05", "0.02") | {
        "lineItem/LineItemType": "SavingsPlanCoveredUsage",
        "savingsPlan/SavingsPlanARN": by_plan["savingsPlan/SavingsPlanARN"],
        "savingsPlan/SavingsPlanEffectiveCost": "0.07",
        "pricing/publicOnDemandCost": "0.096",
        # if such a row bills anything, the negation cancels it like the instance's cost
        "lineItem/UnblendedCost": "0.01",
    }
    by_reservation = reserved(
        "DiscountedUsage", "0", lineItem_ResourceId=SPOT, lineItem_UsageAmount="1",
        lineItem_UsageType="USE1-BoxUsage:m5.large", reservation_EffectiveCost="0.06",
    )  # fmt: skip
    pod_of_reservation = pod("b", "0.06", "0", SPOT) | {
        "lineItem/LineItemType": "DiscountedUsage",
        "reservation/ReservationARN": by_reservation["reservation/ReservationARN"],
        "reservation/EffectiveCost": "0.06",
    }
    charges = bills.charges(
        [by_plan, plan("SavingsPlanNegation", "-0.106"), pod_of_plan,
         by_reservation, pod_of_reservation]
    )  # fmt: skip
    assert bills.failed_checks == ""
    assert total(charges, "EffectiveCost") == Decimal("0.13") and total(charges, "BilledCost") == 0
    # where no public cost is stated, covered usage lists at what it costs
    assert total(charges, "ListCost") == Decimal("0.096") + Decimal("0.06")
    for parent in (INSTANCE, SPOT):
        (share,) = only(charges, x_ParentResourceId=parent)
        assert share["CommitmentDiscountId"] is None and share["PricingCategory"] == "Standard"
        assert share["EffectiveCost"] == share["ListCost"] == share["ContractedCost"] == 0


def test_shares_that_do_not_equal_the_instance_are_reported(bills: Bills) -> None:
    """Reported per instance and period; other instances and rounding are not reported."""
    bills.charges([
        hour("Usage", "0.096"), pod("a", "0.0960005", "0"),
        hour("Usage", "0.03", SPOT, lineItem_UsageType="USE1-SpotUsage:m5.large"),
        pod("b", "0.02", "0.0099", SPOT),
    ])  # fmt: skip
    assert bills.failed_checks.startswith("split_costs_equal_parents: 1 row")
    for text in (f"parent_resource_id={SPOT}", "difference=-0.000100000000000000",
                 "sub_account_id=111122223333", "billing_period=2026-09"):  # fmt: skip
        assert text in bills.failed_checks
    bills.charges([hour("Usage", "0.096"), pod("a", "0.096", "0", "i-0gone")])
    assert (
        "parent_resource_id=i-0gone" in bills.failed_checks
        and "parent_cost=0" in bills.failed_checks
    )


def test_shares_of_a_large_instance_are_rounded_by_its_size(bills: Bills) -> None:
    bills.charges([hour("Usage", "5000"), pod("a", "4999.996", "0")])
    assert bills.failed_checks == ""
    bills.charges([hour("Usage", "5000"), pod("a", "4999.99", "0")])
    assert "difference=-0.010000000000000000" in bills.failed_checks
