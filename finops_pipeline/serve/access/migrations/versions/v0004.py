"""Version 0004: grants know the ids of their projects, and what administrators call a principal.

Put here: the columns that this version adds. Keep out: the current tables
(access/access_tables.py).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

from finops_pipeline.database.migration import create_missing

revision = "0004"
down_revision = "0003"

TABLES = sa.MetaData()
sa.Table(
    "grants",
    TABLES,
    sa.Column("project_ids", sa.JSON),
    sa.Column("shown_name", sa.Text, nullable=False, server_default=""),
)


def upgrade(op: Operations) -> None:
    """Add the columns; grants that are there keep their names, which were all they had."""
    create_missing(op, TABLES)
