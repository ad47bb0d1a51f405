"""Cost Explorer's API: what is asked, what that costs, and where its days go.

Put here: real requests to servers on this machine, at the doorways `finops ingest` and Python.
Keep out: the console's CSV (test_console_csv.py).
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from moto.server import ThreadedMotoServer

from finops_pipeline import clock
from finops_pipeline.errors import RegistryError
from finops_pipeline.orchestration.assets import build_assets
from finops_pipeline.orchestration.partitions import partitions
from finops_pipeline.orchestration.resources import InstallationResource as Resource
from finops_pipeline.sources.cost_explorer_api import available_months
from finops_pipeline.tenants.months import end_day, first_day, month_of
from tests.conftest import TemporaryInstallation
from tests.support.cost_explorer_server import ACCOUNTS, SERVICES, Said, cost, explorer
from tests.support.globex import ask, finops

TODAY = clock.now().date()
MONTHS = available_months(TODAY)
LAST = MONTHS[-2]
"""The last whole month."""


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment's own keys; nothing of this machine's AWS configuration."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))


@pytest.fixture
def server() -> Iterator[tuple[str, Said]]:
    with explorer() as running:
        yield running


def declare(made: TemporaryInstallation, **urls: str) -> None:
    """Tenants that claim the same accounts, each asking its own Cost Explorer."""
    middle = first_day(LAST) + timedelta(days=14)
    tenants = [
        {
            "name": name,
            "sources": [{"name": "explorer", "format": "cost-explorer", "location": url}],
            "projects": [
                {"name": "prod", "accounts": [ACCOUNTS[0], {"id": ACCOUNTS[1], "from": middle}]},
                {"name": "dev", "accounts": [{"id": ACCOUNTS[1], "to": middle}]},
            ],
        }
        for name, url in urls.items()
    ]
    made.data.mkdir(parents=True, exist_ok=True)
    path = made.data.parent / "tenants.yaml"
    path.write_text(json.dumps({"tenants": tenants}, default=str))
    made.apply(path)


def days_of(month: str) -> list[date]:
    end = min(end_day(month), TODAY)
    return [first_day(month) + timedelta(days=n) for n in range((end - first_day(month)).days)]


def truth(months: list[str], factor: int = 1) -> Decimal:
    return sum(
        (
            cost(day, service, account, factor)
            for month in months
            for day in days_of(month)
            for service in SERVICES
            for account in ACCOUNTS
        ),
        Decimal(0),
    )


def summed(made: TemporaryInstallation, tenant: str, where: str = "true") -> dict[str, Decimal]:
    rows = ask(
        "select sum(billed_cost) as billed, sum(effective_cost) as effective"
        f" from cost_explorer_daily where {where}",
        tenant,
        made.data,
    )
    return {name: Decimal(value or 0) for name, value in rows[0].items()}


def files(made: TemporaryInstallation, tenant: str) -> dict[str, bytes]:
    folder = made.folder(tenant)
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.parquet")}


def test_days_go_to_projects_and_add_up(
    empty: TemporaryInstallation, server: tuple[str, Said]
) -> None:
    url, said = server
    said.per_page = 100
    with explorer() as (other, quiet):
        quiet.quiet = True
        declare(empty, acme=url, globex=other)
        assert not empty.ingest("acme").failed
        assert not empty.ingest("globex").failed
    both = MONTHS[-2:]
    assert summed(empty, "acme") == {"billed": truth(both), "effective": truth(both, 3)}
    assert summed(empty, "globex") == {"billed": 0, "effective": 0}
    by_project = ask(
        "select project, sub_account_id as account, min(charge_date) as first,"
        " max(charge_date) as last, sum(billed_cost) as billed from cost_explorer_daily"
        f" where billing_period = '{LAST}' group by all order by all",
        "acme",
        empty.data,
    )
    middle = first_day(LAST) + timedelta(days=14)
    ends = {(row["project"], row["account"]): (row["first"], row["last"]) for row in by_project}
    first, last = str(first_day(LAST)), str(end_day(LAST) - timedelta(days=1))
    assert ends == {
        ("dev", ACCOUNTS[1]): (first, str(middle - timedelta(days=1))),
        ("prod", ACCOUNTS[0]): (first, last),
        ("prod", ACCOUNTS[1]): (str(middle), last),
        ("unassigned", ACCOUNTS[2]): (first, last),
    }
    assert sum(Decimal(row["billed"]) for row in by_project) == truth([LAST])
    assert ask("select count(*) as n from costs", "acme", empty.data) == [{"n": 0}]
    status = json.loads(
        finops("status", "acme", "--format", "json", data=empty.data)[1], parse_float=str
    )
    assert {row["state"] for row in status} == {"landed"}
    assert Decimal(status[0]["source_cost"]) == Decimal(status[0]["billed_cost"]) == truth([LAST])


def test_what_a_run_costs_is_recorded(
    empty: TemporaryInstallation, server: tuple[str, Said]
) -> None:
    url, said = server
    said.per_page = 60
    said.faults = [(400, "ThrottlingException"), (503, "ServiceUnavailable")]
    declare(empty, acme=url)
    code, out = finops("ingest", "acme", "--month", LAST, data=empty.data)
    assert code == 0, out
    pages = -(-len(days_of(LAST)) * 6 // 60)
    assert said.requests == pages + 2, "two were sent again"
    cost_usd = Decimal(said.requests) / 100
    assert f"{said.requests} requests, USD {cost_usd}" in out
    rows = ask("select * from api_requests", "acme", empty.data)
    assert [(r["source"], r["service"], r["billing_period"], r["requests"]) for r in rows] == [
        ("explorer", "Cost Explorer", LAST, said.requests)
    ]
    assert Decimal(rows[0]["cost_usd"]) == cost_usd
    assert summed(empty, "acme") == {"billed": truth([LAST]), "effective": truth([LAST], 3)}


def test_final_days_are_not_asked_again(
    empty: TemporaryInstallation, server: tuple[str, Said]
) -> None:
    url, said = server
    yesterday = TODAY - timedelta(days=1)
    said.final_until = yesterday - timedelta(days=2)
    declare(empty, acme=url)
    empty.ingest("acme")
    asked = [str(day) for month in reversed(MONTHS[-2:]) for day in days_of(month)]
    assert said.days() == asked, "newest month first, nothing of today"
    before = files(empty, "acme")
    said.periods.clear()
    assert not empty.ingest("acme").failed
    open_days = {str(yesterday - timedelta(days=n)) for n in range(3)}
    assert set(said.days()) == open_days
    assert files(empty, "acme") == before, "the same answer changes nothing"
    said.periods.clear()
    said.final_until = date.max
    said.change = lambda made: made[0]["Groups"].pop()
    empty.ingest("acme")
    assert set(said.days()) == open_days
    lost = {
        entry[0]: cost(date.fromisoformat(entry[0]), SERVICES[1], ACCOUNTS[2])
        for entry in said.periods
    }
    both = MONTHS[-2:]
    assert summed(empty, "acme")["billed"] == truth(both) - sum(lost.values())
    said.periods.clear()
    sent = said.requests
    assert {step.outcome for step in empty.ingest("acme").steps} == {"unchanged"}
    assert said.requests == sent, "all days are final: nothing is asked, nothing is paid"


def test_a_budget_ends_a_run_between_months(
    empty: TemporaryInstallation, server: tuple[str, Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, said = server
    said.per_page = 100
    declare(empty, acme=url)
    monkeypatch.setenv("FINOPS_COST_EXPLORER_REQUESTS", "1")
    code, out = finops("ingest", "acme", "--month", LAST, data=empty.data)
    assert code == 1
    assert "has more pages than the 1 requests a run may send" in out
    said.requests = 0
    monkeypatch.setenv("FINOPS_COST_EXPLORER_REQUESTS", "3")
    code, out = finops("ingest", "acme", "--from", MONTHS[-3], data=empty.data)
    assert code == 1
    assert said.requests == 3
    assert "this run's 3 requests to Cost Explorer are used up" in out
    assert "FINOPS_COST_EXPLORER_REQUESTS" in out
    there = ask("select distinct billing_period as m from cost_explorer_daily", "acme", empty.data)
    months = {row["m"] for row in there}
    for month in months:
        assert summed(empty, "acme", f"billing_period = '{month}'")["billed"] == truth([month])
    assert 1 <= len(months) < 3
    while finops("ingest", "acme", "--from", MONTHS[-3], data=empty.data)[0]:
        assert said.requests < 12
    assert summed(empty, "acme")["billed"] == truth(MONTHS[-3:]), "later runs go on from there"
    paid = ask(
        "select sum(requests) as n, sum(cost_usd) as usd from api_requests", "acme", empty.data
    )
    assert Decimal(paid[0]["n"]) == said.requests + 1
    assert Decimal(paid[0]["usd"]) == Decimal(said.requests + 1) / 100


def _amount(made: list[dict[str, Any]], value: str) -> None:
    made[0]["Groups"][0]["Metrics"]["AmortizedCost"]["Amount"] = value


WRONG: dict[str, tuple[Any, str]] = {
    "no number": (lambda made: _amount(made, "1,234.5"), "AmortizedCost of '1,234.5'"),
    "not a number": (lambda made: _amount(made, "NaN"), "AmortizedCost of 'NaN'"),
    "day missing": (lambda made: made.pop(3), "lacks 1 of its days"),
    "another day": (
        lambda made: made[0]["TimePeriod"].update(Start="2020-01-01"),
        "has a day 2020-01-01",
    ),
    "twice": (lambda made: made[0]["Groups"].append(made[0]["Groups"][0]), "twice on"),
    "two currencies": (
        lambda made: made[0]["Groups"][0]["Metrics"]["AmortizedCost"].update(Unit="EUR"),
        "is in EUR and USD",
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


def test_an_answer_that_cannot_be_taken_leaves_the_month(
    empty: TemporaryInstallation, server: tuple[str, Said]
) -> None:
    url, said = server
    said.final_until = date.min
    declare(empty, acme=url)
    assert finops("ingest", "acme", "--month", LAST, data=empty.data)[0] == 0
    before = files(empty, "acme")
    for name, (change, words) in WRONG.items():
        said.change = change
        code, out = finops("ingest", "acme", "--month", LAST, data=empty.data)
        assert code == 1, name
        assert words in out, (name, out)
        assert files(empty, "acme") == before, name
    said.change, said.loop, said.per_page = None, True, 50
    code, out = finops("ingest", "acme", "--month", LAST, data=empty.data)
    assert code == 1
    assert "repeats itself" in out
    said.loop, said.faults = False, [(400, "AccessDeniedException")]
    code, out = finops("ingest", "acme", "--month", LAST, data=empty.data)
    assert code == 1
    assert "acme/explorer could not call Cost Explorer" in out
    assert "Traceback" not in out
    status = json.loads(finops("status", "acme", "--format", "json", data=empty.data)[1])
    assert "a newer delivery was refused" in status[0]["reason"]
    assert finops("ingest", "acme", "--month", LAST, data=empty.data)[0] == 0
    assert files(empty, "acme") == before
    status = json.loads(finops("status", "acme", "--format", "json", data=empty.data)[1])
    assert status[0]["reason"] is None, "forgotten when the next answer is in order"


def test_a_claim_that_changes_moves_days(
    empty: TemporaryInstallation, server: tuple[str, Said]
) -> None:
    url, said = server
    declare(empty, acme=url)
    empty.ingest("acme")
    sent = said.requests
    code, _ = finops("project", "add", "acme/lab", "--account", ACCOUNTS[2], data=empty.data)
    assert code == 0
    empty.ingest("acme")
    assert said.requests == sent
    both = MONTHS[-2:]
    rows = ask("select distinct project as p from cost_explorer_daily", "acme", empty.data)
    assert {row["p"] for row in rows} == {"prod", "dev", "lab"}
    assert summed(empty, "acme") == {"billed": truth(both), "effective": truth(both, 3)}


def test_one_account_of_credentials_feeds_one_tenant(empty: TemporaryInstallation) -> None:
    url = "https://ce.us-east-1.amazonaws.com"
    with pytest.raises(RegistryError, match="another tenant"):
        declare(empty, acme=url, globex=url)
    assert empty.installation.registry.names() == []


def test_dagster_lands_it_and_gives_its_days_to_projects(
    empty: TemporaryInstallation, server: tuple[str, Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, said = server
    declare(empty, acme=url, globex="")
    monkeypatch.setenv("FINOPS_DATA", str(empty.data))
    parts = partitions(empty.installation.registry.tenants(), LAST)
    for source, works in (("acme/explorer", True), ("globex/explorer", False)):
        done = dg.materialize(
            build_assets(parts),
            selection=["landing"],
            resources={"finops": Resource()},
            partition_key=f"{LAST}|{source}",
            raise_on_error=False,
        )
        assert done.success is works
    assert said.periods == [(str(first_day(LAST)), str(end_day(LAST)))]
    assert summed(empty, "acme") == {"billed": truth([LAST]), "effective": truth([LAST], 3)}


def test_moto_answers_as_seeded(empty: TemporaryInstallation) -> None:
    """The answer of another hand's Cost Explorer, asked through a role of the tenant's account."""
    moto = ThreadedMotoServer("127.0.0.1", port=0)
    moto.start()
    try:
        host, port = moto.get_host_and_port()
        url = f"http://{host}:{port}"
        said = Said()
        start, end = str(first_day(LAST)), str(end_day(LAST))
        seed = {"account_id": ACCOUNTS[0], "results": [{"ResultsByTime": said.entries(start, end)}]}
        request = urllib.request.Request(
            f"{url}/moto-api/static/ce/cost-and-usage-results", json.dumps(seed).encode(),
            {"Content-Type": "application/json"},
        )  # fmt: skip
        urllib.request.urlopen(request).close()
        tenants = [
            {
                "name": name,
                "sources": [
                    {
                        "name": "explorer", "format": "cost-explorer", "location": url,
                        "role_arn": f"arn:aws:iam::{account}:role/FinOpsRead",
                    }
                ],
            }
            for name, account in (("acme", ACCOUNTS[0]), ("globex", ACCOUNTS[1]))
        ]  # fmt: skip
        path = empty.data.parent / "tenants.yaml"
        path.write_text(json.dumps({"tenants": tenants}))
        empty.apply(path)
        code, out = finops("ingest", "acme", "--month", LAST, data=empty.data)
        assert code == 0, out
        assert summed(empty, "acme") == {"billed": truth([LAST]), "effective": truth([LAST], 3)}
        code, out = finops("ingest", "globex", "--month", LAST, data=empty.data)
        assert code == 1, "moto has nothing for the other tenant's account"
        assert "lacks" in out
    finally:
        moto.stop()
    assert month_of(first_day(LAST)) == LAST
