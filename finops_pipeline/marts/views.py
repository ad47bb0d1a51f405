"""The views of a tenant's file over the partition files of its generation.

Put here: `costs`, its FOCUS versions, `cost_explorer_daily`, `quarantine` and `landing_<source>`.
Keep out: tables (build.py), paths (lake/layout.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from finops_pipeline.contracts.allocation_tables import ALLOCATED_COSTS
from finops_pipeline.contracts.column import Table
from finops_pipeline.contracts.focus import COSTS
from finops_pipeline.contracts.focus_versions import NOT_CARRIED, focus_views
from finops_pipeline.contracts.statement_tables import STATEMENTS
from finops_pipeline.contracts.tables import COST_EXPLORER_DAILY, QUARANTINE
from finops_pipeline.errors import DamagedFile, ForeignFile
from finops_pipeline.lake import layout
from finops_pipeline.lake.duck import Connection, ident, text
from finops_pipeline.lake.publish import Publication
from finops_pipeline.lake.warehouse import WAREHOUSE, files_relation, published_paths
from finops_pipeline.marts.landing_views import landing_relation
from finops_pipeline.marts.library import allocation_sql
from finops_pipeline.marts.statement_views import VIEWS as VIEWS_OF_STATEMENTS
from finops_pipeline.marts.statement_views import statement_sql
from finops_pipeline.tenants.model import Tenant


def view_names() -> list[str]:
    """List the names of the views that every tenant's file has."""
    of_focus = [view.name for view in focus_views()]
    return [
        *(COSTS.name, ALLOCATED_COSTS.name),
        *(view.name for view in VIEWS_OF_STATEMENTS),
        *(*of_focus, QUARANTINE.name, COST_EXPLORER_DAILY.name),
    ]


def landing_view(source: str) -> str:
    """Return the name of the view over a source's landing: `landing_payer`, with `_` for `-`."""
    return f"landing_{source.replace('-', '_')}"


_TABLES = (
    (COSTS, layout.COSTS),
    (COST_EXPLORER_DAILY, layout.COST_EXPLORER_DAYS),
    (QUARANTINE, layout.QUARANTINE),
)
"""Views over all files of a table, and the table."""

Damage = Mapping[str, Sequence[DamagedFile | ForeignFile]]
"""Views that cannot be created, and the errors of their files."""


def find_damage(publication: Publication, tenant: Tenant) -> Damage:
    """Return the views of which a file is lost or was changed, and the errors of these files."""
    found = {table.name: publication.find_damage(folder) for table, folder in _TABLES}
    found[layout.BUSINESS_METRICS] = publication.find_damage(layout.BUSINESS_METRICS)
    for source in tenant.sources:
        errors = publication.find_damage(layout.LANDING, source.name)
        found[landing_view(source.name)] = errors
    if errors := publication.find_damage(layout.STATEMENTS):
        found[STATEMENTS.name] = errors
    return {name: errors for name, errors in found.items() if errors}


def create_views(
    connection: Connection, publication: Publication, tenant: Tenant, damage: Damage
) -> None:
    """Create all views in the file that is being built, over exactly the files of its generation.

    A view without files has the contract's columns and no rows; a source that has never landed has
    no landing view. A view of which a file is damaged is left out, so that it is an error and not
    a smaller sum, and stops no other view.
    """
    for table, folder in _TABLES:
        if table.name in damage:
            _drop(connection, table.name)
            continue
        paths = published_paths(connection, publication, folder)
        body = files_relation(paths, table.columns) if paths else empty_relation(table)
        _create(connection, table.name, body)
    if COSTS.name in damage:
        for name in (ALLOCATED_COSTS.name, *(view.name for view in focus_views())):
            _drop(connection, name)
    else:
        _create_changed(connection, _views_of_costs())
    if STATEMENTS.name in damage:
        _drop_statements(connection)
    else:
        _create_changed(connection, {v.name: statement_sql(v.name) for v in VIEWS_OF_STATEMENTS})
    for source in tenant.sources:
        name = landing_view(source.name)
        is_damaged = name in damage
        body = "" if is_damaged else landing_relation(connection, publication, source.name)
        if body:
            _create(connection, name, body)
        else:
            _drop(connection, name)


def _drop(connection: Connection, name: str) -> None:
    connection.execute(f"drop view if exists {WAREHOUSE}.{ident(name)}")


def _drop_statements(connection: Connection) -> None:
    """Leave out the statements: without one of their files, every sum of them would be wrong."""
    for view in reversed(VIEWS_OF_STATEMENTS):
        _drop(connection, view.name)
    connection.execute(f"drop table if exists {WAREHOUSE}.{STATEMENTS.name}")


def _views_of_costs() -> dict[str, str]:
    """Return the views over the view `costs` of the same file: FOCUS versions, allocated_costs."""
    stated = {
        column.name: f"json_extract_string(x_UnknownColumns, {text('$.' + column.name)})"
        for column in NOT_CARRIED
    }
    bodies = {ALLOCATED_COSTS.name: allocation_sql(ALLOCATED_COSTS.name)}
    for view in focus_views():
        columns = ", ".join(
            f"{stated[c.name]} as {ident(c.name)}" if c.name in stated else ident(c.name)
            for c in view.columns
        )
        bodies[view.name] = f"select {columns} from {COSTS.name}"
    return bodies


def create_blank_views(connection: Connection) -> None:
    """Create the views of charges over no file."""
    _create(connection, COSTS.name, empty_relation(COSTS))
    _create_changed(connection, _views_of_costs())


def _create_changed(connection: Connection, bodies: Mapping[str, str]) -> None:
    """Create views that read other tables and views of the same file.

    The file becomes the current catalog: such a view must not contain the name under which the file
    is attached, because readers attach it under other names.
    """
    present = dict(
        connection.execute(
            "select view_name, sql from duckdb_views() where database_name = ?", [WAREHOUSE]
        ).fetchall()
    )
    connection.execute(f"use {WAREHOUSE}")
    for name, body in bodies.items():
        # A replaced view would lose its comments; writing these takes longer than all the rest.
        if not present.get(name, "").endswith(f" AS {_as_stored(connection, body)};"):
            connection.execute(f"create or replace view {ident(name)} as {body}")
    connection.execute("use memory")


def _as_stored(connection: Connection, sql: str) -> str:
    """Return a query as DuckDB writes it in the definition of a view."""
    ((stored,),) = connection.execute(
        "select json_deserialize_sql(json_serialize_sql(?::varchar))", [sql]
    ).fetchall()
    return str(stored)


def empty_relation(table: Table) -> str:
    """Return SQL of a table's columns without rows."""
    columns = ", ".join(f"null::{c.type} as {ident(c.name)}" for c in table.columns)
    return f"select {columns} where false"


def _create(connection: Connection, name: str, body: str) -> None:
    connection.execute(f"create or replace view {WAREHOUSE}.{ident(name)} as {body}")
