"""The worked example of docs/cost-bases.md: a handwritten bill, its charges on every basis.

The expected cost of each charge is written by hand; the pipeline must compute the same, and the
page must show the result word for word. To change the page, paste the text that a failure prints.
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


def line(charge: str, kind: str, cost: str, net: str, **more: str) -> dict[str, str]:
    """A line item; keys of `more` are columns, with `_` for the slash."""
    columns = {key.replace("_", "/", 1): value for key, value in more.items()}
    base = {"lineItem/LineItemType": kind, "lineItem/NetUnblendedCost": net,
            "lineItem/LineItemDescription": charge}  # fmt: skip
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
"""Charge -> its expected cost on each basis."""

SQL = """
select x_LineItemType as type, ChargeDescription as charge, x_RowKind as kind,
    ChargeCategory as category, CommitmentDiscountType as commitment, BilledCost as billed,
    EffectiveCost as effective, ListCost as list, ContractedCost as contracted,
    x_NetUnblendedCost as net_billed, round(x_NetEffectiveCost, 12) as net_effective
from costs
"""
Costs = tuple[Decimal | None, ...]


def read_costs(made: TemporaryInstallation) -> dict[str, tuple[str, Costs]]:
    """Charge -> its category and costs, in the order of the bill."""
    by_charge: dict[str, tuple[str, Costs]] = {}
    for record in made.rows("acme", SQL):
        charge = record["charge"]
        if record["kind"] == "unused":
            charge = "- unused part" + " " * (record["commitment"] == "Reserved Instance")
        costs = tuple(None if record[b] is None else Decimal(record[b]) for b in BASES)
        by_charge[charge] = (record["category"], costs)
    assert by_charge.keys() == BY_HAND.keys()
    return {charge: by_charge[charge] for charge in BY_HAND}


def total(costs: Iterable[Costs]) -> Costs:
    """Sums by basis; None for a basis that any row does not state."""
    columns = zip(*costs, strict=True)
    return tuple(
        None if None in column else sum((c for c in column if c is not None), Decimal(0))
        for column in columns
    )


def to_text(amount: Decimal | None) -> str:
    return "not stated" if amount is None else f"{amount.normalize():f}"


def section(charges: dict[str, tuple[str, Costs]]) -> str:
    """The page's part between its marks: a table, and the points that explain it."""
    names = ("charge", "category", *(basis.replace("_", " ") for basis in BASES))
    rows = [(charge.strip(), category, *map(to_text, costs))
            for charge, (category, costs) in charges.items()]  # fmt: skip
    sums = total(costs for _, costs in charges.values())
    use = total(costs for category, costs in charges.values() if category == "Usage")
    without_refund = total(
        costs for charge, (category, costs) in charges.items()
        if category == "Usage" and not charge.startswith("refund")
    )  # fmt: skip
    rows.append(("total", "", *map(to_text, sums)))
    billed, effective, _, _, net_billed, net_effective = sums
    _, used, listed, contracted, _, _ = use
    upfront = charges["reservation, upfront payment"][1][0]
    assert billed and effective and used and listed and contracted and upfront
    assert net_effective
    _, priced, at_list, *_ = without_refund
    assert priced and at_list
    saved = f"({to_text(at_list)} - {to_text(priced)}) / {to_text(at_list)}"
    points = (
        f"Billed: {to_text(billed)} is the amount on the invoice. The upfront payment of"
        f" {to_text(upfront)} counts in full in this month.",
        f"Effective: {to_text(effective)}. This is {to_text(billed - effective)} less than billed:"
        " the part of the upfront payment that belongs to later months. Fees have no effective"
        " cost; their cost is assigned to the usage that the commitments covered, and to the"
        " unused parts.",
        f"List: usage (category Usage) would have cost {to_text(listed)} at public prices. Compare"
        " usage only; the list cost of a fee would count the same usage twice.",
        f"Contracted: the same usage costs {to_text(contracted)} at agreed prices without"
        f" commitments. So the agreed price saved {to_text(listed - contracted)}, and the"
        f" commitments saved another {to_text(contracted - used)}. The effective savings rate is"
        f" {saved} = {100 * (at_list - priced) / at_list:.2f}%, without the refund, which is no"
        " price (mart price_waterfall).",
        f"Net billed: {to_text(net_billed)}. The discount is already deducted from the rows it"
        " applies to, and its line item is 0. The total equals the billed one; deducting the"
        " discount from the billed total as well would count it twice.",
        f"Net effective: {to_text(net_effective)}. AWS gives no net amount for the unused part of a"
        " Savings Plan. It is calculated as the unused share of the plan's net commitment"
        " (recurring and upfront), here a sixth of 5.4. The total is"
        f" {to_text(net_effective - effective)} above effective: the discount of 12 on the upfront"
        " payment is spread over its term here, 1 for each month, whereas the line item"
        " deducts all of it in this month.",
    )
    read = "\n".join(fill(f"- {point}", 99, subsequent_indent="  ") for point in points)
    return f"{markdown_table(names, rows)}\n\n{read}\n"


WATERFALL = {
    "list_cost": "60", "spot_savings": "0", "negotiated_savings": "-2",
    "commitment_savings": "-19", "unused_cost": "7", "discount_cost": "-15.3", "credit_cost": "-8",
    "fee_cost": "0", "tax_cost": "7", "adjustment_cost": "0", "effective_cost": "29.7",
    "commitment_fees": "146", "amortized_fees": "-36", "billed_cost": "139.7", "saved_cost": "-14",
}  # fmt: skip
"""The steps from public prices to the bill, by hand."""


def read_waterfall(made: TemporaryInstallation) -> dict[str, str]:
    """The mart price_waterfall of acme, summed."""
    columns = ", ".join(f"sum({name}) as {name}" for name in WATERFALL)
    (record,) = made.rows("acme", f"select {columns} from price_waterfall")
    return {name: to_text(Decimal(amount)) for name, amount in record.items()}


def test_the_page_shows_the_costs_that_the_pipeline_computes(
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

    charges = read_costs(empty)
    for charge, amounts in BY_HAND.items():
        expected = tuple(Decimal(amount) for amount in amounts)
        assert charges[charge][1] == expected, charge
    sums = total(costs for _, costs in charges.values())
    assert sums[0] == sums[4] == sum(Decimal(item["lineItem/UnblendedCost"]) for item in bill())
    marts: list[dict[str, Any]] = empty.rows(
        "acme",
        "select sum(billed_cost) as billed, sum(effective_cost) as effective,"
        " sum(list_cost) as list, sum(contracted_cost) as contracted from monthly_costs",
    )
    assert [Decimal(marts[0][basis]) for basis in BASES[:4]] == list(sums[:4])
    assert read_waterfall(empty) == WATERFALL

    published_section = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert published_section == section(charges), (
        f"the section of the page should be:\n{section(charges)}"
    )
