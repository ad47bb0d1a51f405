"""Version 0008: the terms of statements, and sets of required tags.

Put here: the columns that this version adds. Keep out: the current tables
(tenants/registry_tables.py).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

from finops_pipeline.database.migration import create_missing

revision = "0008"
down_revision = "0007"


TABLES = sa.MetaData()
sa.Table(
    "tenants",
    TABLES,
    sa.Column("statements", sa.Text, nullable=False, server_default=""),
    sa.Column("required_tags", sa.Text, nullable=False, server_default=""),
)
sa.Table(
    "projects",
    TABLES,
    sa.Column("statements", sa.Text, nullable=False, server_default=""),
)


def upgrade(op: Operations) -> None:
    """Add the columns; no tenant has declared either."""
    create_missing(op, TABLES)
