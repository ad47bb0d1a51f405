"""A tenant's file without rows: the tables and the views of charges, with their comments.

Put here: what is in the blank file. Keep out: views over the files of a generation
(views.py), rows, writing files (lake/warehouse.py).

A thousand comments took a fifth of the first ingest of a small tenant, and are the same for every
tenant. A process therefore makes the blank file once; nothing of a tenant is in it.
"""

from __future__ import annotations

from functools import cache

from finops_pipeline.contracts.allocation_tables import ALLOCATED_COSTS
from finops_pipeline.contracts.column import Table
from finops_pipeline.contracts.focus import COSTS
from finops_pipeline.contracts.focus_versions import focus_views
from finops_pipeline.contracts.tables import TABLES
from finops_pipeline.lake.comments import Comments, comments_of, write_comments
from finops_pipeline.lake.duck import Connection
from finops_pipeline.lake.warehouse import WAREHOUSE, write_blank_file
from finops_pipeline.marts.status_tables import prepare_tables
from finops_pipeline.marts.views import create_blank_views


@cache
def blank_file() -> bytes:
    """Return the content of a file with the tables of the contracts and no rows."""
    return write_blank_file(_fill)


def contract_comments() -> dict[str, Comments]:
    """Return the comments of every table and view with a contract."""
    comments = {table.name: comments_of(table) for table in TABLES}
    for view in focus_views():
        as_table = Table(view.name, "view", view.meaning, COSTS.grain, view.columns)
        comments[view.name] = comments_of(as_table)
    return comments


def _fill(connection: Connection) -> None:
    prepare_tables(connection)
    create_blank_views(connection)
    # the other views are created anew for every generation, and lose their comments
    kept = {ALLOCATED_COSTS.name, *(view.name for view in focus_views())}
    kept |= {table.name for table in TABLES if table.kind != "view"}
    comments = contract_comments()
    write_comments(connection, WAREHOUSE, {name: comments[name] for name in kept})
