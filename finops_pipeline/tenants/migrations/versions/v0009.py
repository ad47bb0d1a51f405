"""Version 0009: ids of projects, and the names that projects had before.

Put here: what this version adds. Keep out: the current tables (tenants/registry_tables.py).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

from finops_pipeline.database.migration import create_missing

revision = "0009"
down_revision = "0008"


TABLES = sa.MetaData()
sa.Table(
    "projects",
    TABLES,
    sa.Column("project_id", sa.String(60), nullable=False, server_default=""),
    sa.Column("reused_at", sa.String(40), nullable=False, server_default=""),
)
sa.Table(
    "former_projects",
    TABLES,
    sa.Column("tenant", sa.String(40), primary_key=True),
    sa.Column("project", sa.String(40), primary_key=True),
    sa.Column("project_id", sa.String(60), primary_key=True),
)


def upgrade(op: Operations) -> None:
    """Add them; present projects stay without a stored id (tenants/project_identity.py)."""
    create_missing(op, TABLES)
