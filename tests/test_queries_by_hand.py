"""Queries of the library on a small handwritten bill: what the seeded estate does not contain.

Put here: capacity reservations, contracted prices below list prices, and two currencies, beside a
tenant with the same accounts. Keep out: everything else of the library (test_queries.py).
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from finops_pipeline.marts.use_cases import use_cases
from finops_pipeline.serve.sandbox import open_sandbox
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row
from tests.support.globex import finops
from tests.test_queries import answer, ask

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
SERVICES = {
    "2026-08": {"AmazonEC2": ["20"], "AmazonS3": ["7"]},
    "2026-09": {"AmazonEC2": ["30"], "AmazonSNS": ["4"]},
    "2026-10": {"AmazonEC2": ["31"], "AmazonSNS": ["4"]},
}
"""hooli's costs by month and service, so that S3 is gone and SNS is new in September."""
DAYS = {"AmazonEC2": ("10", "40"), "AmazonSNS": ("0.0001", "0.5")}
"""hooli's usual cost of a day in another account, and that of 2 November."""


def compared_bill(month: str) -> list[dict[str, str]]:
    lines = [
        row(cost, day=f"{month}-05", **{"lineItem/ProductCode": service})
        for service, costs in SERVICES.get(month, {}).items()
        for cost in costs
    ]
    days = [f"2026-10-{day}" for day in range(20, 32)] + ["2026-11-01", "2026-11-02"]
    return lines + [
        row(peak if day == "2026-11-02" else usual, "444455556666", day,
            **{"lineItem/ProductCode": service})
        for day in days
        for service, (usual, peak) in DAYS.items()
        if day.startswith(month)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def small_bills(tmp_path_factory: pytest.TempPathFactory) -> TemporaryInstallation:
    """acme with the bill above; globex with half of it in the same accounts; hooli, compared."""
    folder = tmp_path_factory.mktemp("small-bills")
    text = "tenants:\n"
    for tenant, bill in (("acme", BILL), ("globex", BILL[:4])):
        source = f"{{name: payer, format: legacy-cur, location: {tenant}/cur}}"
        text += f"- {{name: {tenant}, sources: [{source}]}}\n"
        deliver(folder / tenant / "cur", bill)
    text += "- {name: hooli, sources: [{name: payer, format: legacy-cur, location: hooli/cur}]}\n"
    for month in (*SERVICES, "2026-11"):
        deliver(folder / "hooli" / "cur", compared_bill(month), month)
    (folder / "tenants.yaml").write_text(text)
    installation = TemporaryInstallation(folder / "data")
    installation.apply(folder / "tenants.yaml")
    for tenant in ("acme", "globex", "hooli"):
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
    installation = small_bills.installation
    with open_sandbox(installation.folder("globex"), installation.query_limits) as sandbox:
        for query in use_cases():
            currencies = {row["billing_currency"] for row in answer(sandbox, query.name)}
            assert currencies <= {"USD"}, query.name
    for name in ("cash_and_amortized", "service_categories", "provider_invoices"):
        sums = dict.fromkeys(("USD", "EUR"), Decimal(0))
        for row_ in ask(small_bills, "acme", name):
            sums[row_["billing_currency"]] += row_["billed_cost"]
        assert sums == {"USD": Decimal(17), "EUR": Decimal(1)}, name


EC2, S3, SNS = (
    "Amazon Elastic Compute Cloud",
    "Amazon Simple Storage Service",
    "Amazon Simple Notification Service",
)


def run(made: TemporaryInstallation, name: str, *options: str) -> list[dict[str, Any]]:
    command = ("queries", "run", "hooli", name, *options, "--format", "json")
    code, output = finops(*command, data=made.data)
    assert code == 0, output
    rows: list[dict[str, Any]] = json.loads(output.partition("\n]")[0] + "]", parse_float=Decimal)
    return rows


def test_a_service_that_is_gone_or_new_appears_in_the_comparison(
    small_bills: TemporaryInstallation,
) -> None:
    rows = run(small_bills, "services_month_over_month", "--to", "2026-09")
    by_service = {
        (r["billing_period"], r["service_name"]): (r["effective_cost"], r["cost_before"],
                                                   r["difference"])
        for r in rows
    }  # fmt: skip
    assert by_service == {
        ("2026-08", EC2): (20, None, None),
        ("2026-08", S3): (7, None, None),
        ("2026-09", EC2): (30, 20, 10),
        ("2026-09", S3): (0, 7, -7),
        ("2026-09", SNS): (4, 0, 4),
    }


@pytest.mark.parametrize(
    ("name", "month_of"),
    [
        ("services_month_over_month", lambda r: r["billing_period"]),
        ("resource_usage_month_over_month", lambda r: r["billing_period"]),
        ("anomalous_days", lambda r: r["charge_date"][:7]),
    ],
)
def test_from_and_to_are_the_months_that_are_shown(
    small_bills: TemporaryInstallation, built: TemporaryInstallation, name: str, month_of: Any
) -> None:
    """A comparison also reads the month before: the rows are those of an unlimited answer."""
    for made in (small_bills, built):
        tenant = "hooli" if made is small_bills else "acme"
        answers = []
        for options in ((), ("--from", "2026-10", "--to", "2026-11")):
            command = ("queries", "run", tenant, name, *options, "--format", "json")
            output = finops(*command, data=made.data)[1]
            answers.append(json.loads(output.partition("\n]")[0] + "]"))
        everything, limited = answers
        assert limited == [r for r in everything if month_of(r) >= "2026-10"]
        assert limited or name == "resource_usage_month_over_month" or made is built


def test_a_tiny_amount_is_no_anomaly(small_bills: TemporaryInstallation) -> None:
    """Half a dollar is 5,000 times the usual cost, but too little for anyone to look into."""
    november = ("--from", "2026-11")
    rows = run(small_bills, "anomalous_days", *november)
    assert [(r["charge_date"], r["service_name"]) for r in rows] == [("2026-11-02", EC2)]
    rows = run(small_bills, "anomalous_days", *november, "--set", "least=0.1")
    assert {r["service_name"] for r in rows} == {EC2, SNS}
