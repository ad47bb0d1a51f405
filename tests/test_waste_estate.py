"""The planted waste of the estate is found, and nothing else: bills, inventories, CloudWatch.

Put here: the planted truth against findings and later bills, for two tenants with the same ids.
Keep out: what each rule finds on small tables (test_waste_rules.py, test_waste_evidence.py).

What acme has in eu-central-1 is created in moto's AWS and listed by the collector: moto answers
every call of the inventories. The rest is handed over in files: databases, snapshots, images and
endpoints, because moto gives everything the age of now, and functions, whose code moto wants.
Statistics are asked by the collector from tests/support/cloudwatch_server.py: moto's
GetMetricData has no percentiles.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from finops_pipeline.marts.waste_rules_library import waste_rules
from finops_pipeline.synthetic.waste_estate import WasteEstate
from finops_pipeline.synthetic.waste_of_bills import BILLED_ITEMS
from finops_pipeline.synthetic.waste_of_resources import DESCRIBED_ITEMS
from tests.support.servers import Store
from tests.support.wasteful_tenants import Wasteful, month_of_bills, wasteful_tenants

HALF_A_CENT = Decimal("0.005")
RULES = sorted(item.rule for item in (*BILLED_ITEMS, *DESCRIBED_ITEMS) if not item.is_old)
NOT_PLANTED = {
    "A10": "needs bills of thirteen months: make torture",
    "A24": "never knows enough to find anything",
}


@pytest.fixture(scope="module")
def wasteful(tmp_path_factory: pytest.TempPathFactory, moto: Store) -> Iterator[Wasteful]:
    folder = tmp_path_factory.mktemp("wasteful")
    with wasteful_tenants(folder, WasteEstate(month_of_bills()), moto) as tenants:
        yield tenants


def found(wasteful: Wasteful, tenant: str) -> dict[tuple[str, str], dict[str, Any]]:
    rows = wasteful.rows(tenant, "from waste_findings where state = 'found'")
    return {(row["rule"], row["resource_id"]): row for row in rows}


@pytest.fixture(scope="module")
def findings(wasteful: Wasteful) -> dict[tuple[str, str], dict[str, Any]]:
    return found(wasteful, "acme")


@pytest.mark.parametrize("rule", RULES)
def test_planted_waste_is_found_by_its_rule(
    wasteful: Wasteful, findings: dict[tuple[str, str], dict[str, Any]], rule: str
) -> None:
    (item,) = (item for item in wasteful.truth if item["rule"] == rule)
    row = findings[rule, item["resource_id"]]
    assert row["project"] == item["project"]
    if item["monthly_saving"] is None:
        assert row["monthly_saving"] is None and row["reason"] and row["cure"]
        return
    assert abs(row["monthly_saving"] - Decimal(item["monthly_saving"])) < HALF_A_CENT
    assert row["monthly_saving"] <= row["cost"] <= Decimal(item["cost"]) + HALF_A_CENT


def test_no_near_miss_is_found(
    wasteful: Wasteful, findings: dict[tuple[str, str], dict[str, Any]]
) -> None:
    """acme has the near misses under other ids, globex has them under the ids of acme's waste."""
    assert findings.keys() == {(item["rule"], item["resource_id"]) for item in wasteful.truth}
    assert found(wasteful, "globex") == {}
    (near,) = wasteful.rows("globex", "select count(distinct resource_id) n from recent_usage")
    assert near["n"] >= len(RULES)


def test_every_rule_is_planted_or_named() -> None:
    assert {rule.rule for rule in waste_rules()} == {*RULES, *NOT_PLANTED}


def test_inventories_are_of_a_collector_and_of_files(wasteful: Wasteful) -> None:
    listed = "select distinct source, region_id from inventory_coverage where state = 'collected'"
    pairs = {tuple(row.values()) for row in wasteful.rows("acme", listed)}
    assert pairs == {("aws", "eu-central-1"), ("aws", "global"), ("listed", "us-east-1")}
