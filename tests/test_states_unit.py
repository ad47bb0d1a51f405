"""The rules of states, comparisons and verdicts by themselves, without files or a database.

Put here: tolerance, differences in order, which days are common, when a month can be trusted.
Keep out: complete months from the command line (test_reconciliation.py, test_status_screen.py).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from finops_pipeline import clock
from finops_pipeline.ledger.invoice_entries import Invoice
from finops_pipeline.ledger.ledger import PartitionRecord
from finops_pipeline.reconciliation.comparisons import (
    ALL_DAYS,
    Basis,
    Comparison,
    ComparisonState,
    CounterpartKind,
    list_differences,
    read_comparisons,
    store_comparisons,
)
from finops_pipeline.reconciliation.cost_explorer_totals import (
    BillExtent,
    CostExplorerExtent,
    find_common_days,
)
from finops_pipeline.reconciliation.invoice_comparison import BillAmount, compare_with_invoices
from finops_pipeline.reconciliation.states import ReconciliationState, Status
from finops_pipeline.reconciliation.verdict import (
    Doubts,
    MonthOutcome,
    Trust,
    Verdict,
    reach_verdict,
)

MONTH = "2026-09"
SEPTEMBER = [date(2026, 9, day) for day in range(1, 31)]
COST_EXPLORER = Comparison(
    "payer", MONTH, "USD", CounterpartKind.COST_EXPLORER, "explorer", Basis.BILLED, note=ALL_DAYS
)
INVOICE = Comparison("payer", MONTH, "USD", CounterpartKind.INVOICE, cost_basis=Basis.BILLED)


@pytest.fixture(autouse=True)
def after_the_month(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the clock to a day on which AWS no longer changes September."""
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 10, 15, 12, tzinfo=UTC))


# ---- comparisons


@pytest.mark.parametrize(
    ("gap", "state"),
    [("0.005", "agrees"), ("-0.005", "agrees"), ("0.005000000000000001", "differs")],
)
def test_a_comparison_agrees_up_to_its_tolerance(gap: str, state: str) -> None:
    amount = Decimal("99999999999999999999.000000000000000001")
    larger = Decimal("99999999999999999999.000000000000000002")
    comparison = INVOICE.with_amounts(amount, larger, Decimal("0.005"))
    assert (comparison.state, comparison.difference) == ("agrees", Decimal("-1e-18"))
    comparison = INVOICE.with_amounts(Decimal(gap), Decimal(0), Decimal("0.005"))
    assert (comparison.state, comparison.difference) == (state, Decimal(gap))


def test_differences_of_the_total_come_first_and_then_the_largest() -> None:
    def differing(amount: int, service: str | None) -> Comparison:
        base = replace(COST_EXPLORER, service_name=service)
        return base.with_amounts(Decimal(amount), Decimal(0), Decimal(0))

    agreeing = COST_EXPLORER.with_amounts(Decimal(1), Decimal(1), Decimal(0))
    small, large, detail = differing(1, None), differing(-2, None), differing(9, "S3")
    assert list_differences([detail, small, agreeing, large]) == [large, small, detail]


def test_a_difference_is_described_with_its_amounts() -> None:
    comparison = COST_EXPLORER.with_amounts(Decimal("10.10"), Decimal("11.30"), Decimal(0))
    assert comparison.describe_difference() == (
        "billed cost differs from Cost Explorer (explorer) by -1.2 USD: 10.1 in the charges,"
        " 11.3 in Cost Explorer"
    )
    detail = replace(comparison, sub_account_id="1", service_name="S3")
    assert "billed cost of account 1, service S3 differs" in detail.describe_difference()


def test_stored_comparisons_are_read_back_alike() -> None:
    total = COST_EXPLORER.with_amounts(Decimal("1.50"), Decimal("2.5"), Decimal("1e-10"))
    rows = store_comparisons([total, replace(INVOICE, note="n"), replace(INVOICE, cost_basis=None)])
    as_text = tuple({name: str(value) for name, value in row.items()} for row in rows)
    for totals in (rows, as_text):
        record = PartitionRecord("reconciliation", "payer", MONTH, "", 3, 0, "", totals=totals)
        comparisons = read_comparisons(record)
        assert repr(comparisons) == repr(
            [total, replace(INVOICE, note="n"), replace(INVOICE, cost_basis=None)]
        ), "also as the ledger's text: otherwise a refresh would see a change that is not there"


# ---- invoices


def invoice(amount: str, invoice_id: str = "") -> Invoice:
    return Invoice("payer", MONTH, invoice_id, "USD", Decimal(amount), "2026-10-05T00:00:00")


@pytest.mark.parametrize(
    ("amount", "state", "basis"),
    [("10", "agrees", "billed_cost"), ("8", "agrees", "net_billed_cost"),
     ("9", "differs", "billed_cost")],
)  # fmt: skip
def test_net_cost_counts_only_where_billed_cost_does_not_fit(
    amount: str, state: str, basis: str
) -> None:
    bill = BillAmount("payer", MONTH, "USD", Decimal(10), Decimal(8))
    of_another_source = replace(invoice("1"), source="other")
    (comparison,) = compare_with_invoices(bill, [invoice(amount), of_another_source], [])
    assert (comparison.state, comparison.cost_basis) == (state, basis)


def test_an_invoice_whose_charges_are_not_summed_is_not_checked() -> None:
    bill = BillAmount("payer", MONTH, "USD", Decimal(10), None)
    (comparison,) = compare_with_invoices(bill, [invoice("10", "1001")], [])
    assert (comparison.state, comparison.counterpart) == ("not checked", "1001")
    sums = [replace(INVOICE, counterpart="1001", ours=Decimal(10))]
    (comparison,) = compare_with_invoices(bill, [invoice("10", "1001")], sums)
    assert comparison.state == ComparisonState.AGREES


