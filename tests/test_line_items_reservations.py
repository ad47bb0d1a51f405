"""Reservations: size-flexible ones in one unit, upfront payments over their term, refunds."""

from __future__ import annotations

from decimal import Decimal

from tests.support.line_item_bills import (
    RESERVED,
    Bills,
    Line,
    bills,
    line,
    only,
    prepared,
    reserved,
    single,
    total,
)

__all__ = ["bills", "prepared"]


def used(hours: str, units: str, cost: str, day: str = "2026-09-05", **more: str) -> Line:
    """Usage under a reservation, in hours of its own size and in normalized units."""
    return reserved(
        "DiscountedUsage", "0", day, lineItem_UsageAmount=hours,
        lineItem_NormalizedUsageAmount=units, reservation_EffectiveCost=cost, **more,
    )  # fmt: skip


def fee(units: str, unused_units: str, **more: str) -> Line:
    """A month of two m5.xlarge (8 units an hour each): 1440 hours, 11520 units, 144 billed."""
    return reserved(
        "RIFee", "144", lineItem_UsageAmount="1440", pricing_unit="Hrs",
        reservation_TotalReservedUnits="1440", reservation_TotalReservedNormalizedUnits=units,
        reservation_UnusedQuantity="240", reservation_UnusedNormalizedUnitQuantity=unused_units,
        reservation_UnusedRecurringFee="24",
        reservation_UnusedAmortizedUpfrontFeeForBillingPeriod="0", **more,
    )  # fmt: skip


def test_sizes_are_counted_in_normalized_units(bills: Bills) -> None:
    """An m5.xlarge reservation covers m5.large and m5.4xlarge: hours do not add up, units do."""
    charges = bills.charges([
        fee("11520", "1920"),
        used("1600", "6400", "80"),
        used("100", "3200", "40", "2026-09-06"),
        # usage without a reservation has no units of a commitment
        line("Usage", "4", lineItem_UsageAmount="20", lineItem_NormalizedUsageAmount="160"),
    ])  # fmt: skip
    assert bills.failed_checks == ""
    of = {"CommitmentDiscountId": RESERVED}
    reserved_rows = only(charges, **of)
    assert {c["CommitmentDiscountUnit"] for c in reserved_rows} == {"NFU-Hours"}
    quantity = "CommitmentDiscountQuantity"
    assert total(reserved_rows, quantity, ChargeCategory="Purchase") == 11520
    assert total(reserved_rows, quantity, CommitmentDiscountStatus="Used") == 9600
    assert total(reserved_rows, quantity, CommitmentDiscountStatus="Unused") == 1920
    # prices and consumption stay in hours, as in the bill
    assert single(reserved_rows, ChargeCategory="Purchase")["PricingQuantity"] == 1440
    used_rows = only(reserved_rows, CommitmentDiscountStatus="Used")
    assert [c["ConsumedQuantity"] for c in used_rows] == [1600, 100]


def test_without_units_everywhere_hours_are_counted(bills: Bills) -> None:
    """If a row has no units, the entire commitment is in hours (FOCUS requires a single unit)."""
    lines = [fee("11520", "1920"), used("1000", "8000", "100"), used("200", "", "20")]
    charges = only(bills.charges(lines), CommitmentDiscountId=RESERVED)
    assert {c["CommitmentDiscountUnit"] for c in charges} == {"Hours"}
    quantity = "CommitmentDiscountQuantity"
    assert total(charges, quantity, ChargeCategory="Purchase") == 1440
    assert total(charges, quantity, ChargeCategory="Usage") == 1440


def test_upfront_fees_and_zones(bills: Bills) -> None:
    """An upfront fee is counted like its month; a reservation of a single zone has no units."""
    zonal = "arn:aws:ec2:us-east-1:111122223333:reserved-instances/zonal"
    charges = bills.charges([
        fee("11520", "9920"),
        used("200", "1600", "20"),
        reserved("Fee", "600", lineItem_UsageAmount="2", lineItem_NormalizationFactor="8",
                 reservation_TotalReservedUnits="17520"),
        fee("", "", arn=zonal),
        used("1200", "4800", "120", arn=zonal),
        reserved("Fee", "70", arn=zonal, lineItem_UsageAmount="1",
                 lineItem_NormalizationFactor="", reservation_TotalReservedUnits="8760"),
    ])  # fmt: skip
    counted = {
        (c["BilledCost"], c["CommitmentDiscountQuantity"], c["CommitmentDiscountUnit"])
        for c in only(charges, ChargeCategory="Purchase", ChargeFrequency="One-Time")
    }
    assert counted == {(600, 140160, "NFU-Hours"), (70, 8760, "Hours")}
    for arn, unit, quantity in ((RESERVED, "NFU-Hours", 11520), (zonal, "Hours", 1440)):
        of_reservation = only(charges, CommitmentDiscountId=arn)
        assert {c["CommitmentDiscountUnit"] for c in of_reservation} == {unit}
        assert (
            total(of_reservation, "CommitmentDiscountQuantity", ChargeCategory="Usage") == quantity
        )


