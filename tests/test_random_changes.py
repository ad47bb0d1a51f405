"""Random changes: afterwards every mart is what a full build gives and what Polars computes.

Put here: random restatements, rules, claims, moved accounts, projects and sources of two tenants,
one after the other. Keep out: the changes themselves (support/random_changes.py), chosen ones
(test_marts_again.py).
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl
import pytest

from finops_pipeline.contracts.tables import MARTS, TABLES
from finops_pipeline.lake.warehouse import reading
from finops_pipeline.marts.recomputation import recompute_marts
from tests.conftest import TemporaryInstallation
from tests.support.mart_comparison import differences, read_mart
from tests.support.random_changes import SHARED_COSTS, TENANTS, RandomChanges
from tests.support.recomputed_marts import compare_marts
from tests.support.second_opinion_shared_costs import expected_shared_costs

OF_ONE_FILE = {
    "about": "says when this file was built",
    "api_requests": "what was requested of AWS before stays",
    "delivery_history": "earlier deliveries cannot be had again",
    "file_identity": "names the folder of this file",
    "partition_files": "names files",
    "warehouse_slices": "fingerprints of files",
}
"""Tables that another file need not repeat."""

OF_ONE_BUILD = {"data_status": ["landed_at", "reason", "drift"]}
"""Columns that differ between files: when it was built, and how it differs from what was before."""


def frame(made: TemporaryInstallation, tenant: str, table: str) -> pl.DataFrame:
    """All rows of a table."""
    with reading(made.installation.folder(tenant)) as connection:
        rows = pl.DataFrame(connection.sql(f"from {table}").to_arrow_table())
    return rows.drop(OF_ONE_BUILD.get(table, []))


def assert_same_file(first: TemporaryInstallation, second: TemporaryInstallation) -> None:
    """Assert that the tables of two installations have the same rows, in every column."""
    for tenant in TENANTS:
        for table in TABLES:
            if table.name in OF_ONE_FILE:
                continue
            one, other = (frame(made, tenant, table.name) for made in (first, second))
            assert one.schema == other.schema, (tenant, table.name)
            for left, right in ((one, other), (other, one)):
                with duckdb.connect() as connection:
                    connection.register("one", left.to_arrow())
                    connection.register("other", right.to_arrow())
                    query = connection.execute("from one except all from other limit 2")
                    assert not query.fetchall(), (tenant, table.name)


def built_anew(made: RandomChanges, folder: Path) -> TemporaryInstallation:
    """Another installation that knows the same registry, and builds everything at once."""
    again = TemporaryInstallation(folder)
    folder.mkdir()
    (folder / "registry.sqlite").write_bytes((made.made.data / "registry.sqlite").read_bytes())
    for tenant in TENANTS:
        assert not again.ingest(tenant).failed
    return again


def make_changes(seed: int, changes: int, months: int, folder: Path) -> None:
    """Build two tenants, change them, and compare after each change and in the end."""
    made = RandomChanges(seed, folder, months)
    made.begin()
    done = []
    for _ in range(changes):
        tenant, change = made.change()
        done.append((tenant, change))
        of_tenant, limits = made.made.installation.folder(tenant), made.made.installation.limits
        wrong = [each for each in recompute_marts(of_tenant, limits) if not each.is_equal]
        assert not wrong, (seed, done, wrong)
    made.enable_sources()
    for tenant in TENANTS:
        compare_marts(made.made, tenant, made.sections[tenant])
        built = made.made.installation.folder(tenant)
        shared = expected_shared_costs(built, SHARED_COSTS, {})
        assert shared and not differences("shared_costs", read_mart(built, "shared_costs"), shared)
    assert_same_file(made.made, built_anew(made, folder / "again"))


def test_some_random_changes_lead_to_what_a_full_build_gives(tmp_path: Path) -> None:
    make_changes(3, 2, 2, tmp_path)


@pytest.mark.torture
@pytest.mark.parametrize("seed", [11, 12, 13])
def test_many_random_changes_lead_to_what_a_full_build_gives(seed: int, tmp_path: Path) -> None:
    make_changes(seed, 20, 3, tmp_path)


def test_every_table_is_compared() -> None:
    assert not MARTS.keys() & OF_ONE_FILE.keys() and OF_ONE_FILE.keys() <= {t.name for t in TABLES}
