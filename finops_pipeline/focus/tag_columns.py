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
from dataclasses import dataclass
from typing import Protocol

from finops_pipeline.contracts.headers import header_of
from finops_pipeline.lake.duck import ident, text

Keys = Mapping[str, Sequence[str]]
"""Map column -> the keys of its maps, where they are known."""

_MOST_KEYS = 60
"""Number of keys beyond which converting an entire map is cheaper than extracting each key."""

_RESOURCE, _COST = "resourceTags/", "costCategory/"
_OTHERS = ("accountTag/", "userAttribute/", "iamPrincipal/")
_FOREIGN = (*_OTHERS, _COST)
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


@dataclass(frozen=True)
class _Entries:
    """A selection of a map's entries, and their new names, in Python and in SQL.

    It has the entries whose key has one of the prefixes, or with `is_rest` those whose key has none
    of them. `name` takes a key; `expression` is SQL of a key `k`.
    """

    prefixes: tuple[str, ...]
    is_rest: bool
    name: Callable[[str], str]
    expression: str

    def has(self, key: str) -> bool:
        """Check whether the entry of a key is selected."""
        return key.startswith(self.prefixes) is not self.is_rest

    @property
    def condition(self) -> str:
        """SQL of whether an entry `e` is selected; empty if all are."""
        tests = " or ".join(f"starts_with(e.key, {text(prefix)})" for prefix in self.prefixes)
        return f"({tests}) = {str(not self.is_rest).lower()}" if tests else ""


def tag_name(key: str) -> str:
    """Return a resource tag's own key: users' keys without AWS's prefix, AWS's with `aws:`.

    Only a key that AWS itself prefixes with `aws_` is AWS's: `user_aws_x` is a user's `aws_x`.
    """
    if key.startswith(_RESOURCE):
        return key.removeprefix(_RESOURCE).removeprefix("user:")
    if re.match("user[_:]", key):
        return key[5:]
    return re.sub("^aws_", "aws:", key)


_NAME = (
    f"case when starts_with(k, '{_RESOURCE}')"
    f" then regexp_replace(k, '^{_RESOURCE}(user:)?', '')"
    " when regexp_matches(k, '^user[_:]') then substr(k, 6)"
    " when starts_with(k, 'aws_') then 'aws:' || substr(k, 5) else k end"
)
_OF_RESOURCES = _Entries(_FOREIGN, True, tag_name, _NAME)
_OF_OTHERS = _Entries(_OTHERS, False, lambda key: key, "k")
_OF_COSTS = _Entries(
    (_COST,),
    False,
    lambda key: key.removeprefix(_COST),
    f"regexp_replace(k, '^{_COST}', '')",
)
_PLAIN = _Entries((), True, lambda key: key, "k")


def tags(landed: Landing) -> str:
    """Write SQL of the tags of a row's resource as JSON text.

    Null when the source has no such column; `{}` when it has one and the row has no value.
    """
    names = landed.by_lower_name
    column = names.get("tags")
    if column and _may_have(landed, column, _OF_RESOURCES):
        return _of_map(landed, column, _OF_RESOURCES)
    if "resource_tags" in names:
        return _of_map(landed, names["resource_tags"], _in_snake_case(_spellings(landed)))
    spellings = _spellings(landed)
    flat = _flat(landed, lambda header: _tag_of_header(header, spellings))
    if flat == _NONE and column:
        return _of_map(landed, column, _OF_RESOURCES)
    return flat


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
    if column and _may_have(landed, column, _OF_RESOURCES):
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
    if column and _may_have(landed, column, _OF_OTHERS):
        return f"nullif({_of_map(landed, column, _OF_OTHERS)}, '{{}}')"
    flat = _flat(landed, _other_of_header)
    return flat if flat == _NONE else f"nullif({flat}, '{{}}')"


def cost_categories(landed: Landing) -> str:
    """Write SQL of a row's cost categories as JSON text; see `tags` for null."""
    names = landed.by_lower_name
    column = names.get("tags")
    if column and column in landed.keys and _may_have(landed, column, _OF_COSTS):
        return _of_map(landed, column, _OF_COSTS)
    if "cost_category" in names:
        return _of_map(landed, names["cost_category"], _PLAIN)
    flat = _flat(landed, lambda header: next(filter(None, _groups(header)), None))
    if flat == _NONE and column and _may_have(landed, column, _OF_COSTS):
        return _of_map(landed, column, _OF_COSTS)
    return flat


def discounts(landed: Landing) -> str:
    """Write SQL of a row's discounts as JSON text; see `tags` for null."""
    names = landed.by_lower_name
    if "discount" in names:
        return _of_map(landed, names["discount"], _PLAIN)
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


def _in_snake_case(spellings: Mapping[str, str]) -> _Entries:
    """Describe all entries of `resource_tags`, under the keys of legacy reports where known."""
    name = _NAME
    if spellings:
        pairs = ", ".join(f"{text(snake)}: {text(key)}" for snake, key in spellings.items())
        name = f"coalesce(map {{{pairs}}}[k], {_NAME})"
    return _Entries((), True, lambda key: spellings.get(key, tag_name(key)), name)


def _other_of_header(header: str) -> str | None:
    if header.startswith(_OTHERS):
        return header
    for snake, prefix in _SNAKE_OTHERS.items():
        if header.lower().startswith(snake):
            return prefix + header[len(snake) :]
    return None


def _may_have(landed: Landing, column: str, entries: _Entries) -> bool:
    """Check whether a map may have such entries; the keys of a JSON cell are not known."""
    keys = landed.keys.get(column)
    return keys is None or any(map(entries.has, keys))


def _flat(landed: Landing, key_of: Callable[[str], str | None]) -> str:
    """Write SQL of a JSON object of the columns whose header has a key."""
    names = landed.by_lower_name
    pairs: dict[str, str] = {}
    for column in landed.types:
        key = key_of(header_of(column, names))
        if key is not None:
            pairs[key if key not in pairs else column] = column
    return json_object(pairs) if pairs else _NONE


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
        else f"{text(key)}, nullif({ident(column)}::varchar, '')"
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


def _of_map(landed: Landing, column: str, entries: _Entries) -> str:
    """Write SQL of entries of a map as JSON text; if two names are equal, the map's keys stay."""
    value, kind = ident(column), landed.types[column]
    keys = landed.keys.get(column)
    if kind.startswith("MAP") and keys is not None and len(keys) <= _MOST_KEYS:
        own = [key for key in keys if entries.has(key)]
        names = [entries.name(key) for key in own]
        if len(set(names)) == len(own):
            pairs = zip(names, own, strict=True)
            fields = ", ".join(f"{text(name)}, {value}[{text(key)}]" for name, key in pairs)
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


def valid_json(value: str) -> str:
    """Write SQL of a JSON cell, null where it is invalid, so that a bad tag stops no bill."""
    return f"case when json_valid({value}) then {value} end"
