"""Inventories in files: JSON, CSV, and the snapshots that AWS Config delivers.

Put here: recognising the form of a file and reading its records. Keep out: AWS's answers
(inventory_api.py), which records count (landing/inventory_snapshot.py).

JSON is a list of objects, and CSV has a header, with the columns of the table `resources` from
`account_id` to `attributes`; the columns `tags` and `attributes` of a CSV are JSON. A snapshot of
AWS Config is an object with `configurationItems`, whose `configuration` has the names of the
describe calls with a small first letter.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from finops_pipeline.errors import FileProblem
from finops_pipeline.sources.inventory_call import InventoryCall
from finops_pipeline.sources.inventory_records import (
    GLOBAL,
    Home,
    RejectedRecord,
    ResourceRecord,
    as_json,
    normal_arn,
    partition_of,
    read_item,
    read_tags,
    read_time,
    short_id,
)
from finops_pipeline.sources.inventory_table import CALLS

_EXPECTED = (
    "a JSON list of resources, a CSV with a header, or a snapshot of AWS Config, each with"
    " account_id (12 digits), region_id, resource_type and resource_id"
)
_GONE = {"ResourceDeleted", "ResourceDeletedNotRecorded", "ResourceNotRecorded"}
Record = ResourceRecord | RejectedRecord


@dataclass(frozen=True)
class InventoryFile:
    """The records of one file, and the day that it describes (None: it does not say)."""

    name: str
    records: tuple[Record, ...]
    day: date | None = None


def read_inventory_file(path: Path, content: bytes) -> InventoryFile:
    """Read the records of a file.

    Args:
        path: the file, for its name and its form.
        content: its bytes, decompressed.

    Raises:
        FileProblem: it has none of the forms.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileProblem(f"{path.name} is not UTF-8 text ({error})", _EXPECTED) from error
    if text.lstrip()[:1] not in ("[", "{"):
        return InventoryFile(path.name, tuple(_read_csv(path.name, text)))
    try:
        loaded = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileProblem(f"{path.name} is not JSON ({error})", _EXPECTED) from error
    if isinstance(loaded, dict) and isinstance(loaded.get("configurationItems"), list):
        items = loaded["configurationItems"]
        records = tuple(_read_all(path.name, items, _read_config_item))
        return InventoryFile(path.name, records, _day_of(items))
    if isinstance(loaded, list):
        return InventoryFile(path.name, tuple(_read_all(path.name, loaded, _read_own)))
    raise FileProblem(f"{path.name} is an object without configurationItems", _EXPECTED)


def _read_all(name: str, items: list[Any], read: Any) -> Iterator[Record]:
    for number, item in enumerate(items, 1):
        raw = as_json(item)
        if not isinstance(item, Mapping):
            yield RejectedRecord(name, number, "it is not an object", raw)
            continue
        try:
            record = read(item)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            yield RejectedRecord(name, number, f"it cannot be read ({error})", raw)
            continue
        if record is not None:
            yield record


def _read_csv(name: str, text: str) -> Iterator[Record]:
    """Read a CSV.

    Raises:
        FileProblem: its header lacks a column that every resource needs.
    """
    reader = csv.DictReader(io.StringIO(text))
    needed = ("account_id", "region_id", "resource_type", "resource_id")
    missing = [column for column in needed if column not in (reader.fieldnames or ())]
    if missing:
        raise FileProblem(f"{name} has no column {', '.join(missing)}", _EXPECTED)
    for row in reader:
        raw = as_json(row)
        try:
            parsed = {k: v for k, v in row.items() if k is not None and v not in (None, "")}
            for column in ("tags", "attributes"):
                if column in parsed:
                    parsed[column] = json.loads(parsed[column])
            yield _read_own(parsed)
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            yield RejectedRecord(name, reader.line_num, f"it cannot be read ({error})", raw)


def _read_own(item: Mapping[str, Any]) -> ResourceRecord:
    """Read a resource in the columns of the table `resources`; a missing region is `global`."""
    kind, identifier = str(item["resource_type"]), str(item["resource_id"])
    call = _call_of(kind)
    return ResourceRecord(
        account_id=str(item["account_id"]),
        region_id=str(item.get("region_id") or GLOBAL),
        resource_type=kind,
        resource_id=short_id(identifier),
        resource_arn=normal_arn(str(item.get("resource_arn") or "")) or None,
        resource_name=_optional(item, "resource_name"),
        state=_optional(item, "state"),
        created_at=read_time(item.get("created_at")),
        tags=read_tags(item.get("tags")),
        attributes=as_json(dict(item.get("attributes") or {})),
        service_code=call.service_code if call else None,
    )


def _optional(item: Mapping[str, Any], name: str) -> str | None:
    value = item.get(name)
    return None if value in (None, "") else str(value)


def _read_config_item(item: Mapping[str, Any]) -> ResourceRecord | None:
    """Read a configuration item of AWS Config; None for one that says that it was deleted."""
    if str(item.get("configurationItemStatus")) in _GONE:
        return None
    kind, region = str(item["resourceType"]), str(item.get("awsRegion") or GLOBAL)
    call = _call_of(kind)
    home = Home(str(item["awsAccountId"]), region, partition_of(region))
    configuration = item.get("configuration") or {}
    if isinstance(configuration, str):
        configuration = json.loads(configuration)
    arn = str(item.get("ARN") or item.get("arn") or "")
    plain = ResourceRecord(
        account_id=home.account,
        region_id=GLOBAL if call and call.is_global else region,
        resource_type=kind,
        resource_id=short_id(str(item["resourceId"])),
        resource_arn=normal_arn(arn) or None,
        resource_name=_optional(item, "resourceName"),
        created_at=read_time(item.get("resourceCreationTime")),
        tags=read_tags(item.get("tags")),
        service_code=call.service_code if call else None,
    )
    if call is None:
        return plain
    unknown = [name for follow_up in call.follow_ups for name in follow_up.tells]
    described = read_item(call, _with_capitals(configuration, call), home, unknown)
    return replace(
        plain,
        resource_id=described.resource_id or plain.resource_id,
        resource_arn=plain.resource_arn or described.resource_arn,
        resource_name=plain.resource_name or described.resource_name,
        state=described.state,
        created_at=plain.created_at or described.created_at,
        tags=plain.tags or described.tags,
        attributes=described.attributes,
    )


def _with_capitals(value: Any, call: InventoryCall) -> Any:
    """Return a configuration with names as in the answer of the describe call."""
    if call.service in ("eks", "ecs", "logs"):
        return value  # these services begin names with a small letter themselves
    if isinstance(value, Mapping):
        return {str(k)[:1].upper() + str(k)[1:]: _with_capitals(v, call) for k, v in value.items()}
    return [_with_capitals(each, call) for each in value] if isinstance(value, list) else value


def _call_of(resource_type: str) -> InventoryCall | None:
    return next((call for call in CALLS if call.resource_type == resource_type), None)


def _day_of(items: list[Any]) -> date | None:
    """Return the day of the newest item of a snapshot."""
    times = [
        read_time(item.get("configurationItemCaptureTime"))
        for item in items
        if isinstance(item, Mapping)
    ]
    known: list[datetime] = [time for time in times if time]
    return max(known).date() if known else None
