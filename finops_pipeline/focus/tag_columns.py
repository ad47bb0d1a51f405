"""Tags, cost categories and discounts of a landing as JSON text, from maps or flat columns.

Put here: which keys are tags of resources, which are of others, and how a key is spelled. Keep out:
all other columns (normalise.py).

Sources: AWS "Resource tags columns" and "Tag columns" of the CUR 2.0 table dictionary. The map
`tags` has the tags of `resource_tags` too, in their own spelling, and those of accounts, users and
IAM principals; a prefix tells them apart. `resource_tags` and Parquet columns have snake case.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Protocol

from finops_pipeline.contracts.headers import header_of
from finops_pipeline.focus.tag_entries import (
    OF_COSTS,
    OF_OTHERS,
    OF_RESOURCES,
    OTHERS,
    PLAIN,
    SQL_OF_NAME,
    Entries,
    tag_name,
)
from finops_pipeline.lake.duck import ident, text

Keys = Mapping[str, Sequence[str]]
"""Map column -> the keys of its maps, where they are known."""

_MOST_KEYS = 60
"""Number of keys beyond which converting an entire map is cheaper than extracting each key."""

_SNAKE_OTHERS = {
    "account_tag_": "accountTag/",
    "user_attribute_": "userAttribute/",
    "iam_principal_": "iamPrincipal/",
}
_FLAT_COSTS = (
    re.compile(r"costCategory/(.+)", re.IGNORECASE),
    re.compile(r"cost_category_(.+)", re.IGNORECASE),
)
_FLAT_DISCOUNTS = re.compile(r"discount_(.+)", re.IGNORECASE)
_FLAT_TAGS = re.compile(r"resourceTags/(?:user:)?(.+)", re.IGNORECASE)
_SNAKE_TAGS = re.compile(r"resource_tags?_(.+)", re.IGNORECASE)


class Landing(Protocol):
    """What this module needs to know of a landing (normalise.LandedColumns)."""

    @property
    def types(self) -> dict[str, str]:
        """DuckDB types by column."""

    @property
    def keys(self) -> Keys:
        """Keys of the map columns, where they are known."""

    @property
    def tag_spellings(self) -> Mapping[str, str]:
        """Keys in snake case -> the same keys as legacy reports spell them."""

    @property
    def by_lower_name(self) -> dict[str, str]:
        """Lower-case name -> name."""


def tags(landed: Landing) -> str:
    """Write SQL of the tags of a row's resource as JSON text.

    Null when the source has no such column; `{}` when it has one and the row has no value.
    """
    if map_of_tags := _map_of_tags(landed):
        return _of_map(landed, *map_of_tags)
    return _flat(landed, _tags_of_headers(landed))


def name_tag(landed: Landing) -> str:
    """Write SQL of the tag Name of a row's resource; resource_tags has it in lower case.

    Read from its own column or key where that is known: taking it out of the JSON text of all tags
    takes longer than making that text.
    """
    own = _values_of_tags(landed)
    if own is None:
        own = {
            name: f"json_extract_string({tags(landed)}, {text(path)})"
            for name, path in (("Name", '$."Name"'), ("name", '$."name"'))
        }
    values = [own[name] for name in ("Name", "name") if name in own]
    return f"coalesce({', '.join(values)})" if values else _NONE


def tag_value(landed: Landing, key: str) -> str:
    """Write SQL of one tag of a row, null if it has none; `key` is spelled as in the charges."""
    if key.startswith(OTHERS):
        return json_value(other_tags(landed), key)
    own = _values_of_tags(landed)
    return json_value(tags(landed), key) if own is None else own.get(key, _NONE)


def cost_category_value(landed: Landing, key: str) -> str:
    """Write SQL of one cost category of a row, null where it has none."""
    return json_value(cost_categories(landed), key)


def json_value(cell: str, key: str) -> str:
    """Write SQL of the value of a key in a JSON object."""
    pointer = "/" + key.replace("~", "~0").replace("/", "~1")
    return f"json_extract_string({cell}, {text(pointer)})"


def _values_of_tags(landed: Landing) -> dict[str, str] | None:
    """Map keys of tags to SQL of their values; None if the keys of a map are not known."""
    if map_of_tags := _map_of_tags(landed):
        column, entries = map_of_tags
        keys = _keys_by_name(landed, column, entries)
        return keys and {name: f"{ident(column)}[{text(key)}]" for name, key in keys.items()}
    columns = _columns_by_key(landed, _tags_of_headers(landed))
    return {key: _filled(column) for key, column in columns.items()}


def _map_of_tags(landed: Landing) -> tuple[str, Entries] | None:
    """Return the map column that has the tags, and which of its entries; None: flat columns do."""
    names = landed.by_lower_name
    column = names.get("tags")
    if column and _may_have(landed, column, OF_RESOURCES):
        return column, OF_RESOURCES
    if "resource_tags" in names:
        return names["resource_tags"], _in_snake_case(_spellings(landed))
    if column and not _columns_by_key(landed, _tags_of_headers(landed)):
        return column, OF_RESOURCES
    return None


def _tags_of_headers(landed: Landing) -> Callable[[str], str | None]:
    spellings = _spellings(landed)
    return lambda header: _tag_of_header(header, spellings)


def has_snake_tags(columns: Iterable[str]) -> bool:
    """Check whether a bill's tags are in snake case, so that their spelling is that of others."""
    return any(
        column.lower() == "resource_tags" or _SNAKE_TAGS.fullmatch(column) for column in columns
    )


