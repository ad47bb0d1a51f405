"""What people see on 80 columns: tables that fit, records, rounded amounts, the next step.

Put here: width, rounding, empty answers, and what was left out, as a user meets them. Keep out:
formats for programs (test_answer_files.py), the screen of one month (test_status_screen.py).
"""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from finops_pipeline.cli.month_list import note_lines
from finops_pipeline.cli.text_table import USUAL_WIDTH, Layout, lay_out
from finops_pipeline.money import in_cents
from finops_pipeline.reconciliation.states import ReconciliationState, Status
from tests.conftest import LAST_MONTH, TemporaryInstallation
from tests.support.command_output import output_of
from tests.support.globex import finops

COMMANDS = [
    ("status",),
    ("status", "acme"),
    ("tenant", "list"),
    ("project", "list", "acme"),
    ("queries",),
    ("history", "acme/payer", LAST_MONTH),
    ("query", "acme", "select * from monthly_costs limit 3"),
    ("query", "acme", "select * exclude (Tags, SkuPriceDetails) from costs limit 3"),
    ("queries", "run", "acme", "services_month_over_month"),
]


@pytest.fixture(autouse=True)
def _on_the_shared_estate(built: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINOPS_DATA", str(built.data))
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_line_fits(command: tuple[str, ...]) -> None:
    widest = max(output_of(*command).splitlines(), key=len)
    assert len(widest) <= USUAL_WIDTH, widest


def test_a_wider_terminal_shows_more(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = output_of("status", "acme")
    assert "Left out for lack of width: delivery, quarantined, files bill, landed (UTC);" in narrow
    monkeypatch.setenv("COLUMNS", "200")
    wide = output_of("status", "acme")
    assert "files bill" in wide and "Left out" not in wide


def test_a_row_that_does_not_fit_becomes_a_record() -> None:
    shown = output_of("query", "acme", "from monthly_costs order by all limit 2").splitlines()
    assert shown[0].startswith("── 1 ──") and sum(line.startswith("── ") for line in shown) == 2
    fields = dict(line.split(maxsplit=1) for line in shown[1:17] if " " in line)
    (row, *_) = json.loads(
        output_of("query", "acme", "from monthly_costs order by all limit 2", "--format", "json")
    )
    assert fields["service_name"] == row["service_name"] and len(fields) <= len(row)


def test_many_records_are_cut_with_a_word() -> None:
    shown = output_of("query", "acme", "select * exclude (Tags, SkuPriceDetails) from costs")
    assert "finops: only the first 50 rows are shown; --format csv gives all of them" in shown
    assert "── 50 ──" in shown and "── 51 ──" not in shown


def test_a_list_is_never_cut() -> None:
    """`finops source list` has no other format in which the rest could be seen."""
    rows = [(number, "x" * 100) for number in range(60)]
    assert lay_out(("n", "location"), rows, Layout(), 80).rows == 60
    assert lay_out(("n", "location"), rows, Layout(limit=1000), 80).rows == 50


def test_amounts_are_rounded_to_cents_and_exact_on_request() -> None:
    query = ("query", "acme", "select 0.125::decimal(38,18) as a, sum(billed_cost) as total"
             " from monthly_costs")  # fmt: skip
    (exact,) = json.loads(output_of(*query, "--format", "json"), parse_float=Decimal)
    shown = output_of(*query)
    assert shown.splitlines()[2].split() == ["0.13", in_cents(exact["total"])]
    assert shown.endswith("Amounts are rounded to cents; --exact shows every digit.\n")
    digits = output_of(*query, "--exact")
    assert digits.splitlines()[2].split() == ["0.125", str(exact["total"].normalize())]
    assert "rounded" not in digits
    assert "rounded" not in output_of("query", "acme", "select 1.50::decimal(9,2) as billed_cost")


def test_prices_and_quantities_keep_their_digits() -> None:
    sql = "select 0.0000002::decimal(38,18) as {}"
    for name in ("ListUnitPrice", "consumed_quantity", "average_rate"):
        assert "0.0000002" in output_of("query", "acme", sql.format(name)), name
    assert output_of("query", "acme", sql.format("billed_cost")).splitlines()[2].strip() == "<0.01"


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("1.005", "1.01"), ("-1.005", "-1.01"), ("0", "0.00"), ("-0", "0.00"),
        ("0.004999", "<0.01"), ("-0.000000000000000001", ">-0.01"), ("0.005", "0.01"),
        ("12345678901234567890.125", "12345678901234567890.13"),
    ],
)  # fmt: skip
def test_cents(amount: str, text: str) -> None:
    assert in_cents(Decimal(amount)) == text


def test_text_is_wrapped_between_words() -> None:
    rows = [("acme", "The first of these sentences is a long one. " * 3, Decimal("1.5"))]
    shown = lay_out(("tenant", "note", "billed_cost"), rows, Layout(), 60)
    assert shown.lines[0].split() == ["tenant", "note", "billed_cost"]
    assert len(shown.lines) > 4 and max(map(len, shown.lines)) <= 60
    assert " ".join(" ".join(shown.lines[2:]).split()).count("sentences") == 3


def test_an_empty_list_says_what_to_type(
    empty: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "finops status acme" in output_of("query", "acme", "select 1 as a where false")
    assert "finops invoice set acme/SOURCE" in output_of("invoice", "list", "acme")
    monkeypatch.setenv("FINOPS_DATA", str(empty.data))
    for command in (("status",), ("tenant", "list"), ("project", "list")):
        assert output_of(*command) == "No tenant is declared. Declare tenants: finops apply FILE\n"
    assert "finops source add TENANT/SOURCE --format cur-2.0" in output_of("source", "list")
    assert finops("tenant", "add", "globex")[0] == 0
    assert "finops ingest globex" in output_of("status", "globex")
    assert "nothing has landed" in output_of("status")
    assert "finops source add globex/SOURCE" in output_of("source", "list", "globex")
    assert "finops ingest globex" in output_of("files", "globex", "costs")


def test_one_line_per_tenant() -> None:
    lines = output_of("status").splitlines()
    assert [line.split()[0] for line in lines[2:4]] == ["acme", "globex"]
    assert "6 reconciled" in lines[2] and LAST_MONTH in lines[2]
    assert lines[4:] == ["To see the months of a tenant: finops status acme"]


def month(number: int, reason: str, state: str = "reconciled") -> Status:
    period = f"2026-{number:02d}"
    return Status("payer", period, "USD", ReconciliationState(state), reason or None)


def test_a_note_on_nearly_every_month_does_not_hide_the_others() -> None:
    usual = "3 line items of an unknown type kept as Adjustment"
    statuses = [month(number, f"{number} line items of an unknown type") for number in range(1, 12)]
    statuses[4] = month(5, "5 line items of an unknown type; fewer rows than before (9 of 10)")
    statuses.append(month(12, "the charges differ from the files by 1.2 USD", "differs"))
    assert note_lines(statuses) == [
        "payer 2026-05: fewer rows than before (9 of 10)",
        "payer 2026-12: the charges differ from the files by 1.2 USD",
        "payer, 11 of 12 months, in 2026-11: 11 line items of an unknown type",
    ]
    two = [month(1, usual), month(2, usual)]
    assert note_lines(two) == [f"payer 2026-01: {usual}", f"payer 2026-02: {usual}"]
    differing = [month(n, f"the charges differ by {n} USD", "differs") for n in range(1, 6)]
    assert len(note_lines(differing)) == 5, "each month that needs attention has its own line"
