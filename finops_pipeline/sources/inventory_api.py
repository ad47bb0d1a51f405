"""Asking AWS what exists: every call of the table in every region, with each gap named.

Put here: regions, pages, follow-ups, tags by ARN, and what a refusal means for the coverage. Keep
out: the calls as data (inventory_table.py), access to AWS (aws.py), storing (landing).

A call that is denied or fails never ends the run and never looks like an empty list: its type is
recorded as `denied` or `failed` in that region. Once the credentials have expired, nothing further
is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from botocore.parsers import ResponseParserError

from finops_pipeline.errors import FinopsError
from finops_pipeline.sources.aws import Access, Clients, caller_arn, translate_errors
from finops_pipeline.sources.credentials import DENIED, EXPIRED, error_code
from finops_pipeline.sources.inventory_call import FollowUp, InventoryCall
from finops_pipeline.sources.inventory_records import (
    GLOBAL,
    Home,
    ResourceRecord,
    find,
    partition_of,
    read_item,
    read_tags,
)
from finops_pipeline.sources.inventory_table import (
    CALLS,
    REGION_TYPE,
    REGIONS_ACTION,
    TAGGING_ACTION,
)

_FAILURES = (ClientError, BotoCoreError, ResponseParserError, RuntimeError)
_DENIED_CODES = DENIED | {"AuthorizationError", "AccessDeniedError", "NotAuthorized"}
_REGION_IS_OFF = {
    *("OptInRequired", "AuthFailure", "UnrecognizedClientException", "InvalidClientTokenId"),
}


@dataclass(frozen=True)
class Gap:
    """Why something is unknown; `is_end`: nothing further can be asked."""

    state: str
    reason: str
    permission: str | None = None
    is_end: bool = False


@dataclass(frozen=True)
class Covered:
    """How the listing of a type in a region ended; `is_listed`: every resource is known."""

    region_id: str
    resource_type: str
    state: str
    permission: str | None = None
    reason: str | None = None
    is_listed: bool = True


@dataclass
class Listing:
    """The resources of one type in one region, and how the listing ended."""

    covered: Covered
    records: list[ResourceRecord] = field(default_factory=list)


def explain_failure(error: Exception, action: str) -> Gap:
    """Return the gap that an error of botocore makes, for a call that needs an IAM action."""
    if isinstance(error, ClientError):
        code = error_code(error)
        message = str(error.response.get("Error", {}).get("Message", ""))[:200]
        if code in EXPIRED or error.operation_name == "AssumeRole":
            reason = f"The credentials expired during the run ({code})."
            return Gap("failed", reason, is_end=True)
        if code in _DENIED_CODES or code.startswith("AccessDenied"):
            return Gap("denied", f"AWS denies {action} ({code}).", action)
        if code in _REGION_IS_OFF:
            return Gap("failed", f"The account has not enabled the region, or its keys are not"
                       f" valid there ({code}).")  # fmt: skip
        return Gap("failed", f"AWS answered {code}: {message}".rstrip(". :") + ".")
    is_end = isinstance(error, NoCredentialsError)
    summary = str(error).splitlines()[0][:200].rstrip(".")
    return Gap("failed", f"{summary}.", is_end=is_end)


class InventoryApi:
    """The inventory of one account, as one source reaches it."""

    def __init__(self, access: Access, regions: tuple[str, ...]) -> None:
        self._access = access
        self._clients = Clients(access)
        self._wanted = regions
        self._end: Gap | None = None
        self.gaps: list[Covered] = []
        """What is unknown besides the listings: the regions, tags by ARN."""

    def find_account(self) -> str:
        """Return the account of the credentials.

        Raises:
            AccessRefused: there are no usable credentials, or the role may not be assumed.
            Unreachable: AWS did not answer.
        """
        with translate_errors(self._access, "identify the owner of the credentials"):
            return caller_arn(self._clients.open("sts")).split(":")[4]

    def list_resources(self, account: str) -> Iterator[Listing]:
        """Ask for every type in every region, one listing after the other."""
        regions = self._wanted or self._find_regions()
        for region in regions:
            tags: dict[str, dict[str, str]] | None = None
            for call in CALLS:
                if call.is_global and region != regions[0]:
                    continue
                listing = self._list(call, Home(account, region, partition_of(region)))
                if listing.records and call.tags == "`null`":
                    if tags is None:
                        tags = self._read_tags(region)
                    listing.records = [_add_tags(record, tags) for record in listing.records]
                yield listing

    def _find_regions(self) -> tuple[str, ...]:
        """List the regions that the account has enabled; where that is denied, only its own."""
        client = self._clients.open("ec2")
        own = str(client.meta.region_name)
        try:
            answer = client.describe_regions()
        except _FAILURES as error:
            gap = self._note(explain_failure(error, REGIONS_ACTION))
            reason = f"Only {own} was asked. {gap.reason}"
            self.gaps.append(
                Covered(GLOBAL, REGION_TYPE, gap.state, gap.permission, reason, is_listed=False)
            )
            return (own,)
        return tuple(sorted(str(region["RegionName"]) for region in answer.get("Regions", ())))

    def _note(self, gap: Gap) -> Gap:
        self._end = self._end or (gap if gap.is_end else None)
        return gap

    def _list(self, call: InventoryCall, home: Home) -> Listing:
        region = GLOBAL if call.is_global else home.region
        if self._end:
            end = self._end
            return Listing(_unlisted(region, call, Gap("failed", end.reason)))
        listing = Listing(Covered(region, call.resource_type, "collected"))
        try:
            if not call.is_global and not self._clients.is_offered(call.service, home.region):
                gap = Gap("not asked", "AWS does not offer the service in this region.")
                return Listing(_unlisted(region, call, gap))
            client = self._clients.open(call.service, home.region)
            for item in _list_items(client, call):
                self._read(client, call, (item, home), listing)
        except _FAILURES as error:
            if isinstance(error, ClientError) and error_code(error) in call.absent:
                return listing
            gap = self._note(explain_failure(error, call.action))
            listing.covered = _unlisted(region, call, gap)
        except FinopsError as error:
            gap = self._note(Gap("failed", str(error), is_end=True))
            listing.covered = _unlisted(region, call, gap)
        return listing

    def _read(
        self, client: Any, call: InventoryCall, listed: tuple[Any, Home], listing: Listing
    ) -> None:
        """Add a listed item, after its follow-ups, to the records of a listing."""
        item, home = listed
        unknown: list[str] = []
        for follow_up in call.follow_ups:
            try:
                item = _follow(client, follow_up, item)
            except _FAILURES as error:
                gap = self._note(explain_failure(error, follow_up.action))
                is_listed = bool(follow_up.key) and not gap.is_end
                reason = f"{', '.join(follow_up.tells) or 'The description'} is unknown."
                listing.covered = Covered(
                    listing.covered.region_id, call.resource_type, gap.state, gap.permission,
                    f"{reason} {gap.reason}", is_listed=is_listed and listing.covered.is_listed,
                )  # fmt: skip
                if not follow_up.key:
                    return
                unknown += follow_up.tells
        listing.records.append(read_item(call, item, home, unknown))

    def _read_tags(self, region: str) -> dict[str, dict[str, str]]:
        """Read the tags of every tagged resource of a region, by ARN."""
        tags: dict[str, dict[str, str]] = {}
        if self._end:
            return tags
        try:
            client = self._clients.open("resourcegroupstaggingapi", region)
            for page in client.get_paginator("get_resources").paginate():
                for entry in page.get("ResourceTagMappingList", ()):
                    tags[str(entry["ResourceARN"])] = read_tags(entry.get("Tags"))
        except _FAILURES as error:
            gap = self._note(explain_failure(error, TAGGING_ACTION))
            reason = f"Tags of some types are unknown. {gap.reason}"
            self.gaps.append(
                Covered(region, "AWS::ResourceGroups::TaggedResource", gap.state, gap.permission,
                        reason, is_listed=False)
            )  # fmt: skip
        return tags


def _unlisted(region: str, call: InventoryCall, gap: Gap) -> Covered:
    return Covered(region, call.resource_type, gap.state, gap.permission, gap.reason, False)


def _list_items(client: Any, call: InventoryCall) -> Iterator[Any]:
    if client.can_paginate(call.operation):
        pages = client.get_paginator(call.operation).paginate(**call.parameters)
    else:
        pages = [getattr(client, call.operation)(**call.parameters)]
    for page in pages:
        yield from find(call.items, page) or ()


def _follow(client: Any, follow_up: FollowUp, item: Any) -> Any:
    """Return an item with what its follow-up tells."""
    values = {name: find(path, item) for name, path in follow_up.parameters.items()}
    if follow_up.is_in_list:
        values = {name: [value] for name, value in values.items()}
    try:
        told = find(follow_up.result, getattr(client, follow_up.operation)(**values))
    except ClientError as error:
        if error_code(error) not in follow_up.absent:
            raise
        told = []
    return {**item, follow_up.key: told} if follow_up.key else told


def _add_tags(record: ResourceRecord, tags: Mapping[str, Mapping[str, str]]) -> ResourceRecord:
    own = tags.get(record.resource_arn or "")
    if not own or record.tags:
        return record
    name = record.resource_name or own.get("Name")
    fields = {**vars(record), "tags": dict(own), "resource_name": name}
    return ResourceRecord(**fields)
