"""The source kinds: one class for each way in which costs reach a tenant.

Put here: the fields and rules of each kind, and making one from a declaration. Keep out: reading a
kind (sources), landing its deliveries (landing), converting them to charges (focus).

    format          location           class                    kind
    legacy-cur      folder, S3, none   LegacyCurSource          legacy-cur
    cur-2.0         folder, S3, none   Cur2Source               cur-2.0
    focus           folder, S3, none   FocusSource              focus
    cost-explorer   API endpoint       CostExplorerApiSource    cost-explorer-api
    cost-explorer   none               CostExplorerCsvSource    cost-explorer-csv

A new kind needs a SourceKind, a class that is part of `DeclaredSource`, and an entry in each
table of source kinds; tests/test_source_kinds.py lists those tables and fails until it has them.
"""

from __future__ import annotations

from abc import abstractmethod
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, assert_never

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    SerializeAsAny,
    Tag,
    TypeAdapter,
    model_validator,
)

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
    cost_explorer_place,
    is_s3,
    place_of,
)


class SourceFormat(StrEnum):
    """The format of a source's deliveries, as users declare it and as the ledger stores it."""

    LEGACY_CUR = "legacy-cur"
    CUR_2 = "cur-2.0"
    FOCUS = "focus"
    COST_EXPLORER = "cost-explorer"

    @property
    def is_bill(self) -> bool:
        """Whether deliveries of this format are bills, whose rows become charges."""
        match self:
            case SourceFormat.LEGACY_CUR | SourceFormat.CUR_2 | SourceFormat.FOCUS:
                return True
            case SourceFormat.COST_EXPLORER:
                return False
            case _:
                assert_never(self)


class SourceKind(StrEnum):
    """How a source is read: its format and, for Cost Explorer, where its answers come from."""

    LEGACY_CUR = "legacy-cur"
    CUR_2 = "cur-2.0"
    FOCUS = "focus"
    COST_EXPLORER_API = "cost-explorer-api"
    COST_EXPLORER_CSV = "cost-explorer-csv"


REACH = ("role_arn", "profile", "endpoint_url", "region")
"""Fields of a source that describe how AWS is reached."""


EXTENT = ("from_month", "to_month")
"""Fields of a source that limit the months that count."""


def _check_month(month: str) -> str:
    return month and check_month(month)


class Source(BaseModel):
    """Something that delivers a tenant's costs; the base of all source kinds.

    `location` is the folder of a report (`/exports/acme/finops/cur`, `s3://bucket/finops/cur`),
    the endpoint of Cost Explorer (`https://ce.us-east-1.amazonaws.com`), or empty for a source
    whose files are imported with `finops ingest-file`.

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
                "a location s3://bucket/prefix, or the format cost-explorer with a location",
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


class BillSource(Source):
    """A billing export: in a folder or S3 as AWS delivers it, or files imported by hand."""

    @property
    def in_aws(self) -> bool:
        """Whether its location is in S3 or an S3-compatible store."""
        return is_s3(self.location)

    @property
    def places(self) -> list[Place]:
        """The folder of its report, when it has one."""
        return [place_of(self.location, self.endpoint_url)] if self.location else []


class LegacyCurSource(BillSource):
    """A legacy Cost and Usage Report."""

    kind = SourceKind.LEGACY_CUR
    format: Literal[SourceFormat.LEGACY_CUR] = SourceFormat.LEGACY_CUR


class Cur2Source(BillSource):
    """A Data Export of CUR 2.0."""

    kind = SourceKind.CUR_2
    format: Literal[SourceFormat.CUR_2] = SourceFormat.CUR_2


class FocusSource(BillSource):
    """A Data Export in FOCUS columns."""

    kind = SourceKind.FOCUS
    format: Literal[SourceFormat.FOCUS] = SourceFormat.FOCUS


class CostExplorerApiSource(Source):
    """Cost Explorer's API, which answers paid requests for costs per day."""

    kind = SourceKind.COST_EXPLORER_API
    format: Literal[SourceFormat.COST_EXPLORER] = SourceFormat.COST_EXPLORER

    @model_validator(mode="after")
    def _check_api(self) -> CostExplorerApiSource:
        if not self.location:
            raise RegistryError(
                f"source {self.name} has no location",
                "the endpoint of Cost Explorer, https://ce.us-east-1.amazonaws.com",
            )
        check_endpoint(self.location)
        return self

    @property
    def in_aws(self) -> bool:
        """Always true: all its costs are requested from AWS."""
        return True

    @property
    def service_endpoint(self) -> str:
        """The endpoint of Cost Explorer: `endpoint_url` takes precedence over the location."""
        return self.endpoint_url or self.location

    @property
    def places(self) -> list[Place]:
        """The account whose costs its credentials give access to."""
        return [cost_explorer_place(self.service_endpoint, self.role_arn, self.profile)]


