"""The fields by which charges can be grouped and filtered, and the tables that have them.

Put here: each field's name, column and meaning, and the choice of the table that answers. Keep out:
the values that a tenant has in them (question_names.py), the SQL (question_sql.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from finops_pipeline.contracts.allocation_marts import DIMENSION_COSTS
from finops_pipeline.contracts.column import Table
from finops_pipeline.contracts.cost_marts import DAILY_COSTS, MONTHLY_COSTS
from finops_pipeline.contracts.mart_columns import PROJECT_COLUMNS
from finops_pipeline.contracts.resource_marts import CHARGE_GROUPS, RESOURCE_DAILY_COSTS
from finops_pipeline.errors import QueryRefused, did_you_mean


class FieldKind(StrEnum):
    """Where the value of a field stands."""

    COLUMN = "column"
    TAG = "tag"
    """In the JSON object `tags`, under the key that follows the colon."""
    COST_CATEGORY = "cost_category"
    DIMENSION = "dimension"
    """In `dimension_costs`, as a dimension that tenants.yaml declares."""


@dataclass(frozen=True)
class CostField:
    """A field of a question: its name, where its values are, and its key (`tag:Team`: Team)."""

    name: str
    column: str
    meaning: str
    kind: FieldKind = FieldKind.COLUMN
    key: str = ""


_PLAIN = (
    CostField("project", "project", "Project"),
    CostField("environment", "environment", "Environment of the project"),
    CostField("business_unit", "business_unit", "Business unit of the project"),
    CostField("account", "sub_account_id", "AWS account, by id or name"),
    CostField("region", "region_id", "AWS region"),
    CostField("service", "service_name", "AWS service, by name or product code"),
    CostField("charge_category", "charge_category", "Usage, Purchase, Tax, Credit or Adjustment"),
    CostField("charge_group", "charge_group", "Usage, commitments, credits, discounts, tax, …"),
    CostField("pricing_category", "pricing_category", "Standard, Dynamic (Spot), Committed, Other"),
    CostField("usage_type", "usage_type", "AWS usage type"),
    CostField("operation", "operation", "AWS operation"),
    CostField("instance_type", "instance_type", "Instance type"),
    CostField("availability_zone", "availability_zone", "Availability zone"),
    CostField("resource", "resource_id", "ARN or id of the resource"),
    CostField("resource_type", "resource_type", "Kind of resource"),
    CostField("publisher", "publisher_name", "AWS or the seller on AWS Marketplace"),
    CostField("commitment", "commitment_discount_id", "Reservation or Savings Plan"),
    CostField("source", "source", "Source (export) of the charges"),
)
PLAIN_FIELDS = {field.name: field for field in _PLAIN}

KEYED_FIELDS = {
    "tag": CostField("tag", "tags", "Value of a tag, tag:KEY", FieldKind.TAG),
    "cost_category": CostField(
        "cost_category", "cost_categories", "Value of an AWS cost category", FieldKind.COST_CATEGORY
    ),
    "dimension": CostField(
        "dimension", "value", "Value of a declared dimension", FieldKind.DIMENSION
    ),
}
"""Fields that need a key: `tag:Team`."""

_BY_MONTH = (MONTHLY_COSTS, DAILY_COSTS, CHARGE_GROUPS, RESOURCE_DAILY_COSTS)
_BY_DAY = (DAILY_COSTS, CHARGE_GROUPS, RESOURCE_DAILY_COSTS)


def find_field(name: str) -> CostField:
    """Return the field of that name (`service`, `tag:Team`).

    Raises:
        QueryRefused: there is no such field, or its key is missing.
    """
    if name in PLAIN_FIELDS:
        return PLAIN_FIELDS[name]
    kind, colon, key = name.partition(":")
    if colon and kind in KEYED_FIELDS and key:
        keyed = KEYED_FIELDS[kind]
        return CostField(name, keyed.column, keyed.meaning, keyed.kind, key)
    names = [*PLAIN_FIELDS, *(f"{kind}:KEY" for kind in KEYED_FIELDS)]
    raise QueryRefused(
        f"costs have no field {name!r}",
        f"one of {', '.join(names)}",
        did_you_mean(name, PLAIN_FIELDS).rstrip(),
    )


def choose_table(fields: Iterable[CostField], measure: str, needs_days: bool) -> Table:
    """Return the smallest table that has all fields and the measure.

    Raises:
        QueryRefused: no table has them together.
    """
    asked = list(fields)
    needed = {field.column for field in asked} | {measure}
    dimensions = sorted({field.name for field in asked if field.kind is FieldKind.DIMENSION})
    if dimensions:
        # environment and business_unit come from the project
        has = {column.name for column in (*DIMENSION_COSTS.columns, *PROJECT_COLUMNS)}
        if len(dimensions) > 1:
            raise QueryRefused(
                f"{dimensions[0]} and {dimensions[1]} in one question", "one dimension"
            )
        missing = sorted(field.name for field in asked if field.column not in has)
        if needs_days or missing or measure not in has:
            what = "days" if needs_days else missing[0] if missing else measure
            raise QueryRefused(
                f"{dimensions[0]} together with {what}",
                "dimensions by whole months, with project, environment, business_unit, service or"
                " charge_category",
            )
        return DIMENSION_COSTS
    for table in _BY_DAY if needs_days else _BY_MONTH:
        if needed <= {column.name for column in table.columns}:
            return table
    raise AssertionError("resource_daily_costs has every column of a field")
