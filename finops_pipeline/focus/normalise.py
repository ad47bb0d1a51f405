"""A source's own columns under canonical names and promised types: what the conversions read.

Put here: one expression per canonical column for whatever columns a month has (they come and
go), typed nulls for the absent, maps and tag columns as JSON text. Keep out: what a row means
(sql/), which rows are asked for (conform.py).
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence

from finops_pipeline.contracts import cur
from finops_pipeline.contracts.bills import CUR, FOCUS, BillForm
from finops_pipeline.contracts.column import MONEY, TIME
from finops_pipeline.contracts.headers import header_of
from finops_pipeline.lake.duck import ident, text, utc_time

_LEGACY_TAG = re.compile(r"resourceTags/(?:user:)?(.+)", re.IGNORECASE)
_LEGACY_CATEGORY = re.compile(r"costCategory/(.+)", re.IGNORECASE)
_SNAKE_TAG = re.compile(r"resource_tags?_(?:user_)?(.+)", re.IGNORECASE)
_SNAKE_CATEGORY = re.compile(r"cost_category_(.+)", re.IGNORECASE)
_SNAKE_DISCOUNT = re.compile(r"discount_(.+)", re.IGNORECASE)
_NEVER = re.compile(r"(?!)")

Keys = Mapping[str, Sequence[str]]
"""Map column -> the keys that its maps have, where that is known."""

_MANY = 60
"""Keys beyond which asking a map for each costs more than turning it whole."""


def line_items(
    columns: dict[str, str],
    relation: str,
    source: str,
    month: str,
    empty: Container[str],
    keys: Keys,
    in_units: Sequence[str],
) -> str:
    """SQL for the `line_items` of a CUR landing: every column of contracts/cur.py, typed.

    Args:
        columns: the landing's columns and DuckDB types.
        relation: SQL of the landing's rows, each with x_Project (claims.py).
        source: the source's name, for x_source.
        month: billing period; stands in where the bill's own dates are absent.
        empty: columns known to have no value: they are as good as absent, and cheaper.
        keys: what is known of the keys that map columns have.
        in_units: ARNs of the reservations that are counted in normalized units.
    """
    lower = {name.lower(): name for name in columns}
    found = {name: column for name, column in CUR.find(columns).items() if column not in empty}
    parts = []
    for name, kind in cur.COLUMNS.items():
        if name in found:
            column = found[name]
            amount = typed(column, columns[column], kind, lenient=name in cur.LATER)
            parts.append(f"{amount} as {name}")
        elif name.startswith("product_") and "product" in lower:
            value = _map_value(lower["product"], columns[lower["product"]], name[8:], keys)
            parts.append(f"{value or f'null::{kind}'} as {name}")
        else:
            parts.append(f"null::{kind} as {name}")
    start = f"timestamp {text(month + '-01')}"
    defaults = (
        f"coalesce(bill_billing_period_start_date, {start}) as bill_billing_period_start_date,"
        f" coalesce(bill_billing_period_end_date, {start} + interval 1 month)"
        " as bill_billing_period_end_date,"
        " coalesce(line_item_usage_end_date, line_item_usage_start_date + interval 1 hour)"
        " as line_item_usage_end_date"
    )
    tags = "tags" if "tags" in lower and "resource_tags" not in lower else "resource_tags"
    extra = [
        f"{_json(columns, tags, _LEGACY_TAG, _SNAKE_TAG, keys)} as tags",
        f"{_json(columns, 'cost_category', _LEGACY_CATEGORY, _SNAKE_CATEGORY, keys)}"
        " as cost_categories",
        f"{_json(columns, 'discount', _NEVER, _SNAKE_DISCOUNT, keys)} as discounts",
        f"{_unknown(CUR, columns, empty)} as unknown_columns",
        f"{text(source)} as x_source",
        "x_SourceFile as x_source_file",
        "x_Project as x_project",
        f"{_among(found.get('reservation_reservation_a_r_n'), in_units)} as x_in_normalized_units",
    ]
    return f"select * replace ({defaults}) from (select {', '.join(parts + extra)} from {relation})"


def focus_rows(
    columns: dict[str, str],
    relation: str,
    source: str,
    month: str,
    empty: Container[str],
) -> str:
    """SQL for the `focus_rows` of a FOCUS landing; see `line_items` for the arguments."""
    found = {name: column for name, column in FOCUS.find(columns).items() if column not in empty}
    parts = []
    for name, kind in FOCUS.types.items():
        column = found.get(name)
        if column is None:
            parts.append(f"null::{kind} as {name}")
        elif columns[column].startswith("MAP"):
            parts.append(f"to_json({ident(column)})::varchar as {name}")
        else:
            parts.append(f"{typed(column, columns[column], kind)} as {name}")
    parts += [f"{_unknown(FOCUS, columns, empty)} as x_UnknownColumns"]
    parts += [f"{text(source)} as x_Source", "x_SourceFile", "x_Project"]
    return f"select {', '.join(parts)} from {relation}"


def _among(column: str | None, values: Sequence[str]) -> str:
    """SQL: whether a text column has one of some values."""
    if column is None or not values:
        return "false"
    return f"coalesce(trim({ident(column)}) in ({', '.join(map(text, values))}), false)"


def typed(column: str, kind: str, promised: str, lenient: bool = False) -> str:
    """SQL: a landed column in its promised type. Landing has judged that it can be read.

    A float goes through its shortest text: 0.1 is 0.1 again, not 0.1000000000000000055.

    Args:
        lenient: an amount that is no number is null (contracts/cur.py, LATER).
    """
    if promised == TIME and kind.startswith("TIMESTAMP"):
        utc = " at time zone 'UTC'" if "TIME ZONE" in kind else ""
        return f"({ident(column)}{utc})::timestamp"
    raw = f"nullif(trim({ident(column)}), '')" if kind == "VARCHAR" else f"{ident(column)}::varchar"
    if promised == TIME:
        return utc_time(raw)
    cast = "try_cast" if lenient else "cast"
    return f"{cast}({raw} as {promised})" if promised == MONEY else raw


def usage_day(form_column: str, columns: dict[str, str]) -> str:
    """SQL: the UTC day of a landed time column."""
    return f"({typed(form_column, columns[form_column], TIME)})::date"


def _map_value(column: str, kind: str, key: str, keys: Keys) -> str | None:
    """One value of a map column: a Parquet MAP, or a JSON object in a CSV cell.

    None when no map of the column has the key.
    """
    if kind.startswith("MAP"):
        if key not in keys.get(column, (key,)):
            return None
        return f"nullif(trim({ident(column)}[{text(key)}]::varchar), '')"
    if kind.startswith("STRUCT"):
        return (
            f"nullif(trim(json_extract_string(to_json({ident(column)}), {text('$.' + key)})), '')"
        )
    cell = _valid_json(ident(column))
    return f"nullif(trim(json_extract_string({cell}, {text('$.' + key)})), '')"


def _valid_json(value: str) -> str:
    """A JSON cell, null where it is cut off or no JSON: a tag must not stop a bill."""
    return f"case when json_valid({value}) then {value} end"


def _json(
    columns: dict[str, str],
    map_name: str,
    legacy: re.Pattern[str],
    snake: re.Pattern[str],
    keys: Keys,
) -> str:
    """Tags (or categories, discounts) of a row as JSON text: from a map, or from flat columns.

    Null when the source has no such column; `{}` when it has and the row has no value.
    """
    lower = {name.lower(): name for name in columns}
    if map_name in lower:
        return _json_of_map(lower[map_name], columns[lower[map_name]], keys)
    pairs = {}
    for column in columns:
        header = header_of(column, lower)
        match = legacy.fullmatch(header) or snake.fullmatch(header)
        if match:
            key = (
                re.sub(r"^aws_", "aws:", match.group(1)) if snake is _SNAKE_TAG else match.group(1)
            )
            pairs[key if key not in pairs else column] = column
    if not pairs:
        return "null::varchar"
    return _json_object(pairs)


def _unknown(form: BillForm, columns: dict[str, str], empty: Container[str]) -> str:
    """Columns that AWS does not document as one JSON object, null when none has a value."""
    unknown = [n for n in form.unknown(columns) if n not in empty]
    if not unknown:
        return "null::varchar"
    lower = {name.lower() for name in columns}
    pairs: dict[str, str] = {}
    for column in unknown:
        header = header_of(column, lower)
        pairs[header if header not in pairs else column] = column
    return f"nullif({_json_object(pairs, columns)}, '{{}}')"


def _json_object(pairs: dict[str, str], kinds: Mapping[str, str] | None = None) -> str:
    """SQL: a JSON object as text of key -> column, without the keys whose value is empty.

    Args:
        kinds: DuckDB types of the columns; a nested one is JSON in the JSON.
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