def month_of(month: str, upfront_share: str, cost: str, unused: str, **more: str) -> list[Line]:
    """A month of a reservation: its fee and its covered usage, with a tenth unused."""
    day, total_cost = f"{month}-03", Decimal(cost) + Decimal(upfront_share)
    idle_fee, idle_upfront = Decimal(cost) / 10, Decimal(upfront_share) / 10
    return [
        reserved(
            "RIFee", cost, day, lineItem_UsageAmount="720", reservation_UnusedQuantity=unused,
            reservation_TotalReservedUnits="720", reservation_UnusedRecurringFee=f"{idle_fee:f}",
            reservation_AmortizedUpfrontFeeForBillingPeriod=upfront_share,
            reservation_UnusedAmortizedUpfrontFeeForBillingPeriod=f"{idle_upfront:f}", **more,
        ),
        used("648", "", f"{total_cost - idle_fee - idle_upfront:f}", day, **more),
    ]  # fmt: skip


def test_all_and_partial_upfront_over_two_months(bills: Bills) -> None:
    """The payment is billed once; each month costs its share and its fees, used or not."""
    all_upfront = "arn:aws:ec2:us-east-1:111122223333:reserved-instances/all-upfront"
    arn_only = {"arn": all_upfront}

    def upfront(cost: str, hours: str, **more: str) -> Line:
        return reserved("Fee", cost, "2026-08-01", lineItem_UsageAmount="1",
                        reservation_TotalReservedUnits=hours, bill_BillType="Purchase",
                        **more)  # fmt: skip

    first = [
        upfront("600", "8760"), *month_of("2026-08", "50", "30", "72"),
        upfront("1200", "8760", **arn_only), *month_of("2026-08", "100", "0", "72", **arn_only),
    ]  # fmt: skip
    second = [*month_of("2026-09", "50", "30", "72"),
              *month_of("2026-09", "100", "0", "72", **arn_only)]  # fmt: skip
    bills.charges(first, "2026-08")
    assert bills.failed_checks == ""
    charges = bills.charges(second)
    assert bills.failed_checks == ""
    for arn, paid, share in ((RESERVED, 600, 80), (all_upfront, 1200, 100)):
        of = {"CommitmentDiscountId": arn}
        assert total(charges, "BilledCost", **of, ChargeFrequency="One-Time") == paid
        # the single purchase covers the entire term
        bought = single(charges, **of, ChargeFrequency="One-Time")
        assert bought["ChargeCategory"] == "Purchase" and bought["EffectiveCost"] == 0
        assert bought["CommitmentDiscountQuantity"] == 8760
        for month in ("2026-08", "2026-09"):
            of_month = of | {"billing_period": month}
            used_cost = total(charges, "EffectiveCost", **of_month, CommitmentDiscountStatus="Used")
            unused = single(charges, **of_month, CommitmentDiscountStatus="Unused")
            assert unused["EffectiveCost"] == Decimal(share) / 10
            assert used_cost + unused["EffectiveCost"] == share
            recurring = only(charges, **of_month, ChargeFrequency="Recurring")
            fees = sum(c["BilledCost"] + c["x_AmortizedUpfrontCost"] for c in recurring)
            assert fees == share
            quantity = "CommitmentDiscountQuantity"
            assert total(recurring, quantity) == 720
            assert total(charges, quantity, **of_month, ChargeCategory="Usage") == 720


def test_the_refund_of_a_fee_is_not_usage(bills: Bills) -> None:
    """A payment for later usage has no effective cost, and neither has its refund."""
    charges = bills.charges([
        reserved("Fee", "600", reservation_TotalReservedUnits="8760", lineItem_UsageAmount="1"),
        reserved("Refund", "-600", "2026-09-07", lineItem_UsageAmount="8760",
                 lineItem_LineItemDescription="Refund: Sign up charge for subscription: 1"),
        reserved("Refund", "-80", "2026-09-08", bill_BillType="Refund",
                 lineItem_LineItemDescription="refund for upfront fee"),
        # refunds of plans do not always name the plan
        line("Refund", "-50", "2026-09-09", lineItem_ProductCode="ComputeSavingsPlans",
             lineItem_LineItemDescription="Refund for one-time fee for Savings Plan ID: one"),
        line("Refund", "-3", "2026-09-10", lineItem_ProductCode="AmazonEC2"),
    ])  # fmt: skip
    assert bills.failed_checks == ""
    refunds = {c["BilledCost"]: c for c in charges if c["x_LineItemType"] == "Refund"}
    classified = {cost: (c["ChargeCategory"], c["ChargeClass"], c["EffectiveCost"])
            for cost, c in refunds.items()}  # fmt: skip
    assert classified == {
        -600: ("Purchase", None, 0),
        -80: ("Purchase", "Correction", 0),
        -50: ("Purchase", None, 0),
        -3: ("Usage", None, -3),
    }
    assert refunds[Decimal(-600)]["CommitmentDiscountQuantity"] == -8760
    assert {refunds[Decimal(cost)]["CommitmentDiscountId"] for cost in (-600, -80)} == {RESERVED}
