"""Explaining which rules gave a line item, a resource or a commitment its values.

Put here: reading them from a tenant's published file. Keep out: the claims of projects
(application/claim_explanation.py).

Reads: costs, cost_explorer_daily, <tenant>.duckdb   Writes: nothing
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from finops_pipeline.lake.duck import Connection, fetch_dicts
from finops_pipeline.marts.library import allocation_sql
from finops_pipeline.marts.rule_trial import require_allocations

COST_EXPLORER_DAY = "cost explorer day"
"""The row kind of what is no charge: days of an account as Cost Explorer states them."""


@dataclass(frozen=True)
class ExplainedCharges:
    """Charges of a month that are alike, and the rule that gave them the value of one dimension.

    `row_kind` is that of the charges, or COST_EXPLORER_DAY. `dimension` is None if none is
    declared. `rule` is `(project)` if the value is the label of the project, and None if no rule
    matched.
    """

    billing_period: str
    source: str
    project: str
    sub_account_id: str | None
    row_kind: str
    charge_category: str | None
    line_item_type: str | None
    region_id: str | None
    service_name: str
    service_code: str | None
    resource_id: str | None
    tags: str | None
    cost_categories: str | None
    billing_currency: str
    first_day: date
    last_day: date
    charges: int
    billed_cost: Decimal
    effective_cost: Decimal
    dimension: str | None
    value: str | None
    rule: str | None
    rule_version: int | None
    declared_on: date | None
    conditions: str | None


def explain_charges(connection: Connection, tenant: str, id: str) -> list[ExplainedCharges]:
    """Explain the charges whose line item, resource or commitment has this id or name.

    Raises:
        Unknown: an older version built the tenant's file.
    """
    require_allocations(connection, tenant)
    query = connection.execute(allocation_sql("explained_charges"), {"id": id})
    return [ExplainedCharges(**row) for row in fetch_dicts(query)]
