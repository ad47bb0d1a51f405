"""Unused commitments on the days that they cover, in the marts and beside Cost Explorer.

Put here: the days of an unused part, a running month, days that are final and days that are not.
Keep out: which part of a fee is unused (test_line_items_reservations.py, test_line_items_
savings_plans.py), any other difference from Cost Explorer (test_reconciliation.py).

A month's unused reservation used to be on the 1st, where Cost Explorer has a thirtieth: report
awslabs/aws-well-architected-labs#991.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from finops_pipeline.contracts.cost_explorer import Metric
from finops_pipeline.tenants.months import end_day, first_day
from tests.support.bills import deliver, row
from tests.support.cost_explorer_server import ACCOUNTS, SERVICES, cost
from tests.support.cost_explorer_server import explorer as api
from tests.support.line_item_bills import PLAN, RESERVED
from tests.support.second_opinion import (
    DAYS,
    EC2,
    MONTH,
    PROD,
    Costs,
    Two,
    built_two,
    costs,
    declare,
    lines,
    set_clock,
    two,
)

__all__ = ["built_two", "two"]

BOTH_ARE_EC2 = {"lineItem/ProductCode": "AmazonEC2", "product/ProductName": EC2}


def reserved(kind: str, billed: str, day: str, end: str, **amounts: str) -> dict[str, str]:
    """A row of the reservation; `amounts` are columns of its group."""
    columns = {f"reservation/{name}": amount for name, amount in amounts.items()}
    return row(
        billed,
        day=day,
        **BOTH_ARE_EC2,
        **columns,
        **{
            "lineItem/LineItemType": kind,
            "lineItem/UsageEndDate": f"{end}Z",
            "reservation/ReservationARN": RESERVED,
        },
    )


def fee(billed: str, unused: str, day: str = DAYS[0], **amounts: str) -> dict[str, str]:
    """The fee of a reservation until the end of September, as AWS writes the end."""
    end = f"{MONTH}-30T23:59:59"
    return reserved("RIFee", billed, day, end, UnusedRecurringFee=unused, **amounts)


def used(day: str, effective: str) -> dict[str, str]:
    """A day of usage that the reservation covers."""
    return reserved("DiscountedUsage", "0", day, f"{day}T23:59:59", EffectiveCost=effective)


def ingest(two: Two, rows: list[dict[str, str]], assembly: str = "two") -> None:
    deliver(two.folder / "acme/cur", rows, MONTH, assembly)
    assert not two.made.ingest("acme").failed


def daily(two: Two, column: str = "effective_cost") -> dict[str, Decimal]:
    """Sums of a cost of acme by day, without days of 0; they equal charges, months and marts."""
    table = "daily_costs"
    ((of_days, of_charges, of_months, charges, rows),) = two.rows(
        f"select (select sum({column}) from {table}), (select sum(EffectiveCost) from costs),"
        f" (select sum({column}) from monthly_costs), (select sum(charges) from {table}),"
        " (select count(*) from costs)"
    )
    assert of_days == of_months and charges == rows
    assert column != "effective_cost" or of_days == of_charges
    sums = f"select charge_date::varchar, sum({column}) from {table} group by 1 order by 1"
    return {day: amount for day, amount in two.rows(sums) if amount}


def states(two: Two) -> dict[str | None, str]:
    """Cost basis -> state of the comparison of totals with Cost Explorer."""
    return {
        c.cost_basis: c.state
        for c in two.compared("cost explorer")
        if c.sub_account_id is None and c.service_name is None
    }


def test_an_unused_reservation_lies_on_the_days_that_it_covers(two: Two) -> None:
    """The fee itself is billed on the 1st, and so Cost Explorer's unblended cost has it."""
    ingest(two, [fee("300", "300")])
    assert daily(two) == dict.fromkeys(DAYS, Decimal(10))
    assert daily(two, "billed_cost") == {DAYS[0]: Decimal(300)}
    unblended: Costs = {(day, PROD, EC2): Decimal(0) for day in DAYS}
    two.explorer(unblended | {(DAYS[0], PROD, EC2): Decimal(300)})
    amortized = {(day, PROD, EC2): Decimal(10) for day in DAYS}
    two.explorer(amortized, metrics=(Metric.AMORTIZED,))
    assert states(two) == {"billed_cost": "agrees", "effective_cost": "agrees"}
    assert two.status().state == "reconciled"


def test_the_days_of_a_part_of_the_month_add_up_exactly(two: Two) -> None:
    """A reservation from noon of the 28th on: half a day and two days, 100 divided by five."""
    bought = fee("0", "100", DAYS[27], UnusedAmortizedUpfrontFeeForBillingPeriod="0.0000000000001")
    bought["lineItem/UsageStartDate"] = f"{DAYS[27]}T12:00:00Z"
    ingest(two, [bought, fee("100", "100")])
    third = Decimal("3.3333333333")
    days = daily(two)
    assert days[DAYS[0]] == third and days[DAYS[26]] in (third, third + Decimal("1e-10"))
    assert days[DAYS[27]] - 20 in (third, third + Decimal("1e-10"))
    assert sum(days.values()) == Decimal("200.0000000000001"), "the last decimal is not lost"
    per_commitment = two.rows(
        "select sum(effective_cost), count(*) from unused_commitment_days"
        f" where commitment_discount_id = '{RESERVED}' and source = 'payer'"
    )
    assert per_commitment == [(Decimal("200.0000000000001"), 30)]


