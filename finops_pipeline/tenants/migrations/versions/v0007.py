"""Version 0007: shared costs of tenants and how they are split.

Put here: the table that this version adds. Keep out: the current tables
(tenants/registry_tables.py).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

from finops_pipeline.database.migration import create_missing

revision = "0007"
down_revision = "0006"


TABLES = sa.MetaData()
sa.Table(
    "tenants",
    TABLES,
    sa.Column("tenant", sa.String(40), primary_key=True),
)
sa.Table(
    "shared_costs",
    TABLES,
    sa.Column("tenant", sa.ForeignKey("tenants.tenant"), primary_key=True),
    sa.Column("declaration", sa.Text, nullable=False),
)


def upgrade(op: Operations) -> None:
    """Add the table; no tenant has shared costs."""
    create_missing(op, TABLES)
