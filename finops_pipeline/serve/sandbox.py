"""Someone else's SQL on one tenant's file: read-only, and nothing outside the tenant's folder.

Put here: the locked connection and the guard in front of it. Keep out: the pipeline's own work
(duck.py, warehouse.py) and how answers are shown.

Two walls. The connection is read-only, sees only the tenant's folder, and cannot be unlocked.
The guard refuses everything but a SELECT before it runs, since DuckDB 2.0 takes
`with x as (copy … to 'file')` for a SELECT and would write into the allowed folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from finops_pipeline.errors import QueryRefused, Unknown
from finops_pipeline.lake.duck import Connection, Limits, texts
from finops_pipeline.lake.layout import COSTS, EXPLORER, LANDING, QUARANTINE, TenantFolder
from finops_pipeline.lake.publish import settle

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_unsigned_extensions": "false",
    "allow_persistent_secrets": "false",
    "python_enable_replacements": "false",
    "secret_directory": "/nonexistent",
    "temp_directory": "",
}
_HOW = "One SELECT over the tenant's tables and views; SHOW TABLES and DESCRIBE work too"


@contextmanager
def jailed(folder: TenantFolder, limits: Limits) -> Iterator[Connection]:
    """A connection to the tenant's file that reads this tenant's folder and nothing else.

    The process stands in the tenant's folder meanwhile: with external access off, DuckDB
    resolves the views' relative globs from there only.

    Raises:
        Unknown: nothing has been built for this tenant yet.
    """
    settle(folder)
    if not folder.warehouse.exists():
        raise Unknown(
            f"tenant {folder.tenant} has no warehouse yet",
            cure=f"Build it with finops ingest {folder.tenant}",
        )
    before = Path.cwd()
    os.chdir(folder.root)
    try:
        config = {**_CONFIG, "memory_limit": limits.memory_limit}
        connection = duckdb.connect(folder.warehouse.name, read_only=True, config=config)
        try:
            connection.execute("set TimeZone = 'UTC'")
            # In this order: the folders can only be named before the door is shut.
            served = (COSTS, LANDING, QUARANTINE, EXPLORER)
            tables = [f"{folder.root}/{name}/" for name in served]
            connection.execute(f"set allowed_directories = {texts(tables)}")
            connection.execute("set enable_external_access = false")
            connection.execute("set lock_configuration = true")
            yield connection
        finally:
            connection.close()
    finally:
        os.chdir(before)


def guard(connection: Connection, sql: str) -> str:
    """Return the one statement of `sql` when it only reads.

    Raises:
        QueryRefused: not SQL, several statements, or anything but reading.
    """
    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise QueryRefused(_first_line(error), cure=_HOW) from error
    if len(statements) != 1:
        raise QueryRefused(f"{len(statements)} statements were given", "one", _HOW)
    query = statements[0].query.strip().rstrip(";")
    rows = connection.execute("select json_serialize_sql(?::varchar)", [query]).fetchall()
    tree = json.loads(rows[0][0])
    if tree.get("error"):
        if query.lower().startswith("explain") or "pivot" in query.lower():
            raise QueryRefused("this statement cannot be checked", "a plain SELECT", _HOW)
        raise QueryRefused(str(tree.get("error_message", "not a query")), "a SELECT", _HOW)
    for node in _nodes(tree):
        kind = str(node.get("type", ""))
        if kind.endswith("_NODE") and kind not in _READING_NODES:
            raise QueryRefused(f"{kind} does more than read", "a SELECT", _HOW)
        if kind == "TABLE_FUNCTION":
            name = str((node.get("function") or {}).get("function_name", "")).lower()
            if name not in _TABLE_FUNCTIONS:
                raise QueryRefused(
                    f"{name}() is not among the functions a query may read from",
                    "the tenant's tables and views",
                    _HOW,
                )
        if kind == "BASE_TABLE" and any(sign in node.get("table_name", "") for sign in "/\\*"):
            raise QueryRefused(
                f"{node['table_name']!r} is a file", "the tenant's tables and views", _HOW
            )
    return query


_READING_NODES = {
    "SELECT_NODE",
    "SET_OPERATION_NODE",
    "RECURSIVE_CTE_NODE",
    "CTE_NODE",
}
_TABLE_FUNCTIONS = {"range", "generate_series", "unnest", "json_each", "json_tree"}


def _nodes(tree: object) -> Iterator[dict[str, Any]]:
    waiting = [tree]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
