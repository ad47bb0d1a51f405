"""Costs from Cost Explorer's API: how days go to projects, and who may read which account.

Put here: real requests to servers on this machine, through `finops ingest`, Dagster and Python.
Keep out: the number of requests and refused answers (test_cost_explorer_requests.py), the console's
CSV (test_console_csv.py).
"""

from __future__ import annotations

import json
import urllib.request
from datetime import timedelta
from decimal import Decimal

import dagster as dg
import pytest
from moto.server import ThreadedMotoServer

from finops_pipeline.errors import RegistryError
from finops_pipeline.orchestration.assets import build_assets
from finops_pipeline.orchestration.partitions import partitions
from finops_pipeline.orchestration.resources import InstallationResource as Resource
from finops_pipeline.tenants.months import end_day, first_day, month_of
from tests.conftest import TemporaryInstallation
from tests.support.cost_explorer_server import ACCOUNTS, ServerScript, explorer
from tests.support.cost_explorer_tenants import (
    LAST,
    MONTHS,
    Server,
    credentials,
    declare,
    server,
    summed,
    truth,
)
from tests.support.globex import ask, finops

__all__ = ["credentials", "server"]


def test_days_go_to_projects_and_add_up(empty: TemporaryInstallation, server: Server) -> None:
    url, api = server
    api.per_page = 100
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


def test_a_claim_that_changes_moves_days(empty: TemporaryInstallation, server: Server) -> None:
    url, api = server
    declare(empty, acme=url)
    empty.ingest("acme")
    sent = api.requests
    code, _ = finops("project", "add", "acme/lab", "--account", ACCOUNTS[2], data=empty.data)
    assert code == 0
    empty.ingest("acme")
    assert api.requests == sent
    both = MONTHS[-2:]
    rows = ask("select distinct project as p from cost_explorer_daily", "acme", empty.data)
    assert {row["p"] for row in rows} == {"prod", "dev", "lab"}
    assert summed(empty, "acme") == {"billed": truth(both), "effective": truth(both, 3)}


def test_the_environments_credentials_feed_a_single_tenant(empty: TemporaryInstallation) -> None:
    url = "https://ce.us-east-1.amazonaws.com"
    with pytest.raises(RegistryError, match="another tenant"):
        declare(empty, acme=url, globex=url)
    assert empty.installation.registry.names() == []


def test_dagster_lands_it_and_gives_its_days_to_projects(
    empty: TemporaryInstallation, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, api = server
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
    assert api.periods == [(str(first_day(LAST)), str(end_day(LAST)))]
    assert summed(empty, "acme") == {"billed": truth([LAST]), "effective": truth([LAST], 3)}


def test_moto_answers_as_seeded(empty: TemporaryInstallation) -> None:
    """Costs come from moto's Cost Explorer, through a role of the tenant's account."""
    moto = ThreadedMotoServer("127.0.0.1", port=0)
    moto.start()
    try:
        host, port = moto.get_host_and_port()
        url = f"http://{host}:{port}"
        api = ServerScript()
        start, end = str(first_day(LAST)), str(end_day(LAST))
        seed = {"account_id": ACCOUNTS[0], "results": [{"ResultsByTime": api.entries(start, end)}]}
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
