"""Untrusted SQL on one tenant's file: read-only, and confined to that tenant's folder.

Put here: the locked connection and the guard in front of it. Keep out: the pipeline's own
connections (lake/duck.py, lake/warehouse.py), streaming answers (queries.py).

Two barriers. The first alone keeps other tenants' data out of reach; the second also keeps files
unchanged:

1. The connection is in memory, the tenant's file is attached read-only, and DuckDB may open files
   in this tenant's store of partition files only. Nothing relative is allowed, so neither the
   process's current folder nor a file in it matters, and many sandboxes can be open in threads.
2. The guard refuses everything but a SELECT before it runs. DuckDB 2.0 takes
   `with x as (copy … to 'file')` for a SELECT and would write into an allowed folder.

The views of the file name partition files by absolute path. Before a statement that names a view is
run, these files are compared with their checksums (lake/file_marks.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from finops_pipeline.errors import DamagedFile, QueryRefused
from finops_pipeline.lake.duck import (
    Connection,
    DuckDBError,
    Limits,
    ident,
    open_in_memory,
    read_settings,
)
from finops_pipeline.lake.file_identity import read_partition_files
from finops_pipeline.lake.file_marks import FileChecker
from finops_pipeline.lake.layout import (
    COST_EXPLORER_DAYS,
    COSTS,
    LANDING,
    QUARANTINE,
    TenantFolder,
)
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.lake.warehouse_access import attach_own
from finops_pipeline.marts.views import landing_view, view_names

_CURE = "Give one SELECT over the tenant's tables and views; SHOW TABLES and DESCRIBE work too"


class Sandbox:
    """An open connection on one tenant's file, for one thread at a time."""

    def __init__(self, connection: Connection, folder: TenantFolder) -> None:
        self.connection = connection
        self._folder = folder
        self._catalog = _catalog_of(folder)
        rows = connection.execute(
            "select view_name from duckdb_views() where database_name = ? and not internal",
            [self._catalog],
        ).fetchall()
        present = {name.lower() for (name,) in rows}
        self._left_out = set(view_names()) - present
        self._known_views = present | self._left_out

    def execute(self, sql: str, values: Mapping[str, Any] | None = None) -> Connection:
        """Run one SELECT and return the connection, from which its rows can be fetched.

        Args:
            sql: the statement, from a source that is not trusted.
            values: the values of its parameters (`$name`).

        Raises:
            QueryRefused: the statement does more than read, or reads files.
            DamagedFile: a file that the statement reads is missing or was changed.
            DuckDBError: DuckDB cannot answer it.
        """
        query = self.prepare(sql)
        return self.connection.execute(query, values or None)

    def prepare(self, sql: str) -> str:
        """Check a statement with the guard, and the partition files of the views that it names.

        Raises:
            QueryRefused: the statement does more than read, or reads files.
            DamagedFile: a file that the statement reads is missing or was changed.
        """
        statement = guard(self.connection, sql)
        named = {reference.name for reference in statement.relations}
        views = {n for n in named if n in self._known_views or n.startswith("landing_")}
        left_out = named & self._left_out
        if views:
            tables = sorted({table for name in views for table in _tables_of(name)})
            files = read_partition_files(self.connection, self._catalog, tables)
            FileChecker(self._folder, open_ledger(self._folder)).check(files)
            landed = {landing_view(f.place.key) for f in files if f.place.table_name == LANDING}
            left_out |= named & landed - self._known_views
        for name in sorted(left_out):
            raise DamagedFile(
                f"tenant {self._folder.tenant} has no {name}, because a file of it was lost",
                "every file of it that was published",
                f"Build it again: finops rebuild {self._folder.tenant}",
            )
        return statement.sql


def _tables_of(view: str) -> tuple[str, ...]:
    """Return the tables of partitions that a view of the tenant's file reads."""
    name = view.lower()
    if name in (QUARANTINE, COST_EXPLORER_DAYS):
        return (name,)
    return (LANDING,) if name.startswith("landing_") else (COSTS,)


_RESERVED_CATALOGS = {"main", "memory", "system", "temp"}
"""Names that DuckDB gives to its own catalogs and schemas; a tenant may be called so, too."""


def _catalog_of(folder: TenantFolder) -> str:
    is_reserved = folder.tenant in _RESERVED_CATALOGS
    return f"{folder.tenant}-file" if is_reserved else folder.tenant


@contextmanager
def open_sandbox(folder: TenantFolder, limits: Limits) -> Iterator[Sandbox]:
    """Open a tenant's file for untrusted SQL; close it at the end.

    Opening takes some 15 ms of CPU: a server keeps a sandbox per tenant and thread.

    Raises:
        Unknown: nothing has been built for this tenant yet.
        ForeignFile, DamagedFile: the file is not the one that was published for this tenant.
    """
    with open_in_memory(read_settings(limits)) as connection:
        catalog = _catalog_of(folder)
        attach_own(connection, folder, catalog)
        connection.execute(f"use {ident(catalog)}")
        sandbox = Sandbox(connection, folder)
        connection.execute("set global lock_configuration = true")
        yield sandbox


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
        sql.encode("utf-8")
        statements = connection.extract_statements(sql)
    except UnicodeEncodeError as error:
        raise QueryRefused("the statement is not UTF-8 text", cure=_CURE) from error
    except DuckDBError as error:
        raise QueryRefused(str(error).splitlines()[0], cure=_CURE) from error
    if len(statements) != 1:
        raise QueryRefused(f"{len(statements)} statements were given", "one", _CURE)
    return str(statements[0].query).strip().rstrip(";")


def _syntax_tree(connection: Connection, statement: str) -> Any:
    rows = connection.execute("select json_serialize_sql(?::varchar)", [statement]).fetchall()
    try:
        tree = json.loads(rows[0][0])
    except RecursionError as error:
        raise QueryRefused("the statement is nested too deeply", cure=_CURE) from error
    if not tree.get("error"):
        return tree
    if statement.lower().startswith("explain") or "pivot" in statement.lower():
        raise QueryRefused("this statement cannot be checked", "a plain SELECT", _CURE)
    raise QueryRefused(str(tree.get("error_message", "not a query")), "a SELECT", _CURE)


_READING_NODES = {
    "SELECT_NODE",
    "SET_OPERATION_NODE",
    "RECURSIVE_CTE_NODE",
    "CTE_NODE",
}
_PATH_MARKS = "/\\*?[.:"
"""Characters of a path or pattern; no table or view of a tenant's file has one in its name."""

_TABLE_FUNCTIONS = {"range", "generate_series", "unnest", "json_each", "json_tree"}


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
    if kind == "BASE_TABLE":
        for part in ("table_name", "schema_name", "catalog_name"):
            name = str(node.get(part) or "")
            if any(mark in name for mark in _PATH_MARKS):
                raise QueryRefused(f"{name!r} is a file", "the tenant's tables and views", _CURE)


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
