"""Rules by line item type, on small hand-written bills: each charge is checked against its rule.

Covers cases that the seeded estate does not have: negations that do not cancel, refunds, fees
without a used commitment, several currencies. For totals of an entire estate see test_truth.py.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row

PLAN = "arn:aws:savingsplans::111122223333:savingsplan/one"
RESERVED = "arn:aws:ec2:us-east-1:111122223333:reserved-instances/two"
TYPE, ARN = "lineItem/LineItemType", "savingsPlan/SavingsPlanARN"
OTHER = "444455556666"

Bill = list[dict[str, str]]


@pytest.fixture
def two(empty: TemporaryInstallation, tmp_path: Path) -> TemporaryInstallation:
    """acme and globex claim the same accounts; another account changes project in mid month."""
    text = "tenants:\n"
    for tenant in ("acme", "globex"):
        text += (
            f"- name: {tenant}\n"
            f"  sources: [{{name: payer, format: legacy-cur, location: {tenant}/cur}}]\n"
            "  projects:\n"
            f"  - {{name: prod, accounts: ['111122223333', {{id: '{OTHER}', to: 2026-09-16}}]}}\n"
            f"  - {{name: dev, accounts: [{{id: '{OTHER}', from: 2026-09-16}}]}}\n"
        )
    (tmp_path / "tenants.yaml").write_text(text)
    deliver(tmp_path / "globex/cur", [row("3")])
    empty.apply(tmp_path / "tenants.yaml")
    return empty


def charges(
    installation: TemporaryInstallation, tmp_path: Path, bill: Bill
) -> list[dict[str, Any]]:
    """Ingest a bill of acme (and globex's beside it) and return acme's charges."""
    deliver(tmp_path / "acme/cur", bill, assembly=str(len(bill)))
    for tenant in ("acme", "globex"):
        assert not installation.ingest(tenant).failed
    status = installation.installation.status("acme")
    assert {month_status.state for month_status in status} == {"reconciled"}
    for month_status in status:
        costs = (
            Decimal(line["lineItem/UnblendedCost"])
            for line in bill
            if line["lineItem/CurrencyCode"] == month_status.billing_currency
        )
        assert month_status.billed_cost == sum(costs, Decimal(0))
    assert installation.installation.status("globex")[0].billed_cost == 3
    return installation.rows("acme", "select * from costs order by ChargePeriodStart, x_RowKind")


def covered(
    cost: str, effective: str, account: str = "111122223333", day: str = "2026-09-05"
) -> dict[str, str]:
    more = {TYPE: "SavingsPlanCoveredUsage", ARN: PLAN, "lineItem/UsageAmount": "1",
            "savingsPlan/SavingsPlanEffectiveCost": effective}  # fmt: skip
    return row(cost, account, day, **more)


def negation(cost: str, account: str = "111122223333", day: str = "2026-09-05") -> dict[str, str]:
    return row(cost, account, day, **{TYPE: "SavingsPlanNegation", ARN: PLAN})


def amounts(rows: list[dict[str, Any]], key: str, **where: str) -> list[Decimal]:
    return [
        Decimal(line[key]) for line in rows if all(line[name] == v for name, v in where.items())
    ]


def test_negations_that_cancel_leave_nothing(two: TemporaryInstallation, tmp_path: Path) -> None:
    rows = charges(two, tmp_path, [covered("0.10", "0.07"), negation("-0.10")])
    assert [line["x_RowKind"] for line in rows] == ["line"]
    assert amounts(rows, "BilledCost") == [0] and amounts(rows, "EffectiveCost") == [
        Decimal("0.07")
    ]


def test_an_amount_that_negations_do_not_cancel_is_an_adjustment(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    """A rounding remainder, to the last decimal, stays in the account it belongs to."""
    bill = [
        covered("0.1000000001", "0.07"),
        negation("-0.10"),
        covered("0.5", "0.3", OTHER, "2026-09-20"),
    ]
    rows = charges(two, tmp_path, bill)
    residuals = [line for line in rows if line["x_RowKind"] == "residual"]
    assert {
        (line["project"], line["SubAccountId"], Decimal(line["BilledCost"])) for line in residuals
    } == {
        ("prod", "111122223333", Decimal("0.0000000001")),
        ("dev", OTHER, Decimal("0.5")),
    }
    for line in residuals:
        assert line["ChargeCategory"] == "Adjustment" and line["CommitmentDiscountId"] is None
        assert line["EffectiveCost"] == line["BilledCost"] == line["x_UnblendedCost"]


def test_negations_follow_an_account_that_moves(two: TemporaryInstallation, tmp_path: Path) -> None:
    """Covered before the move, negated after it: each project has what its own days bill."""
    bill = [covered("2", "1", OTHER, "2026-09-10"), negation("-2", OTHER, "2026-09-20")]
    rows = charges(two, tmp_path, bill)
    residuals = {line["project"]: Decimal(line["BilledCost"]) for line in rows
            if line["x_RowKind"] == "residual"}  # fmt: skip
    assert residuals == {"prod": Decimal(2), "dev": Decimal(-2)}


def test_currencies_are_never_summed(two: TemporaryInstallation, tmp_path: Path) -> None:
    bill = [row("1"), row("2", **{"lineItem/CurrencyCode": "EUR"})]
    charges(two, tmp_path, bill)
    monthly_costs = two.rows(
        "acme", "select billing_currency as c, billed_cost as b from monthly_costs"
    )
    assert {(line["c"], Decimal(line["b"])) for line in monthly_costs} == {("USD", 1), ("EUR", 2)}


def test_fees_and_their_unused_part(two: TemporaryInstallation, tmp_path: Path) -> None:
    """The fee is billed and costs nothing; what was used and unused costs the fee, exactly."""
    bill = [
        row("3", **{TYPE: "SavingsPlanRecurringFee", ARN: PLAN, "savingsPlan/UsedCommitment": "2.1",
                    "savingsPlan/TotalCommitmentToDate": "3"}),
        covered("4", "2.1"),
        negation("-4"),
        row("5", **{TYPE: "RIFee", "reservation/ReservationARN": RESERVED,
                    "reservation/UnusedRecurringFee": "1.25", "reservation/UnusedQuantity": "6"}),
        row("0", **{TYPE: "DiscountedUsage", "reservation/ReservationARN": RESERVED,
                    "reservation/EffectiveCost": "3.75", "lineItem/UsageAmount": "18"}),
    ]  # fmt: skip
    rows = charges(two, tmp_path, bill)
    for arn, fee, unused in ((PLAN, 3, "0.9"), (RESERVED, 5, "1.25")):
        of = {"CommitmentDiscountId": arn}
        assert amounts(rows, "BilledCost", **of, ChargeCategory="Purchase") == [fee]
        assert amounts(rows, "EffectiveCost", **of, ChargeCategory="Purchase") == [0]
        of_unused = amounts(rows, "EffectiveCost", **of, CommitmentDiscountStatus="Unused")
        assert of_unused == [Decimal(unused)]
        assert sum(amounts(rows, "EffectiveCost", **of), Decimal(0)) == fee
        assert amounts(rows, "BilledCost", **of, CommitmentDiscountStatus="Unused") == [0]


def test_a_fee_without_used_commitment_is_reported(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    fee = {TYPE: "SavingsPlanRecurringFee", ARN: PLAN, "savingsPlan/TotalCommitmentToDate": "3"}
    deliver(tmp_path / "acme/cur", [row("3", **fee)])
    step = next(s for s in two.ingest("acme").steps if s.stage == "warehouse")
    assert step.outcome == "built" and "commitments_amortize" in step.reason


def test_refunds_are_classified_by_their_period(two: TemporaryInstallation, tmp_path: Path) -> None:
    """A refund of an earlier month is a Correction; one inside the open month is not."""
    earlier = {TYPE: "Refund", "bill/BillType": "Refund"}
    bill = [
        row("-2", **earlier),
        row("-1", **{TYPE: "Refund", "lineItem/UsageAmount": "4"}),
        row("-0.5", **{TYPE: "Refund", "lineItem/TaxType": "VAT"}),
        row("-0.25", **{TYPE: "Credit"}),
        row("-0.125", **{TYPE: "EdpDiscount"}),
    ]
    by_cost = {Decimal(line["BilledCost"]): line for line in charges(two, tmp_path, bill)}
    classified = {
        cost: (line["ChargeCategory"], line["ChargeClass"]) for cost, line in by_cost.items()
    }
    assert classified == {
        Decimal(-2): ("Usage", "Correction"),
        Decimal(-1): ("Usage", None),
        Decimal("-0.5"): ("Tax", None),
        Decimal("-0.25"): ("Credit", None),
        Decimal("-0.125"): ("Adjustment", None),
    }
    inside = by_cost[Decimal(-1)]
    assert Decimal(inside["PricingQuantity"]) == -4
    assert Decimal(inside["ContractedUnitPrice"]) == Decimal("0.25")
    assert all(line["EffectiveCost"] == line["BilledCost"] for line in by_cost.values())
