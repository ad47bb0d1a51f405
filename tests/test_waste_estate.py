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

import json
import re
from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from finops_pipeline.application.waste import WasteChoice, WasteStatus, decide
from finops_pipeline.marts.waste_rules_library import waste_rules
from finops_pipeline.synthetic.catalogue import REGION_PREFIXES
from finops_pipeline.synthetic.rows import shift_month
from finops_pipeline.synthetic.waste_estate import (
    WasteEstate,
    done,
    place_items,
    realised_truth,
    write_waste_estate,
)
from finops_pipeline.synthetic.waste_items import WasteItem
from finops_pipeline.synthetic.waste_of_bills import BILLED_ITEMS
from finops_pipeline.synthetic.waste_of_resources import DESCRIBED_ITEMS
from tests.conftest import TemporaryInstallation
from tests.support.published_files import copy_installation
from tests.support.servers import Store
from tests.support.wasteful_tenants import (
    Wasteful,
    give_inventory,
    month_of_bills,
    wasteful_tenants,
)

Findings = dict[tuple[str, str], dict[str, Any]]
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


def found(wasteful: Wasteful, tenant: str) -> Findings:
    rows = wasteful.rows(tenant, "from waste_findings where state = 'found'")
    return {(row["rule"], row["resource_id"]): row for row in rows}


@pytest.fixture(scope="module")
def findings(wasteful: Wasteful) -> Findings:
    return found(wasteful, "acme")


@pytest.mark.parametrize("rule", RULES)
def test_planted_waste_is_found_by_its_rule(
    wasteful: Wasteful, findings: Findings, rule: str
) -> None:
    (item,) = (item for item in wasteful.truth if item["rule"] == rule)
    row = findings[rule, item["resource_id"]]
    assert row["project"] == item["project"]
    if item["monthly_saving"] is None:
        assert row["monthly_saving"] is None and row["reason"] and row["cure"]
        return
    assert abs(row["monthly_saving"] - Decimal(item["monthly_saving"])) < HALF_A_CENT
    assert row["monthly_saving"] <= row["cost"] <= Decimal(item["cost"]) + HALF_A_CENT


def test_no_near_miss_is_found(wasteful: Wasteful, findings: Findings) -> None:
    """acme has the near misses under other ids, globex has them under the ids of acme's waste."""
    assert findings.keys() == {(item["rule"], item["resource_id"]) for item in wasteful.truth}
    assert found(wasteful, "globex") == {}
    (near,) = wasteful.rows("globex", "select count(distinct resource_id) n from recent_usage")
    assert near["n"] >= len(RULES)


def test_every_rule_is_planted_or_named() -> None:
    assert {rule.rule for rule in waste_rules()} == {*RULES, *NOT_PLANTED}


def test_rules_compare_by_units_that_bills_have(wasteful: Wasteful) -> None:
    """A unit that no bill has would silently compare days."""
    units = {rule.rule: rule.normalised_by for rule in waste_rules()}
    for item in wasteful.truth:
        if units[item["rule"]] != "days":
            of_item = f"resource_id = '{item['resource_id']}'"
            used = wasteful.rows("acme", f"select consumed_unit from recent_usage where {of_item}")
            assert units[item["rule"]] in {row["consumed_unit"] for row in used}, item


def test_inventories_are_of_a_collector_and_of_files(wasteful: Wasteful) -> None:
    listed = "select distinct source, region_id from inventory_coverage where state = 'collected'"
    pairs = {tuple(row.values()) for row in wasteful.rows("acme", listed)}
    assert pairs == {("aws", "eu-central-1"), ("aws", "global"), ("listed", "us-east-1")}


def test_what_is_withheld_is_unknown_and_names_the_permission(tmp_path: Path) -> None:
    """The same bills without an inventory, and then without CloudWatch."""
    path = write_waste_estate(tmp_path / "exports", WasteEstate(month_of_bills()))
    made = TemporaryInstallation(tmp_path / "data")
    made.apply(path)
    assert not made.ingest("globex").failed
    withheld = Wasteful(made, tmp_path / "exports", WasteEstate(month_of_bills()))
    cures = unknown_cures(withheld)
    assert cures.keys() == {rule.rule for rule in waste_rules() if rule.tier in "BC"}
    for each in cures.values():
        assert all(re.search(r"inventory.*: [a-z0-9]+:[A-Z]\w+", cure) for cure in each)

    give_inventory(made, "globex", tmp_path / "exports")
    assert not made.ingest("globex").failed
    cures = unknown_cures(withheld)
    assert cures.keys() >= {rule.rule for rule in waste_rules() if rule.tier == "B"}
    for rule, each in cures.items():
        if rule.startswith("B"):
            assert "Add CloudWatch of this account and region: cloudwatch:GetMetricData." in each


