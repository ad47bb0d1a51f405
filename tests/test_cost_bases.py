"""The worked example of docs/cost-bases.md: a bill by hand, its charges on every basis.

What each charge must cost is written here by hand; the pipeline must say the same, and the page
must show what the pipeline says, word for word. To change the page, paste what a failure prints.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from textwrap import fill
from typing import Any

import finops_pipeline
from finops_pipeline.contracts.dictionary import markdown_table
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row

PAGE = Path(finops_pipeline.__file__).parents[1] / "docs" / "cost-bases.md"
BEGIN, END = "<!-- tests/test_cost_bases.py writes this -->\n", "<!-- to here -->\n"
PLAN = "arn:aws:savingsplans::111122223333:savingsplan/example"
RESERVED = "arn:aws:ec2:us-east-1:111122223333:reserved-instances/example"
BASES = ("billed", "effective", "list", "contracted", "net_billed", "net_effective")


def line(what: str, kind: str, cost: str, net: str, **more: str) -> dict[str, str]:
    """One line item; words of `more` are columns, with `_` for the slash."""
    columns = {key.replace("_", "/", 1): value for key, value in more.items()}
    base = {"lineItem/LineItemType": kind, "lineItem/NetUnblendedCost": net,
            "lineItem/LineItemDescription": what}  # fmt: skip
    return row(cost, **base, **columns)


def bill() -> list[dict[str, str]]:
    """A month with an agreed price, two commitments and a discount of 10% (EDP)."""
    plan, reserved = {"savingsPlan_SavingsPlanARN": PLAN}, {"reservation_ReservationARN": RESERVED}
    return [
        line("on-demand usage at an agreed price", "Usage", "10", "9",
             lineItem_UsageAmount="5", pricing_publicOnDemandCost="12"),
        line("usage covered by the Savings Plan", "SavingsPlanCoveredUsage", "8", "7.2",
             savingsPlan_SavingsPlanEffectiveCost="5", pricing_publicOnDemandCost="8",
             savingsPlan_NetSavingsPlanEffectiveCost="4.5", lineItem_UsageAmount="4", **plan),
        line("its negation", "SavingsPlanNegation", "-8", "-7.2", **plan),
        line("Savings Plan, monthly fee", "SavingsPlanRecurringFee", "6", "5.4",
             savingsPlan_TotalCommitmentToDate="6", savingsPlan_UsedCommitment="5",
             savingsPlan_NetRecurringCommitmentForBillingPeriod="5.4", **plan),
        line("reservation, upfront payment", "Fee", "120", "108", **reserved),
        line("reservation, monthly fee", "RIFee", "20", "18",
             reservation_AmortizedUpfrontFeeForBillingPeriod="10",
             reservation_UnusedAmortizedUpfrontFeeForBillingPeriod="2",
             reservation_UnusedRecurringFee="4", reservation_UnusedQuantity="144",
             reservation_NetUnusedAmortizedUpfrontFeeForBillingPeriod="1.8",
             reservation_NetUnusedRecurringFee="3.6",
             reservation_TotalReservedUnits="720", **reserved),
        line("usage covered by the reservation", "DiscountedUsage", "0", "0",
             reservation_EffectiveCost="24", reservation_NetEffectiveCost="21.6",
             pricing_publicOnDemandCost="40", lineItem_UsageAmount="576", **reserved),
        line("refund of usage", "Refund", "-3", "-2.7"),
        line("credit", "Credit", "-5", "-5"),
        line("tax", "Tax", "7", "7"),
        line("10% discount as a line item", "EdpDiscount", "-15.3", "0"),
    ]  # fmt: skip


BY_HAND: dict[str, tuple[str, ...]] = {
    "on-demand usage at an agreed price": ("10", "10", "12", "10", "9", "9"),
    "usage covered by the Savings Plan": ("0", "5", "8", "8", "0", "4.5"),
    "Savings Plan, monthly fee": ("6", "0", "6", "6", "5.4", "0"),
    "- unused part": ("0", "1", "0", "0", "0", "0.9"),
    "reservation, upfront payment": ("120", "0", "120", "120", "108", "0"),
    "reservation, monthly fee": ("20", "0", "20", "20", "18", "0"),
    "- unused part ": ("0", "6", "0", "0", "0", "5.4"),
    "usage covered by the reservation": ("0", "24", "40", "40", "0", "21.6"),
    "refund of usage": ("-3", "-3", "-3", "-3", "-2.7", "-2.7"),
    "credit": ("-5", "-5", "-5", "-5", "-5", "-5"),
    "tax": ("7", "7", "7", "7", "7", "7"),
    "10% discount as a line item": ("-15.3", "-15.3", "-15.3", "-15.3", "0", "0"),
}
"""Charge -> what it must cost on each basis."""

SQL = """
select x_LineItemType as type, ChargeDescription as what, x_RowKind as kind,
    ChargeCategory as category, CommitmentDiscountType as commitment, BilledCost as billed,
    EffectiveCost as effective, ListCost as list, ContractedCost as contracted,
    x_NetUnblendedCost as net_billed, round(x_NetEffectiveCost, 12) as net_effective
