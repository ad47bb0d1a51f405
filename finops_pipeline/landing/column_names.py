"""The names under which the columns of a delivery land: one name for a column in all its files.

Put here: spellings of the same column, headers that differ only by case, aliases of an export's
query. Keep out: reading headers (relation.py), the meaning of a name (contracts).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from finops_pipeline.contracts.bills import BillForm
from finops_pipeline.contracts.headers import landed_name
from finops_pipeline.lake.duck import Connection, DuckDBError, text

_LONGEST_QUERY = 1_000_000


def names_in_delivery(files: Sequence[Sequence[str]], form: BillForm) -> list[tuple[str, ...]]:
    """Choose the landed names of every file's columns, in order, from their headers.

    When files spell a column of the contract differently (`lineItem/UsageType`,
    `line_item_usage_type`), it gets the name in the first file; so does any other column, such as a
    tag, that is spelled with and without a slash. Headers that differ only by case are different
    columns.
    """
    everywhere = dict.fromkeys(header for headers in files for header in headers)
    lower = {header.lower() for header in everywhere}
    meanings = _meanings(everywhere, form)
    names: dict[tuple[str, int], str] = {}
    taken: set[str] = set()
    # Columns of the contract come first: another header must not take the name of one of them.
    for is_in_contract in (True, False):
        for headers in files:
            for header, key in zip(headers, _number_meanings(headers, meanings), strict=True):
                if (key[0] in form.types) is is_in_contract and key not in names:
                    names[key] = landed_name(header, taken, lower)
                    taken.add(names[key].lower())
    return [tuple(names[key] for key in _number_meanings(headers, meanings)) for headers in files]


def _meanings(headers: Iterable[str], form: BillForm) -> dict[str, str]:
    """Map each header to a text that is the same for every spelling of a column."""
    canonical = {header: form.canonical(header) for header in headers}
    slashed: dict[str, set[str]] = {}
    for header, name in canonical.items():
        if "/" in header:
            slashed.setdefault(name, set()).add(header)
    meanings = {}
    for header, name in canonical.items():
        same = header if "/" in header else _with_slash(slashed.get(name, set())) or header
        meanings[header] = name if name in form.types else same
    return meanings


def _with_slash(spellings: set[str]) -> str | None:
    """Choose the spelling with a slash that one without it stands for; None if ambiguous."""
    if len(spellings) > 1:  # `user:Env` and `user:env` are both `user_env`; the latter is closer
        spellings = {spelling for spelling in spellings if spelling.partition("/")[2].islower()}
    return next(iter(spellings)) if len(spellings) == 1 else None


def _number_meanings(headers: Sequence[str], meanings: dict[str, str]) -> list[tuple[str, int]]:
    """Pair each header's meaning with the number of times it has occurred in the file so far."""
    times: Counter[str] = Counter()
    counted = []
    for header in headers:
        times[meanings[header]] += 1
        counted.append((meanings[header], times[meanings[header]]))
    return counted


def parquet_names(connection: Connection, path: Path) -> list[str]:
    """Read the names of a Parquet file's columns as they are in its schema, in order.

    DuckDB numbers names that differ only by case (`Env`, `env_1`).
    """
    rows = connection.execute(
        f"select name, coalesce(num_children, 0) from parquet_schema({text(str(path))})"
    ).fetchall()
    names, inside = [], 0
    for name, children in rows[1:]:  # a tree in depth-first order, from the root
        if not inside:
            names.append(str(name))
        inside = max(inside - 1, 0) + children
    return names


def renames_of(connection: Connection, query: str) -> dict[str, str]:
    """Map the columns of a Data Export, by alias in lower case, to their names in AWS's table.

    A value of a map (`product.region`, `resource_tags['user_team']`) gets the name that AWS uses
    where the value is a column: `product_region`, `resource_tags_user_team`; one of `tags` keeps
    its key, whose prefix says what it is (`resourceTags/Team`). Computed columns and queries that
    cannot be parsed are not mapped.

    Args:
        query: the query statement in the export's manifest; it is only parsed, never run.
    """
    if not query or len(query) > _LONGEST_QUERY:
        return {}
    try:
        row = connection.execute("select json_serialize_sql(?)", [query]).fetchone()
        statement = json.loads(row[0]) if row else {}
        selected = statement["statements"][0]["node"]["select_list"]
    except (DuckDBError, ValueError, LookupError, TypeError):
        return {}
    renames: dict[str, str] = {}
    for item in selected:
        path = _column_path(item)
        if len(path) > 1 and path[0] not in _MAPS:
            path = path[1:]  # a column qualified with its table
        if path:
            is_prefixed = path[0] == "tags" and "/" in path[-1]
            name = path[-1] if is_prefixed else "_".join(path)
            renames[str(item.get("alias") or path[-1]).lower()] = name
    return renames


_MAPS = ("product", "resource_tags", "cost_category", "discount", "tags")
"""Map columns of CUR 2.0."""


def _column_path(item: Any) -> list[str]:
    """Return the column that an expression is, or map and key; empty for anything computed."""
    if not isinstance(item, dict):
        return []
    if item.get("class") == "COLUMN_REF":
        return [str(name) for name in item.get("column_names", [])][-2:]
    children = item.get("children", [])
    if item.get("type") in ("ARRAY_EXTRACT", "STRUCT_EXTRACT") and len(children) == 2:
        literal = children[1].get("literal") or {}
        inner = _column_path(children[0])
        if inner and inner[-1] in _MAPS and isinstance(literal.get("text"), str):
            return [inner[-1], literal["text"]]
    return []
