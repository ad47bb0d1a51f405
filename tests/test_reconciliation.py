"""A month held against its files, its manifest and Cost Explorer, and the state that follows.

Put here: agreement, planted differences, what is no difference of money, when a month is closed.
Keep out: invoices (test_invoice.py), the screen (test_status_screen.py).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
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
    two,
)

__all__ = ["built_two", "two"]


def at(monkeypatch: pytest.MonkeyPatch, day: str) -> None:
    """Let it be noon of a day."""
    now = datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=UTC)
    monkeypatch.setattr(clock, "now", lambda: now)


def test_without_second_opinions_it_says_so(two: Two) -> None:
    assert two.status().state == "reconciled"
    rows, billed = two.compared("files")
    assert (rows.state, rows.ours, rows.theirs) == ("agrees", 120, 120)
    assert (billed.state, billed.tolerance) == ("agrees", 0)
    assert billed.ours == billed.theirs == sum(costs().values())
    (manifest,) = two.compared("manifest")
    assert manifest.state == "not checked"
    assert "state no row counts" in str(manifest.note)
    for against in ("cost explorer", "invoice"):
        (one,) = two.compared(against)
        assert (one.state, one.ours, one.cost_basis) == ("not checked", None, None)
        assert one.note


def test_cost_explorer_agrees(two: Two) -> None:
    two.explorer(costs(), metrics=(Metric.UNBLENDED,))
    states = {one.cost_basis: one.state for one in two.compared("cost explorer")}
    assert states == {"billed_cost": "agrees", "effective_cost": "not checked"}
    assert two.status().state == "reconciled"
    two.explorer(costs(), metrics=(Metric.AMORTIZED,))
    assert two.status().state == "reconciled"
    assert two.status("explorer").state == "landed"
    found = two.compared("cost explorer")
    assert [(one.cost_basis, one.state) for one in found] == [
        ("billed_cost", "agrees"),
        ("effective_cost", "agrees"),
    ]
    for one in found:
        assert one.ours == one.theirs == sum(costs().values())
        assert one.difference == 0
        assert one.tolerance == Decimal("0.5e-10") * 240, "120 values on either side"
        assert one.note == "all days; 2 of 2 accounts agree; 4 of 4 services of accounts agree"
    assert {step.outcome for step in two.made.ingest("acme").steps} == {"unchanged"}
    assert two.compared("cost explorer") == found


@pytest.mark.parametrize("off", [Decimal("0.0000001"), Decimal("-3")])
def test_a_changed_amount_is_found(two: Two, off: Decimal) -> None:
    said = costs()
    said[DAYS[4], DEV, S3] += off
    two.explorer(said)
    status = two.status()
    assert status.state == "differs"
    whole = two.billed()[0]
    assert (whole.state, whole.difference) == ("differs", -off)
    assert f"by {-off:f} USD" in str(status.reason), "the amount, exact"
    assert "Cost Explorer (explorer)" in str(status.reason)
    details = [
        (one.sub_account_id, one.service_name, one.state, one.difference) for one in two.billed()
    ]
    assert details[1:] == [(DEV, None, "differs", -off), (DEV, S3, "differs", -off)]
    two.explorer(costs())
    assert two.status().state == "reconciled"


def test_a_lost_account_is_found(two: Two) -> None:
    two.explorer(costs())
    two.bill({key: cost for key, cost in costs().items() if key[1] == PROD}, "two")
    assert two.status().state == "differs"
    (lost,) = (one for one in two.billed() if (one.sub_account_id, one.service_name) == (DEV, None))
    assert (lost.state, lost.ours) == ("differs", 0)
    assert lost.theirs == sum(cost for key, cost in costs().items() if key[1] == DEV)


def test_rounding_of_the_console_is_no_difference(two: Two) -> None:
    two.explorer(costs(), digits=2)
    assert two.status().state == "reconciled"
    whole = two.billed()[0]
    assert whole.difference
    assert whole.tolerance == Decimal("0.005") * 120 + Decimal("0.5e-10") * 120
    said = costs()
    said[DAYS[0], PROD, EC2] += 1
    two.explorer(said, digits=2)
    assert two.status().state == "differs", "one account's 60 values round to 0.3 at most"


def test_other_names_of_services_are_no_difference(two: Two) -> None:
    two.explorer(costs(), names={EC2: "EC2-Instances", S3: "S3"})
    assert {one.state for one in two.billed()} == {"agrees"}
    two.explorer(costs(), names={S3: "Something else"})
    assert two.status().state == "reconciled"
    found = two.billed()
    assert {one.state for one in found if one.service_name is None} == {"agrees"}
    assert {one.state for one in found if one.service_name} == {"explained"}
    said = costs()
    said[DAYS[4], DEV, EC2] += 5
    two.explorer(said, names={S3: "Something else"})
    billed = two.billed()
    of_dev = {o.service_name: o.state for o in billed if o.sub_account_id == DEV}
    assert of_dev == {
        None: "differs", EC2: "differs", S3: "not checked", "Something else": "not checked",
    }  # fmt: skip
    of_prod = {o.service_name: o.state for o in billed if o.sub_account_id == PROD}
    assert of_prod == {S3: "explained", "Something else": "explained"}


def test_each_cut_of_the_console_is_compared_as_far_as_it_goes(two: Two) -> None:
    """By service it says no accounts, by account no services; both say the whole."""
    names = ("by-service", "by-account")
    declare(two.made, two.folder, "acme", *({"name": n, "format": "cost-explorer"} for n in names))
    said = costs()
    said[DAYS[4], DEV, S3] += 2
    for source, position in (("by-service", 2), ("by-account", 1)):
        path = two.folder / f"{source}.csv"
        path.write_text(console(said, position))
        code, words = finops("ingest-file", f"acme/{source}", str(path), data=two.made.data)
        assert code == 0, words
    cuts = [
        (one.counterpart, one.sub_account_id, one.service_name, one.state, one.difference)
        for one in two.billed()
    ]
    assert cuts == [
        ("by-account", None, None, "differs", -2),
        ("by-account", DEV, None, "differs", -2),
        ("by-service", None, None, "differs", -2),
        ("by-service", None, S3, "differs", -2),
    ]


def console(said: Costs, position: int) -> str:
    """The console's CSV, grouped by service (2) or account (1) of the key."""
    names = list(dict.fromkeys(key[position] for key in said))
    named = [f"{name}($)" for name in names]
    by_day = {
        day: [sum(c for k, c in said.items() if (k[0], k[position]) == (day, n)) for n in names]
        for day in DAYS
    }
    totals = [sum(column) for column in zip(*by_day.values(), strict=True)]
    if position == 2:
        heads, word = [["Service", *named, "Total costs($)"]], "Service"
    else:
        word = "Linked account"
        heads = [[word, *names, "Total costs"], [f"{word} name", *named, "Total costs ($)"]]
    rows = [[f"{word} total", *totals, sum(totals)]]
    rows += [[day, *amounts, sum(amounts)] for day, amounts in by_day.items()]
    return "\n".join(",".join(map(str, line)) for line in [*heads, *rows]) + "\n"


