"""Queries of the library on a small handwritten bill: what the seeded estate does not contain.

Put here: capacity reservations, contracted prices below list prices, and two currencies, beside a
tenant with the same accounts. Keep out: everything else of the library (test_queries.py).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from finops_pipeline.marts.use_cases import use_cases
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row
from tests.test_queries import ask

CAPACITY = "arn:aws:ec2:eu-west-1:111122223333:capacity-reservation/cr-1"
EUR = {"lineItem/CurrencyCode": "EUR"}


def reserved(cost: str, status: str) -> dict[str, str]:
    return row(cost, **{
        "capacityReservation/CapacityReservationArn": CAPACITY,
        "capacityReservation/CapacityReservationStatus": status,
        "lineItem/ProductCode": "AmazonEC2",
    })  # fmt: skip


def discounted(cost: str, list_cost: str, **more: str) -> dict[str, str]:
    details = {"lineItem/ProductCode": "AmazonS3", "pricing/publicOnDemandCost": list_cost}
    return row(cost, **details, **more)


BILL = [
    reserved("4", "Used"),
    reserved("2.5", "Unused"),
    reserved("1.5", "Unused"),
    discounted("6", "10"),
    discounted("3", "4"),
    discounted("1", "10", **EUR),
]


@pytest.fixture(scope="module")
def small_bills(tmp_path_factory: pytest.TempPathFactory) -> TemporaryInstallation:
    """acme with the bill above; globex with half of it in the same accounts."""
    folder = tmp_path_factory.mktemp("small-bills")
    text = "tenants:\n"
    for tenant, bill in (("acme", BILL), ("globex", BILL[:4])):
        source = f"{{name: payer, format: legacy-cur, location: {tenant}/cur}}"
        text += f"- {{name: {tenant}, sources: [{source}]}}\n"
        deliver(folder / tenant / "cur", bill)
    (folder / "tenants.yaml").write_text(text)
    installation = TemporaryInstallation(folder / "data")
    installation.apply(folder / "tenants.yaml")
    for tenant in ("acme", "globex"):
        assert not installation.ingest(tenant).failed
    return installation


def cells(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(r[n] if isinstance(r[n], str) else Decimal(r[n]) for n in names) for r in rows]


def test_capacity_that_was_reserved(small_bills: TemporaryInstallation) -> None:
    rows = ask(small_bills, "acme", "capacity_reservations")
    expected = [(CAPACITY, "Unused", Decimal(4)), (CAPACITY, "Used", Decimal(4))]
    names = ("capacity_reservation_id", "capacity_reservation_status")
    assert cells(rows, *names, "billed_cost") == cells(rows, *names, "effective_cost") == expected
    idle = ask(small_bills, "acme", "unused_capacity")
    assert cells(idle, names[0], "effective_cost") == [(CAPACITY, Decimal(4))]


def test_savings_rates_are_computed_per_currency(small_bills: TemporaryInstallation) -> None:
    """10 + 4 at list prices cost 9: 35.71 %. Summing the percentages would not give that."""
    s3 = "Amazon Simple Storage Service"
    rows = [
        r for r in ask(small_bills, "acme", "effective_savings_rate") if r["service_name"] == s3
    ]
    names = ("billing_currency", "list_cost", "effective_cost", "savings_rate_percent")
    assert cells(rows, *names) == [
        ("EUR", Decimal(10), Decimal(1), Decimal(90)),
        ("USD", Decimal(14), Decimal(9), Decimal("35.71")),
    ]
    contracted = [
        r for r in ask(small_bills, "acme", "contracted_savings") if r["service_name"] == s3
    ]
    assert cells(contracted, "billing_currency", "saved_cost") == [("EUR", 9), ("USD", 5)]


def test_no_query_sums_across_currencies(small_bills: TemporaryInstallation) -> None:
    """Euros and dollars have rows of their own; globex has no euros and gets no row in euros."""
    for query in use_cases():
        currencies = {row["billing_currency"] for row in ask(small_bills, "globex", query.name)}
        assert currencies <= {"USD"}, query.name
    for name in ("cash_and_amortized", "service_categories", "provider_invoices"):
        sums = dict.fromkeys(("USD", "EUR"), Decimal(0))
        for row_ in ask(small_bills, "acme", name):
            sums[row_["billing_currency"]] += row_["billed_cost"]
        assert sums == {"USD": Decimal(17), "EUR": Decimal(1)}, name