class CostExplorerCsvSource(Source):
    """CSV files downloaded from Cost Explorer's console and imported by hand."""

    kind = SourceKind.COST_EXPLORER_CSV
    format: Literal[SourceFormat.COST_EXPLORER] = SourceFormat.COST_EXPLORER

    @model_validator(mode="after")
    def _check_no_location(self) -> CostExplorerCsvSource:
        if self.location:
            raise RegistryError(
                f"source {self.name} has a location", "no location, as its files are imported"
            )
        return self

    @property
    def in_aws(self) -> bool:
        """Always false: its files are imported from this machine."""
        return False

    @property
    def places(self) -> list[Place]:
        """None: it has no location."""
        return []


def _kind_of(declaration: Any) -> SourceKind:
    """Return the kind of a declaration (its fields, or a source already made).

    Raises:
        RegistryError: it names no format that is supported.
    """
    if isinstance(declaration, Source):
        return declaration.kind
    fields = declaration if isinstance(declaration, dict) else {}
    try:
        format = SourceFormat(str(fields.get("format")))
    except ValueError as error:
        raise RegistryError(
            f"source {fields.get('name', '(no name)')!r}: format is {fields.get('format')!r}",
            f"one of {', '.join(SourceFormat)}",
        ) from error
    if format is SourceFormat.COST_EXPLORER:
        has_location = bool(fields.get("location"))
        return SourceKind.COST_EXPLORER_API if has_location else SourceKind.COST_EXPLORER_CSV
    return SourceKind(format.value)


DeclaredSource = Annotated[
    Annotated[LegacyCurSource, Tag(SourceKind.LEGACY_CUR)]
    | Annotated[Cur2Source, Tag(SourceKind.CUR_2)]
    | Annotated[FocusSource, Tag(SourceKind.FOCUS)]
    | Annotated[CostExplorerApiSource, Tag(SourceKind.COST_EXPLORER_API)]
    | Annotated[CostExplorerCsvSource, Tag(SourceKind.COST_EXPLORER_CSV)],
    Discriminator(_kind_of),
]
"""The union of all kinds, distinguished by format and by whether there is a location."""

_ANY_SOURCE: TypeAdapter[Source] = TypeAdapter(DeclaredSource)

BILL_KINDS = (SourceKind.LEGACY_CUR, SourceKind.CUR_2, SourceKind.FOCUS)
"""The kinds that deliver bills; tables of source kinds often treat them alike."""


def parse_source(fields: Any) -> Source:
    """Make the source that a declaration describes.

    Args:
        fields: the fields as declared (`name`, `format`, `location`, …).

    Raises:
        RegistryError: a field breaks a rule.
        pydantic.ValidationError: a field is missing, unexpected or of the wrong type.
    """
    return _ANY_SOURCE.validate_python(fields)


AnySource = Annotated[SerializeAsAny[Source], PlainValidator(parse_source)]
"""A field that holds a source of any kind."""
