"""A source's columns under canonical names and types, as the conversions read them.

Put here: one expression per canonical column, whichever columns a month has, typed nulls for
absent columns, maps and tag columns as JSON text. Keep out: what a row means (sql/), which rows
are read (owned_rows.py).
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from finops_pipeline.contracts import cur
from finops_pipeline.contracts.bills import CUR, FOCUS, BillForm
from finops_pipeline.contracts.column import MONEY, TIME
from finops_pipeline.contracts.headers import header_of
from finops_pipeline.lake.duck import ident, text, utc_time

_NEVER = re.compile(r"(?!)")

Keys = Mapping[str, Sequence[str]]
"""Map column -> the keys of its maps, where they are known."""

_MOST_KEYS = 60
"""Number of keys beyond which converting an entire map is cheaper than extracting each key."""


@dataclass(frozen=True)
class LandedColumns:
    """The columns of a landing.

    `types`: their DuckDB types; `empty`: columns known to have no value, which are treated as
    absent because that is cheaper; `keys`: the keys of map columns, where they are known;
    `unreadable`: columns with values that cannot be read, which become null.
    """

    types: dict[str, str]
    empty: Container[str]
    keys: Keys
    unreadable: Container[str]

    @property
    def by_lower_name(self) -> dict[str, str]:
        """Lower-case name -> name."""
        return {name.lower(): name for name in self.types}

    def filled(self, form: BillForm) -> dict[str, str]:
        """Return canonical name -> column, for columns that have values."""
        columns = form.find(self.types).items()
        return {name: column for name, column in columns if column not in self.empty}


@dataclass(frozen=True)
class Origin:
    """The source and billing period of line items, and facts about the month.

    The billing period replaces the bill's own dates where those are absent. `in_normalized_units`:
    ARNs of reservations that are counted in normalized units.
    """

    source: str
    month: str
    in_normalized_units: Sequence[str]


@dataclass(frozen=True)
class _JsonColumn:
    """Keys and values of a row: one map column, or flat columns whose headers match a pattern."""

    map_name: str
    legacy: re.Pattern[str]
    snake: re.Pattern[str]


_TAGS_LEGACY = re.compile(r"resourceTags/(?:user:)?(.+)", re.IGNORECASE)
_TAGS_SNAKE = re.compile(r"resource_tags?_(?:user_)?(.+)", re.IGNORECASE)
_COST_CATEGORIES = _JsonColumn(
    "cost_category",
    re.compile(r"costCategory/(.+)", re.IGNORECASE),
    re.compile(r"cost_category_(.+)", re.IGNORECASE),
)
_DISCOUNTS = _JsonColumn("discount", _NEVER, re.compile(r"discount_(.+)", re.IGNORECASE))


def line_items(landed: LandedColumns, relation: str, origin: Origin) -> str:
    """Write SQL for the `line_items` of a CUR landing: every column of contracts/cur.py, typed.

    Args:
        relation: SQL of the landing's rows, each with x_Project (owned_rows.py).
    """
    columns = landed.filled(CUR)
    parts = [f"{_cur_value(landed, columns, name)} as {name}" for name in cur.COLUMNS]
    start = f"timestamp {text(origin.month + '-01')}"
    defaults = (
        f"coalesce(bill_billing_period_start_date, {start}) as bill_billing_period_start_date,"
        f" coalesce(bill_billing_period_end_date, {start} + interval 1 month)"
        " as bill_billing_period_end_date,"
        " coalesce(line_item_usage_end_date, line_item_usage_start_date + interval 1 hour)"
        " as line_item_usage_end_date"
    )
    names = landed.by_lower_name
    tags = "tags" if "tags" in names and "resource_tags" not in names else "resource_tags"
    reservation = columns.get("reservation_reservation_a_r_n")
    parts += [
        f"{_json(landed, _JsonColumn(tags, _TAGS_LEGACY, _TAGS_SNAKE))} as tags",
        f"{_json(landed, _COST_CATEGORIES)} as cost_categories",
        f"{_json(landed, _DISCOUNTS)} as discounts",
        f"{_undocumented(CUR, landed)} as unknown_columns",
        f"{text(origin.source)} as x_source",
        "x_SourceFile as x_source_file",
        "x_Project as x_project",
        f"{_is_among(reservation, origin.in_normalized_units)} as x_in_normalized_units",
    ]
    return f"select * replace ({defaults}) from (select {', '.join(parts)} from {relation})"


def _cur_value(landed: LandedColumns, columns: Mapping[str, str], name: str) -> str:
    """Write SQL of one canonical column: a column, a key of the product map, or null."""
    kind = cur.COLUMNS[name]
    if name in columns:
        column = columns[name]
        lenient = name in cur.LATER or column in landed.unreadable
        return typed(column, landed.types[column], kind, lenient)
    product = landed.by_lower_name.get("product")
    value = None
    if name.startswith("product_") and product is not None:
        value = _map_value(landed, product, name.removeprefix("product_"))
    return value or f"null::{kind}"


def focus_rows(landed: LandedColumns, relation: str, source: str) -> str:
    """Write SQL for the `focus_rows` of a FOCUS landing; see `line_items` for the arguments."""
    columns = landed.filled(FOCUS)
    parts = []
    for name, kind in FOCUS.types.items():
        column = columns.get(name)
        if column is None:
            parts.append(f"null::{kind} as {name}")
        elif landed.types[column].startswith("MAP"):
            parts.append(f"to_json({ident(column)})::varchar as {name}")
        else:
            lenient = column in landed.unreadable
            parts.append(f"{typed(column, landed.types[column], kind, lenient)} as {name}")
    parts += [f"{_undocumented(FOCUS, landed)} as x_UnknownColumns"]
    parts += [f"{text(source)} as x_Source", "x_SourceFile", "x_Project"]
    return f"select {', '.join(parts)} from {relation}"


def _is_among(column: str | None, values: Sequence[str]) -> str:
    """Write an SQL condition: a text column has one of these values."""
    if column is None or not values:
        return "false"
    return f"coalesce(trim({ident(column)}) in ({', '.join(map(text, values))}), false)"


def typed(column: str, kind: str, promised: str, lenient: bool = False) -> str:
    """Write SQL of a landed column in its promised type, which landing has verified.

    A float is converted from its shortest text, so 0.1 stays 0.1, not 0.1000000000000000055.

    Args:
        lenient: an amount that is not a number becomes null; a time always does.
    """
    if promised == TIME and kind.startswith("TIMESTAMP"):
        utc = " at time zone 'UTC'" if "TIME ZONE" in kind else ""
        return f"({ident(column)}{utc})::timestamp"
    raw = f"nullif(trim({ident(column)}), '')" if kind == "VARCHAR" else f"{ident(column)}::varchar"
    if promised == TIME:
        return utc_time(raw)
    if promised == MONEY and lenient:
        # as landing reads it: DuckDB takes 1_000 for a number
        is_number = f"not contains({raw}, '_')" if kind == "VARCHAR" else "true"
        return f"case when {is_number} then try_cast({raw} as {promised}) end"
    return f"cast({raw} as {promised})" if promised == MONEY else raw


def usage_day(form_column: str, columns: dict[str, str]) -> str:
    """Write SQL of the UTC day of a landed time column."""
    return f"({typed(form_column, columns[form_column], TIME)})::date"


def _map_value(landed: LandedColumns, column: str, key: str) -> str | None:
    """Write SQL of one value of a map column: a Parquet MAP, or a JSON object in a CSV cell.

    Return None when no map of the column has the key.
    """
    kind = landed.types[column]
    if kind.startswith("MAP"):
        if key not in landed.keys.get(column, (key,)):
            return None
        return f"nullif(trim({ident(column)}[{text(key)}]::varchar), '')"
    cell = f"to_json({ident(column)})" if kind.startswith("STRUCT") else _valid_json(ident(column))
    return f"nullif(trim(json_extract_string({cell}, {text('$.' + key)})), '')"


def _valid_json(value: str) -> str:
    """Write SQL of a JSON cell, null where it is invalid, so that a bad tag stops no bill."""
    return f"case when json_valid({value}) then {value} end"


def _json(landed: LandedColumns, json_column: _JsonColumn) -> str:
    """Write SQL of a row's tags (or categories, discounts) as JSON text.

    Null when the source has no such column; `{}` when it has one and the row has no value.
    """
    names = landed.by_lower_name
    if json_column.map_name in names:
        return _json_of_map(landed, names[json_column.map_name])
    pairs = {}
    for column in landed.types:
        header = header_of(column, names)
        match = json_column.legacy.fullmatch(header) or json_column.snake.fullmatch(header)
        if match:
            key = match.group(1)
            if json_column.snake is _TAGS_SNAKE:
                key = re.sub(r"^aws_", "aws:", key)
            pairs[key if key not in pairs else column] = column
    return _json_object(pairs) if pairs else "null::varchar"


def _undocumented(form: BillForm, landed: LandedColumns) -> str:
    """Write SQL of columns that AWS does not document as one JSON object, null when empty."""
    columns = [name for name in form.unknown(landed.types) if name not in landed.empty]
    if not columns:
        return "null::varchar"
    pairs: dict[str, str] = {}
    for column in columns:
        header = header_of(column, landed.by_lower_name)
        pairs[header if header not in pairs else column] = column
    return f"nullif({_json_object(pairs, landed.types)}, '{{}}')"


def _json_object(pairs: dict[str, str], kinds: Mapping[str, str] | None = None) -> str:
    """Write SQL of a JSON object of key -> column as text, without keys whose value is empty.

    Args:
        kinds: DuckDB types of the columns; nested ones become JSON inside the JSON.
    """
    # A null value means "remove the key" to a JSON merge patch (RFC 7396).
    nested = {name for name, kind in (kinds or {}).items() if "(" in kind and "DEC" not in kind}
    fields = ", ".join(
        f"{text(key)}, to_json({ident(column)})"
        if column in nested
        else f"{text(key)}, nullif({ident(column)}::varchar, '')"
        for key, column in pairs.items()
    )
    return f"json_merge_patch('{{}}', json_object({fields}))::varchar"


def _json_of_map(landed: LandedColumns, column: str) -> str:
    """Write SQL of a map as JSON text, its keys without `user_` and with `aws:` for `aws_`.

    CUR 2.0 writes those prefixes. If two keys would become equal, the map's own keys stay.
    """
    value, kind = ident(column), landed.types[column]
    keys = landed.keys.get(column)
    if kind.startswith("MAP") and keys is not None and len(keys) <= _MOST_KEYS:
        names = [re.sub("^aws_", "aws:", re.sub("^user[_:]", "", key)) for key in keys]
        if len(set(names)) == len(keys):
            pairs = zip(names, keys, strict=True)
            fields = ", ".join(f"{text(name)}, {value}[{text(key)}]" for name, key in pairs)
            json_text = f"json_merge_patch('{{}}', json_object({fields}))::varchar"
            return f"case when {value} is not null then {json_text} end"
    if not kind.startswith("MAP"):
        cell = _valid_json(value) if kind == "VARCHAR" else f"to_json({value})"
        value = f"try_cast({cell}::json as map(varchar, varchar))"
    plain = (
        f"list_transform(map_keys({value}), lambda k: regexp_replace(regexp_replace(k,"
        " '^user[_:]', ''), '^aws_', 'aws:'))"
    )
    return (
        f"to_json(case when len(list_distinct({plain})) = len(map_keys({value}))"
        f" then map_from_entries(list_zip({plain}, map_values({value}))) else {value} end)::varchar"
    )
