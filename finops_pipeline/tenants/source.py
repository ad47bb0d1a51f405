"""The source kinds: one class for each way in which a tenant's data arrives.

Put here: the rules of the kinds that deliver costs, and making a source from a declaration. Keep
out: what all kinds have (source_base.py), inventories and metrics (collected_source.py), reading a
kind (sources), landing its deliveries (landing), converting them to charges (focus).

    format          location           class                    kind
    legacy-cur      folder, S3, none   LegacyCurSource          legacy-cur
    cur-2.0         folder, S3, none   Cur2Source               cur-2.0
    focus           folder, S3, none   FocusSource              focus
    cost-explorer   API endpoint       CostExplorerApiSource    cost-explorer-api
    cost-explorer   none               CostExplorerCsvSource    cost-explorer-csv
    inventory       aws://…            InventoryApiSource       inventory-api
    inventory       none               InventoryFilesSource     inventory-files
    cloudwatch      aws://…            CloudWatchSource         cloudwatch

A new kind needs a SourceKind, a class that is part of `DeclaredSource`, and an entry in each
table of source kinds; tests/test_source_kinds.py lists those tables and fails until it has them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    Discriminator,
    PlainValidator,
    SerializeAsAny,
    Tag,
    TypeAdapter,
    model_validator,
)

from finops_pipeline.errors import RegistryError
from finops_pipeline.tenants.collected_source import (
    CloudWatchSource,
    InventoryApiSource,
    InventoryFilesSource,
)
from finops_pipeline.tenants.places import (
    Place,
    account_place,
    check_endpoint,
    is_s3,
    place_of,
)
from finops_pipeline.tenants.source_base import (
    EXTENT,
    REACH,
    Source,
    SourceFormat,
    SourceKind,
)

__all__ = ["EXTENT", "REACH", "Source", "SourceFormat", "SourceKind"]


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
        return [account_place("cost explorer", self.service_endpoint, self.role_arn, self.profile)]


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
    if format is SourceFormat.INVENTORY:
        has_location = bool(fields.get("location"))
        return SourceKind.INVENTORY_API if has_location else SourceKind.INVENTORY_FILES
    return SourceKind(format.value)


DeclaredSource = Annotated[
    Annotated[LegacyCurSource, Tag(SourceKind.LEGACY_CUR)]
    | Annotated[Cur2Source, Tag(SourceKind.CUR_2)]
    | Annotated[FocusSource, Tag(SourceKind.FOCUS)]
    | Annotated[CostExplorerApiSource, Tag(SourceKind.COST_EXPLORER_API)]
    | Annotated[CostExplorerCsvSource, Tag(SourceKind.COST_EXPLORER_CSV)]
    | Annotated[InventoryApiSource, Tag(SourceKind.INVENTORY_API)]
    | Annotated[InventoryFilesSource, Tag(SourceKind.INVENTORY_FILES)]
    | Annotated[CloudWatchSource, Tag(SourceKind.CLOUDWATCH)],
    Discriminator(_kind_of),
]
"""The union of all kinds, distinguished by format and by whether there is a location."""

_ANY_SOURCE: TypeAdapter[Source] = TypeAdapter(DeclaredSource)

BILL_KINDS = (SourceKind.LEGACY_CUR, SourceKind.CUR_2, SourceKind.FOCUS)
"""The kinds that deliver bills; tables of source kinds often treat them alike."""

COLLECTED_KINDS = (
    SourceKind.INVENTORY_API,
    SourceKind.INVENTORY_FILES,
    SourceKind.CLOUDWATCH,
)
"""The kinds that tell what exists and how it is used; they deliver no costs."""


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
