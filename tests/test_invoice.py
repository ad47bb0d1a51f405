"""Invoice totals entered by an operator: stored, compared at once, removed again.

Put here: `finops invoice` and what it does to a month. Keep out: Cost Explorer
(test_reconciliation.py), the screen (test_status_screen.py).
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from finops_pipeline.money import plain
from tests.support.bills import deliver
from tests.support.globex import finops
from tests.support.second_opinion import (
    DAYS,
    MONTH,
    PROD,
    S3,
    Two,
    built_two,
    costs,
    declare,
    lines,
    two,
)

__all__ = ["built_two", "two"]

TOTAL = sum(costs().values())
"""726.000000726 USD."""


def invoice(two: Two, *arguments: str, ok: bool = True) -> str:
    exit_code, output = finops("invoice", *arguments, data=two.made.data)
    assert (exit_code == 0) is ok, output
    return output


def listed(two: Two, tenant: str = "acme", *more: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(
        invoice(two, "list", tenant, "--format", "json", *more), parse_float=str
    )
    return rows


HALF_A_CENT = {
    "0": "agrees",
    "0.005": "agrees",
    "-0.005": "agrees",
    "0.0050001": "differs",
    "0.01": "differs",
    "-0.01": "differs",
}


def test_half_a_cent_is_rounding(two: Two) -> None:
    for off, state in HALF_A_CENT.items():
        amount = TOTAL + Decimal(off)
        output = invoice(two, "set", "acme/payer", MONTH, f"{amount:f}")
        assert f"{state}, charges 726.000000726" in output
        (comparison,) = two.compared("invoice")
        assert (comparison.state, comparison.ours, comparison.theirs) == (state, TOTAL, amount)
        assert (comparison.tolerance, comparison.counterpart) == (Decimal("0.005"), None)
        status = two.status()
        assert status.state == ("differs" if state == "differs" else "reconciled")
        if state == "differs":
            assert f"by {plain(-Decimal(off))} USD" in str(status.reason)
    assert listed(two, "globex") == []


def test_an_entered_invoice_can_be_replaced_and_removed(two: Two) -> None:
    invoice(two, "set", "acme/payer", MONTH, "-5")
    assert two.status().state == "differs"
    output = invoice(two, "set", "acme/payer", MONTH, "726.00")
    assert "726 USD (it was -5 USD)" in output
    assert two.status().state == "reconciled"
    assert [(row["amount"], row["invoice_id"]) for row in listed(two)] == [
        ("726.000000000000000000", None)
    ]
    assert "no total in USD (it was 726 USD)" in invoice(two, "remove", "acme/payer", MONTH)
    assert two.compared("invoice")[0].state == "not checked"
    assert listed(two) == []
    history = listed(two, "acme", "--history")
    assert [row["amount"] and Decimal(row["amount"]) for row in history] == [-5, 726, None]
    assert all(row["entered_at"] for row in history)
    assert "726" in invoice(two, "list", "acme", "--history")


def test_an_invoice_with_an_id_covers_only_the_charges_of_that_id(two: Two) -> None:
    """The bill also contains another issuer's invoice; each invoice is compared separately."""
    own = lines(costs(), **{"bill/InvoiceId": "1001"})
    sold_costs = {(DAYS[2], PROD, S3): Decimal("12.345")}
    marketplace = lines(sold_costs, **{"bill/InvoiceId": "2002"})
    deliver(two.folder / "acme/cur", own + marketplace, MONTH, "two")
    assert not two.made.ingest("acme").failed
    invoice(two, "set", "acme/payer", MONTH, "726", "--invoice-id", "1001")
    assert two.status().state == "reconciled"
    invoice(two, "set", "acme/payer", MONTH, "12.35", "--invoice-id", "2002")
    invoice(two, "set", "acme/payer", MONTH, "3", "--invoice-id", "3003")
    comparisons = {c.counterpart: (c.state, c.ours) for c in two.compared("invoice")}
    assert comparisons == {
        "1001": ("agrees", TOTAL),
        "2002": ("agrees", Decimal("12.345")),
        "3003": ("differs", 0),
    }
    assert "(3003) by -3 USD" in str(two.status().reason)
    output = invoice(two, "set", "acme/payer", MONTH, "4", "--invoice-id", "3003")
    assert "no charge has this InvoiceId: they have 1001, 2002" in output
    invoice(two, "remove", "acme/payer", MONTH, "--invoice-id", "3003")
    assert two.status().state == "reconciled"
    deliver(two.folder / "acme/cur", own, MONTH, "three")
    assert not two.made.ingest("acme").failed
    comparisons = {c.counterpart: (c.state, c.ours) for c in two.compared("invoice")}
    assert comparisons == {"1001": ("agrees", TOTAL), "2002": ("differs", 0)}


