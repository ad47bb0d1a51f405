"""Which tables a query reads, according to the parser of the database that runs it.

Put here: the syntax tree of our own SQL and the scopes of its names. Keep out: users' SQL, which
serve/guard.py checks.

DuckDB's parser is loaded wherever marts are built. sqlglot would add a quarter of a second to every
ingest; a test compares the two (decision 95).
"""

from __future__ import annotations

import json
from typing import Any

from finops_pipeline.lake.duck import Connection


def tables_read(connection: Connection, sql: str) -> frozenset[str]:
    """Name the tables and views that a query reads; names that it defines itself are none.

    Raises:
        ValueError: DuckDB cannot say it, as for PIVOT.
    """
    rows = connection.execute("select json_serialize_sql(?::varchar)", [sql]).fetchall()
    tree = json.loads(rows[0][0])
    if tree["error"]:
        raise ValueError(tree.get("error_message", "not a SELECT"))
    return frozenset(_names(tree["statements"], frozenset()))


def _names(part: Any, own: frozenset[str]) -> set[str]:
    """Name the tables in a part of a syntax tree.

    Args:
        own: names of the common table expressions that the part can see.
    """
    if isinstance(part, list):
        return set().union(*(_names(item, own) for item in part))
    if not isinstance(part, dict):
        return set()
    names = set[str]()
    for entry in part.get("cte_map", {}).get("map", ()):
        query = entry["value"]["query_node"]
        is_recursive = query["type"] == "RECURSIVE_CTE_NODE"
        names |= _names(query, own | {entry["key"]} if is_recursive else own)
        own |= {entry["key"]}
    if part.get("type") == "BASE_TABLE" and part["table_name"] not in own:
        names.add(part["table_name"])
    return names.union(*(_names(item, own) for key, item in part.items() if key != "cte_map"))
