"""Requests to Cost Explorer's API: which days are requested, the price, answers that are refused.

Put here: real requests to servers on this machine, through `finops ingest` and Python. Keep out:
how days go to projects (test_cost_explorer.py), the console's CSV (test_console_csv.py).
"""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.conftest import TemporaryInstallation
from tests.support.cost_explorer_server import ACCOUNTS, SERVICES, cost
from tests.support.cost_explorer_tenants import (
    LAST,
    MONTHS,
    TODAY,
    Server,
    credentials,
    days_of,
    declare,
    files,
    server,
    summed,
    truth,
)
from tests.support.globex import ask, finops

__all__ = ["credentials", "server"]


def test_the_price_of_a_run_is_recorded(empty: TemporaryInstallation, server: Server) -> None:
    url, api = server
    api.per_page = 60
    api.faults = [(400, "ThrottlingException"), (503, "ServiceUnavailable")]
    declare(empty, acme=url)
    code, out = finops("ingest", "acme", "--month", LAST, data=empty.data)
    assert code == 0, out
    pages = -(-len(days_of(LAST)) * 6 // 60)
    assert api.requests == pages + 2, "two requests were sent again"
    cost_usd = Decimal(api.requests) / 100
    assert f"{api.requests} requests, USD {cost_usd}" in out
    rows = ask("select * from api_requests", "acme", empty.data)
    assert [(r["source"], r["service"], r["billing_period"], r["requests"]) for r in rows] == [
        ("explorer", "Cost Explorer", LAST, api.requests)
    ]
    assert Decimal(rows[0]["cost_usd"]) == cost_usd
    assert summed(empty, "acme") == {"billed": truth([LAST]), "effective": truth([LAST], 3)}


def test_final_days_are_not_requested_again(empty: TemporaryInstallation, server: Server) -> None:
    url, api = server
    yesterday = TODAY - timedelta(days=1)
    api.final_until = yesterday - timedelta(days=2)
    declare(empty, acme=url)
    empty.ingest("acme")
    requested_days = [str(day) for month in reversed(MONTHS[-2:]) for day in days_of(month)]
    assert api.days() == requested_days, "newest month first, nothing of today"
    before = files(empty, "acme")
    api.periods.clear()
    assert not empty.ingest("acme").failed
    open_days = {str(yesterday - timedelta(days=n)) for n in range(3)}
    assert set(api.days()) == open_days
    assert files(empty, "acme") == before, "the same answer changes nothing"
    api.periods.clear()
    api.final_until = date.max
    api.change = lambda made: made[0]["Groups"].pop()
    empty.ingest("acme")
    assert set(api.days()) == open_days
    lost = {
        entry[0]: cost(date.fromisoformat(entry[0]), SERVICES[1], ACCOUNTS[2])
        for entry in api.periods
    }
    both = MONTHS[-2:]
    assert summed(empty, "acme")["billed"] == truth(both) - sum(lost.values())
    api.periods.clear()
    sent = api.requests
    assert {step.outcome for step in empty.ingest("acme").steps} == {"unchanged"}
    assert api.requests == sent, "all days are final: no request is sent and nothing is paid"


def test_a_budget_ends_a_run_between_months(
    empty: TemporaryInstallation, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, api = server
    api.per_page = 100
    declare(empty, acme=url)
    monkeypatch.setenv("FINOPS_COST_EXPLORER_REQUESTS", "1")
    code, out = finops("ingest", "acme", "--month", LAST, data=empty.data)
    assert code == 1
    assert "has more pages than a run may request (1 request)" in out
    api.requests = 0
    monkeypatch.setenv("FINOPS_COST_EXPLORER_REQUESTS", "3")
    code, out = finops("ingest", "acme", "--from", MONTHS[-3], data=empty.data)
    assert code == 1
    assert api.requests == 3
    assert "this run's limit of 3 requests to Cost Explorer is used up" in out
    assert "FINOPS_COST_EXPLORER_REQUESTS" in out
    published = ask(
        "select distinct billing_period as m from cost_explorer_daily", "acme", empty.data
    )
    months = {row["m"] for row in published}
    for month in months:
        assert summed(empty, "acme", f"billing_period = '{month}'")["billed"] == truth([month])
    assert 1 <= len(months) < 3
    while finops("ingest", "acme", "--from", MONTHS[-3], data=empty.data)[0]:
        assert api.requests < 12
    assert summed(empty, "acme")["billed"] == truth(MONTHS[-3:]), (
        "later runs continue from the months already published"
    )
    paid = ask(
        "select sum(requests) as n, sum(cost_usd) as usd from api_requests", "acme", empty.data
    )
    assert Decimal(paid[0]["n"]) == api.requests + 1
    assert Decimal(paid[0]["usd"]) == Decimal(api.requests + 1) / 100


def _amount(made: list[dict[str, Any]], value: str) -> None:
    made[0]["Groups"][0]["Metrics"]["AmortizedCost"]["Amount"] = value


WRONG: dict[str, tuple[Any, str]] = {
    "no number": (
        lambda made: _amount(made, "1,234.5"),
        "gives '1,234.5' 'USD' as the AmortizedCost",
    ),
    "not a number": (lambda made: _amount(made, "NaN"), "gives 'NaN' 'USD' as the AmortizedCost"),
    "day missing": (lambda made: made.pop(3), "lacks 1 day, beginning with"),
    "another day": (
        lambda made: made[0]["TimePeriod"].update(Start="2020-01-01"),
        "contains 2020-01-01, which was not requested",
    ),
    "twice": (lambda made: made[0]["Groups"].append(made[0]["Groups"][0]), "twice on"),
    "two currencies": (
        lambda made: made[0]["Groups"][0]["Metrics"]["AmortizedCost"].update(Unit="EUR"),
        "mixes EUR and USD",
    ),
    "one key": (lambda made: made[0]["Groups"][0]["Keys"].pop(), "has a group"),
    "no groups": (
        lambda made: made[0].update(
            Groups=[], Total={"UnblendedCost": {"Amount": "1", "Unit": "USD"}}
        ),
        "but no groups",
    ),
    "empty": (
        lambda made: [entry.update(Groups=[]) for entry in made],
        "reports no costs for",
    ),
}


def test_a_refused_answer_leaves_the_month_as_it_was(
    empty: TemporaryInstallation, server: Server
) -> None:
    url, api = server
    api.final_until = date.min
    declare(empty, acme=url)
    assert finops("ingest", "acme", "--month", LAST, data=empty.data)[0] == 0
    before = files(empty, "acme")
    for name, (change, reason) in WRONG.items():
        api.change = change
        code, out = finops("ingest", "acme", "--month", LAST, data=empty.data)
        assert code == 1, name
        assert reason in out, (name, out)
        assert files(empty, "acme") == before, name
    api.change, api.loop, api.per_page = None, True, 50
    code, out = finops("ingest", "acme", "--month", LAST, data=empty.data)
    assert code == 1
    assert "never ends: page" in out
    api.loop, api.faults = False, [(400, "AccessDeniedException")]
    code, out = finops("ingest", "acme", "--month", LAST, data=empty.data)
    assert code == 1
    assert "acme/explorer could not call Cost Explorer" in out
    assert "Traceback" not in out
    status = json.loads(finops("status", "acme", "--format", "json", data=empty.data)[1])
    assert "a newer delivery was refused" in status[0]["reason"]
    assert finops("ingest", "acme", "--month", LAST, data=empty.data)[0] == 0
    assert files(empty, "acme") == before
    status = json.loads(finops("status", "acme", "--format", "json", data=empty.data)[1])
    assert status[0]["reason"] is None, "cleared by the next correct answer"
