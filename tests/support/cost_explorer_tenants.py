"""Tenants that read a Cost Explorer on this machine, and sums of the costs they get.

Put here: declaring them, the true sums, and fixtures for the server and its credentials. Keep out:
the server (cost_explorer_server.py), and the expectations of a test.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from finops_pipeline import clock
from finops_pipeline.sources.cost_explorer_api import available_months
from finops_pipeline.tenants.months import end_day, first_day
from tests.conftest import TemporaryInstallation
from tests.support.cost_explorer_server import ACCOUNTS, SERVICES, ServerScript, cost, explorer
from tests.support.globex import ask
from tests.support.published_files import published_files

TODAY = clock.now().date()
MONTHS = available_months(TODAY)
LAST = MONTHS[-2]
"""The last whole month."""
Server = tuple[str, ServerScript]
"""A running Cost Explorer: its URL, and the object that records requests and sets the answers."""


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Use test keys and ignore this machine's AWS configuration."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))


@pytest.fixture
def server() -> Iterator[Server]:
    with explorer() as running:
        yield running


def declare(made: TemporaryInstallation, **urls: str) -> None:
    """Tenants that claim the same accounts, each with a Cost Explorer of its own."""
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
    return {str(p.relative_to(folder)): p.read_bytes() for p in published_files(folder)}
