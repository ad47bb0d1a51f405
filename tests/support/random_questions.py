"""Random questions about costs.

Put here: making them. Keep out: what their answers have to be (test_cost_questions.py,
test_same_answers.py).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from finops_pipeline.serve.questions.question_fields import PLAIN_FIELDS
from finops_pipeline.tenants.months import first_day, shift
from tests.conftest import LAST_MONTH, MONTHS

FIELDS = {
    **{name: field.column for name, field in PLAIN_FIELDS.items()},
    "tag:Team": "tag:Team",
    "tag:aws:createdBy": "tag:aws:createdBy",
}
"""Field -> the column of a frame of resources and days that has it."""

FIRST = first_day(shift(LAST_MONTH, 1 - MONTHS))


def random_question(source: random.Random, values_of: Callable[[str], list[str]]) -> dict[str, Any]:
    """Make a question about what is in a tenant's file.

    Args:
        source: random numbers.
        values_of: lists the values of a field, in an order that stays.
    """
    question: dict[str, Any] = {
        "metric": source.choices(["cost", "charges", "usage"], [8, 1, 1])[0],
        "basis": source.choice(["billed", "effective", "list", "contracted", "net_billed",
                                "net_effective"]),
        "granularity": source.choice(["total", "month", "day"]),
        "group_by": source.sample(list(FIELDS), source.randint(0, 3)),
        "order": source.choice(["largest", "smallest", "name"]),
        "limit": source.choice([None, 1, 3, 50]),
    }  # fmt: skip
    first = FIRST + timedelta(days=source.randrange(100))
    end = first + timedelta(days=source.randrange(70))
    if source.random() < 0.5:
        question |= {"start": f"{first:%Y-%m}", "end": f"{end:%Y-%m}"}
    else:
        question |= {"start": str(first), "end": str(end)}
    if question["granularity"] == "total" and source.random() < 0.5:
        question["compare_to"] = "previous_period"
        question["order"] = source.choice(["largest", "largest_change"])
    filters = []
    for field in source.sample(list(FIELDS), source.randint(0, 2)):
        existing = values_of(field)
        if existing:
            values = source.sample(existing, min(len(existing), source.randint(1, 3)))
            values += [""] * (source.random() < 0.2)
            excluded = source.random() < 0.3
            filters.append({"field": field, "values": values, "is_excluded": excluded})
    return {**question, "filters": filters}
