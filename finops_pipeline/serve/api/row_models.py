"""Models of the rows of answers, made from the contracts of tables.

Put here: how a column appears in JSON and in the OpenAPI document. Keep out: particular answers
(answer_models.py), reading rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from finops_pipeline.contracts.column import COUNT, DAY, FLAG, TIME, Column, Table
from finops_pipeline.contracts.resource_inventory import INSTANT, TAGS
from finops_pipeline.contracts.resource_usage import STATISTIC

Amount = Annotated[
    str,
    Field(
        pattern=r"^-?[0-9]+(\.[0-9]+)?$",
        examples=["1250.75"],
        description="An exact decimal number as text.",
    ),
]
_TYPES: dict[str, Any] = {
    COUNT: int,
    DAY: date,
    FLAG: bool,
    TIME: datetime,
    INSTANT: datetime,
    STATISTIC: float,
    TAGS: dict[str, str],
}


class StrictModel(BaseModel):
    """An answer that has exactly these fields."""

    model_config = ConfigDict(extra="forbid")


@cache
def row_model(table: Table) -> type[BaseModel]:
    """Return the model of a table's rows."""
    return model_of(f"{_pascal(table.name)}Row", table.columns, table.meaning)


def model_of(name: str, columns: Iterable[Column], meaning: str) -> type[BaseModel]:
    """Return a model with a field for each column."""
    fields: dict[str, Any] = {column.name: _field(column) for column in columns}
    return create_model(name, __base__=StrictModel, __doc__=meaning, **fields)


def _field(column: Column) -> Any:
    kind = _type_of(column)
    return (kind | None if column.nullable else kind, Field(description=column.meaning))


def _type_of(column: Column) -> Any:
    if column.type.startswith("DECIMAL"):
        return Amount
    return _TYPES.get(column.type, str)


def _pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
