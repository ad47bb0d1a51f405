"""Two tenants with a bill in two currencies, whose statements are closed and adjusted.

Put here: the bill, the declaration, the installation and its fixtures. Keep out: what must hold
(test_statements.py, test_statement_files.py).
"""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from finops_pipeline.application.installation import Installation
from finops_pipeline.application.statements import StatementRequest, adjust_month, close_month
from finops_pipeline.lake.warehouse import reading
from finops_pipeline.marts.statement_views import StatementLine
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row
from tests.support.globex import finops
from tests.support.published_files import copy_installation
from tests.support.second_opinion_statements import Lines

MONTH, TENANTS = "2026-09", ("acme", "globex")
PROD, DEV, OTHER = "111122223333", "111122224444", "999122224444"
NAME = "<b>Acme & Sons</b>"
SERVICE, CURRENCY, KIND = "product/ProductName", "lineItem/CurrencyCode", "lineItem/LineItemType"


def bill(more: str = "") -> list[dict[str, str]]:
    """A bill in two currencies whose cents do not add up, with tax and a service named `<img>`."""
    usd = [
        row(f"{more}1.114", PROD, **{SERVICE: "EC2"}),
        row("0.005", PROD, **{SERVICE: "S3"}),
        row("0.005", PROD, **{SERVICE: "<img src=x onerror=alert(1)>"}),
        row("0.7", PROD, **{SERVICE: "EC2", KIND: "Tax"}),
        row("3.3333333333", DEV, **{SERVICE: "S3"}),
        row("-1.5", DEV, **{SERVICE: "S3", KIND: "Credit"}),
        row("4", OTHER, **{SERVICE: "S3"}),
    ]
    return [*usd, row("7.125", PROD, **{SERVICE: "S3", CURRENCY: "EUR"})]


def declaration(name: str, **terms: Any) -> dict[str, Any]:
    """Return a tenant of tenants.yaml; `terms` replace the common ones."""
    fee = {"amount": "100.10", "currency": "USD"}
    return {
        "name": name,
        "display_name": NAME if name == "acme" else "Globex",
        "sources": [{"name": "payer", "format": "legacy-cur", "location": f"{name}/cur"}],
        "statements": {"markup_percent": 5.5, "fixed_fee": fee} | terms,
        "projects": [
            {"name": "prod", "environment": "live", "business_unit": "shop", "accounts": [PROD]},
            {"name": "dev", "accounts": [DEV], "statements": {"markup_percent": 0}},
        ],
    }


class Stated:
    """An installation with the bills of two tenants."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made = TemporaryInstallation(folder / "data")

    @property
    def installation(self) -> Installation:
        """The installation for calls from Python."""
        return self.made.installation

    def declare(self, **terms: Any) -> None:
        """Declare both tenants; `terms` replace the common ones."""
        path = self.folder / "tenants.yaml"
        path.write_text(yaml.safe_dump({"tenants": [declaration(n, **terms) for n in TENANTS]}))
        self.made.apply(path)

    def bill(self, tenant: str, rows: list[dict[str, str]], assembly: str = "one") -> None:
        """Deliver September to a tenant and ingest it."""
        deliver(self.folder / tenant / "cur", rows, MONTH, assembly)
        assert not self.made.ingest(tenant).failed

    def close(self, tenant: str = "acme", **more: Any) -> Any:
        """Close September."""
        return close_month(self.installation, StatementRequest(tenant, MONTH, **more))

    def adjust(self, tenant: str = "acme", **more: Any) -> Any:
        """Adjust September."""
        return adjust_month(self.installation, StatementRequest(tenant, MONTH, **more))

    def finops(self, *arguments: str, ok: bool = True) -> str:
        """Run `finops statements`; return all output."""
        code, output = finops("statements", *arguments, data=self.made.data)
        assert (code == 0) is ok, output
        return output

    def rows(self, sql: str, tenant: str = "acme") -> list[tuple[Any, ...]]:
        """Read a tenant's file."""
        with reading(self.installation.folder(tenant)) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Stated:
    """Both tenants with one bill; nothing is closed."""
    stated = Stated(tmp_path_factory.mktemp("stated"))
    stated.declare()
    for tenant in TENANTS:
        stated.bill(tenant, bill())
    return stated


@pytest.fixture
def stated(base: Stated, tmp_path: Path) -> Stated:
    """The same, to change."""
    copy = Stated(tmp_path / "own")
    shutil.copytree(base.folder, copy.folder, ignore=shutil.ignore_patterns("data"))
    copy_installation(base.made.data, copy.made.data)
    copy.declare()
    return copy


def by_line(lines: list[StatementLine]) -> Lines:
    """Add up lines by project, currency, kind and name, without those of 0."""
    sums: Lines = {}
    for line in lines:
        key = (line.project, line.billing_currency, line.line_kind, line.line)
        sums[key] = sums.get(key, Decimal(0)) + line.amount
    return {key: amount for key, amount in sums.items() if amount}
