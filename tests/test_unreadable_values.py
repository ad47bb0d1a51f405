"""Values that cannot be read and that no cost needs become null, and are counted and named.

Put here: values that become null while their row is kept. Keep out: rows that are quarantined
(test_quarantine.py).
"""

from __future__ import annotations

from tests.support.bills import row
from tests.support.foreign_bills import ForeignBills, built_foreign, foreign

__all__ = ["built_foreign", "foreign"]

RATE = "pricing/publicOnDemandRate"
NOT_NEEDED = {
    RATE: "N/A",
    "pricing/publicOnDemandCost": "-",
    "lineItem/UsageAmount": "1,5",
    "lineItem/UnblendedRate": "1_000",
    "lineItem/UsageEndDate": "soon",
    "lineItem/NormalizedUsageAmount": "NA",
    "bill/BillingPeriodEndDate": "open",
    "lineItem/NetUnblendedCost": "none",
    "reservation/TotalReservedUnits": "null",
    "savingsPlan/AmortizedUpfrontCommitmentForBillingPeriod": "n. a.",
    "splitLineItem/SplitCost": "?",
}
FOCUS_ROW = {
    "BilledCost": "1000",
    "EffectiveCost": "1000",
    "BillingCurrency": "USD",
    "BillingPeriodStart": "2026-09-01T00:00:00Z",
    "ChargeCategory": "Usage",
    "ChargePeriodStart": "2026-09-05T00:00:00Z",
    "SubAccountId": "111122223333",
}


def test_a_value_that_no_cost_needs_does_not_take_its_row_away(foreign: ForeignBills) -> None:
    plain = {name: "" for name in NOT_NEEDED}
    charges = foreign.charges("legacy-cur", [row("1000") | NOT_NEEDED, row("1") | plain])
    assert sorted(float(charge["BilledCost"]) for charge in charges) == [1, 1000]
    (dear,) = [charge for charge in charges if float(charge["BilledCost"]) == 1000]
    assert float(dear["EffectiveCost"]) == float(dear["ListCost"]) == 1000
    assert dear["x_PublicOnDemandCost"] is None and dear["x_NetUnblendedCost"] is None
    assert (dear["BillingPeriodEnd"], dear["ChargePeriodEnd"]) == (
        "2026-10-01T00:00:00",
        "2026-09-05T01:00:00",
    )
    status = foreign.status()
    assert (status["rows_quarantined"], status["values_unreadable"]) == (0, len(NOT_NEEDED))
    assert f"{len(NOT_NEEDED)} values that cannot be read are left empty (in " in status["reason"]
    assert "and 8 other columns)" in status["reason"]


def test_each_column_with_such_values_is_named(foreign: ForeignBills) -> None:
    cell = {RATE: "N/A", "lineItem/UsageAmount": "1"}
    lines = [row("1000") | cell, row("7") | cell, row("2") | cell | {RATE: "0.5"}]
    assert len(foreign.charges("legacy-cur", lines)) == 3
    assert f"2 values that cannot be read are left empty (in {RATE})" in foreign.status()["reason"]
    # no value is unreadable in the next delivery
    assert len(foreign.charges("legacy-cur", [row("1000") | cell | {RATE: ""}])) == 1
    assert foreign.status()["values_unreadable"] == 0


def test_values_of_quarantined_rows_are_not_counted(foreign: ForeignBills) -> None:
    header = [*row("1"), RATE]
    lines = [[*row("1000").values(), "N/A"], [*row("abc").values(), "N/A"]]
    path = foreign.write_records("bill.csv", [header, *lines])
    said = foreign.ingest_file("legacy-cur", path)
    assert "1 row quarantined" in said and "1 unreadable value left empty" in said
    status = foreign.status()
    assert (status["rows_quarantined"], status["values_unreadable"]) == (1, 1)


def test_a_value_that_costs_need_is_never_guessed(foreign: ForeignBills) -> None:
    needed = ("lineItem/UnblendedCost", "lineItem/UsageStartDate", "reservation/EffectiveCost",
              "savingsPlan/SavingsPlanEffectiveCost", "savingsPlan/UsedCommitment")  # fmt: skip
    good = row("1") | {name: row("1").get(name, "") for name in needed}
    lines = [good, *(good | {name: "N/A"} for name in needed)]
    assert [float(c["BilledCost"]) for c in foreign.charges("legacy-cur", lines)] == [1]
    reasons = foreign.ask("select reason from quarantine order by line")
    assert [r["reason"].split(": ")[0] for r in reasons] == list(needed)


def test_a_focus_export_keeps_such_rows_too(foreign: ForeignBills) -> None:
    lines = [FOCUS_ROW | {"ListUnitPrice": "N/A", "ChargePeriodEnd": "later", "ListCost": "1200"}]
    (charge,) = foreign.charges("focus", lines)
    assert (float(charge["BilledCost"]), float(charge["ListCost"])) == (1000, 1200)
    assert charge["ListUnitPrice"] is None
    assert foreign.status()["values_unreadable"] == 2
