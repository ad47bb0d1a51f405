"""Resources as plain records, made of what AWS answers, whatever the service.

Put here: reading an item of an answer by the paths of its call, normal forms of ids, times and
tags, and what makes a record unusable. Keep out: the calls (inventory_api.py), the paths
(inventory_table.py), files (inventory_files.py).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

import jmespath

from finops_pipeline.sources.inventory_call import InventoryCall

GLOBAL = "global"
"""The region of resources of services without regions."""

_ARN = re.compile(r"arn:(aws[a-z-]*):([a-z0-9-]+):([a-z0-9-]*):(\d{12}|aws|):(.+)", re.DOTALL)
_ACCOUNT = re.compile(r"\d{12}")
_TYPE = re.compile(r"AWS::\w+::\w+")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d{1,2}")


@dataclass(frozen=True)
class ResourceRecord:
    """One resource as an inventory describes it."""

    account_id: str
    region_id: str
    resource_type: str
    resource_id: str
    resource_arn: str | None = None
    resource_name: str | None = None
    state: str | None = None
    created_at: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    attributes: str = "{}"
    service_code: str | None = None


@dataclass(frozen=True)
class RejectedRecord:
    """A resource that cannot be used: where it stood, why, and what was given."""

    place: str
    number: int
    reason: str
    raw_text: str


@dataclass(frozen=True)
class Home:
    """Where a call was made: what its resources have in common."""

    account: str
    region: str
    partition: str = "aws"


@cache
def _compiled(path: str) -> Any:
    return jmespath.compile(path)


def find(path: str, item: Any) -> Any:
    """Return what a path leads to in an item; None if nothing."""
    return _compiled(path).search(item)


def read_item(
    call: InventoryCall, item: Any, home: Home, unknown: Iterable[str] = ()
) -> ResourceRecord:
    """Make the record of an item of an answer.

    Args:
        unknown: attributes that a denied follow-up would have told.
    """
    short = short_id(str(find(call.id, item) or ""))
    if call.arn.startswith("arn:"):
        places = {"account": home.account, "region": home.region, "partition": home.partition}
        arn = call.arn.format(id=short, **places)
    else:
        arn = str(find(call.arn, item) or "")
    attributes = find(call.attributes, item) or {}
    told = {name: value for name, value in attributes.items() if name not in set(unknown)}
    state = find(call.state, item)
    return ResourceRecord(
        account_id=home.account,
        region_id=GLOBAL if call.is_global else home.region,
        resource_type=call.resource_type,
        resource_id=short,
        resource_arn=normal_arn(arn) or None,
        resource_name=_text(find(call.name, item)),
        state=_text(state),
        created_at=read_time(find(call.created, item)),
        tags=read_tags(find(call.tags, item)),
        attributes=as_json(told),
        service_code=call.service_code,
    )


def short_id(identifier: str) -> str:
    """Return the id that is unique in account, region and type: of an ARN its last field."""
    match = _ARN.fullmatch(identifier)
    return match[5].removeprefix("loadbalancer/") if match else identifier


def normal_arn(arn: str) -> str:
    """Return an ARN as bills write it: without the `:*` that CloudWatch Logs adds."""
    return arn.removesuffix(":*")


def read_time(value: object) -> datetime | None:
    """Read a time as AWS's services write it: a datetime, ISO text, or seconds or milliseconds."""
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    try:
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
        if isinstance(value, str) and value:
            return read_time(datetime.fromisoformat(value))
    except (ValueError, OverflowError, OSError):
        return None
    return None


def read_tags(value: object) -> dict[str, str]:
    """Read tags from a list of keys and values, or from a map."""
    if isinstance(value, Mapping):
        return {str(k): str(v) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple):
        pairs = [(_either(tag, "Key"), _either(tag, "Value")) for tag in value]
        return {key: text or "" for key, text in pairs if key}
    return {}


def _either(tag: object, name: str) -> str | None:
    if not isinstance(tag, Mapping):
        return None
    found = tag.get(name, tag.get(name.lower()))
    return None if found is None else str(found)


def as_json(value: object) -> str:
    """Write a value as JSON text that is the same for the same value."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=_plain)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def _text(value: object) -> str | None:
    return None if value is None or value == "" else str(value)


def find_fault(record: ResourceRecord) -> str:
    """Return why a record cannot be used; empty if it can."""
    if not _ACCOUNT.fullmatch(record.account_id):
        return f"account_id is {record.account_id[:40]!r}, not 12 digits"
    if not _TYPE.fullmatch(record.resource_type):
        return f"resource_type is {record.resource_type[:80]!r}, not like AWS::EC2::Volume"
    if record.region_id != GLOBAL and not _REGION.fullmatch(record.region_id):
        return f"region_id is {record.region_id[:40]!r}, not a region such as us-east-1"
    if not record.resource_id or len(record.resource_id) > 2048:
        return "resource_id is empty or has more than 2048 characters"
    return _find_arn_fault(record) if record.resource_arn else ""


def _find_arn_fault(record: ResourceRecord) -> str:
    match = _ARN.fullmatch(record.resource_arn or "")
    if match is None:
        return f"resource_arn is {str(record.resource_arn)[:200]!r}, not an ARN"
    partition, _, region, account, _ = match.groups()
    expected = partition_of(record.region_id)
    if record.region_id != GLOBAL and partition != expected:
        return f"resource_arn is of the partition {partition}, region_id of {expected}"
    if account not in ("", "aws", record.account_id):
        if record.resource_type == "AWS::Organizations::Account":
            return ""  # the ARN of a member has the account that manages the organization
        return f"resource_arn is of account {account}, account_id is {record.account_id}"
    if region and record.region_id not in (GLOBAL, region):
        return f"resource_arn is of the region {region}, region_id is {record.region_id}"
    return ""


def partition_of(region: str) -> str:
    """Return the partition of a region."""
    prefixes = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
    return next((name for start, name in prefixes.items() if region.startswith(start)), "aws")
