"""A month compared with its files, its manifest and Cost Explorer, and the resulting state.

Put here: agreement, planted differences, differences that change no amount, when a month is closed.
Keep out: invoices (test_invoice.py), the screen (test_status_screen.py).
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from finops_pipeline import clock
from finops_pipeline.contracts.cost_explorer import Metric
from finops_pipeline.contracts.known_differences import service_key
from finops_pipeline.tenants.months import closed_from, end_day, first_day, shift
from tests.support.bills import deliver, row
from tests.support.cost_explorer_server import ACCOUNTS, SERVICES, cost
from tests.support.cost_explorer_server import explorer as api
from tests.support.globex import finops
from tests.support.second_opinion import (
    DAYS,
    DEV,
    EC2,
    MONTH,
    PROD,
    S3,
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


def test_a_month_without_cost_explorer_and_invoice_is_reported_as_not_checked(two: Two) -> None:
    assert two.status().state == "reconciled"
    rows, billed = two.compared("files")
    assert (rows.state, rows.ours, rows.theirs) == ("agrees", 120, 120)
    assert (billed.state, billed.tolerance) == ("agrees", 0)
    assert billed.ours == billed.theirs == sum(costs().values())
    (manifest,) = two.compared("manifest")
    assert manifest.state == "not checked"
    assert "state no row counts" in str(manifest.note)
    for against in ("cost explorer", "invoice"):
        (comparison,) = two.compared(against)
        assert (comparison.state, comparison.ours, comparison.cost_basis) == (
            "not checked",
            None,
            None,
        )
        assert comparison.note


def test_cost_explorer_agrees(two: Two) -> None:
    two.explorer(costs(), metrics=(Metric.UNBLENDED,))
    states = {
        comparison.cost_basis: comparison.state for comparison in two.compared("cost explorer")
    }
    assert states == {"billed_cost": "agrees", "effective_cost": "not checked"}
    assert two.status().state == "reconciled"
    two.explorer(costs(), metrics=(Metric.AMORTIZED,))
    assert two.status().state == "reconciled"
    assert two.status("explorer").state == "landed"
    comparisons = two.compared("cost explorer")
    assert [(comparison.cost_basis, comparison.state) for comparison in comparisons] == [
        ("billed_cost", "agrees"),
        ("effective_cost", "agrees"),
    ]
    for comparison in comparisons:
        assert comparison.ours == comparison.theirs == sum(costs().values())
        assert comparison.difference == 0
        assert comparison.tolerance == Decimal("0.5e-10") * 240, "120 values on either side"
        assert (
            comparison.note == "all days; 2 of 2 accounts agree; 4 of 4 services of accounts agree"
        )
    assert {step.outcome for step in two.made.ingest("acme").steps} == {"unchanged"}
    assert two.compared("cost explorer") == comparisons


@pytest.mark.parametrize("off", [Decimal("0.0000001"), Decimal("-3")])
def test_a_changed_amount_is_detected(two: Two, off: Decimal) -> None:
    changed = costs()
    changed[DAYS[4], DEV, S3] += off
    two.explorer(changed)
    status = two.status()
    assert status.state == "differs"
    whole = two.billed()[0]
    assert (whole.state, whole.difference) == ("differs", -off)
    assert f"by {-off:f} USD" in str(status.reason), "the amount, exact"
    assert "Cost Explorer (explorer)" in str(status.reason)
    details = [(c.sub_account_id, c.service_name, c.state, c.difference) for c in two.billed()]
    assert details[1:] == [(DEV, None, "differs", -off), (DEV, S3, "differs", -off)]
    two.explorer(costs())
    assert two.status().state == "reconciled"


def test_a_lost_account_is_detected(two: Two) -> None:
    two.explorer(costs())
    two.bill({key: cost for key, cost in costs().items() if key[1] == PROD}, "two")
    assert two.status().state == "differs"
    (lost,) = (c for c in two.billed() if (c.sub_account_id, c.service_name) == (DEV, None))
    assert (lost.state, lost.ours) == ("differs", 0)
    assert lost.theirs == sum(cost for key, cost in costs().items() if key[1] == DEV)


def test_rounding_of_the_console_is_no_difference(two: Two) -> None:
    two.explorer(costs(), digits=2)
    assert two.status().state == "reconciled"
    whole = two.billed()[0]
    assert whole.difference
    assert whole.tolerance == Decimal("0.005") * 120 + Decimal("0.5e-10") * 120
    changed = costs()
    changed[DAYS[0], PROD, EC2] += 1
    two.explorer(changed, digits=2)
    assert two.status().state == "differs", "one account's 60 values round to 0.3 at most"


def test_other_names_of_services_are_no_difference(two: Two) -> None:
    two.explorer(costs(), names={EC2: "EC2-Instances", S3: "S3"})
    assert {c.state for c in two.billed()} == {"agrees"}
    two.explorer(costs(), names={S3: "Something else"})
    assert two.status().state == "reconciled"
    comparisons = two.billed()
    assert {c.state for c in comparisons if c.service_name is None} == {"agrees"}
    assert {c.state for c in comparisons if c.service_name} == {"explained"}
    changed = costs()
    changed[DAYS[4], DEV, EC2] += 5
    two.explorer(changed, names={S3: "Something else"})
    billed = two.billed()
    of_dev = {c.service_name: c.state for c in billed if c.sub_account_id == DEV}
    assert of_dev == {
        None: "differs", EC2: "differs", S3: "not checked", "Something else": "not checked",
    }  # fmt: skip
    of_prod = {c.service_name: c.state for c in billed if c.sub_account_id == PROD}
    assert of_prod == {S3: "explained", "Something else": "explained"}


def test_each_console_export_is_compared_by_the_columns_it_has(two: Two) -> None:
    """By service it has no accounts, by account no services; both have the total."""
    names = ("by-service", "by-account")
    declare(two.made, two.folder, "acme", *({"name": n, "format": "cost-explorer"} for n in names))
    changed = costs()
    changed[DAYS[4], DEV, S3] += 2
    for source, position in (("by-service", 2), ("by-account", 1)):
        path = two.folder / f"{source}.csv"
        path.write_text(console_csv(changed, position))
        exit_code, output = finops("ingest-file", f"acme/{source}", str(path), data=two.made.data)
        assert exit_code == 0, output
    cuts = [
        (c.counterpart, c.sub_account_id, c.service_name, c.state, c.difference)
        for c in two.billed()
    ]
    assert cuts == [
        ("by-account", None, None, "differs", -2),
        ("by-account", DEV, None, "differs", -2),
        ("by-service", None, None, "differs", -2),
        ("by-service", None, S3, "differs", -2),
    ]


def console_csv(costs_by_key: Costs, position: int) -> str:
    """The console's CSV, grouped by service (2) or account (1) of the key."""
    names = list(dict.fromkeys(key[position] for key in costs_by_key))
    named = [f"{name}($)" for name in names]
    by_day = {
        day: [
            sum(c for k, c in costs_by_key.items() if (k[0], k[position]) == (day, n))
            for n in names
        ]
        for day in DAYS
    }
    totals = [sum(column) for column in zip(*by_day.values(), strict=True)]
    if position == 2:
        headers, heading = [["Service", *named, "Total costs($)"]], "Service"
    else:
        heading = "Linked account"
        headers = [[heading, *names, "Total costs"], [f"{heading} name", *named, "Total costs ($)"]]
    rows = [[f"{heading} total", *totals, sum(totals)]]
    rows += [[day, *amounts, sum(amounts)] for day, amounts in by_day.items()]
    return "\n".join(",".join(map(str, line)) for line in [*headers, *rows]) + "\n"


