"""The marts of costs, computed once more by Polars: after a full build and after changes.

Put here: two tenants, whole and after restated months, moved accounts and new projects. Keep out:
the computation (support/second_opinion_marts.py), other seeds (test_seeds.py).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from finops_pipeline.marts import mart_runner
from finops_pipeline.marts.day_parts import Days, parts_of
from finops_pipeline.marts.recomputation import recompute_marts
from finops_pipeline.synthetic.estate import DeliveryRequest, write_delivery
from tests.conftest import LAST_MONTH, SEED, TemporaryInstallation
from tests.support.globex import finops
from tests.support.published_files import copy_installation
from tests.support.recomputed_marts import compare_marts, every_mart

TENANTS = ("acme", "globex")
MIDDLE = "2026-09"


@pytest.mark.parametrize("tenant", TENANTS)
def test_every_mart_is_what_polars_computes(built: TemporaryInstallation, tenant: str) -> None:
    compare_marts(built, tenant)


def restate(estate: Path, tenant: str, month: str, restatement: int) -> None:
    request = DeliveryRequest(
        seed=SEED, last_month=LAST_MONTH, tenant=tenant, source="payer", month=month,
        restatement=restatement,
    )  # fmt: skip
    write_delivery(estate, request)


@pytest.mark.torture  # test_random_changes.py has such changes every day
def test_after_changes_every_mart_is_what_a_full_build_gives(
    built: TemporaryInstallation, own_estate: Path, empty: TemporaryInstallation
) -> None:
    """A restated month, an account that moves in the middle of a month, and a new project."""
    copy_installation(built.data, empty.data)
    empty.apply(own_estate / "tenants.yaml")
    changes = (
        lambda: restate(own_estate, "globex", MIDDLE, 1),
        lambda: restate(own_estate, "acme", LAST_MONTH, 1),
        lambda: finops("project", "add", "acme/sandbox", "--account", "777788889999",
                       "--source", "payer", "--from", "2026-09-11"),
    )  # fmt: skip
    for change in changes:
        change()
        for tenant in TENANTS:
            assert not empty.ingest(tenant).failed
    for tenant in TENANTS:
        compare_marts(empty, tenant)
        folder, limits = empty.installation.folder(tenant), empty.installation.limits
        compared = list(recompute_marts(folder, limits))
        assert all(comparison.is_equal for comparison in compared)
        incremental = every_mart(empty, tenant)
        (empty.folder(tenant) / f"{tenant}.duckdb").unlink()
        assert finops("rebuild", tenant)[0] == 0
        assert every_mart(empty, tenant) == incremental


def test_a_month_that_is_built_in_parts_of_days_is_the_same(
    built: TemporaryInstallation, empty: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A month with more charges than one statement may read, such as 10 million."""
    built_parts: list[Days] = []

    def note_parts(month: str, parts: int) -> list[Days]:
        built_parts.extend(parts_of(month, parts))
        return list(parts_of(month, parts))

    monkeypatch.setattr(mart_runner, "PORTION_CHARGES", 100)
    monkeypatch.setattr(mart_runner, "parts_of", note_parts)
    copy_installation(built.data, empty.data)
    for tenant in TENANTS:
        whole = every_mart(built, tenant)
        (empty.folder(tenant) / f"{tenant}.duckdb").unlink()
        assert finops("rebuild", tenant)[0] == 0
        assert every_mart(empty, tenant) == whole
    assert sum(part.first is not None for part in built_parts) > len(TENANTS)
