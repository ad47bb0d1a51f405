"""The rules of a question alone: its period, the period to compare with, names, combinations.

Put here: what needs no tenant. Keep out: answers (test_cost_questions.py).
"""

from __future__ import annotations

from datetime import date

import pytest

from finops_pipeline.errors import QueryRefused, Unknown
from finops_pipeline.serve.questions.question import Comparison, Order, Question, read_question
from finops_pipeline.serve.questions.question_names import Spellings
from finops_pipeline.serve.questions.question_period import find_period, period_before

TODAY = date(2026, 11, 28)


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ({}, "2026-08 to 2026-10"),
        ({"last": "1 month"}, "2026-10"),
        ({"last": "1 Year"}, "2025-11 to 2026-10"),
        ({"last": "7 days"}, "2026-11-21 to 2026-11-27"),
        ({"last": "1 week"}, "2026-11-21 to 2026-11-27"),
        ({"last": "1 day"}, "2026-11-27"),
        ({"start": "2026-09"}, "2026-09 to 2026-11"),
        ({"start": "2026-11-20"}, "2026-11-20 to 2026-11-28"),
        ({"start": "2026-09", "end": "2026-09"}, "2026-09"),
        ({"start": "2026-09-01", "end": "2026-09-30"}, "2026-09"),
        ({"start": "2026-09", "end": "2026-10-05"}, "2026-09-01 to 2026-10-05"),
        ({"start": "2024-02-29", "end": "2024-02-29"}, "2024-02-29"),
    ],
    ids=str,
)
def test_a_period_is_complete_and_has_both_ends(question: dict[str, str], text: str) -> None:
    assert str(find_period(Question(**question), TODAY)) == text  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("question", "comparison", "text"),
    [
        ({"last": "1 month"}, Comparison.PREVIOUS_PERIOD, "2026-09"),
        ({"last": "3 months"}, Comparison.PREVIOUS_PERIOD, "2026-05 to 2026-07"),
        ({"last": "7 days"}, Comparison.PREVIOUS_PERIOD, "2026-11-14 to 2026-11-20"),
        ({"start": "2026-03", "end": "2026-03"}, Comparison.PREVIOUS_PERIOD, "2026-02"),
        ({"start": "2026-01", "end": "2026-03"}, Comparison.YEAR_BEFORE, "2025-01 to 2025-03"),
        ({"start": "2024-02-29", "end": "2024-02-29"}, Comparison.YEAR_BEFORE, "2023-02-28"),
        ({"start": "2024-02-28", "end": "2024-02-28"}, Comparison.YEAR_BEFORE, "2023-02-28"),
        ({"start": "2025-02-28", "end": "2025-02-28"}, Comparison.YEAR_BEFORE, "2024-02-28"),
        (
            {"start": "2024-02-01", "end": "2024-02-28"},
            Comparison.YEAR_BEFORE,
            "2023-02",
        ),
        ({"start": "2024-02", "end": "2024-02"}, Comparison.YEAR_BEFORE, "2023-02"),
        (
            {"start": "2024-01-15", "end": "2024-03-14"},
            Comparison.YEAR_BEFORE,
            "2023-01-15 to 2023-03-14",
        ),
    ],
    ids=str,
)
def test_the_period_to_compare_with_is_as_long(
    question: dict[str, str], comparison: Comparison, text: str
) -> None:
    period = find_period(Question(**question), TODAY)  # type: ignore[arg-type]
    assert str(period_before(period, comparison)) == text


@pytest.mark.parametrize(
    "data",
    [
        {"metric": "euros"},
        {"tenant": "globex"},
        {"filters": [{"field": "service", "values": []}]},
        {"filters": [{"field": "service", "values": ["x"] * 101}]},
        {"filters": [{"field": "service", "values": ["x"]}] * 21},
        {"group_by": "service"},
        {"limit": 10_001},
        {"start": "2026-02-30", "end": "2026-03-01"},
        {"start": "2026-2", "end": "2026-03"},
        {"start": "0001-01", "end": "2026-03"},
        {"start": "2026-01", "end": "2099-12"},
        {"last": "0 months"},
        {"last": "9999 days"},
        {"last": "-1 months"},
        {"order": "largest_change"},
        {"compare_to": "year_before", "granularity": "month"},
        {"group_by": ["service", "service"]},
    ],
    ids=str,
)
def test_a_question_that_breaks_a_rule_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(QueryRefused):
        find_period(read_question(data), TODAY)


def test_a_question_made_in_python_keeps_the_same_rules() -> None:
    with pytest.raises(QueryRefused, match="without a comparison"):
        Question(order=Order.LARGEST_CHANGE)


def test_names_are_found_without_regard_to_case_and_never_guessed() -> None:
    units = Spellings("business_unit", [("Finance", None), ("finance", None), ("Retail", None)])
    assert units.resolve("finance") == ["finance"], "exactly as typed"
    assert units.resolve("FINANCE") == ["Finance", "finance"], "case makes no difference"
    with pytest.raises(Unknown, match=r"one of Finance, Retail, finance.*Did you mean Retail\?"):
        units.resolve("retial")
    projects = Spellings("project", [("a", "Shop"), ("b", "shop"), ("prod", "Production")])
    assert projects.resolve("production") == ["prod"]
    with pytest.raises(QueryRefused, match="can mean a or b"):
        projects.resolve("Shop")
