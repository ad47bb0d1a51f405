"""The views of a tenant's file over its Parquet folders.

Put here: `costs`, its FOCUS versions, `cost_explorer_daily`, `quarantine` and `landing_<source>`,
with globs relative to the tenant's folder. Keep out: tables (build.py), paths (lake/layout.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from finops_pipeline.contracts.column import Table
from finops_pipeline.contracts.focus import COSTS
from finops_pipeline.contracts.focus_versions import NOT_CARRIED, FocusView, focus_views
from finops_pipeline.contracts.tables import COST_EXPLORER_DAILY, QUARANTINE
from finops_pipeline.lake import layout
from finops_pipeline.lake.duck import Connection, ident
from finops_pipeline.lake.layout import partition_glob
from finops_pipeline.lake.publish import Publication
from finops_pipeline.lake.warehouse import WAREHOUSE, glob_columns, shaped, table_relation
from finops_pipeline.marts.landing_views import landing_relation
from finops_pipeline.tenants.model import Tenant


def view_names() -> list[str]:
    """List the names of the views that every tenant's file has."""
    of_focus = [view.name for view in focus_views()]
    return [COSTS.name, *of_focus, QUARANTINE.name, COST_EXPLORER_DAILY.name]


def landing_view(source: str) -> str:
    """Return the name of the view over a source's landing: `landing_payer`, with `_` for `-`."""
    return f"landing_{source.replace('-', '_')}"


def create_views(
    connection: Connection, publication: Publication, tenant: Tenant, costs: Path | None
) -> None:
    """Create all views in the file that is being built.

    A view over a folder without files has the contract's columns and no rows; a source that has
    never landed has no landing view.

    Args:
        costs: path of any costs file after the publication; None when there is none.
    """
    folder = publication.folder
    cost_explorer = _any_file(publication, layout.COST_EXPLORER_DAYS)
    for partitions in (
        _Partitions(COSTS, layout.COSTS, costs),
        _Partitions(COST_EXPLORER_DAILY, layout.COST_EXPLORER_DAYS, cost_explorer),
    ):
        _create_over_partitions(connection, publication, partitions)
    _create_focus_versions(connection, publication, costs)
    quarantine = partition_glob(layout.QUARANTINE)
    if glob_columns(connection, folder, quarantine):
        _create_over_files(connection, QUARANTINE, quarantine)
    else:
        _create_empty(connection, QUARANTINE)
    for source in tenant.sources:
        name = landing_view(source.name)
        body = landing_relation(connection, publication, source.name)
        if body:
            _create(connection, name, body)
        else:
            connection.execute(f"drop view if exists {WAREHOUSE}.{name}")


def _any_file(publication: Publication, table: str) -> Path | None:
    """Return the path of any file of a table after the publication; None if there is none."""
    for (key, month), record in publication.partitions(table).items():
        if record.rows:
            return publication.folder.partition(table, key, month)
    return None


@dataclass(frozen=True)
class _Partitions:
    """The files of a view: their contract, their folder, and any file after the publication."""

    table: Table
    folder: str
    example: Path | None


def _create_over_partitions(
    connection: Connection, publication: Publication, partitions: _Partitions
) -> None:
    """Create a view over files, the first of which may be part of the same publication."""
    if partitions.example is None:
        _create_empty(connection, partitions.table)
        return
    with shaped(connection, publication, partitions.table, partitions.example):
        _create_over_files(connection, partitions.table, partition_glob(partitions.folder))


def _create_focus_versions(
    connection: Connection, publication: Publication, example: Path | None
) -> None:
    """Create the view of each FOCUS version over the files themselves.

    The view `costs` cannot be used: while the file is built, it holds only the changed charges.
    """
    empty = {column.name: f"null::{column.type}" for column in NOT_CARRIED}
    if example is None:
        for view in focus_views():
            _create_empty(connection, view)
        return
    with shaped(connection, publication, COSTS, example):
        for view in focus_views():
            columns = ", ".join(
                f"{empty[c.name]} as {ident(c.name)}" if c.name in empty else ident(c.name)
                for c in view.columns
            )
            carried = [c for c in view.columns if c.name not in empty]
            charges = table_relation(partition_glob(layout.COSTS), carried)
            _create(connection, view.name, f"select {columns} from ({charges})")


def _create_over_files(connection: Connection, table: Table, glob: str) -> None:
    _create(connection, table.name, table_relation(glob, table.columns))


def _create_empty(connection: Connection, table: Table | FocusView) -> None:
    columns = ", ".join(f"null::{c.type} as {ident(c.name)}" for c in table.columns)
    _create(connection, table.name, f"select {columns} where false")


def _create(connection: Connection, name: str, body: str) -> None:
    connection.execute(f"create or replace view {WAREHOUSE}.{ident(name)} as {body}")
