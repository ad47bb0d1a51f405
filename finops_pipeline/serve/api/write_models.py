"""Models of the answers about declarations, invoices and requests for an ingest.

Put here: the shape of these answers. Keep out: those about access (admin_models.py).
"""

from __future__ import annotations

from datetime import date
from typing import Any

from pydantic import Field

from finops_pipeline.application.ingest_requests import IngestFailure, RequestState
from finops_pipeline.serve.api.row_models import Amount, StrictModel


class Changes(StrictModel):
    """What was changed, a line for each; none: it was so already."""

    tenant: str
    changes: list[str]


class DeclaredProject(StrictModel):
    """A project as it is declared; what is not declared is missing."""

    name: str
    display_name: str = ""
    environment: str = ""
    business_unit: str = ""
    sources: list[str] = Field(default_factory=list)
    accounts: list[str | dict[str, str]] = Field(default_factory=list)
    claims: list[dict[str, Any]] = Field(default_factory=list)
    state: str = "active"
    statements: dict[str, Any] = Field(default_factory=dict)
    project_id: str = Field(description="Of the registry; it outlives the project's name.")
    reused_at: str = Field(
        default="", description="When it got a name that another project had before."
    )


class DeclaredProjects(StrictModel):
    """All declared projects."""

    tenant: str
    rows: list[DeclaredProject]


class MovedChargesRow(StrictModel):
    """Charges that a claim would move from one project to another."""

    claim: str
    conditions: str
    from_project: str
    to_project: str
    billing_currency: str
    charges: int
    billed_cost: Amount
    effective_cost: Amount
    first_month: str
    last_month: str


class ClaimPreviewAnswer(StrictModel):
    """The charges that would move, and notes on claims that would take none."""

    tenant: str
    rows: list[MovedChargesRow]
    notes: list[str]


class DeclaredRuleRow(StrictModel):
    """A dimension with one of its rules; all other fields are null if it has none."""

    dimension: str
    position: int | None
    rule: str | None
    value: str | None
    conditions: str | None
    days: str | None
    rule_version: int | None
    declared_on: date | None


class DeclaredRuleList(StrictModel):
    """The declared dimensions and rules, and the declaration as PUT takes it."""

    tenant: str
    version: int
    declaration: dict[str, Any]
    rows: list[DeclaredRuleRow]


class ValueChangeRow(StrictModel):
    """Charges of a month that would get another value in a dimension."""

    billing_period: str
    dimension: str
    value_before: str | None
    value_after: str | None
    rule_before: str | None
    rule_after: str | None
    billing_currency: str
    charges: int
    billed_cost: Amount
    effective_cost: Amount


class RuleTrial(StrictModel):
    """The charges that would get other values."""

    tenant: str
    rows: list[ValueChangeRow]


class InvoiceRow(StrictModel):
    """An invoice total that was entered; `amount` null: it was withdrawn."""

    source: str
    billing_period: str
    invoice_id: str | None = Field(description="Null: the whole bill of the source and month.")
    billing_currency: str
    amount: Amount | None
    entered_at: str


class Invoices(StrictModel):
    """Invoice totals of a tenant."""

    tenant: str
    rows: list[InvoiceRow]


class InvoiceComparison(StrictModel):
    """The charges beside an invoice total."""

    state: str
    charges: Amount | None
    note: str | None


class InvoiceAnswer(StrictModel):
    """An invoice total as it was entered or withdrawn, and the charges beside it."""

    tenant: str
    source: str
    billing_period: str
    invoice_id: str | None
    billing_currency: str
    amount: Amount | None
    replaced: str | None = Field(description="The entry that was in force before.")
    is_compared: bool = Field(
        description="False: the entry is recorded, and compared by the next ingest."
    )
    comparisons: list[InvoiceComparison]


class IngestRow(StrictModel):
    """A request for an ingest; times are empty before the event."""

    id: str
    state: RequestState
    requested_at: str
    requested_by: str
    started_at: str
    ended_at: str
    attempts: int = Field(description="How often a process has begun it.")
    outcomes: dict[str, int] = Field(description="How many steps ended how.")
    failures: list[IngestFailure]


class Ingests(StrictModel):
    """The latest requests."""

    tenant: str
    rows: list[IngestRow]


class IngestAnswer(IngestRow):
    """A request, and the address at which it is shown."""

    tenant: str
    status_url: str
