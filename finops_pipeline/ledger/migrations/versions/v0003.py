"""Version 0003: which values of a delivery could not be read and became null.

Put here: the column that this version adds. Keep out: the current tables (ledger/schema.py).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

from finops_pipeline.database.migration import create_missing

revision = "0003"
down_revision = "0002"


TABLES = sa.MetaData()
sa.Table(
    "deliveries",
    TABLES,
    sa.Column("delivery_id", sa.String(64), primary_key=True),
    sa.Column("values_unreadable", sa.Text, nullable=False, server_default="{}"),
)


def upgrade(op: Operations) -> None:
    """Add the column; no delivery before it has such values."""
    create_missing(op, TABLES)
