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
from tests.support.rewound_folder import rewound_by

PLAN = "arn:aws:savingsplans::111122223333:savingsplan/one"
TYPE, ARN = "lineItem/LineItemType", "savingsPlan/SavingsPlanARN"
OTHER = "444455556666"

Bill = list[dict[str, str]]


def make_two(folder: Path) -> None:
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
    (folder / "tenants.yaml").write_text(text)
    deliver(folder / "globex/cur", [row("3")])
    made = TemporaryInstallation(folder / "data")
    made.apply(folder / "tenants.yaml")
    assert not made.ingest("globex").failed


pristine, tmp_path = rewound_by(make_two)


@pytest.fixture
def two(empty: TemporaryInstallation) -> TemporaryInstallation:
    """The two tenants; globex is ingested."""
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


def test_a_fee_without_used_commitment_is_reported(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    fee = {TYPE: "SavingsPlanRecurringFee", ARN: PLAN, "savingsPlan/TotalCommitmentToDate": "3"}
    deliver(tmp_path / "acme/cur", [row("3", **fee)])
    step = next(s for s in two.ingest("acme").steps if s.stage == "warehouse")
    assert step.outcome == "built" and "commitments_amortize" in step.reason
