"""A source's columns under canonical names and types, as the conversions read them.

Put here: one expression per canonical column, whichever columns a month has, typed nulls for
absent columns. Keep out: tags (tag_columns.py), what a row means (sql/), which rows are read
(owned_rows.py).
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from finops_pipeline.contracts import cur
from finops_pipeline.contracts.bills import CUR, FOCUS, BillForm
from finops_pipeline.contracts.column import MONEY, TIME
from finops_pipeline.contracts.headers import header_of
from finops_pipeline.focus import tag_columns
from finops_pipeline.focus.tag_columns import Keys, json_object, valid_json
from finops_pipeline.lake.duck import ident, text, utc_time


@dataclass(frozen=True)
class LandedColumns:
    """The columns of a landing.

    `types`: their DuckDB types; `empty`: columns known to have no value, which are treated as
    absent because that is cheaper; `keys`: the keys of map columns, where they are known;
    `unreadable`: columns with values that cannot be read, which become null; `tag_spellings`: see
    ledger/month_plan.py.
    """

    types: dict[str, str]
    empty: Container[str]
    keys: Keys
    unreadable: Container[str]
    tag_spellings: Mapping[str, str]

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
    ARNs of reservations that are counted in normalized units. `use_known_until`: the end of the
    last usage of an unfinished month (running_month.py).
    """

    source: str
    month: str
    in_normalized_units: Sequence[str]
    use_known_until: datetime | None = None


def line_items(landed: LandedColumns, relation: str, origin: Origin) -> str:
    """Write SQL for the `line_items` of a CUR landing: every column of contracts/cur.py, typed.

    Args:
        relation: SQL of the landing's rows, each with x_Project (owned_rows.py).
    """
    columns = landed.filled(CUR)
    parts = [f"{line_item_value(landed, columns, name)} as {name}" for name in cur.COLUMNS]
    start = f"timestamp {text(origin.month + '-01')}"
    defaults = (
        f"coalesce(bill_billing_period_start_date, {start}) as bill_billing_period_start_date,"
        f" coalesce(bill_billing_period_end_date, {start} + interval 1 month)"
        " as bill_billing_period_end_date,"
        " coalesce(line_item_usage_end_date, line_item_usage_start_date + interval 1 hour)"
        " as line_item_usage_end_date"
    )
    reservation = columns.get("reservation_reservation_a_r_n")
    parts += [
        f"{tag_columns.tags(landed)} as tags",
        f"{tag_columns.name_tag(landed)} as name_tag",
        f"{tag_columns.tag_keys(landed)} as tag_keys",
        f"{tag_columns.other_tags(landed)} as other_tags",
        f"{tag_columns.cost_categories(landed)} as cost_categories",
        f"{tag_columns.discounts(landed)} as discounts",
        f"{_undocumented(CUR, landed)} as unknown_columns",
        f"{text(origin.source)} as x_source",
        "x_SourceFile as x_source_file",
        "x_Project as x_project",
        f"{_is_among(reservation, origin.in_normalized_units)} as x_in_normalized_units",
        f"{_moment(origin.use_known_until)} as x_use_known_until",
    ]
    return f"select * replace ({defaults}) from (select {', '.join(parts)} from {relation})"


def line_item_value(landed: LandedColumns, columns: Mapping[str, str], name: str) -> str:
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


def _moment(value: datetime | None) -> str:
    """Write SQL of a time, or of a null in its type."""
    return "null::timestamp" if value is None else f"timestamp {text(value.isoformat(' '))}"


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
    cell = f"to_json({ident(column)})" if kind.startswith("STRUCT") else valid_json(ident(column))
    return f"nullif(trim(json_extract_string({cell}, {text('$.' + key)})), '')"


def _undocumented(form: BillForm, landed: LandedColumns) -> str:
    """Write SQL of columns that AWS does not document as one JSON object, null when empty."""
    columns = [name for name in form.unknown(landed.types) if name not in landed.empty]
    if not columns:
        return "null::varchar"
    pairs: dict[str, str] = {}
    for column in columns:
        header = header_of(column, landed.by_lower_name)
        pairs[header if header not in pairs else column] = column
    nested = {c for c, kind in landed.types.items() if "(" in kind and "DEC" not in kind}
    return f"nullif({json_object(pairs, nested)}, '{{}}')"
