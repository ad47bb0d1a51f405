"""Version 0010: budgets, and the channels and rules of alerts.

Put here: the columns that this version adds. Keep out: the current tables
(tenants/registry_tables.py).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

from finops_pipeline.database.migration import create_missing

revision = "0010"
down_revision = "0009"


TABLES = sa.MetaData()
sa.Table(
    "tenants",
    TABLES,
    sa.Column("budgets", sa.Text, nullable=False, server_default=""),
    sa.Column("alerts", sa.Text, nullable=False, server_default=""),
)


def upgrade(op: Operations) -> None:
    """Add the columns; no tenant has declared either."""
    create_missing(op, TABLES)