def tag_keys(landed: Landing) -> str:
    """Write SQL that maps keys of `tags` to the bill's own keys in snake case, as JSON text.

    For JSON cells, whose keys are not known, these are all keys that legacy reports have.
    """
    names = landed.by_lower_name
    column = names.get("tags")
    if column and _may_have(landed, column, OF_RESOURCES):
        return _NONE
    headers = [header_of(name, names) for name in landed.types]
    snake: Iterable[str] = filter(None, (_group(_SNAKE_TAGS, header) for header in headers))
    if "resource_tags" in names:
        snake = landed.keys.get(names["resource_tags"], landed.tag_spellings)
    spellings = _spellings(landed)
    keys = {
        spellings[key]: tag_name(key)
        for key in sorted(snake)
        if spellings.get(key, tag_name(key)) != tag_name(key)
    }
    return f"{text(json.dumps(keys, ensure_ascii=False))}::varchar" if keys else _NONE


def other_tags(landed: Landing) -> str:
    """Write SQL of the tags of a row's account, user and IAM principal, with AWS's prefixes."""
    column = landed.by_lower_name.get("tags")
    if column and _may_have(landed, column, OF_OTHERS):
        return f"nullif({_of_map(landed, column, OF_OTHERS)}, '{{}}')"
    flat = _flat(landed, _other_of_header)
    return flat if flat == _NONE else f"nullif({flat}, '{{}}')"


def cost_categories(landed: Landing) -> str:
    """Write SQL of a row's cost categories as JSON text; see `tags` for null."""
    names = landed.by_lower_name
    column = names.get("tags")
    if column and column in landed.keys and _may_have(landed, column, OF_COSTS):
        return _of_map(landed, column, OF_COSTS)
    if "cost_category" in names:
        return _of_map(landed, names["cost_category"], PLAIN)
    flat = _flat(landed, lambda header: next(filter(None, _groups(header)), None))
    if flat == _NONE and column and _may_have(landed, column, OF_COSTS):
        return _of_map(landed, column, OF_COSTS)
    return flat


def discounts(landed: Landing) -> str:
    """Write SQL of a row's discounts as JSON text; see `tags` for null."""
    names = landed.by_lower_name
    if "discount" in names:
        return _of_map(landed, names["discount"], PLAIN)
    return _flat(landed, lambda header: _group(_FLAT_DISCOUNTS, header))


_NONE = "null::varchar"


def _group(pattern: re.Pattern[str], header: str) -> str | None:
    match = pattern.fullmatch(header)
    return match.group(1) if match else None


def _groups(header: str) -> list[str | None]:
    return [_group(pattern, header) for pattern in _FLAT_COSTS]


def _tag_of_header(header: str, spellings: Mapping[str, str]) -> str | None:
    key = _group(_FLAT_TAGS, header)
    if key is not None:
        return key
    snake = _group(_SNAKE_TAGS, header)
    return None if snake is None else spellings.get(snake, tag_name(snake))


def _spellings(landed: Landing) -> dict[str, str]:
    """Select the spellings that the bill itself does not use for another tag."""
    names = landed.by_lower_name
    headers = (header_of(name, names) for name in landed.types)
    own = {_tag_of_header(header, {}) for header in headers}
    own.update(map(tag_name, landed.keys.get(names.get("resource_tags", ""), ())))
    return {snake: key for snake, key in landed.tag_spellings.items() if key not in own}


