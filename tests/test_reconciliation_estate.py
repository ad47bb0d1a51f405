"""The seeded estate against a Cost Explorer made from its generator's own lines.

Put here: commitments, fees, credits, taxes and refunds, whose amortized costs both sides must know
alike. Keep out: bills written by hand (test_reconciliation.py).

The days are summed from the lines before they are written as a bill, so nothing of ours is read
back.
"""

from __future__ import annotations

import csv
import shutil
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from finops_pipeline.application.ingest import FilesByHand, ingest_files
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
    found: Days = defaultdict(lambda: (Decimal(0), Decimal(0)))
    for line in source_month(scene):
        service = "Tax" if line.kind == "Tax" else line.product.name
        # A refund of an earlier month's usage is in this bill, and on one of its days.
        day = max(line.start.date().isoformat(), f"{MONTH}-01")
        key = (day, line.account, service)
        unblended, amortized = found[key]
        found[key] = (unblended + line.cost, amortized + line.effective)
    return found


def bring(made: TemporaryInstallation, tenant: str, payer: str, days: Days) -> None:
    """Bring the days of a payer's Cost Explorer, with both metrics."""
    installation = made.installation
    known = installation.registry.tenant(tenant)
    for position, metric in enumerate((Metric.UNBLENDED, Metric.AMORTIZED)):
        path = made.data.parent / f"{metric.value}.csv"
        with path.open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(("Date", "Service", "Linked account", "Cost(USD)"))
            for (day, account, service), costs in days.items():
                writer.writerow((day, service, account, f"{costs[position]:.10f}"))
        source = known.source(f"explorer-{payer}")
        report = ingest_files(installation, FilesByHand(known.name, source.name, [path], metric))
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
        bring(made, tenant, payer, days)
    states = {
        (status.source, status.state)
        for status in made.installation.status(tenant)
        if status.billing_period == MONTH and status.source in truth
    }
    assert states == {(payer, "reconciled") for payer in truth}
    found = compared(made, tenant)
    assert {(one.source, one.counterpart) for one in found} == {
        (payer, f"explorer-{payer}") for payer in truth
    }
    assert [one.cost_basis for one in found] == ["billed_cost", "effective_cost"] * 2, "all agree"
    for one in found:
        assert one.is_whole and one.state == "agrees"
        position = 0 if one.cost_basis == "billed_cost" else 1
        assert one.theirs == sum(round(c[position], 10) for c in truth[one.source].values())
    payer, days = next(iter(truth.items()))
    key = next(key for key, (cost, _) in days.items() if cost > 1)
    bring(made, tenant, payer, days | {key: (days[key][0] + SMALL, days[key][1])})
    off = [one for one in compared(made, tenant) if one.state != "agrees"]
    assert [(one.source, one.cost_basis, one.sub_account_id, one.service_name) for one in off] == [
        (payer, "billed_cost", None, None),
        (payer, "billed_cost", key[1], None),
        (payer, "billed_cost", *key[1:]),
    ]
    assert {one.state for one in off} == {"differs"}
    assert all(round((one.difference or Decimal(0)) + SMALL, 6) == 0 for one in off)


def compared(made: TemporaryInstallation, tenant: str) -> list[Comparison]:
    """What the month's comparisons with Cost Explorer list."""
    return [
        one
        for one in made.installation.reconciled(tenant).comparisons
        if (one.billing_period, one.against) == (MONTH, "cost explorer")
    ]