def test_a_net_amount_is_spread_like_the_gross_one(two: Two) -> None:
    net = {"lineItem/NetUnblendedCost": "270", "reservation/NetUnusedRecurringFee": "270"}
    ingest(two, [fee("300", "300") | net])
    assert daily(two, "net_effective_cost") == dict.fromkeys(DAYS, Decimal(9))
    assert daily(two, "net_billed_cost") == {DAYS[0]: Decimal(270)}


def test_an_unused_savings_plan_lies_in_its_hours(two: Two) -> None:
    hourly = [
        row(
            "2",
            day=day,
            **BOTH_ARE_EC2,
            **{
                "lineItem/LineItemType": "SavingsPlanRecurringFee",
                "lineItem/UsageEndDate": f"{day}T01:00:00Z",
                "savingsPlan/SavingsPlanARN": PLAN,
                "savingsPlan/TotalCommitmentToDate": "2",
                "savingsPlan/UsedCommitment": "1.5",
            },
        )
        for day in DAYS[:3]
    ]
    ingest(two, hourly)
    assert daily(two) == dict.fromkeys(DAYS[:3], Decimal("0.5"))


@pytest.mark.parametrize(
    ("of_a_day", "past"),
    [
        ("4", "6"),
        pytest.param("10", "0", marks=pytest.mark.torture),
        pytest.param("0", "10", marks=pytest.mark.torture),
    ],
)
def test_a_running_month_keeps_what_is_not_used_yet_for_its_days(
    two: Two, monkeypatch: pytest.MonkeyPatch, of_a_day: str, past: str
) -> None:
    """AWS counts the days to come as unused until they are used; Cost Explorer has none of them."""
    set_clock(monkeypatch, DAYS[20])
    used_days = [used(day, of_a_day) for day in DAYS[:20]]
    unused = 300 - 20 * Decimal(of_a_day)
    ingest(two, [fee("200", str(unused), AmortizedUpfrontFeeForBillingPeriod="100"), *used_days])
    days = {day: amount - Decimal(of_a_day) for day, amount in daily(two).items()}
    assert [days.get(day, 0) for day in DAYS[:20]] == [Decimal(past)] * 20
    assert [daily(two)[day] for day in DAYS[20:]] == [Decimal(10)] * 10
    # nor do the days to come lower the use of the reservation
    ((used_percent, of_units, to_come, note),) = two.rows(
        "select used_percent, used_quantity_percent, not_yet_used_cost, note"
        " from commitment_utilization"
    )
    assert (used_percent, of_units, to_come) == (10 * Decimal(of_a_day), None, 100)
    assert note.startswith("The month is unfinished")
    amortized = {(day, PROD, EC2): Decimal(10) for day in DAYS[:20]}
    two.explorer(amortized, metrics=(Metric.AMORTIZED,))
    assert states(two)["effective_cost"] == "agrees"
    assert two.status().state == "open"


def test_a_difference_on_a_final_day_is_not_explained_by_days_that_are_not(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS may still change what it calls estimated, and nothing else."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    first, end = first_day(MONTH), end_day(MONTH)
    days = [first + timedelta(days=n) for n in range((end - first).days)]
    wrong = {
        (str(day), account, service): cost(day, service, account)
        for day in days
        for service in SERVICES
        for account in ACCOUNTS
    }

    def amortized_is_unblended(made: list[dict[str, Any]]) -> None:
        for entry in made:
            for group in entry["Groups"]:
                group["Metrics"]["AmortizedCost"] = group["Metrics"]["UnblendedCost"]

    with api() as (url, server):
        set_clock(monkeypatch, "2026-10-05")
        source = {"name": "api", "format": "cost-explorer", "location": url}
        declare(two.made, two.folder, "acme", source)
        server.change = amortized_is_unblended
        server.final_until = days[14]
        for day, state in ((days[20], "explained"), (days[3], "differs")):
            bill = wrong | {(str(day), ACCOUNTS[0], SERVICES[0]): Decimal(7)}
            rows = [
                row(format(amount, "f"), account, day, **{"product/ProductName": service})
                for (day, account, service), amount in bill.items()
            ]
            ingest(two, rows, f"wrong-{day}")
            assert states(two) == {"billed_cost": state, "effective_cost": state}
        assert two.status().state == "differs"


def test_costs_of_days_are_unchanged_where_nothing_is_unused(two: Two) -> None:
    assert daily(two) == {
        day: sum(amount for key, amount in costs().items() if key[0] == day) for day in DAYS
    }
    ingest(two, lines(costs()), "three")
    assert two.rows("select count(*) from unused_commitment_days") == [(0,)]


def test_usage_that_ended_before_the_month_divides_no_fee(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fee's period begins in August, and September's bill states only usage in August."""
    set_clock(monkeypatch, DAYS[20])
    of_september = {"bill/BillingPeriodStartDate": f"{DAYS[0]}T00:00:00Z"}
    lines = (fee("300", "300", "2026-08-02"), used("2026-08-05", "0"))
    ingest(two, [line | of_september for line in lines])
    days = daily(two)
    assert days == dict.fromkeys(DAYS, Decimal(10))


def test_amounts_below_the_tenth_decimal_are_published(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_clock(monkeypatch, DAYS[20])
    tiny = "0.00000000004"
    net = {"NetUnusedRecurringFee": tiny, "NetUnusedAmortizedUpfrontFeeForBillingPeriod": "0"}
    ingest(two, [fee(tiny, tiny, **net), used(DAYS[19], "0")])
    assert sum(daily(two).values()) == Decimal(tiny)