def _json_of_map(column: str, kind: str, keys: Keys) -> str:
    """A map as JSON text, keys without CUR 2.0's `user_` and with `aws:` for `aws_`.

    Should two keys become the same by that, the map's own keys stay.
    """
    name = ident(column)
    known = keys.get(column)
    if kind.startswith("MAP") and known is not None and len(known) <= _MANY:
        named = [re.sub("^aws_", "aws:", re.sub("^user[_:]", "", key)) for key in known]
        if len(set(named)) == len(known):
            pairs = zip(named, known, strict=True)
            fields = ", ".join(f"{text(word)}, {name}[{text(key)}]" for word, key in pairs)
            whole = f"json_merge_patch('{{}}', json_object({fields}))::varchar"
            return f"case when {name} is not null then {whole} end"
    if not kind.startswith("MAP"):
        cell = _valid_json(name) if kind == "VARCHAR" else f"to_json({name})"
        name = f"try_cast({cell}::json as map(varchar, varchar))"
    plain = (
        f"list_transform(map_keys({name}), lambda k: regexp_replace(regexp_replace(k,"
        " '^user[_:]', ''), '^aws_', 'aws:'))"
    )
    return (
        f"to_json(case when len(list_distinct({plain})) = len(map_keys({name}))"
        f" then map_from_entries(list_zip({plain}, map_values({name}))) else {name} end)::varchar"
    )