def test_only_days_that_both_have_are_compared(two: Two) -> None:
    two.explorer({key: cost for key, cost in costs().items() if key[0] >= DAYS[20]})
    assert two.status().state == "reconciled"
    whole = two.billed()[0]
    assert str(whole.note).startswith(f"10 days from {DAYS[20]} to {DAYS[29]}")
    assert whole.ours == sum(c for key, c in costs().items() if key[0] >= DAYS[20])


def test_a_running_month_is_open(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """The latest day of a running bill is there in part; Cost Explorer lags behind it."""
    at(monkeypatch, DAYS[20])
    two.bill({key: cost for key, cost in costs().items() if key[0] <= DAYS[20]}, "two")
    said = {key: cost for key, cost in costs().items() if key[0] < DAYS[22]}
    said[DAYS[20], PROD, EC2] += 7
    two.explorer(said)
    status = two.status()
    assert status.state == "open"
    words = "AWS may still change this month; it counts as closed on 2026-10-15"
    assert str(status.reason).startswith(words)
    whole = two.billed()[0]
    assert (whole.state, whole.difference) == ("agrees", 0)
    assert "20 days" in str(whole.note)
    said[DAYS[3], PROD, EC2] += 7
    two.explorer(said)
    assert two.status().state == "open"
    whole = two.billed()[0]
    assert (whole.state, whole.difference) == ("explained", -7)
    assert "lags behind" in str(whole.note)
    at(monkeypatch, "2026-11-01")
    assert not two.made.ingest("acme").failed
    assert two.status().state == "differs", "it is no excuse for ever"
    assert "by -7 USD" in str(two.status().reason)
    assert "import them again" in str(two.billed()[0].note)
    two.bill(costs(), "three")
    two.explorer(costs())
    assert two.status().state == "reconciled"


def test_a_month_is_closed_two_weeks_after_its_end(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day, state in (("2026-10-01", "open"), ("2026-10-14", "open"), ("2026-10-15", None)):
        at(monkeypatch, day)
        assert not two.made.ingest("acme").failed
        assert two.status().state == (state or "reconciled")
    assert two.status().reason is None
    at(monkeypatch, "2026-08-15")
    assert not two.made.ingest("acme").failed
    assert two.status().state == "open", "a bill in advance"


def test_each_bill_is_compared_by_itself(two: Two) -> None:
    """The same bill by a second export; a third one of other accounts; one of half of them."""
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
        found = two.billed(source)
        assert {one.state for one in found} == {"agrees"}, source
        assert "accounts of other bills left out" in str(found[0].note)
        assert two.status(source).state == "reconciled"
    two.explorer(costs())
    (none,) = two.billed("other")
    assert (none.state, none.counterpart) == ("not checked", None)
    assert "no accounts in common" in str(none.note)


def test_an_account_that_moved_between_payers_joins_no_others(two: Two) -> None:
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
        (one,) = two.billed(source)
        assert (one.counterpart, one.state) == (explorer, "agrees")
        assert two.status(source).state == "reconciled"


def test_days_that_aws_calls_estimated_keep_a_month_open(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked of the API itself, whose server here knows the last whole month."""
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
    with api() as (url, said):
        source = {"name": "api", "format": "cost-explorer", "location": url}
        declare(two.made, two.folder, "acme", source)
        deliver(two.folder / "acme/cur", bill, month)
        said.change = _amortized_is_unblended
        at(monkeypatch, str(closed_from(month)))
        for final, state in ((date.min, "open"), (date.max, "reconciled")):
            said.final_until = final
            assert not two.made.ingest("acme").failed
            status = two.status(month=month)
            assert status.state == state, status.reason
            found = two.compared("cost explorer", month=month)
            assert [one.state for one in found] == ["agrees", "agrees"]
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


def test_names_of_services_meet() -> None:
    assert service_key("Amazon Simple Storage Service") == service_key("S3")
    assert service_key("AWS Key Management Service") == service_key("Key Management Service")
    assert service_key("AmazonCloudWatch") == service_key("CloudWatch")
    assert service_key("Amazon") != service_key("AWS")
    assert service_key(None) == ""