# ---- days that both have


def extent(days: list[date], landed: str, is_estimated: bool | None = False) -> CostExplorerExtent:
    return CostExplorerExtent(landed, {day: is_estimated for day in days})


def test_a_closed_bill_is_compared_on_all_its_days() -> None:
    days = [SEPTEMBER[0] - timedelta(days=1), *SEPTEMBER, SEPTEMBER[-1] + timedelta(days=1)]
    bill = BillExtent("2026-10-05T00:00", SEPTEMBER[-1])
    common = find_common_days(MONTH, bill, extent(days, "2026-10-20"))
    assert (common.days, common.is_whole_month, common.may_change) == (
        tuple(SEPTEMBER), True, False,
    )  # fmt: skip
    assert (common.description, common.sql("x")) == (ALL_DAYS, "true")


def test_a_running_bill_is_compared_before_its_latest_day() -> None:
    bill = BillExtent("2026-09-10T00:00", SEPTEMBER[8])
    common = find_common_days(MONTH, bill, extent(SEPTEMBER[:12], "2026-09-12"))
    assert common.days == tuple(SEPTEMBER[:8])
    assert not common.is_whole_month
    assert common.description.startswith("8 days from 2026-09-01 to 2026-09-08 (")


@pytest.mark.parametrize(
    ("landed", "is_estimated", "may_change"),
    [("2026-10-14", None, True), ("2026-10-15", None, False), ("2026-10-14", False, False),
     ("2026-12-01", True, True)],
)  # fmt: skip
def test_days_may_change_while_estimated_or_read_early(
    landed: str, is_estimated: bool | None, may_change: bool
) -> None:
    bill = BillExtent("2026-10-05T00:00", SEPTEMBER[-1])
    common = find_common_days(MONTH, bill, extent(SEPTEMBER, landed, is_estimated))
    assert common.may_change is may_change


# ---- verdicts


def judge(
    state: ReconciliationState, *comparisons: Comparison, doubts: Doubts | None = None
) -> Verdict:
    status = Status("payer", MONTH, "USD", state, "a reason; another")
    outcome = MonthOutcome("acme", MONTH, [status], comparisons)
    return reach_verdict(outcome, doubts or Doubts())


@pytest.mark.parametrize("state", ReconciliationState)
def test_only_reconciled_months_are_trusted(state: ReconciliationState) -> None:
    trust = {
        ReconciliationState.RECONCILED: Trust.TRUSTED,
        ReconciliationState.OPEN: Trust.OPEN,
    }
    assert judge(state).trust == trust.get(state, Trust.NOT_YET)


@pytest.mark.parametrize(
    "doubts",
    [
        Doubts(failed_checks=("c",)),
        Doubts(are_checked=False),
        Doubts(changed_files=("f",)),
        Doubts(refused_sources=("s",)),
        Doubts(absent_sources=("s",)),
    ],
)
def test_each_doubt_alone_takes_the_trust_away(doubts: Doubts) -> None:
    verdict = judge(ReconciliationState.RECONCILED, doubts=doubts)
    assert verdict.trust == Trust.NOT_YET
    assert verdict.why == "; ".join(doubts.reasons())
    assert set(doubts.todo("acme", MONTH)) <= set(verdict.todo)
    assert judge(ReconciliationState.OPEN, doubts=doubts).trust == Trust.NOT_YET


def test_harmless_findings_leave_a_month_trusted() -> None:
    doubts = Doubts(harmless_checks=("c",), broken_rules=("R7",))
    verdict = judge(ReconciliationState.RECONCILED, doubts=doubts)
    assert verdict.trust == Trust.TRUSTED
    assert "c found rows, but no sum is affected" in verdict.why
    assert "charges break 1 FOCUS rule, but no sum is affected" in verdict.why


def test_a_wrong_state_gives_its_first_reason() -> None:
    verdict = judge(ReconciliationState.DIFFERS)
    assert verdict.why == "payer differs (a reason)"
    doubts = Doubts(failed_checks=("c",))
    assert "the check c failed" in judge(ReconciliationState.DIFFERS, doubts=doubts).why
    assert "the check c failed" not in judge(ReconciliationState.EMPTY, doubts=doubts).why


@pytest.mark.parametrize(
    ("comparison", "text"),
    [
        (COST_EXPLORER, "Cost Explorer was not checked"),
        (replace(COST_EXPLORER, state=ComparisonState.AGREES), "Cost Explorer agrees"),
        (
            replace(COST_EXPLORER, state=ComparisonState.AGREES, note="10 days from x to y"),
            "Cost Explorer agrees on the days that it has, which do not cover the whole month",
        ),
        (
            replace(COST_EXPLORER, state=ComparisonState.EXPLAINED),
            "Cost Explorer differs, but its days are not final",
        ),
        (replace(INVOICE, state=ComparisonState.AGREES), "the invoice agrees"),
        (
            replace(INVOICE, state=ComparisonState.AGREES, counterpart="1001"),
            "the invoice agrees for the invoice ids that were entered, which do not cover the"
            " whole month",
        ),
    ],
)
def test_the_verdict_says_how_far_second_opinions_go(comparison: Comparison, text: str) -> None:
    parts = judge(ReconciliationState.RECONCILED, comparison).why.split("; ")
    assert text in parts


def test_an_invoice_is_requested_only_after_aws_has_sent_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = f"Enter the invoice's total: finops invoice set acme/payer {MONTH} AMOUNT"
    assert line in judge(ReconciliationState.RECONCILED, INVOICE).todo
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 10, 14, 23, tzinfo=UTC))
    verdict = judge(ReconciliationState.OPEN, INVOICE)
    assert verdict.todo == ("Run finops ingest acme on or after 2026-10-15",)
