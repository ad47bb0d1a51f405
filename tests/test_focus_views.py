"""The views of FOCUS versions: exactly their columns and all charges, readable by any DuckDB.

The columns of FOCUS 1.0 are listed again in this file, from the specification. For queries of the
library see test_queries.py.
"""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from finops_pipeline.contracts.focus import FOCUS_1_2
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver

_FOCUS_1_0 = """
AvailabilityZone BilledCost BillingAccountId BillingAccountName BillingCurrency BillingPeriodEnd
BillingPeriodStart ChargeCategory ChargeClass ChargeDescription ChargeFrequency ChargePeriodEnd
ChargePeriodStart CommitmentDiscountCategory CommitmentDiscountId CommitmentDiscountName
CommitmentDiscountStatus CommitmentDiscountType ConsumedQuantity ConsumedUnit ContractedCost
ContractedUnitPrice EffectiveCost InvoiceIssuerName ListCost ListUnitPrice PricingCategory
PricingQuantity PricingUnit ProviderName PublisherName RegionId RegionName ResourceId ResourceName
ResourceType ServiceCategory ServiceName SkuId SkuPriceId SubAccountId SubAccountName Tags
"""
FOCUS_1_0 = _FOCUS_1_0.split()
_NEW_IN_1_3 = """
AllocatedMethodDetails AllocatedMethodId AllocatedResourceId AllocatedResourceName AllocatedTags
ContractApplied HostProviderName ServiceProviderName
"""
NEW_IN_1_3 = _NEW_IN_1_3.split()
OF_1_2 = [column.name for column in FOCUS_1_2]
OF_1_3 = sorted([*OF_1_2, *NEW_IN_1_3])
VIEWS = {
    "costs_focus_1_0": FOCUS_1_0,
    "costs_focus_1_2": OF_1_2,
    "costs_focus_1_3": OF_1_3,
    "focus_data_table": OF_1_3,
}

PUBLISHED = {
    "SELECT ProviderName, BillingPeriodStart, SUM(BilledCost) AS TotalBilledCost"
    " FROM focus_data_table WHERE BillingPeriodStart >= '2026-08-01' AND BillingPeriodEnd <="
    " '2026-11-01' GROUP BY ProviderName, BillingPeriodStart": "BilledCost",
    "SELECT SubAccountId, ServiceName, ChargePeriodStart, SUM(EffectiveCost) AS Total FROM"
    " costs_focus_1_0 GROUP BY SubAccountId, ServiceName, ChargePeriodStart": "EffectiveCost",
    "SELECT InvoiceId, SkuMeter, ServiceSubcategory, SUM(BilledCost) AS Total FROM"
    " costs_focus_1_2 GROUP BY InvoiceId, SkuMeter, ServiceSubcategory": "BilledCost",
    "SELECT HostProviderName, ServiceProviderName, AllocatedResourceId, SUM(EffectiveCost) AS"
    " Total FROM costs_focus_1_3 GROUP BY ALL": "EffectiveCost",
}
"""Queries in the form of the published ones -> the basis their last column sums."""


def columns_of(connection: duckdb.DuckDBPyConnection, view: str) -> list[tuple[str, str]]:
    return [(name, kind) for name, kind, *_ in connection.execute(f"describe {view}").fetchall()]


def test_versions_have_43_57_and_65_columns() -> None:
    assert [len(columns) for columns in VIEWS.values()] == [43, 57, 65, 65]
    assert set(FOCUS_1_0) < set(OF_1_2) < set(OF_1_3)
    assert all(columns == sorted(columns) for columns in VIEWS.values())


@pytest.mark.parametrize("tenant", ["acme", "globex"])
def test_plain_duckdb_reads_the_views_from_the_tenants_folder(
    built: TemporaryInstallation, truth: dict[str, Any], tenant: str
) -> None:
    os.chdir(built.folder(tenant))
    true_months = [m for s in truth["tenants"][tenant]["sources"].values() for m in s.values()]
    with duckdb.connect(f"{tenant}.duckdb", read_only=True) as connection:
        of_costs = dict(columns_of(connection, "costs"))
        for view, columns in VIEWS.items():
            view_columns = columns_of(connection, view)
            assert [name for name, _ in view_columns] == columns
            assert all(kind == of_costs.get(name, "VARCHAR") for name, kind in view_columns)
            sums = connection.execute(f"select sum(BilledCost), sum(EffectiveCost) from {view}")
            true_sums = [
                sum(Decimal(m[b]) for m in true_months) for b in ("billed_cost", "effective_cost")
            ]
            assert sums.fetchall() == [tuple(true_sums)]
        other = {"acme": "globex", "globex": "acme"}[tenant]
        for marker, is_contained in ((tenant, True), (other, False)):
            marker_value = truth["tenants"][marker]["marker"]
            query = "select count(*) > 0 from focus_data_table t where contains(t::varchar, ?)"
            assert connection.execute(query, [marker_value]).fetchall() == [(is_contained,)]
        filled = "count(AllocatedMethodId), count(HostProviderName) = count(*)"
        assert connection.execute(f"select {filled} from focus_data_table").fetchall() == [
            (0, True)
        ]


@pytest.mark.parametrize("sql", PUBLISHED)
def test_published_queries_run_unchanged(
    built: TemporaryInstallation, truth: dict[str, Any], sql: str
) -> None:
    key = {"BilledCost": "billed_cost", "EffectiveCost": "effective_cost"}[PUBLISHED[sql]]
    rows = built.rows("acme", sql)
    sources = truth["tenants"]["acme"]["sources"].values()
    true = sum(Decimal(month[key]) for months in sources for month in months.values())
    assert sum(Decimal(list(row.values())[-1]) for row in rows) == true


def test_without_charges_the_views_exist_and_are_empty(
    empty: TemporaryInstallation, tmp_path: Path
) -> None:
    text = "tenants:\n- name: acme\n  sources: [{name: payer, format: legacy-cur, location: cur}]\n"
    (tmp_path / "tenants.yaml").write_text(text)
    deliver(tmp_path / "cur", [])
    empty.apply(tmp_path / "tenants.yaml")
    empty.ingest("acme")
    os.chdir(empty.folder("acme"))
    with duckdb.connect("acme.duckdb", read_only=True) as connection:
        for view, columns in VIEWS.items():
            assert [name for name, _ in columns_of(connection, view)] == columns
            assert connection.execute(f"select count(*) from {view}").fetchall() == [(0,)]
