"""A question about costs, as data: what to sum, of which period, by what, and of which part.

Put here: the fields of a question and the rules that each must keep. Keep out: which fields charges
can be grouped by (question_fields.py), dates (question_period.py), names (question_names.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from finops_pipeline.errors import QueryRefused

MOST_GROUPS = 5
MOST_FILTERS = 20
MOST_VALUES = 100
MOST_ROWS = 10_000

_Text = Annotated[str, Field(max_length=1000)]


class Metric(StrEnum):
    """What is summed."""

    COST = "cost"
    USAGE = "usage"
    """The consumed quantity, by unit; only charges that state one count."""
    CHARGES = "charges"
    """The number of charges."""


class CostBasis(StrEnum):
    """The basis of a cost (docs/cost-bases.md)."""

    EFFECTIVE = "effective"
    BILLED = "billed"
    LIST = "list"
    CONTRACTED = "contracted"
    NET_EFFECTIVE = "net_effective"
    NET_BILLED = "net_billed"


class Granularity(StrEnum):
    """Whether an answer has one sum for the period, or one for each month or day."""

    TOTAL = "total"
    MONTH = "month"
    DAY = "day"


class Comparison(StrEnum):
    """The period to compare with."""

    PREVIOUS_PERIOD = "previous_period"
    """As many months or days, right before."""
    YEAR_BEFORE = "year_before"
    """The same months or days of the year before."""


class Order(StrEnum):
    """The order of an answer's groups."""

    LARGEST = "largest"
    SMALLEST = "smallest"
    LARGEST_CHANGE = "largest_change"
    """By the size of the change, whether up or down; needs a comparison."""
    NAME = "name"


class Filter(BaseModel):
    """A condition: the field has one of the values, or none of them if `is_excluded`.

    An empty value stands for charges that have nothing in this field.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    field: _Text
    values: Annotated[tuple[_Text, ...], Field(min_length=1, max_length=MOST_VALUES)]
    is_excluded: bool = False


class Question(BaseModel):
    """What is asked of one tenant's costs.

    The period is `last` ("3 months", "30 days": complete ones before today), or `start` and `end`,
    months (YYYY-MM) or days (YYYY-MM-DD), both included. Without any of them it is the last three
    months.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: Metric = Metric.COST
    basis: CostBasis = CostBasis.EFFECTIVE
    last: _Text | None = None
    start: _Text | None = None
    end: _Text | None = None
    granularity: Granularity = Granularity.TOTAL
    group_by: Annotated[tuple[_Text, ...], Field(max_length=MOST_GROUPS)] = ()
    filters: Annotated[tuple[Filter, ...], Field(max_length=MOST_FILTERS)] = ()
    compare_to: Comparison | None = None
    order: Order = Order.LARGEST
    limit: Annotated[int, Field(ge=1, le=MOST_ROWS)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_combination(self)
        return self


def read_question(data: Mapping[str, Any]) -> Question:
    """Validate plain data, such as a JSON object, as a question.

    Raises:
        QueryRefused: a field is unknown or has a value that it cannot have.
    """
    try:
        return Question.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part)[:100] for part in first["loc"]) or "the question"
        if first["type"] == "extra_forbidden":
            fields = ", ".join(Question.model_fields)
            raise QueryRefused(f"a question has no field {place!r}", f"one of {fields}") from error
        value = repr(first["input"])
        shown = value if len(value) <= 100 else f"{value[:100]}…"
        expected = first["msg"].removeprefix("Input should be ")
        raise QueryRefused(f"{place} is {shown}", expected) from error


def _check_combination(question: Question) -> None:
    if question.compare_to and question.granularity is not Granularity.TOTAL:
        raise QueryRefused(
            f"compare_to {question.compare_to} with granularity {question.granularity}",
            "one sum for each of the two periods",
            "Leave out the granularity, or the comparison",
        )
    if question.order is Order.LARGEST_CHANGE and not question.compare_to:
        raise QueryRefused(
            "order largest_change without a comparison",
            "compare_to previous_period or year_before",
        )
    repeated = {name for name in question.group_by if question.group_by.count(name) > 1}
    if repeated:
        raise QueryRefused(f"group_by has {min(repeated)!r} twice", "each field once")
