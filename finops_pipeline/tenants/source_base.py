"""What every source has: its format and kind, its fields, and the rules that hold for all kinds.

Put here: the base class of sources and the vocabulary of formats and kinds. Keep out: the kinds
themselves (source.py, collected_source.py), reading them (sources).
"""

from __future__ import annotations

from abc import abstractmethod
from enum import StrEnum
from typing import Annotated, ClassVar, assert_never

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from finops_pipeline.errors import RegistryError
from finops_pipeline.tenants.lifecycle import Lifecycle
from finops_pipeline.tenants.months import check_month
from finops_pipeline.tenants.names import check_name
from finops_pipeline.tenants.places import (
    Place,
    check_endpoint,
    check_field,
    check_location,
    check_role,
)


class SourceFormat(StrEnum):
    """The format of a source's deliveries, as users declare it and as the ledger stores it."""

    LEGACY_CUR = "legacy-cur"
    CUR_2 = "cur-2.0"
    FOCUS = "focus"
    COST_EXPLORER = "cost-explorer"
    INVENTORY = "inventory"
    CLOUDWATCH = "cloudwatch"

    @property
    def is_bill(self) -> bool:
        """Whether deliveries of this format are bills, whose rows become charges."""
        match self:
            case SourceFormat.LEGACY_CUR | SourceFormat.CUR_2 | SourceFormat.FOCUS:
                return True
            case SourceFormat.COST_EXPLORER | SourceFormat.INVENTORY | SourceFormat.CLOUDWATCH:
                return False
            case _:
                assert_never(self)


class SourceKind(StrEnum):
    """How a source is read: its format and, where it has several, where its answers come from."""

    LEGACY_CUR = "legacy-cur"
    CUR_2 = "cur-2.0"
    FOCUS = "focus"
    COST_EXPLORER_API = "cost-explorer-api"
    COST_EXPLORER_CSV = "cost-explorer-csv"
    INVENTORY_API = "inventory-api"
    INVENTORY_FILES = "inventory-files"
    CLOUDWATCH = "cloudwatch"


REACH = ("role_arn", "profile", "endpoint_url", "region")
"""Fields of a source that describe how AWS is reached."""


EXTENT = ("from_month", "to_month")
"""Fields of a source that limit the months that count."""


def _check_month(month: str) -> str:
    return month and check_month(month)


class Source(BaseModel):
    """Something that delivers a tenant's costs; the base of all source kinds.

    `location` is the folder of a report (`/exports/acme/finops/cur`, `s3://bucket/finops/cur`),
    the endpoint of Cost Explorer (`https://ce.us-east-1.amazonaws.com`), the regions of an
    inventory or of CloudWatch (`aws://all`), or empty for a source whose files are imported with
    `finops ingest-file`.

    How AWS is reached: with `role_arn`, the installation's own credentials (the named `profile`
    or the default chain) assume that role, giving the tenant's external id. `endpoint_url` is
    the endpoint of an S3-compatible store; `region` is the region of the bucket.

    `from` and `to` are the first month (YYYY-MM) that counts, and the first that no longer does;
    empty: no limit. Use them to end an export whose successor repeats the same bill.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    kind: ClassVar[SourceKind]

    name: str
    format: SourceFormat
    location: Annotated[str, AfterValidator(check_location)] = ""
    role_arn: Annotated[str, AfterValidator(check_role)] = ""
    profile: str = ""
    endpoint_url: Annotated[str, AfterValidator(check_endpoint)] = ""
    region: str = ""
    from_month: Annotated[str, AfterValidator(_check_month)] = Field(default="", alias="from")
    to_month: Annotated[str, AfterValidator(_check_month)] = Field(default="", alias="to")
    state: Lifecycle = Lifecycle.ACTIVE

    @model_validator(mode="after")
    def _check_fields(self) -> Source:
        check_name("source", self.name)
        check_field("profile", self.profile)
        check_field("region", self.region)
        if self.from_month and self.to_month and self.from_month > self.to_month:
            raise RegistryError(
                f"source {self.name} counts from {self.from_month} to {self.to_month}",
                "'from' not after 'to' ('to' is the first month that no longer counts)",
            )
        reach = [name for name in REACH if getattr(self, name)]
        if reach and not self.in_aws:
            raise RegistryError(
                f"source {self.name} has {' and '.join(reach)}, but reads nothing from AWS",
                "a location s3://bucket/prefix, or the format cost-explorer, inventory or"
                " cloudwatch with a location",
                f"Set the location, or remove {' and '.join(reach)}",
            )
        return self

    @property
    def is_active(self) -> bool:
        """Whether it is ingested: neither disabled nor removed."""
        return self.state is Lifecycle.ACTIVE

    @property
    def is_bill(self) -> bool:
        """Whether it delivers bills, whose rows become charges."""
        return self.format.is_bill

    def covers(self, month: str) -> bool:
        """Return whether a billing period of this source counts."""
        return self.from_month <= month and not (self.to_month and month >= self.to_month)

    @property
    def service_endpoint(self) -> str:
        """The endpoint of the service that is called; empty means AWS's own."""
        return self.endpoint_url

    @property
    @abstractmethod
    def in_aws(self) -> bool:
        """Whether reading this source calls AWS or an S3-compatible store."""

    @property
    @abstractmethod
    def places(self) -> list[Place]:
        """The places that it reads, which no other tenant's source may read."""
