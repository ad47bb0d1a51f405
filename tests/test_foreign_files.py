"""Files that other programs have touched: account ids read as numbers, records of another length.

Put here: what is mended and said, and what is refused. Keep out: values of kept rows that cannot
be read (test_unreadable_values.py), damaged deliveries (test_bad_input.py).
"""

from __future__ import annotations

from tests.support.bills import row
from tests.support.foreign_bills import ForeignBills, foreign

__all__ = ["foreign"]


def test_account_ids_of_a_spreadsheet_regain_their_zeros(foreign: ForeignBills) -> None:
    payer = "bill/PayerAccountId"
    ids = ("42", "1122334455.0", "000000000042", "111122223333.00", "4.2E+10", "unknown")
    lines = [
        row(str(2**number), account=id) | {payer: "7" if id == "unknown" else "111122223333"}
        for number, id in enumerate(ids)
    ]
    foreign.charges("legacy-cur", lines)
    by_account = foreign.ask(
        "select SubAccountId as a, BillingAccountId as p, sum(BilledCost)::int as b from costs"
        " group by all order by b"
    )
    assert [tuple(line.values()) for line in by_account] == [
        ("001122334455", "111122223333", 2),
        ("000000000042", "111122223333", 5),
        ("111122223333", "111122223333", 8),
        ("4.2E+10", "111122223333", 16),
        ("unknown", "000000000007", 32),
    ]
    assert foreign.ask("select project, sum(BilledCost)::int as b from costs where project = 'prod'"
                       " group by all") == [{"project": "prod", "b": 8}]  # fmt: skip
    status = foreign.status()
    assert status["account_ids_restored"] == 4
    assert "account ids of 4 rows had lost leading zeros" in status["reason"]


def test_a_focus_export_regains_them_too_and_says_so(foreign: ForeignBills) -> None:
    focus_row = {
        "BilledCost": "5", "EffectiveCost": "5", "BillingCurrency": "USD",
        "BillingPeriodStart": "2026-09-01T00:00:00Z", "ChargeCategory": "Usage",
        "ChargePeriodStart": "2026-09-05T00:00:00Z", "SubAccountId": "42",
    }  # fmt: skip
    path = foreign.write_records("bill.csv", [list(focus_row), list(focus_row.values())])
    assert "account ids of 1 row restored to 12 digits" in foreign.ingest_file("focus", path)
    assert foreign.ask("select SubAccountId as a from costs") == [{"a": "000000000042"}]