def test_only_days_that_both_have_are_compared(two: Two) -> None:
    two.explorer({key: cost for key, cost in costs().items() if key[0] >= DAYS[20]})
    assert two.status().state == "reconciled"
    whole = two.billed()[0]
    assert str(whole.note).startswith(f"10 days from {DAYS[20]} to {DAYS[29]}")
    assert whole.ours == sum(c for key, c in costs().items() if key[0] >= DAYS[20])


def test_a_running_month_is_open(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """The latest day of a running bill is incomplete, and Cost Explorer lags behind the bill.

    The 1st of the next month is too early to call a bill final: report
    reply-fr/sustainable-personal-accounts#84.
    """
    set_clock(monkeypatch, DAYS[20])
    two.bill({key: cost for key, cost in costs().items() if key[0] <= DAYS[20]}, "two")
    explorer_costs = {key: cost for key, cost in costs().items() if key[0] < DAYS[22]}
    explorer_costs[DAYS[20], PROD, EC2] += 7
    two.explorer(explorer_costs)
    status = two.status()
    assert status.state == "open"
    reason = "AWS may still change this month; it counts as closed on 2026-10-15"
    assert str(status.reason).startswith(reason)
    whole = two.billed()[0]
    assert (whole.state, whole.difference) == ("agrees", 0)
    assert "20 days" in str(whole.note)
    explorer_costs[DAYS[3], PROD, EC2] += 7
    two.explorer(explorer_costs)
    assert two.status().state == "open"
    whole = two.billed()[0]
    assert (whole.state, whole.difference) == ("explained", -7)
    assert "AWS may still change these days" in str(whole.note)
    set_clock(monkeypatch, "2026-11-01")
    assert not two.made.ingest("acme").failed
    assert two.status().state == "differs", (
        "a late Cost Explorer does not explain a difference for ever"
    )
    assert "by -7 USD" in str(two.status().reason)
    assert "import them again" in str(two.billed()[0].note)
    two.bill(costs(), "three")
    two.explorer(costs())
    assert two.status().state == "reconciled"


def test_a_month_is_closed_two_weeks_after_its_end(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day, state in (("2026-10-01", "open"), ("2026-10-14", "open"), ("2026-10-15", None)):
        set_clock(monkeypatch, day)
        assert not two.made.ingest("acme").failed
        assert two.status().state == (state or "reconciled")
    assert two.status().reason is None
    set_clock(monkeypatch, "2026-08-15")
    assert not two.made.ingest("acme").failed
    assert two.status().state == "open", "the bill arrived before its month"


def test_each_bill_is_compared_separately(two: Two) -> None:
    """The same bill in a second export, and a third export with other accounts."""
    more = [
        {"name": name, "format": "legacy-cur", "location": f"acme/{name}"}
        for name in ("again", "other")
    ]
    declare(two.made, two.folder, "acme", *more)
    deliver(two.folder / "acme/again", lines(costs()), MONTH)
    elsewhere = {(DAYS[0], "999988887777", S3): Decimal(5)}
    deliver(two.folder / "acme/other", lines(elsewhere), MONTH)
    two.explorer(costs() | elsewhere)
    assert not two.made.ingest("acme").failed
    for source in ("payer", "again", "other"):
        comparisons = two.billed(source)
        assert {c.state for c in comparisons} == {"agrees"}, source
        assert "accounts of other bills are left out" in str(comparisons[0].note)
        repeats = [c.counterpart for c in two.compared("other bill", source)]
        assert repeats == {"payer": ["again"], "again": ["payer"], "other": []}[source]
        assert two.status(source).state == ("differs" if repeats else "reconciled")
    two.explorer(costs())
    (unmatched,) = two.billed("other")
    assert (unmatched.state, unmatched.counterpart) == ("not checked", None)
    assert "no accounts in common" in str(unmatched.note)


def test_an_account_that_moved_between_payers_does_not_join_their_bills(two: Two) -> None:
    more = [
        {"name": "other", "format": "legacy-cur", "location": "acme/other"},
        {"name": "explorer-other", "format": "cost-explorer"},
    ]
    declare(two.made, two.folder, "acme", *more)
    moved = {(DAYS[29], DEV, S3): Decimal(5)}
    deliver(two.folder / "acme/other", lines(moved), MONTH)
    two.explorer(costs())
    two.explorer(moved, source="explorer-other")
    assert not two.made.ingest("acme").failed
    for source, explorer in (("payer", "explorer"), ("other", "explorer-other")):
        (comparison,) = two.billed(source)
        assert (comparison.counterpart, comparison.state) == (explorer, "agrees")
        assert two.status(source).state == "reconciled"


def test_days_that_aws_calls_estimated_keep_a_month_open(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API itself answers, from a test server that has the last complete month."""
    month = shift(clock.this_month(), -1)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    first, end = first_day(month), end_day(month)
    days = [first + timedelta(days=n) for n in range((end - first).days)]
    bill = [
        row(format(cost(day, service, account), "f"), account, str(day), **_product(service))
        for day in days
        for service in SERVICES
        for account in ACCOUNTS
    ]
    with api() as (url, server):
        source = {"name": "api", "format": "cost-explorer", "location": url}
        declare(two.made, two.folder, "acme", source)
        deliver(two.folder / "acme/cur", bill, month)
        server.change = _amortized_is_unblended
        set_clock(monkeypatch, str(closed_from(month)))
        for final, state in ((date.min, "open"), (date.max, "reconciled")):
            server.final_until = final
            assert not two.made.ingest("acme").failed
            status = two.status(month=month)
            assert status.state == state, status.reason
            comparisons = two.compared("cost explorer", month=month)
            assert [c.state for c in comparisons] == ["agrees", "agrees"]
            assert status.reason == (
                f"Cost Explorer marks {len(days)} of its days as estimated"
                if state == "open"
                else None
            )


def _product(service: str) -> dict[str, str]:
    return {"lineItem/ProductCode": service[:3], "product/ProductName": service}


def _amortized_is_unblended(made: list[dict[str, Any]]) -> None:
    for entry in made:
        for group in entry["Groups"]:
            group["Metrics"]["AmortizedCost"] = group["Metrics"]["UnblendedCost"]


def test_different_names_of_a_service_have_the_same_key() -> None:
    assert service_key("Amazon Simple Storage Service") == service_key("S3")
    assert service_key("AWS Key Management Service") == service_key("Key Management Service")
    assert service_key("AmazonCloudWatch") == service_key("CloudWatch")
    assert service_key("Amazon") != service_key("AWS")
    assert service_key(None) == ""
