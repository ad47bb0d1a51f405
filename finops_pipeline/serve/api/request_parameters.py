"""Parameters and bodies of requests: what each endpoint accepts, and nothing else.

Put here: models of parameters. Keep out: what they mean (serve/questions, marts/queries).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from finops_pipeline.application.waste import WasteStatus
from finops_pipeline.serve.access.token_administration import DEFAULT_DAYS, MOST_DAYS
from finops_pipeline.serve.access.verified_access import Role
from finops_pipeline.serve.questions.question import (
    MOST_FILTERS,
    MOST_GROUPS,
    MOST_ROWS,
    MOST_VALUES,
    Comparison,
    CostBasis,
    Granularity,
    Metric,
    Order,
)

MOST_SQL_ROWS = 10_000
_LARGEST_NUMBER = 2**63 - 1
"""The largest whole number that a database can compare with."""
_DAY = "20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
# [0-9], because \d is also the digits of other scripts; the years of question_period.py.
_Month = Annotated[str, Field(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$", examples=["2026-10"])]
_Text = Annotated[str, Field(max_length=1000)]
_Names = Annotated[list[_Text], Field(max_length=MOST_VALUES)]
_Time = Annotated[str, Field(pattern=rf"^{_DAY}(T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}})?$")]
_PrincipalName = Annotated[str, Field(max_length=100, examples=["acme/reports"])]
_Amount = Annotated[str, Field(pattern=r"^[0-9]{1,12}(\.[0-9]{1,6})?$", examples=["2.5"])]


class _Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PageParameters(_Parameters):
    """Which page of the rows."""

    page_size: int = Field(default=100, ge=1, le=1000, description="Rows of a page.")
    cursor: str | None = Field(
        default=None, max_length=400, description="next_cursor of the page before."
    )


class SpanParameters(PageParameters):
    """Which months, and which page of the rows."""

    start: _Month | None = Field(default=None, description="First billing period.")
    end: _Month | None = Field(default=None, description="Last billing period (included).")


class Mover(StrEnum):
    """What a change is broken down by."""

    SERVICE = "service"
    PROJECT = "project"
    ENVIRONMENT = "environment"
    BUSINESS_UNIT = "business_unit"
    ACCOUNT = "account"
    REGION = "region"
    USAGE_TYPE = "usage_type"
    CHARGE_GROUP = "charge_group"
    RESOURCE = "resource"


class DriverParameters(SpanParameters):
    """Which periods to compare, and by what."""

    by: Mover = Field(default=Mover.SERVICE, description="What the change is broken down by.")
    least: _Amount = Field(default="1", description="Smaller changes are combined in one row.")
    before_start: _Month | None = Field(
        default=None, description="First month to compare with; otherwise the months before."
    )
    before_end: _Month | None = Field(default=None, description="Last month to compare with.")


class CommitmentParameters(PageParameters):
    """Which commitments."""

    days: int | None = Field(
        default=None, ge=0, le=100_000, description="Only those with at most so many days left."
    )


class TagKind(StrEnum):
    """The kind of a tag."""

    USER_TAG = "user_tag"
    AWS_TAG = "aws_tag"
    COST_CATEGORY = "cost_category"


class TagParameters(SpanParameters):
    """Which tag, and which months."""

    tag: _Text = Field(default="Team", description="Key of the tag.")
    kind: TagKind = Field(default=TagKind.USER_TAG, description="Kind of the tag.")


class TransferParameters(SpanParameters):
    """Which months, and which costs are large enough."""

    least: _Amount = Field(default="0", description="Smaller effective costs are left out.")


class FindingState(StrEnum):
    """Whether a rule of waste could decide."""

    FOUND = "found"
    UNKNOWN = "unknown"


class WasteParameters(PageParameters):
    """Which findings of waste."""

    project: _Text | None = Field(default=None, description="Only findings of this project.")
    rule: _Text | None = Field(default=None, description="Only this rule.", examples=["A08"])
    state: FindingState | None = Field(default=None, description="found or unknown.")
    status: WasteStatus | None = Field(default=None, description="What the team decided.")


class CostParameters(_Parameters):
    """A question about costs as parameters; POST takes the same as a JSON object."""

    metric: Metric = Metric.COST
    basis: CostBasis = CostBasis.EFFECTIVE
    last: _Text | None = Field(default=None, description="Complete days or months: `3 months`.")
    start: _Text | None = Field(default=None, description="First month or day.")
    end: _Text | None = Field(default=None, description="Last month or day (included).")
    granularity: Granularity = Granularity.TOTAL
    group_by: Annotated[list[_Text], Field(max_length=MOST_GROUPS)] = Field(default_factory=list)
    project: _Names = Field(default_factory=list, description="Only these projects.")
    environment: _Names = Field(default_factory=list, description="Only these environments.")
    account: _Names = Field(default_factory=list, description="Only these accounts.")
    region: _Names = Field(default_factory=list, description="Only these regions.")
    service: _Names = Field(default_factory=list, description="Only these services.")
    where: Annotated[list[_Text], Field(max_length=MOST_FILTERS * MOST_VALUES)] = Field(
        default_factory=list, description="`FIELD=VALUE` or `FIELD!=VALUE`; see docs/costs.md."
    )
    compare_to: Comparison | None = None
    order: Order = Order.LARGEST
    limit: Annotated[int, Field(ge=1, le=MOST_ROWS)] | None = None


class SqlRequest(_Parameters):
    """One SELECT."""

    sql: str = Field(min_length=1, max_length=100_000, examples=["select * from projects"])
    values: dict[str, str | int | bool | None] = Field(
        default_factory=dict, max_length=100, description="Values of its parameters (`$name`)."
    )
    limit: int = Field(default=1000, ge=1, le=MOST_SQL_ROWS, description="Rows of the answer.")


class ExportFormat(StrEnum):
    """The format of an export."""

    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"


class ExportParameters(_Parameters):
    """The format and the months of an export."""

    format: ExportFormat = ExportFormat.CSV
    start: _Month | None = Field(default=None, description="First billing period.")
    end: _Month | None = Field(default=None, description="Last billing period (included).")


class AuditParameters(_Parameters):
    """Which entries of the audit log."""

    since: _Time | None = Field(default=None, description="First day or time (UTC).")
    until: _Time | None = Field(default=None, description="Day or time before which (UTC).")
    after: int = Field(
        default=0, ge=0, le=_LARGEST_NUMBER, description="next_after of the page before."
    )
    page_size: int = Field(default=100, ge=1, le=1000, description="Rows of a page.")


class _Limited(_Parameters):
    """The whole tenant, or some of its projects or environments."""

    projects: _Names = Field(default_factory=list, description="Only these projects.")
    environments: _Names = Field(default_factory=list, description="Only these environments.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = self.model_fields_set & {"projects", "environments"}
        if len(given) > 1:
            raise ValueError("either projects or environments, not both")
        for name in given:
            if not getattr(self, name):  # a program that found no project must not give all of them
                raise ValueError(f"{name} is empty: leave it out to give the whole tenant")
        return self


class GrantRequest(_Limited):
    """A grant: a role in the whole tenant, or in some of its projects or environments."""

    principal: _PrincipalName
    role: Role


class ProjectRemoval(_Parameters):
    """The confirmation of a removal."""

    confirmation: str = Field(
        default="", max_length=100, description="The name once more, if it has charges."
    )


class InvoiceParameters(_Parameters):
    """Which invoice totals."""

    history: bool = Field(default=False, description="Include entries that were replaced.")


class InvoiceWithdrawal(_Parameters):
    """Which invoice total."""

    source: Annotated[str, Field(max_length=100, examples=["payer"])] = Field(
        description="Name of the source of the bill."
    )
    month: _Month = Field(description="Billing period.")
    currency: str = Field(default="USD", max_length=10, description="Currency of the invoice.")
    invoice_id: str = Field(
        default="", max_length=100, description="Only its charges; otherwise the whole bill."
    )


class InvoiceTotal(InvoiceWithdrawal):
    """The total of an invoice."""

    amount: Annotated[
        str, Field(pattern=r"^-?[0-9]{1,18}(\.[0-9]{1,18})?$", examples=["12345.67"])
    ] = Field(description="A decimal number as text.")


class GrantRemoval(_Parameters):
    """Whose grant is taken away."""

    principal: _PrincipalName


class TokenCreation(_Limited):
    """A token to be created; projects and environments limit the grant of the role."""

    principal: _PrincipalName
    days: int = Field(default=DEFAULT_DAYS, ge=1, le=MOST_DAYS, description="Days of validity.")
    label: str = Field(default="", max_length=200, description="Free text.")
    role: Role | None = Field(
        default=None, description="Create the service with this role in the tenant, too."
    )

    @model_validator(mode="after")
    def _check_role(self) -> Self:
        if self.role is None and (self.projects or self.environments):
            raise ValueError("projects and environments limit the grant of a role: add the role")
        return self