def test_an_invoice_is_compared_net_where_only_net_columns_have_discounts(two: Two) -> None:
    """Billed cost stays gross; the invoice equals the net cost, in total and by its id."""
    item = "lineItem/NetUnblendedCost"
    bill = lines(costs(), **{"bill/InvoiceId": "1001"})
    for line in bill:
        line[item] = format(Decimal(line["lineItem/UnblendedCost"]) * Decimal("0.9"), "f")
    net = TOTAL * Decimal("0.9")
    deliver(two.folder / "acme/cur", bill, MONTH, "two")
    assert not two.made.ingest("acme").failed
    for id_arguments in ((), ("--invoice-id", "1001")):
        invoice(two, "set", "acme/payer", MONTH, f"{net:.2f}", *id_arguments)
    comparisons = [(c.state, c.cost_basis, c.ours) for c in two.compared("invoice")]
    assert comparisons == [("agrees", "net_billed_cost", net)] * 2
    assert two.status().state == "reconciled"
    invoice(two, "set", "acme/payer", MONTH, f"{net + 1:.2f}")
    whole = next(c for c in two.compared("invoice") if c.counterpart is None)
    assert (whole.state, whole.cost_basis, whole.ours) == ("differs", "billed_cost", TOTAL)
    # A line lacks its net cost: there is no net sum, and gross costs do not replace it.
    bill[0][item] = ""
    deliver(two.folder / "acme/cur", bill, MONTH, "three")
    assert not two.made.ingest("acme").failed
    assert {c.cost_basis for c in two.compared("invoice")} == {"billed_cost"}
    assert two.status().state == "differs"


def test_an_invoice_without_a_bill_is_refused(two: Two) -> None:
    """A mistyped year would otherwise stay unnoticed: nothing is ever compared with it."""
    output = invoice(two, "set", "acme/payer", "2062-09", "726", ok=False)
    assert "acme/payer has no bill of 2062-09" in output and "finops status acme" in output
    assert listed(two, "acme", "--history") == []


def test_an_invoice_in_a_currency_that_is_no_longer_billed_differs(two: Two) -> None:
    in_euros = lines(costs(), **{"lineItem/CurrencyCode": "EUR"})
    deliver(two.folder / "acme/cur", in_euros, MONTH, "two")
    assert not two.made.ingest("acme").failed
    invoice(two, "set", "acme/payer", MONTH, "726", "--currency", "EUR")
    deliver(two.folder / "acme/cur", lines(costs()), MONTH, "three")
    assert not two.made.ingest("acme").failed
    states = {c.billing_currency: c.state for c in two.compared("invoice")}
    assert states == {"USD": "not checked", "EUR": "differs"}
    assert two.status().state == "differs"
    invoice(two, "remove", "acme/payer", MONTH, "--currency", "EUR")
    assert two.status().state == "reconciled"


WRONG = {
    "amount '5,00' is not a decimal number": ("acme/payer", MONTH, "5,00"),
    "amount 'NaN' is not a decimal number": ("acme/payer", MONTH, "NaN"),
    "amount '1e3' is not a decimal number": ("acme/payer", MONTH, "1e3"),
    "amount '' is not a decimal number": ("acme/payer", MONTH, ""),
    "month '2026-9' is not": ("acme/payer", "2026-9", "5"),
    "currency 'usd' is not a currency code": ("acme/payer", MONTH, "5", "--currency", "usd"),
    "bills 2026-09 in USD, but the invoice is in EUR": (
        *("acme/payer", MONTH, "5"),
        *("--currency", "EUR"),
    ),
    "source acme/nosuch is not known": ("acme/nosuch", MONTH, "5"),
    "nosuch": ("nosuch/payer", MONTH, "5"),
    "is Cost Explorer, which sends no invoices": ("acme/explorer", MONTH, "5"),
    "invoice id 'a b' is not valid": ("acme/payer", MONTH, "5", "--invoice-id", "a b"),
}


def test_invalid_invoices_are_refused(two: Two) -> None:
    for message, arguments in WRONG.items():
        output = invoice(two, "set", *arguments, ok=False)
        assert message in output, arguments
        assert "Expected" in output or "finops" in output, arguments
    output = invoice(two, "remove", "acme/payer", MONTH, ok=False)
    assert "no invoice total of acme/payer 2026-09 was entered" in output
    assert listed(two, "acme", "--history") == []
    assert two.status().state == "reconciled"


def test_invoices_of_different_currencies_are_compared_separately(two: Two) -> None:
    more = [{"name": "yen", "format": "legacy-cur", "location": "acme/yen"}]
    declare(two.made, two.folder, "acme", *more)
    both = lines({key: cost * 2 for key, cost in costs().items()}) + lines(
        {(DAYS[0], PROD, S3): Decimal("99.6")}, **{"lineItem/CurrencyCode": "JPY"}
    )
    deliver(two.folder / "acme/yen", both, MONTH)
    assert not two.made.ingest("acme").failed
    invoice(two, "set", "acme/yen", MONTH, "100", "--currency", "JPY")
    comparisons = {c.billing_currency: c for c in two.compared("invoice", "yen")}
    assert (comparisons["JPY"].state, comparisons["JPY"].tolerance) == ("agrees", Decimal("0.5"))
    assert comparisons["USD"].state == "not checked"
    assert {c.state for c in two.compared("invoice")} == {"not checked"}
    invoice(two, "set", "acme/yen", MONTH, "101", "--currency", "JPY")
    states = {(s.source, s.billing_currency): s.state for s in two.made.installation.status("acme")}
    assert states[("yen", "JPY")] == "differs"
    assert states[("yen", "USD")] == states[("payer", "USD")] == "reconciled"
