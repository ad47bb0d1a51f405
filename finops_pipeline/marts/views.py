"""The views of a tenant's file over its Parquet folders.

Put here: `costs`, its FOCUS versions, `cost_explorer_daily`, `quarantine` and `landing_<source>`,
with globs relative to the tenant's folder. Keep out: tables (build.py), paths (lake/layout.py).
"""

from __future__ import annotations

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
from finops_pipeline.marts.landings import landing_relation
from finops_pipeline.tenants.model import Tenant


def view_names() -> list[str]:
    """Names of the views every tenant's file has."""
    of_focus = [view.name for view in focus_views()]
    return [COSTS.name, *of_focus, QUARANTINE.name, COST_EXPLORER_DAILY.name]


def landing_view(source: str) -> str:
    """Name of the view over a source's landing: `landing_payer`, with `_` for `-`."""
    return f"landing_{source.replace('-', '_')}"


def create_views(
    connection: Connection, publication: Publication, tenant: Tenant, costs: Path | None
) -> None:
    """Create all views in the file that is being built.

    A view whose folder will have no file has the contract's columns and no rows; a source that
    never landed has no landing view.

    Args:
        costs: some costs file as it will lie after the publication; None when there is none.
    """
    folder = publication.folder
    _over_partitions(connection, publication, COSTS, layout.COSTS, costs)
    _focus_versions(connection, publication, costs)
    explorer = _some_file(publication, layout.EXPLORER)
    _over_partitions(connection, publication, COST_EXPLORER_DAILY, layout.EXPLORER, explorer)
    quarantine = partition_glob(layout.QUARANTINE)
    if glob_columns(connection, folder, quarantine):
        _over_files(connection, QUARANTINE, quarantine)
    else:
        _without_files(connection, QUARANTINE)
    for source in tenant.sources:
        name = landing_view(source.name)
        body = landing_relation(connection, publication, source.name)
        if body:
            _create(connection, name, body)
        else:
            connection.execute(f"drop view if exists {WAREHOUSE}.{name}")


def _some_file(publication: Publication, table: str) -> Path | None:
    """Where some file of a table will lie after the publication, if it will have any."""
    for (key, month), record in publication.partitions(table).items():
        if record.rows:
            return publication.folder.partition(table, key, month)
    return None


def _over_partitions(
    connection: Connection, publication: Publication, table: Table, folder: str, some: Path | None
) -> None:
    """A view over files of which the first may come into place with this very publication."""
    if some is None:
        _without_files(connection, table)
        return
    with shaped(connection, publication, table, some):
        _over_files(connection, table, partition_glob(folder))


def _focus_versions(connection: Connection, publication: Publication, some: Path | None) -> None:
    """The views of FOCUS versions, each over the files themselves.

    Not over the view `costs`: while the file is built, that word means the changed charges.
    """
    empty = {column.name: f"null::{column.type}" for column in NOT_CARRIED}
    if some is None:
        for view in focus_views():
            _without_files(connection, view)
        return
    with shaped(connection, publication, COSTS, some):
        for view in focus_views():
            columns = ", ".join(
                f"{empty[c.name]} as {ident(c.name)}" if c.name in empty else ident(c.name)
                for c in view.columns
            )
            carried = [c for c in view.columns if c.name not in empty]
            charges = table_relation(partition_glob(layout.COSTS), carried)
            _create(connection, view.name, f"select {columns} from ({charges})")


def _over_files(connection: Connection, table: Table, glob: str) -> None:
    _create(connection, table.name, table_relation(glob, table.columns))


def _without_files(connection: Connection, table: Table | FocusView) -> None:
    columns = ", ".join(f"null::{c.type} as {ident(c.name)}" for c in table.columns)
    _create(connection, table.name, f"select {columns} where false")


def _create(connection: Connection, name: str, body: str) -> None:
    connection.execute(f"create or replace view {WAREHOUSE}.{ident(name)} as {body}")
