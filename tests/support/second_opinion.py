"""acme and globex with one bill each and a Cost Explorer from imported files, alike but separate.

Put here: both tenants ingested, Cost Explorer's days as CSV, a month's comparisons. Keep
out: what a test expects of them.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from finops_pipeline import clock
from finops_pipeline.application.files_by_hand import FilesByHand
from finops_pipeline.application.ingest import ingest_files
from finops_pipeline.contracts.cost_explorer import Metric
from finops_pipeline.lake.warehouse import reading
from finops_pipeline.reconciliation.comparisons import Comparison
from finops_pipeline.reconciliation.states import Status
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row
from tests.support.published_files import settle_copy
from tests.support.rewound_folder import preserve, rewind

MONTH = "2026-09"
DAYS = [f"{MONTH}-{day:02d}" for day in range(1, 31)]
PROD, DEV = "111122223333", "001122334455"
EC2, S3 = "Amazon Elastic Compute Cloud", "Amazon Simple Storage Service"
Costs = dict[tuple[str, str, str], Decimal]
"""(day, account, service) -> cost"""


def costs() -> Costs:
    """What every day of September costs: two accounts, two services, ten decimals."""
    return {
        (day, account, service): Decimal(number + 1) * Decimal("0.1000000001")
        for number, (day, account, service) in enumerate(
            (d, a, s) for d in DAYS for a in (PROD, DEV) for s in (EC2, S3)
        )
    }


CODES = {EC2: "AmazonEC2", S3: "AmazonS3"}


def lines(of: Costs, **more: str) -> list[dict[str, str]]:
    """Costs as lines of a legacy CUR."""
    return [
        row(
            format(cost, "f"),
            account=account,
            day=day,
            **{"lineItem/ProductCode": CODES[service], "product/ProductName": service, **more},
        )
        for (day, account, service), cost in of.items()
    ]


def declare(made: TemporaryInstallation, folder: Path, tenant: str, *more: dict[str, str]) -> None:
    """A tenant whose payer delivers to `folder/TENANT/cur`, and whose Cost Explorer is imported."""
    sources = [
        {"name": "payer", "format": "legacy-cur", "location": f"{tenant}/cur"},
        {"name": "explorer", "format": "cost-explorer"},
        *more,
    ]
    declared = {
        "name": tenant,
        "sources": sources,
        "projects": [{"name": "prod", "accounts": [PROD]}],
    }
    path = folder / "tenants.yaml"
    path.write_text(json.dumps({"tenants": [declared]}))
    made.apply(path)


@dataclass(frozen=True)
class Two:
    """The installation, and where acme's payer delivers."""

    made: TemporaryInstallation
    folder: Path

    def explorer(
        self,
        of: Costs,
        tenant: str = "acme",
        names: dict[str, str] | None = None,
        source: str = "explorer",
        digits: int = 10,
        metrics: tuple[Metric, ...] = (Metric.UNBLENDED,),
    ) -> None:
        """Import Cost Explorer's days, all metrics alike; services may have other names."""
        path = self.folder / f"{tenant}-{source}.csv"
        with path.open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(("Date", "Service", "Linked account", "Cost(USD)"))
            for (day, account, service), cost in of.items():
                name = (names or {}).get(service, service)
                writer.writerow((day, name, account, f"{cost:.{digits}f}"))
        installation = self.made.installation
        registered = installation.registry.tenant(tenant)
        for metric in metrics:
            report = ingest_files(
                installation, FilesByHand(registered.name, source, [path], metric)
            )
            assert not report.failed, report.failed

    def bill(self, of: Costs, assembly: str, tenant: str = "acme") -> None:
        """Deliver September again and ingest it."""
        deliver(self.folder / tenant / "cur", lines(of), MONTH, assembly)
        assert not self.made.ingest(tenant).failed

    def status(self, source: str = "payer", tenant: str = "acme", month: str = MONTH) -> Status:
        """Return the state of a source's month, which the warehouse must repeat."""
        statuses = [
            status
            for status in self.made.installation.status(tenant)
            if (status.source, status.billing_period) == (source, month)
        ]
        assert len(statuses) == 1
        served = self.rows(
            f"select state, reason from data_status where source = '{source}'"
            f" and billing_period = '{month}'",
            tenant,
        )
        assert served == [(statuses[0].state, statuses[0].reason)]
        return statuses[0]

    def billed(self, source: str = "payer") -> list[Comparison]:
        """Comparisons of billed cost with Cost Explorer."""
        comparisons = self.compared("cost explorer", source)
        return [
            comparison for comparison in comparisons if comparison.cost_basis != "effective_cost"
        ]

    def compared(
        self, against: str, source: str = "payer", tenant: str = "acme", month: str = MONTH
    ) -> list[Comparison]:
        """Return rows of `reconciliation`, which must equal those in the tenant's warehouse."""
        comparisons = [
            comparison
            for comparison in self.made.installation.reconciled(tenant).comparisons
            if (comparison.source, comparison.billing_period, comparison.against)
            == (source, month, against)
        ]
        served = self.rows(
            f"from reconciliation where source = '{source}' and billing_period = '{month}'"
            f" and against = '{against}'",
            tenant,
        )
        assert sorted(served, key=str) == sorted(
            (tuple(vars(comparison).values()) for comparison in comparisons), key=str
        )
        return comparisons

    def rows(self, sql: str, tenant: str = "acme") -> list[tuple[Any, ...]]:
        """Query the tenant's warehouse."""
        with reading(self.made.installation.folder(tenant)) as connection:
            return connection.execute(sql).fetchall()


def set_clock(monkeypatch: pytest.MonkeyPatch, day: str) -> None:
    """Set the clock to noon (UTC) on a day."""
    now = datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=UTC)
    monkeypatch.setattr(clock, "now", lambda: now)


@pytest.fixture(scope="session")
def built_two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both tenants with September's bill, ingested; preserved for `two`."""
    return preserve(tmp_path_factory.mktemp("two"), _build)


def _build(folder: Path) -> None:
    made = TemporaryInstallation(folder / "data")
    for tenant in ("acme", "globex"):
        deliver(folder / tenant / "cur", lines(costs()), MONTH)
        declare(made, folder, tenant)
        assert not made.ingest(tenant).failed


@pytest.fixture
def two(built_two: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Two]:
    """Both tenants to change; at the end globex is as it was."""
    folder = rewind(built_two)
    made = TemporaryInstallation(folder / "data")
    monkeypatch.setenv("FINOPS_DATA", str(made.data))
    settle_copy(made.data, "globex")
    before = _bytes(made.folder("globex"))
    yield Two(made, folder)
    assert _bytes(made.folder("globex")) == before


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