def _in_snake_case(spellings: Mapping[str, str]) -> Entries:
    """Describe all entries of `resource_tags`, under the keys of legacy reports where known."""
    name = SQL_OF_NAME
    if spellings:
        pairs = ", ".join(f"{text(snake)}: {text(key)}" for snake, key in spellings.items())
        name = f"coalesce(map {{{pairs}}}[k], {SQL_OF_NAME})"
    return Entries((), True, lambda key: spellings.get(key, tag_name(key)), name)


def _other_of_header(header: str) -> str | None:
    if header.startswith(OTHERS):
        return header
    for snake, prefix in _SNAKE_OTHERS.items():
        if header.lower().startswith(snake):
            return prefix + header[len(snake) :]
    return None


def _may_have(landed: Landing, column: str, entries: Entries) -> bool:
    """Check whether a map may have such entries; the keys of a JSON cell are not known."""
    keys = landed.keys.get(column)
    return keys is None or any(map(entries.has, keys))


def _flat(landed: Landing, key_of: Callable[[str], str | None]) -> str:
    """Write SQL of a JSON object of the columns whose header has a key."""
    pairs = _columns_by_key(landed, key_of)
    return json_object(pairs) if pairs else _NONE


def _columns_by_key(landed: Landing, key_of: Callable[[str], str | None]) -> dict[str, str]:
    """Map the keys of headers to their columns; a second column of a key keeps its own name."""
    names = landed.by_lower_name
    pairs: dict[str, str] = {}
    for column in landed.types:
        key = key_of(header_of(column, names))
        if key is not None:
            pairs[key if key not in pairs else column] = column
    return pairs


def _filled(column: str) -> str:
    return f"nullif({ident(column)}::varchar, '')"


def json_object(pairs: Mapping[str, str], nested: Container[str] = ()) -> str:
    """Write SQL of a JSON object of key -> column as text, without keys whose value is empty.

    Args:
        nested: columns of nested types, which become JSON inside the JSON.
    """
    if len(pairs) > _MOST_KEYS and not any(column in nested for column in pairs.values()):
        return _json_of_many(pairs)
    # A null value means "remove the key" to a JSON merge patch (RFC 7396).
    fields = ", ".join(
        f"{text(key)}, to_json({ident(column)})"
        if column in nested
        else f"{text(key)}, {_filled(column)}"
        for key, column in pairs.items()
    )
    return f"json_merge_patch('{{}}', json_object({fields}))::varchar"


def _json_of_many(pairs: Mapping[str, str]) -> str:
    """Write the same as `json_object` from two lists, which is planned in a quarter of the time."""
    keys = ", ".join(map(text, pairs))
    values = ", ".join(f"{ident(column)}::varchar" for column in pairs.values())
    return (
        f"to_json(map_from_entries(list_filter(list_zip([{keys}], [{values}]),"
        " lambda e: e[2] <> '')))::varchar"
    )


def _of_map(landed: Landing, column: str, entries: Entries) -> str:
    """Write SQL of entries of a map as JSON text; if two names are equal, the map's keys stay."""
    value, kind = ident(column), landed.types[column]
    keys = _keys_by_name(landed, column, entries)
    if keys is not None:
        fields = ", ".join(f"{text(name)}, {value}[{text(key)}]" for name, key in keys.items())
        json_text = f"json_merge_patch('{{}}', json_object({fields}))::varchar"
        return f"case when {value} is not null then {json_text} end"
    if not kind.startswith("MAP"):
        cell = valid_json(value) if kind == "VARCHAR" else f"to_json({value})"
        value = f"try_cast({cell}::json as map(varchar, varchar))"
    if entries.condition:
        kept = f"list_filter(map_entries({value}), lambda e: {entries.condition})"
        value = f"case when {value} is not null then map_from_entries({kept}) end"
    if entries.expression == "k":
        return f"to_json({value})::varchar"
    plain = f"list_transform(map_keys({value}), lambda k: {entries.expression})"
    return (
        f"to_json(case when len(list_distinct({plain})) = len(map_keys({value}))"
        f" then map_from_entries(list_zip({plain}, map_values({value}))) else {value} end)::varchar"
    )


def _keys_by_name(landed: Landing, column: str, entries: Entries) -> dict[str, str] | None:
    """Map the names of a map's entries to their keys; None if unknown, many, or not unique."""
    keys = landed.keys.get(column)
    if not landed.types[column].startswith("MAP") or keys is None or len(keys) > _MOST_KEYS:
        return None
    own = [key for key in keys if entries.has(key)]
    named = {entries.name(key): key for key in own}
    return named if len(named) == len(own) else None


def valid_json(value: str) -> str:
    """Write SQL of a JSON cell, null where it is invalid, so that a bad tag stops no bill."""
    return f"case when json_valid({value}) then {value} end"
