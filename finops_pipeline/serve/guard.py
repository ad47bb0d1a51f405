"""The guard in front of a tenant's file: a statement may do nothing but read its tables and views.

Put here: which statements, table functions and functions are refused. Keep out: the connection
that runs a statement (worker.py), checks of the files it reads (sandbox.py).

DuckDB 2.0 takes `with x as (copy … to 'file')` for a SELECT and would write into an allowed folder,
so the syntax tree decides and not the kind of the statement. Parsing hostile SQL may itself take
hours or gigabytes: the guard runs in the process of the query.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from finops_pipeline.errors import QueryRefused
from finops_pipeline.lake.duck import Connection, DuckDBError

STATEMENT_BYTES = 1_000_000
"""Length of the longest statement; a list of ten thousand resource ids is a tenth as long."""

_CURE = "Give one SELECT over the tenant's tables and views; SHOW TABLES and DESCRIBE work too"


@dataclass(frozen=True)
class Reference:
    """A relation that a statement names, in lower case; `schema` is empty when not given."""

    schema: str
    name: str


@dataclass(frozen=True)
class Statement:
    """A statement that only reads, and the relations that it names."""

    sql: str
    relations: frozenset[Reference]


def guard(connection: Connection, sql: str) -> Statement:
    """Check that `sql` is one statement that only reads.

    Raises:
        QueryRefused: it is not SQL, several statements, or does anything but read.
    """
    statement = _single_statement(connection, sql)
    nodes = list(_nodes(_syntax_tree(connection, statement)))
    for node in nodes:
        _check_node(node)
    references = (node for node in nodes if node.get("table_name"))
    return Statement(
        statement,
        frozenset(
            Reference(str(node.get("schema_name", "")).lower(), str(node["table_name"]).lower())
            for node in references
        ),
    )


def _single_statement(connection: Connection, sql: str) -> str:
    try:
        size = len(sql.encode("utf-8"))
        if size > STATEMENT_BYTES:
            raise QueryRefused(
                f"the statement has {size} bytes",
                f"at most {STATEMENT_BYTES}",
                "Join with a values list or filter by a column instead of naming every value",
            )
        statements = connection.extract_statements(sql)
    except UnicodeEncodeError as error:
        raise QueryRefused("the statement is not UTF-8 text", cure=_CURE) from error
    except DuckDBError as error:
        if "expression depth" in str(error):
            raise _too_deep() from error
        raise QueryRefused(str(error).splitlines()[0], cure=_CURE) from error
    if len(statements) != 1:
        raise QueryRefused(f"{len(statements)} statements were given", "one", _CURE)
    return str(statements[0].query).strip().rstrip(";")


def _syntax_tree(connection: Connection, statement: str) -> Any:
    rows = connection.execute("select json_serialize_sql(?::varchar)", [statement]).fetchall()
    try:
        tree = json.loads(rows[0][0])
    except RecursionError as error:
        raise _too_deep() from error
    if not tree.get("error"):
        return tree
    if statement.lower().startswith("explain") or "pivot" in statement.lower():
        raise QueryRefused("this statement cannot be checked", "a plain SELECT", _CURE)
    raise QueryRefused(str(tree.get("error_message", "not a query")), "a SELECT", _CURE)


def _too_deep() -> QueryRefused:
    return QueryRefused("the statement is nested too deeply", "at most 1000 levels", _CURE)


_READING_NODES = {
    "SELECT_NODE",
    "SET_OPERATION_NODE",
    "RECURSIVE_CTE_NODE",
    "CTE_NODE",
}
_PATH_MARKS = "/\\*?[.:"
"""Characters of a path or pattern; no table or view of a tenant's file has one in its name."""

_TABLE_FUNCTIONS = {"range", "generate_series", "unnest", "json_each", "json_tree"}

_REFUSED_FUNCTIONS = {
    *("sleep_ms", "pg_sleep", "write_log"),
    *("current_setting", "getvariable", "getenv", "current_query"),
    *("nextval", "currval", "setval", "setseed"),
}
"""Functions that wait, write, or reveal and change the state of the process of the query."""

_SYSTEM_NAMES = ("duckdb_", "pg_", "sqlite_", "pragma_")
_SYSTEM_SCHEMAS = {"information_schema", "pg_catalog", "system", "temp"}
_STANDARD_VIEWS = {"tables", "columns", "schemata"}
"""Views of information_schema that show no path: of DuckDB's own views, only these are readable."""

_SHOWN = {'"tables"', "__show_tables_expanded"}
"""What SHOW may show; every other word might be a setting."""


def _check_node(node: Mapping[str, Any]) -> None:
    """Refuse a node of a syntax tree that writes, reads a file or calls another function."""
    kind = str(node.get("type", ""))
    if kind.endswith("_NODE") and kind not in _READING_NODES:
        raise QueryRefused(f"{kind} does more than read", "a SELECT", _CURE)
    if kind == "TABLE_FUNCTION":
        name = str((node.get("function") or {}).get("function_name", "")).lower()
        if name not in _TABLE_FUNCTIONS:
            raise QueryRefused(
                f"{name}() is not among the functions that a query may read from",
                "the tenant's tables and views",
                _CURE,
            )
    if str(node.get("function_name", "")).lower() in _REFUSED_FUNCTIONS:
        raise QueryRefused(
            f"{node['function_name']}() is not computed from the tenant's data", "a SELECT", _CURE
        )
    if kind == "BASE_TABLE":
        _check_relation(node)
    if kind == "SHOW_REF" and _shows_setting(node):
        raise QueryRefused("SHOW may show a setting", "SHOW TABLES or DESCRIBE name", _CURE)


def _check_relation(node: Mapping[str, Any]) -> None:
    """Refuse a name that is a file, or one of DuckDB's own views, many of which show paths."""
    for part in ("table_name", "schema_name", "catalog_name"):
        name = str(node.get(part) or "")
        if any(mark in name for mark in _PATH_MARKS):
            raise QueryRefused(f"{name!r} is a file", "the tenant's tables and views", _CURE)
    name, schema = (str(node.get(part) or "").lower() for part in ("table_name", "schema_name"))
    is_standard = schema == "information_schema" and name in _STANDARD_VIEWS
    if name.startswith(_SYSTEM_NAMES) or (schema in _SYSTEM_SCHEMAS and not is_standard):
        raise QueryRefused(
            f"{name} is not a table or view of the tenant",
            "a table of the tenant, or information_schema.tables, columns or schemata",
            _CURE,
        )


def _shows_setting(node: Mapping[str, Any]) -> bool:
    kind, name = node.get("show_type"), str(node.get("table_name"))
    return kind not in ("DESCRIBE", "SUMMARY", "SHOW_FROM") and name not in _SHOWN


def _nodes(tree: object) -> Iterator[dict[str, Any]]:
    """Yield every object of a JSON document."""
    pending = [tree]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            yield item
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