def unknown_cures(wasteful: Wasteful) -> dict[str, set[str]]:
    """The cures of rules of tiers B and C, none of which finds anything."""
    rows = wasteful.rows("globex", "from waste_findings where tier in ('B', 'C')")
    assert {row["state"] for row in rows} == {"unknown"}
    assert not [row for row in rows if row["monthly_saving"] or row["counted_saving"]]
    cures: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        cures[row["rule"]].add(row["cure"])
    return cures


# ---- realised savings

FINISHED = {"A01": 1, "A08": 2, "A22": 1, "B07": 2, "C01": 1}
"""Rules whose planted item is changed, and by which factor its usage grows afterwards."""


@dataclass(frozen=True)
class Realised:
    """What a finished finding has saved, and the planted item that it is about."""

    row: dict[str, Any]
    item: WasteItem
    factor: int


@pytest.fixture(scope="module")
def realised(
    wasteful: Wasteful, findings: Findings, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Realised]:
    """acme finishes some findings on the last day of the bills, and gets the next month's bill."""
    folder = tmp_path_factory.mktemp("realised")
    later = replace(wasteful, made=TemporaryInstallation(folder / "data"))
    copy_installation(wasteful.made.data, later.made.data)
    return finish(later, findings, FINISHED)


def finish(
    wasteful: Wasteful, findings: Findings, factors: Mapping[str, int]
) -> dict[str, Realised]:
    """Finish a finding of each rule, deliver the next month and return what was saved."""
    day = str(wasteful.estate.end)
    placed = {one.item.rule: one for one in place_items(wasteful.estate, "acme") if one.is_waste}
    for number, rule in enumerate(factors):
        finding = findings[rule, placed[rule].billed_id]["finding_id"]
        if number < 2:
            wasteful.made.finops("waste", "finish", "acme", finding, "--on", day)
        else:
            choice = WasteChoice(finding, WasteStatus.DONE, day=wasteful.estate.end)
            decide(wasteful.made.installation, "acme", choice)
    changed = [
        done(one, Decimal(factors[rule])) if rule in factors else one
        for rule, one in placed.items()
    ]
    month = shift_month(wasteful.estate.month, 1)
    wasteful.deliver("acme", month, changed)
    rows = wasteful.rows("acme", f"from savings_realised where billing_period = '{month}'")
    assert len(rows) == len(factors)
    by_rule = {row["rule"]: row for row in rows}
    return {
        rule: Realised(by_rule[rule], placed[rule].item, factor) for rule, factor in factors.items()
    }


@pytest.mark.parametrize("rule", FINISHED)
def test_later_bills_prove_the_planted_saving(
    realised: dict[str, Realised], wasteful: Wasteful, rule: str
) -> None:
    check_realised(realised[rule], shift_month(wasteful.estate.month, 1))


def check_realised(realised: Realised, month: str) -> None:
    row, item, factor = realised.row, realised.item, Decimal(realised.factor)
    (rule,) = (each for each in waste_rules() if each.rule == item.rule)
    assert row["normalised_by"] == (rule.normalised_by if item.after else "days")
    truth = realised_truth(item, month, factor)
    assert abs(row["realised_saving"] - truth) < HALF_A_CENT, (row, truth)
    assert row["is_gone"] is (not item.after)
    lines = json.loads(row["bill_lines"])
    assert {line["usage_type"] for line in lines} == {
        REGION_PREFIXES[item.region] + meter.usage_type for meter in item.after or ()
    }
    assert sum(Decimal(line["effective_cost"]) for line in lines) == row["effective_cost"]
    days = monthrange(int(month[:4]), int(month[5:]))[1]
    assert row["days"] == days
    after = sum((meter.cost_on(days) for meter in item.after or ()), Decimal(0))
    assert abs(row["effective_cost"] - after * days * factor) < HALF_A_CENT


@pytest.mark.torture
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(2, 5))
def test_every_planted_saving_is_found_and_proved(tmp_path: Path, seed: int) -> None:
    """Every rule, with bills of thirteen months, inventories in files and other amounts.

    Each seed finishes a third of the findings; the three of them finish all.
    """
    estate = WasteEstate(month_of_bills(), seed, is_old=True)
    with wasteful_tenants(tmp_path, estate) as tenants:
        rows = found(tenants, "acme")
        assert rows.keys() == {(item["rule"], item["resource_id"]) for item in tenants.truth}
        assert found(tenants, "globex") == {}
        factors = {}
        for number, item in enumerate(tenants.truth):
            if item["monthly_saving"] is not None:
                saving = rows[item["rule"], item["resource_id"]]["monthly_saving"]
                assert abs(saving - Decimal(item["monthly_saving"])) < HALF_A_CENT, item
                (rule,) = (each for each in waste_rules() if each.rule == item["rule"])
                if number % 3 == seed % 3:
                    factors[rule.rule] = 1 + (rule.normalised_by != "days") * (number % 4)
        proved = finish(tenants, rows, factors)
        assert len(proved) > 10
        for each in proved.values():
            check_realised(each, shift_month(estate.month, 1))
