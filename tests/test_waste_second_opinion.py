"""Findings of random small bills are those that Polars computes from their lines.

Put here: the comparison, and that savings never exceed costs. Keep out: the computation
(support/second_opinion_waste.py), each rule alone (test_waste_rules.py), overlaps of invented
findings (test_waste_findings.py).
"""

from __future__ import annotations

import random
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from tests.conftest import TemporaryInstallation
from tests.support.second_opinion_waste import RULES, findings, random_usage
from tests.support.waste_bills import Use, ask, ingest_bills

TINY = Decimal("0.0001")
SEEDS = [1, *(pytest.param(seed, marks=pytest.mark.torture) for seed in range(2, 26))]


@pytest.mark.parametrize("seed", SEEDS)
def test_findings_are_those_of_a_second_computation(tmp_path: Path, seed: int) -> None:
    """Two tenants with the same accounts and ids, and other usage."""
    usage = {name: random_usage(random.Random(f"{seed}/{name}")) for name in ("acme", "globex")}
    made = ingest_bills(tmp_path, usage["acme"], usage["globex"])
    for tenant, uses in usage.items():
        _compare(made, tenant, uses)
        _check_that_savings_are_costs(made, tenant)


def _compare(made: TemporaryInstallation, tenant: str, uses: list[Use]) -> None:
    expected = {
        (row["rule"], row["account"], row["resource"]): row
        for row in findings(uses).iter_rows(named=True)
    }
    rows = ask(made, tenant, "from waste_findings where state = 'found'")
    found = {(row["rule"], row["sub_account_id"], row["resource_id"]): row for row in rows}
    assert found.keys() == expected.keys()
    assert len({rule for rule, *_ in found}) > len(RULES) / 3
    for key, row in found.items():
        for name, other in (("cost", "cost"), ("monthly_saving", "saving"),
                            ("counted_saving", "counted")):  # fmt: skip
            amount, second = row[name], expected[key][other]
            assert (amount is None) is (second is None), (key, name)
            assert amount is None or abs(amount - second) < TINY, (key, name, amount, second)


def _check_that_savings_are_costs(made: TemporaryInstallation, tenant: str) -> None:
    """Of each resource and of each project, for all findings together."""
    costs: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    saved: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    usage = "select project, sub_account_id, service_code, resource_id, own_cost from recent_usage"
    for row in ask(made, tenant, usage):
        project, *rest, cost = row.values()
        for key in ((project,), (project, *rest)):
            costs[key] += cost
    counted = "select project, sub_account_id, service_code, resource_id, counted_saving"
    for row in ask(made, tenant, f"{counted} from waste_findings"):
        project, *rest, saving = row.values()
        for key in ((project,), (project, *rest)):
            saved[key] += saving
    assert sum(saved.values()) > 0
    assert all(saving <= costs[key] for key, saving in saved.items() if saving)
