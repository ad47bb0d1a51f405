"""Other estates than the one that all tests share: true bills of any seed pass everything.

Put here: estates of several seeds through the pipeline, every check and rule, and their truth. Keep
out: what a single check reports (test_identities.py), random bills (test_properties.py).
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from finops_pipeline.focus.conformance import find_published_violations
from finops_pipeline.marts.results import check_published
from finops_pipeline.synthetic.estate import write_estate
from tests.conftest import LAST_MONTH, TemporaryInstallation
from tests.support.recomputed_marts import compare_marts

TENANTS = ("acme", "globex")


def check_estate(seed: int, months: int, folder: Path) -> None:
    """Write an estate of a seed, ingest it, and compare everything with its truth."""
    write_estate(folder / "estate", seed=seed, last_month=LAST_MONTH, months=months)
    truth = json.loads((folder / "estate/truth.json").read_text())["tenants"]
    made = TemporaryInstallation(folder / "data")
    made.apply(folder / "estate/tenants.yaml")
    for tenant in TENANTS:
        assert not made.ingest(tenant).failed
        folder_of_tenant, limits = made.installation.folder(tenant), made.installation.limits
        failed = [r for r in check_published(folder_of_tenant, limits) if r.state == "failed"]
        assert failed == [], [result.describe() for result in failed]
        compare_marts(made, tenant)
        file_count, broken = find_published_violations(folder_of_tenant, limits)
        assert file_count > months and broken == []
        billed = {
            (status.source, status.billing_period): (status.billed_cost, status.effective_cost)
            for status in made.installation.status(tenant)
        }
        assert billed == {
            (source, month): (Decimal(figures["billed_cost"]), Decimal(figures["effective_cost"]))
            for source, figures_by_month in truth[tenant]["sources"].items()
            for month, figures in figures_by_month.items()
        }


@pytest.mark.torture
@pytest.mark.parametrize("seed", [1, 20261124])
def test_another_estate_passes_everything(seed: int, tmp_path: Path) -> None:
    check_estate(seed, 2, tmp_path)


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(100, 112))
def test_many_estates_pass_everything(seed: int, tmp_path: Path) -> None:
    check_estate(seed, 4, tmp_path)
