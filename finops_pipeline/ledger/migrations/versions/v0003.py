"""Version 0003: which values of a delivery became null, and how many account ids were restored.

Put here: the columns that this version adds. Keep out: the current tables (ledger/schema.py).
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
    sa.Column("account_ids_restored", sa.Integer, nullable=False, server_default="0"),
)


def upgrade(op: Operations) -> None:
    """Add the columns; earlier deliveries have no such values."""
    create_missing(op, TABLES)
