"""Models of the answers, for the OpenAPI document and for clients.

Put here: the shape of every answer. Keep out: rows of tables (row_models.py), reading.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, Field

from finops_pipeline.contracts.column import Column, Table
from finops_pipeline.contracts.tables import MARTS
from finops_pipeline.serve.access.verified_access import Permission, Role
from finops_pipeline.serve.api.row_models import Amount, StrictModel, model_of
from finops_pipeline.serve.questions.question import Question

Row = TypeVar("Row", bound=BaseModel)


class ProblemDetails(StrictModel):
    """A problem document (RFC 9457)."""

    type: str = Field(examples=["urn:finops:problem:not-found"])
    title: str
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="Found, expected and cure in whole sentences.")
    found: str = Field(description="What is wrong.")
    expected: str = Field(description="What would have been right; may be empty.")
    cure: str = Field(description="What you can do now; may be empty.")
    request_id: str = Field(description="Quote it when you ask for help.")


class Caller(StrictModel):
    """Who asks: the principal of the token or session."""

    principal_id: str
    kind: str
    name: str
    is_operator: bool
    csrf_token: str | None = Field(
        description="Of a session: what any method but GET needs in the header X-CSRF-Token."
    )


class OpenTenant(StrictModel):
    """A tenant that the caller may see."""

    tenant: str
    role: Role
    permissions: list[Permission]
    projects: list[str] | None = Field(description="Projects of a limited grant; null: all.")


class OpenTenants(StrictModel):
    """All tenants that the caller may see."""

    tenants: list[OpenTenant]


class MonthInDoubt(StrictModel):
    """A month whose numbers are not reconciled with the bill (yet)."""

    billing_period: str
    source: str
    state: str


class Page(StrictModel, Generic[Row]):
    """Some of the rows, in a fixed order.

    `next_cursor` fetches the next page; it belongs to this caller and this state of the data.
    """

    tenant: str
    rows: list[Row]
    next_cursor: str | None = Field(description="The parameter `cursor` of the next page, if any.")
    unreconciled: list[MonthInDoubt] = Field(description="Of the months that were asked for.")
    built_at: str = Field(description="When the data was built (UTC).")


class EnvironmentRow(StrictModel):
    """An environment and its projects."""

    environment: str | None
    projects: list[str]


class DriverRow(StrictModel):
    """What changed the costs between two periods; the parts add up exactly to the change."""

    mover: str | None
    billing_currency: str
    from_day: date
    to_day: date
    before_from_day: date
    before_to_day: date
    cost_before: Amount
    cost: Amount
    change: Amount
    usage_change: Amount
    price_change: Amount
    mix_change: Amount
    new_cost: Amount
    gone_cost: Amount
    other_change: Amount


class TagCoverageRow(StrictModel):
    """How much of the taggable cost of a service has a tag."""

    billing_period: str
    service_name: str
    billing_currency: str
    taggable_cost: Amount
    tagged_cost: Amount
    untagged_cost: Amount
    tagged_percent: Amount | None


class RequiredTagCoverageRow(StrictModel):
    """How much of the taggable cost of a project meets a declared set of required tags."""

    billing_period: str
    required_set: str
    project: str
    billing_currency: str
    taggable_cost: Amount
    tagged_cost: Amount
    untagged_cost: Amount
    tagged_percent: Amount | None


_COMMITMENT_COLUMNS = (
    "source", "project", "owner_account_id", "commitment_discount_id", "commitment_discount_type",
    "offering", "term", "payment_option", "region_id", "instance_type",
    "committed_quantity_per_hour", "commitment_discount_unit", "hourly_commitment",
    "recurring_hourly_cost", "billing_currency", "start_time", "end_time", "days_left", "as_of_day",
)  # fmt: skip
_TRANSFER_COLUMNS = (
    "billing_period", "kind", "direction", "project", "billing_currency", "gigabytes",
    "billed_cost", "effective_cost",
)  # fmt: skip


def commitment_row() -> type[BaseModel]:
    """Return the model of a reservation or Savings Plan."""
    table = MARTS["commitments"]
    return model_of("CommitmentRow", _columns(table, _COMMITMENT_COLUMNS), table.meaning)


def transfer_row() -> type[BaseModel]:
    """Return the model of the costs of a kind of data transfer."""
    table = MARTS["data_transfer"]
    return model_of("DataTransferRow", _columns(table, _TRANSFER_COLUMNS), table.meaning)


def _columns(table: Table, names: tuple[str, ...]) -> list[Column]:
    by_name = {column.name: column for column in table.columns}
    return [by_name[name] for name in names]


class CostPeriod(StrictModel):
    """The days of an answer. `end_day` is the first day after it."""

    first_day: date
    end_day: date
    counts_by: str = Field(description="billing_period for whole months, otherwise charge_date.")


class CostTotals(StrictModel):
    """The sum of all groups in one currency (and unit), including those that are not shown."""

    billing_currency: str
    consumed_unit: str | None
    total: Amount | int | None
    total_before: Amount | int | None
    rest: Amount | int | None = Field(description="The sum of the groups that are not shown.")
    groups: int
    groups_shown: int


class MonthState(StrictModel):
    """The state of one source's month, as the file was built."""

    billing_period: str
    source: str
    state: str
    landed_at: str | datetime | None


class Costs(StrictModel):
    """The answer to a question about costs."""

    tenant: str
    question: Question = Field(description="As it was understood, with the names of the tenant.")
    period: CostPeriod
    rows: list[dict[str, Amount | str | int | None]]
    totals: list[CostTotals]
    months: list[MonthState]
    missing_months: list[str] = Field(description="Months of the period without a bill.")
    built_at: str
    is_truncated: bool
    sql: str = Field(description="The SELECT that was run.")
    values: dict[str, Any] = Field(description="The values of its parameters.")


class SqlColumn(StrictModel):
    """A column of an answer to SQL."""

    name: str
    type: str = Field(description="DuckDB's type of it.")


class SqlAnswer(StrictModel):
    """The answer to one SELECT: its rows as lists, in the order of `columns`."""

    tenant: str
    columns: list[SqlColumn]
    rows: list[list[Any]]
    truncated: bool = Field(description="Whether there are more rows: than `limit`, or 20 MB.")
    notes: list[str] = Field(description="What to know about the numbers.")


class ExportableTable(StrictModel):
    """A table that can be exported."""

    table: str
    meaning: str
    has_months: bool = Field(description="Whether `start` and `end` can limit it.")


class ExportableTables(StrictModel):
    """All tables that can be exported."""

    tables: list[ExportableTable]
