"""Version 0004: whether tenants, sources and projects are in use, and which tenants were purged.

Put here: the columns and the table that this version adds. Keep out: the current tables
(tenants/registry_tables.py).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

from finops_pipeline.database.migration import create_missing

revision = "0004"
down_revision = "0003"


TABLES = sa.MetaData()
sa.Table(
    "tenants",
    TABLES,
    sa.Column("state", sa.String(10), nullable=False, server_default="active"),
)
sa.Table(
    "sources",
    TABLES,
    sa.Column("state", sa.String(10), nullable=False, server_default="active"),
)
sa.Table(
    "projects",
    TABLES,
    sa.Column("state", sa.String(10), nullable=False, server_default="active"),
)
sa.Table(
    "purged_tenants",
    TABLES,
    sa.Column("external_id", sa.Text, primary_key=True),
    sa.Column("tenant", sa.String(40), nullable=False),
    sa.Column("purged_at", sa.String(40), nullable=False),
)


def upgrade(op: Operations) -> None:
    """Add them; everything is active."""
    create_missing(op, TABLES)
