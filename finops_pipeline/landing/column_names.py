"""Under which names the columns of a delivery land: one column, one name, in all its files.

Put here: spellings that mean the same column, headers that differ only by case, aliases of an
export's query. Keep out: reading headers (relation.py), what a name means (contracts).
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
    """The landed names of every file's columns, in order, from their headers.

    Two files' spellings of one column we know (`lineItem/UsageType`, `line_item_usage_type`) get
    one name, that of the first file; so does an unknown one or a tag that is spelled with and
    without a slash. Headers that differ only by case are different columns.
    """
    everywhere = dict.fromkeys(header for headers in files for header in headers)
    lower = {header.lower() for header in everywhere}
    means = _meanings(everywhere, form)
    given: dict[tuple[str, int], str] = {}
    taken: set[str] = set()
    # Columns we know choose first: a stray header must not take one's name.
    for known in (True, False):
        for headers in files:
            for header, key in zip(headers, _counted(headers, means), strict=True):
                if (key[0] in form.types) is known and key not in given:
                    given[key] = landed_name(header, taken, lower)
                    taken.add(given[key].lower())
    return [tuple(given[key] for key in _counted(headers, means)) for headers in files]


def _meanings(headers: Iterable[str], form: BillForm) -> dict[str, str]:
    """For each header a word that is the same for two spellings of one column."""
    canonical = {header: form.canonical(header) for header in headers}
    slashed: dict[str, set[str]] = {}
    for header, name in canonical.items():
        if "/" in header:
            slashed.setdefault(name, set()).add(header)
    means = {}
    for header, name in canonical.items():
        same = header if "/" in header else _with_slash(slashed.get(name, set())) or header
        means[header] = name if name in form.types else same
    return means


def _with_slash(spellings: set[str]) -> str | None:
    """Of the spellings with a slash the one that is meant without; None when it is not clear."""
    if len(spellings) > 1:  # `user:Env` and `user:env` are both `user_env`; the latter is closer
        spellings = {spelling for spelling in spellings if spelling.partition("/")[2].islower()}
    return next(iter(spellings)) if len(spellings) == 1 else None


def _counted(headers: Sequence[str], means: dict[str, str]) -> list[tuple[str, int]]:
    """Each header's meaning, and how often it has come in this file by then."""
    times: Counter[str] = Counter()
    counted = []
    for header in headers:
        times[means[header]] += 1
        counted.append((means[header], times[means[header]]))
    return counted


def parquet_names(connection: Connection, path: Path) -> list[str]:
    """The names of a Parquet file's columns as they stand there, in order.

    DuckDB shows them numbered where they differ only by case (`Env`, `env_1`).
    """
    rows = connection.execute(
        f"select name, coalesce(num_children, 0) from parquet_schema({text(str(path))})"
    ).fetchall()
    names, inside = [], 0
    for name, children in rows[1:]:  # a tree told from the root: a node, then what is in it
        if not inside:
            names.append(str(name))
        inside = max(inside - 1, 0) + children
    return names


def renames_of(connection: Connection, query: str) -> dict[str, str]:
    """What the columns of a Data Export are in AWS's table: alias in lower case -> AWS's name.

    A value of a map (`product.region`, `resource_tags['user_team']`) has the name that AWS gives
    such a column where it is one: `product_region`, `resource_tags_user_team`. What is computed,
    and a query that cannot be understood, renames nothing.

    Args:
        query: the query statement in the export's manifest; only taken apart, never run.
    """
    if not query or len(query) > _LONGEST_QUERY:
        return {}
    try:
        row = connection.execute("select json_serialize_sql(?)", [query]).fetchone()
        told = json.loads(row[0]) if row else {}
        selected = told["statements"][0]["node"]["select_list"]
    except (DuckDBError, ValueError, LookupError, TypeError):
        return {}
    renames: dict[str, str] = {}
    for item in selected:
        path = _path(item)
        if len(path) > 1 and path[0] not in _MAPS:
            path = path[1:]  # a column spelled with its table
        if path:
            renames[str(item.get("alias") or path[-1]).lower()] = "_".join(path)
    return renames


_MAPS = ("product", "resource_tags", "cost_category", "discount", "tags")
"""Map columns of CUR 2.0."""


def _path(item: Any) -> list[str]:
    """The column that an expression is, or map and key; nothing for anything computed."""
    if not isinstance(item, dict):
        return []
    if item.get("class") == "COLUMN_REF":
        return [str(name) for name in item.get("column_names", [])][-2:]
    children = item.get("children", [])
    if item.get("type") in ("ARRAY_EXTRACT", "STRUCT_EXTRACT") and len(children) == 2:
        literal = children[1].get("literal") or {}
        inner = _path(children[0])
        if inner and inner[-1] in _MAPS and isinstance(literal.get("text"), str):
            return [inner[-1], literal["text"]]
    return []
