"""The seeded estate compared with a Cost Explorer made from the lines of its generator.

Put here: commitments, fees, credits, taxes and refunds, whose amortized costs must be equal on both
sides. Keep out: hand-written bills (test_reconciliation.py).

The days are summed from the lines before they are written as a bill, so no output of the pipeline
is used.
"""

from __future__ import annotations

import csv
import shutil
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from finops_pipeline.application.files_by_hand import FilesByHand
from finops_pipeline.application.ingest import ingest_files
from finops_pipeline.contracts.cost_explorer import Metric
from finops_pipeline.reconciliation.comparisons import Comparison
from finops_pipeline.synthetic.scenario import source_month
from finops_pipeline.synthetic.spec import estate_tenants
from finops_pipeline.synthetic.usage import Period, Scene
from tests.conftest import LAST_MONTH, SEED, TemporaryInstallation

MONTH = "2026-09"
SMALL = Decimal("0.001")
Days = dict[tuple[str, str, str], tuple[Decimal, Decimal]]


def days_of(tenant_name: str) -> dict[str, Days]:
    """Source -> (day, account, service) -> unblended and amortized cost."""
    (tenant,) = (
        t for t in estate_tenants(seed=SEED, last_month=LAST_MONTH) if t.name == tenant_name
    )
    return {
        source.name: _days(Scene(tenant, source, Period.of(MONTH, last_month=LAST_MONTH)))
        for source in tenant.sources
    }


def _days(scene: Scene) -> Days:
    days: Days = defaultdict(lambda: (Decimal(0), Decimal(0)))
    for line in source_month(scene):
        service = "Tax" if line.kind == "Tax" else line.product.name
        # A refund of an earlier month's usage is in this bill, and on one of its days.
        day = max(line.start.date().isoformat(), f"{MONTH}-01")
        key = (day, line.account, service)
        unblended, amortized = days[key]
        days[key] = (unblended + line.cost, amortized + line.effective)
    return days


def import_days(made: TemporaryInstallation, tenant: str, payer: str, days: Days) -> None:
    """Import the days of a payer's Cost Explorer, with both metrics."""
    installation = made.installation
    declared = installation.registry.tenant(tenant)
    for position, metric in enumerate((Metric.UNBLENDED, Metric.AMORTIZED)):
        path = made.data.parent / f"{metric.value}.csv"
        with path.open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(("Date", "Service", "Linked account", "Cost(USD)"))
            for (day, account, service), costs in days.items():
                writer.writerow((day, service, account, f"{costs[position]:.10f}"))
        source = declared.source(f"explorer-{payer}")
        report = ingest_files(installation, FilesByHand(declared.name, source.name, [path], metric))
        assert not report.failed, report.failed


@pytest.fixture
def made(built: TemporaryInstallation, estate: Path, tmp_path: Path) -> TemporaryInstallation:
    """A copy of the ingested estate in which every tenant has a Cost Explorer."""
    copied = TemporaryInstallation(tmp_path / "data")
    shutil.copytree(built.data, copied.data)
    more = [
        {
            "name": tenant.name,
            "sources": [
                {"name": f"explorer-{source.name}", "format": "cost-explorer"}
                for source in tenant.sources
            ],
        }
        for tenant in copied.installation.registry.tenants()
    ]
    path = tmp_path / "more.yaml"
    path.write_text(yaml.safe_dump({"tenants": more}))
    copied.apply(path)
    return copied


@pytest.mark.parametrize("tenant", ["acme", "globex"])
def test_the_estate_agrees_with_its_generator(made: TemporaryInstallation, tenant: str) -> None:
    truth = days_of(tenant)
    for payer, days in truth.items():
        import_days(made, tenant, payer, days)
    states = {
        (status.source, status.state)
        for status in made.installation.status(tenant)
        if status.billing_period == MONTH and status.source in truth
    }
    assert states == {(payer, "reconciled") for payer in truth}
    comparisons = compared(made, tenant)
    assert {(comparison.source, comparison.counterpart) for comparison in comparisons} == {
        (payer, f"explorer-{payer}") for payer in truth
    }
    assert [comparison.cost_basis for comparison in comparisons] == [
        "billed_cost",
        "effective_cost",
    ] * 2, "all agree"
    for comparison in comparisons:
        assert comparison.is_whole and comparison.state == "agrees"
        position = 0 if comparison.cost_basis == "billed_cost" else 1
        assert comparison.theirs == sum(
            round(c[position], 10) for c in truth[comparison.source].values()
        )
    payer, days = next(iter(truth.items()))
    key = next(key for key, (cost, _) in days.items() if cost > 1)
    import_days(made, tenant, payer, days | {key: (days[key][0] + SMALL, days[key][1])})
    off = [comparison for comparison in compared(made, tenant) if comparison.state != "agrees"]
    assert [
        (
            comparison.source,
            comparison.cost_basis,
            comparison.sub_account_id,
            comparison.service_name,
        )
        for comparison in off
    ] == [
        (payer, "billed_cost", None, None),
        (payer, "billed_cost", key[1], None),
        (payer, "billed_cost", *key[1:]),
    ]
    assert {comparison.state for comparison in off} == {"differs"}
    assert all(round((comparison.difference or Decimal(0)) + SMALL, 6) == 0 for comparison in off)


def compared(made: TemporaryInstallation, tenant: str) -> list[Comparison]:
    """The month's comparisons with Cost Explorer."""
    return [
        comparison
        for comparison in made.installation.reconciled(tenant).comparisons
        if (comparison.billing_period, comparison.against) == (MONTH, "cost explorer")
    ]
