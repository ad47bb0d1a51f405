"""acme and globex with small bills of three projects and two currencies, and business metrics.

Put here: the bills, the metrics, building both tenants once. Keep out: what tests expect of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from finops_pipeline.lake.duck import fetch_dicts
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.warehouse import reading
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row
from tests.support.globex import finops
from tests.support.published_files import copy_installation

WEB, DATA, PLATFORM, REST = "100000000001", "100000000002", "100000000003", "100000000009"
MONTHS = ("2026-08", "2026-09")
TENANTS = ("acme", "globex")
PROJECTS = {"web": WEB, "data": DATA, "platform": PLATFORM}
TYPE, PRODUCT = "lineItem/LineItemType", "lineItem/ProductCode"


def bill(tenant: str, month: str) -> list[dict[str, str]]:
    """A month: usage of each project, tax and support of the rest, credits, a second currency."""
    factor = 3 if tenant == "acme" else 7
    lines = [
        row(f"{factor * number}.{number}7", account=account, day=f"{month}-{day:02d}")
        for number, account in enumerate((WEB, DATA, PLATFORM), 1)
        for day in (1, 2, 3)
    ]
    support = {PRODUCT: "AWSSupportBusiness"}
    return [
        *lines,
        row("10.01", account=REST, day=f"{month}-02"),
        row("100.000000000000000001", account=REST, day=f"{month}-01", **support),
        row(f"{factor}.33", account=REST, day=f"{month}-01", **{TYPE: "Tax"}),
        row("-5.005", account=WEB, day=f"{month}-03", **{TYPE: "Credit"}),
        row("4.2", account=DATA, day=f"{month}-03", **{"lineItem/CurrencyCode": "EUR"}),
    ]


def metrics(tenant: str) -> str:
    """A CSV of orders of web and data, and of all users; the third day has none, or zero."""
    factor = 2 if tenant == "acme" else 11
    lines = ["date,metric,project,value"]
    for month in MONTHS:
        lines += [f"{month}-0{day},orders,web,{factor * day}" for day in (1, 2)]
        lines += [f"{month}-01,orders,data,{factor}.5", f"{month}-03,orders,data,0"]
        lines += [f"{month}-02,users,,{factor}000"]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Measured:
    """Two built tenants, and a folder beside them for files."""

    made: TemporaryInstallation
    folder: Path

    def finops(self, *arguments: str, fails: bool = False) -> str:
        """Run a command that succeeds, or is refused; return its output."""
        code, output = finops(*arguments, data=self.made.data)
        assert (code != 0) is fails, output
        return output

    def write(self, text: str, name: str = "metrics.csv") -> str:
        """Write a file; return its path."""
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def declare(self, tenant: str, **sections: Any) -> str:
        """Declare sections of a tenant; return the path of the file."""
        entry = {"name": tenant, **sections}
        text = yaml.safe_dump({"tenants": [entry]}, sort_keys=False)
        return self.write(text, f"{tenant}.yaml")

    def rows(self, sql: str, tenant: str = "acme") -> list[dict[str, Any]]:
        """The rows of a query on a tenant's file."""
        return read_rows(self.made.installation.folder(tenant), sql)

    def copy(self, folder: Path) -> Measured:
        """A copy that a test may change."""
        copy_installation(self.made.data, folder / "data")
        return Measured(TemporaryInstallation(folder / "data"), folder)


def read_rows(folder: TenantFolder, sql: str) -> list[dict[str, Any]]:
    """The rows of a query on a published file."""
    with reading(folder) as connection:
        return fetch_dicts(connection.execute(sql))


def declaration(tenant: str) -> dict[str, Any]:
    """A tenant with one source and its projects."""
    location = f"{tenant}/cur"
    return {
        "name": tenant,
        "sources": [{"name": "payer", "format": "legacy-cur", "location": location}],
        "projects": [
            {"name": name, "accounts": [account], "environment": "prod"}
            for name, account in PROJECTS.items()
        ],
    }


@pytest.fixture(scope="session")
def measured_once(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """Both tenants, ingested and with metrics. Read only."""
    folder = tmp_path_factory.mktemp("measured")
    made = Measured(TemporaryInstallation(folder / "data"), folder)
    for tenant in TENANTS:
        for month in MONTHS:
            deliver(folder / tenant / "cur", bill(tenant, month), month)
    entries = [declaration(tenant) for tenant in TENANTS]
    made.made.apply(Path(made.write(yaml.safe_dump({"tenants": entries}), "tenants.yaml")))
    for tenant in TENANTS:
        assert not made.made.ingest(tenant).failed
        made.finops("metrics", "load", tenant, made.write(metrics(tenant)))
    return made


@pytest.fixture
def measured(measured_once: Measured, tmp_path: Path) -> Measured:
    """A copy that a test may change."""
    return measured_once.copy(tmp_path)
