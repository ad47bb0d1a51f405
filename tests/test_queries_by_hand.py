"""Queries of the library on a small bill by hand: what the seeded estate has none of.

Capacity reservations, agreed prices below list prices, and two currencies, beside a tenant with
the same accounts. Everything else of the library: test_queries.py.
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


def held(cost: str, status: str) -> dict[str, str]:
    return row(cost, **{
        "capacityReservation/CapacityReservationArn": CAPACITY,
        "capacityReservation/CapacityReservationStatus": status,
        "lineItem/ProductCode": "AmazonEC2",
    })  # fmt: skip


def agreed(cost: str, list_cost: str, **more: str) -> dict[str, str]:
    details = {"lineItem/ProductCode": "AmazonS3", "pricing/publicOnDemandCost": list_cost}
    return row(cost, **details, **more)


BILL = [
    held("4", "Used"),
    held("2.5", "Unused"),
    held("1.5", "Unused"),
    agreed("6", "10"),
    agreed("3", "4"),
    agreed("1", "10", **EUR),
]


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory: pytest.TempPathFactory) -> TemporaryInstallation:
    """acme with the bill above; globex with half of it in the same accounts."""
    folder = tmp_path_factory.mktemp("by-hand")
    text = "tenants:\n"
    for tenant, bill in (("acme", BILL), ("globex", BILL[:4])):
        source = f"{{name: payer, format: legacy-cur, location: {tenant}/cur}}"
        text += f"- {{name: {tenant}, sources: [{source}]}}\n"
        deliver(folder / tenant / "cur", bill)
    (folder / "tenants.yaml").write_text(text)
    made = TemporaryInstallation(folder / "data")
    made.apply(folder / "tenants.yaml")
    for tenant in ("acme", "globex"):
        assert not made.ingest(tenant).failed
    return made


def cells(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(r[n] if isinstance(r[n], str) else Decimal(r[n]) for n in names) for r in rows]


def test_capacity_that_was_reserved(by_hand: TemporaryInstallation) -> None:
    rows = ask(by_hand, "acme", "capacity_reservations")
    wanted = [(CAPACITY, "Unused", Decimal(4)), (CAPACITY, "Used", Decimal(4))]
    names = ("capacity_reservation_id", "capacity_reservation_status")
    assert cells(rows, *names, "billed_cost") == cells(rows, *names, "effective_cost") == wanted
    idle = ask(by_hand, "acme", "unused_capacity")
    assert cells(idle, names[0], "effective_cost") == [(CAPACITY, Decimal(4))]


def test_savings_are_of_costs_and_of_one_currency(by_hand: TemporaryInstallation) -> None:
    """10 + 4 at list prices cost 9: 35.71 %. Quotients of the rows, added up, would say other."""
    s3 = "Amazon Simple Storage Service"
    rows = [r for r in ask(by_hand, "acme", "effective_savings_rate") if r["service_name"] == s3]
    names = ("billing_currency", "list_cost", "effective_cost", "savings_rate_percent")
    assert cells(rows, *names) == [
        ("EUR", Decimal(10), Decimal(1), Decimal(90)),
        ("USD", Decimal(14), Decimal(9), Decimal("35.71")),
    ]
    told = [r for r in ask(by_hand, "acme", "contracted_savings") if r["service_name"] == s3]
    assert cells(told, "billing_currency", "saved_cost") == [("EUR", 9), ("USD", 5)]


def test_no_query_sums_across_currencies(by_hand: TemporaryInstallation) -> None:
    """Euros and dollars have rows of their own; globex, without euros, is told none."""
    for query in use_cases():
        told = {row["billing_currency"] for row in ask(by_hand, "globex", query.name)}
        assert told <= {"USD"}, query.name
    for name in ("cash_and_amortized", "service_categories", "provider_invoices"):
        sums = dict.fromkeys(("USD", "EUR"), Decimal(0))
        for row_ in ask(by_hand, "acme", name):
            sums[row_["billing_currency"]] += row_["billed_cost"]
        assert sums == {"USD": Decimal(17), "EUR": Decimal(1)}, name
