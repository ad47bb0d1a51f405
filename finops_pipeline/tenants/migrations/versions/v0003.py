"""Version 0003: the first and last month of a source that count.

Put here: the columns that this version adds. Keep out: the current tables (tenants/registry.py).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

from finops_pipeline.database.migration import create_missing

revision = "0003"
down_revision = "0002"


TABLES = sa.MetaData()
sa.Table(
    "sources",
    TABLES,
    sa.Column("tenant", sa.String(40), primary_key=True),
    sa.Column("source", sa.String(40), primary_key=True),
    sa.Column("from_month", sa.String(7), nullable=False, server_default=""),
    sa.Column("to_month", sa.String(7), nullable=False, server_default=""),
)


def upgrade(op: Operations) -> None:
    """Add the columns; empty, all months count."""
    create_missing(op, TABLES)