from costs
"""
Costs = tuple[Decimal | None, ...]


def told(made: TemporaryInstallation) -> dict[str, tuple[str, Costs]]:
    """Charge -> its category and costs, in the order of the bill."""
    found: dict[str, tuple[str, Costs]] = {}
    for charge in made.rows("acme", SQL):
        what = charge["what"]
        if charge["kind"] == "unused":
            what = "- unused part" + " " * (charge["commitment"] == "Reserved Instance")
        costs = tuple(None if charge[b] is None else Decimal(charge[b]) for b in BASES)
        found[what] = (charge["category"], costs)
    assert found.keys() == BY_HAND.keys()
    return {what: found[what] for what in BY_HAND}


def total(costs: Iterable[Costs]) -> Costs:
    """Sums by basis; a basis that one row does not state has none."""
    columns = zip(*costs, strict=True)
    return tuple(
        None if None in column else sum((c for c in column if c is not None), Decimal(0))
        for column in columns
    )


def spelled(amount: Decimal | None) -> str:
    return "not stated" if amount is None else f"{amount.normalize():f}"


def section(charges: dict[str, tuple[str, Costs]]) -> str:
    """The page's part between its marks: a table and what to read in it."""
    names = ("charge", "category", *(basis.replace("_", " ") for basis in BASES))
    rows = [(what.strip(), category, *map(spelled, costs))
            for what, (category, costs) in charges.items()]  # fmt: skip
    sums = total(costs for _, costs in charges.values())
    use = total(costs for category, costs in charges.values() if category == "Usage")
    rows.append(("total", "", *map(spelled, sums)))
    billed, effective, _, _, net_billed, net_effective = sums
    _, used, listed, contracted, _, _ = use
    upfront = charges["reservation, upfront payment"][1][0]
    assert billed and effective and used and listed and contracted and upfront
    assert net_effective
    saved = f"({spelled(listed)} - {spelled(used)}) / {spelled(listed)}"
    points = (
        f"Billed: {spelled(billed)} is the amount on the invoice. The upfront payment of"
        f" {spelled(upfront)} counts in full in this month.",
        f"Effective: {spelled(effective)}. This is {spelled(billed - effective)} less than billed:"
        " the part of the upfront payment that belongs to later months. Fees have no effective"
        " cost; that cost is on the usage that the commitments covered, and on their unused parts.",
        f"List: usage (category Usage) would have cost {spelled(listed)} at public prices. Compare"
        " usage only; the list cost of a fee would count the same usage twice.",
        f"Contracted: the same usage costs {spelled(contracted)} at agreed prices without"
        f" commitments. So the agreed price saved {spelled(listed - contracted)}, and the"
        f" commitments saved another {spelled(contracted - used)}. The effective savings rate is"
        f" {saved} = {100 * (listed - used) / listed:.2f}%.",
        f"Net billed: {spelled(net_billed)}. The discount is already deducted from the rows it"
        " applies to, and its line item is 0. The total equals the billed one; deducting the"
        " discount from the billed total as well would count it twice.",
        f"Net effective: {spelled(net_effective)}. AWS gives no net amount for the unused part of a"
        " Savings Plan. It is calculated as the unused share of the plan's net commitment"
        " (recurring and upfront), here a sixth of 5.4. The total is"
        f" {spelled(net_effective - effective)} above effective: the discount of 12 on the upfront"
        " payment is spread over its term here, 1 for each month, whereas the line item"
        " deducts all of it in this month.",
    )
    read = "\n".join(fill(f"- {point}", 99, subsequent_indent="  ") for point in points)
    return f"{markdown_table(names, rows)}\n\n{read}\n"


def test_the_page_shows_what_the_pipeline_answers(
    empty: TemporaryInstallation, tmp_path: Path
) -> None:
    text = "tenants:\n"
    for tenant in ("acme", "globex"):
        source = f"{{name: payer, format: legacy-cur, location: {tenant}/cur}}"
        text += f"- {{name: {tenant}, sources: [{source}]}}\n"
    (tmp_path / "tenants.yaml").write_text(text)
    deliver(tmp_path / "acme/cur", bill())
    deliver(tmp_path / "globex/cur", [*bill(), line("more", "Usage", "1", "1")])
    empty.apply(tmp_path / "tenants.yaml")
    for tenant in ("globex", "acme"):
        report = empty.ingest(tenant)
        assert not report.failed
        assert [step.reason for step in report.steps if step.stage == "warehouse"] == [""]

    charges = told(empty)
    for what, amounts in BY_HAND.items():
        wanted = tuple(Decimal(amount) for amount in amounts)
        assert charges[what][1] == wanted, what
    sums = total(costs for _, costs in charges.values())
    assert sums[0] == sums[4] == sum(Decimal(one["lineItem/UnblendedCost"]) for one in bill())
    marts: list[dict[str, Any]] = empty.rows(
        "acme",
        "select sum(billed_cost) as billed, sum(effective_cost) as effective,"
        " sum(list_cost) as list, sum(contracted_cost) as contracted from monthly_costs",
    )
    assert [Decimal(marts[0][basis]) for basis in BASES[:4]] == list(sums[:4])

    shown = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert shown == section(charges), f"the section of the page should be:\n{section(charges)}"
