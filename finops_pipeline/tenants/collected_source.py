"""Sources of what exists and how it is used: inventories of resources, and CloudWatch's metrics.

Put here: the fields and rules of these kinds, and reading their regions from the location. Keep
out: kinds that deliver costs (source.py), the calls to AWS (sources).

    location                         regions
    aws://all                        every region that the account has enabled
    aws://eu-central-1,us-east-1     these regions
"""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from finops_pipeline.errors import RegistryError
from finops_pipeline.tenants.places import Place, account_place, check_field
from finops_pipeline.tenants.source_base import Source, SourceFormat, SourceKind

SCHEME, EVERY_REGION = "aws://", "all"


class CollectedSource(Source):
    """What is collected from AWS's own APIs, in one account."""

    @model_validator(mode="after")
    def _check_regions(self) -> CollectedSource:
        listed = self.location.removeprefix(SCHEME)
        if not self.location.startswith(SCHEME) or not listed:
            raise RegistryError(
                f"source {self.name} has the location {self.location or '(none)'!r}",
                "aws://all, or aws:// and regions separated by commas, such as"
                " aws://eu-central-1,us-east-1",
            )
        for region in self.regions:
            check_field("region", region)
            if not region:
                raise RegistryError(
                    f"source {self.name} has an empty region in its location {self.location!r}",
                    "regions separated by single commas",
                )
        return self

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions to ask in; empty: every region that the account has enabled."""
        listed = self.location.removeprefix(SCHEME)
        return () if listed == EVERY_REGION else tuple(dict.fromkeys(listed.split(",")))

    @property
    def in_aws(self) -> bool:
        """Always true: everything is asked of AWS."""
        return True

    @property
    def places(self) -> list[Place]:
        """The account to which its credentials give access."""
        return [account_place(self.format.value, self.endpoint_url, self.role_arn, self.profile)]


class InventoryApiSource(CollectedSource):
    """The resources that AWS's own APIs list in an account."""

    kind = SourceKind.INVENTORY_API
    format: Literal[SourceFormat.INVENTORY] = SourceFormat.INVENTORY


class CloudWatchSource(CollectedSource):
    """CloudWatch's metrics of the resources that an inventory lists; requests are paid."""

    kind = SourceKind.CLOUDWATCH
    format: Literal[SourceFormat.CLOUDWATCH] = SourceFormat.CLOUDWATCH


class InventoryFilesSource(Source):
    """Inventories in files: JSON, CSV or snapshots of AWS Config, imported by hand."""

    kind = SourceKind.INVENTORY_FILES
    format: Literal[SourceFormat.INVENTORY] = SourceFormat.INVENTORY

    @property
    def in_aws(self) -> bool:
        """Always false: its files are imported from this machine."""
        return False

    @property
    def places(self) -> list[Place]:
        """None: it has no location."""
        return []
