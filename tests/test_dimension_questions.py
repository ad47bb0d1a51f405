"""Questions about costs by declared dimensions (`finops costs --by dimension:team`).

Put here: grouping and filtering by dimensions. Keep out: other questions (test_cost_questions.py),
what rules make of charges (test_allocations.py).
"""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from tests.conftest import LAST_MONTH
from tests.support.allocated_tenants import TENANTS, Allocated, allocated
from tests.support.globex import finops

__all__ = ["allocated"]


@pytest.mark.parametrize("tenant", TENANTS)
def test_questions_are_answered_by_dimension(allocated: Allocated, tenant: str) -> None:
    asked = ("costs", tenant, "--from", "2026-08", "--to", LAST_MONTH, "--format", "json", "--by")
    answer = json.loads(allocated.finops(*asked, "dimension:team,environment"), parse_float=Decimal)
    summed = allocated.rows(
        tenant,
        "select value, environment, billing_currency, sum(effective_cost) from dimension_costs left"
        " join projects using (project) where dimension = 'team' and billing_period >= '2026-08'"
        " group by all",
    )
    assert {tuple(row.values()) for row in answer["rows"]} == set(summed) and len(summed) > 3
    rest = allocated.finops(*asked, "service", "--where", "dimension:team=")
    assert (
        json.loads(rest, parse_float=Decimal)["totals"][0]["total"]
        == sum(cost for value, _, _, cost in summed if value is None)
        != 0
    )
    assert "with region" in finops(*asked, "dimension:team,region", data=allocated.data)[1]
