"""Version 0005: claims with conditions other than an account, and `without_value`.

Put here: the column and the table that this version adds. Keep out: the current tables
(tenants/registry_tables.py).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

from finops_pipeline.database.migration import create_missing

revision = "0005"
down_revision = "0004"


TABLES = sa.MetaData()
sa.Table(
    "tenants",
    TABLES,
    sa.Column("without_value", sa.String(40), nullable=False, server_default=""),
)
sa.Table(
    "project_claims",
    TABLES,
    sa.Column("tenant", sa.String(40), primary_key=True),
    sa.Column("project", sa.String(40), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("claim", sa.JSON, nullable=False),
)


def upgrade(op: Operations) -> None:
    """Add the column and the table; no project has such claims yet."""
    create_missing(op, TABLES)
