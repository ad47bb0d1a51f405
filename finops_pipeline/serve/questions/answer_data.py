"""An answer about costs as one JSON object, and conditions as a line of text has them.

Put here: what the command line and the API have in common. Keep out: how amounts are spelled
(numbers in `finops costs`, text in the API).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from finops_pipeline.errors import QueryRefused
from finops_pipeline.serve.questions.cost_answer import CostAnswer


def answer_data(tenant: str, answer: CostAnswer) -> dict[str, Any]:
    """Return an answer as one JSON object, see docs/costs.md."""
    question = answer.resolved.question.model_dump(mode="json", exclude={"filters"})
    return {
        "tenant": tenant,
        "question": {
            **question,
            "filters": [filter.model_dump(mode="json") for filter in answer.resolved.filters],
        },
        "period": {
            "first_day": answer.resolved.period.first,
            "end_day": answer.resolved.period.end,
            "counts_by": "billing_period" if answer.resolved.counts_by_month else "charge_date",
        },
        "rows": [dict(zip(answer.columns, row, strict=True)) for row in answer.rows],
        "totals": [asdict(total) for total in answer.totals],
        "months": [asdict(month) for month in answer.months],
        "missing_months": list(answer.missing_months),
        "built_at": answer.built_at,
        "is_truncated": answer.is_truncated,
        "sql": answer.statement.sql,
        "values": dict(answer.statement.values),
    }


def read_conditions(texts: Iterable[str]) -> list[dict[str, Any]]:
    """Return filters for `FIELD=VALUE` and `FIELD!=VALUE`; those of one field are alternatives.

    Raises:
        QueryRefused: a text has another form.
    """
    values: dict[tuple[str, bool], list[str]] = {}
    for text in texts:
        field, equals, value = text.partition("=")
        if not equals or not field.removesuffix("!"):
            raise QueryRefused(f"{text!r} is not FIELD=VALUE or FIELD!=VALUE")
        values.setdefault((field.removesuffix("!"), field.endswith("!")), []).append(value)
    return [
        {"field": field, "values": of_field, "is_excluded": is_excluded}
        for (field, is_excluded), of_field in values.items()
    ]
