"""Version 0004: closed statements and their adjustments.

Put here: the table that this version adds. Keep out: the current tables (ledger/schema.py).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

from finops_pipeline.database.migration import create_missing

revision = "0004"
down_revision = "0003"


TABLES = sa.MetaData()
sa.Table(
    "statements",
    TABLES,
    sa.Column("billing_period", sa.String(7), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("closed_at", sa.String(25), nullable=False),
    sa.Column("month_state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("lines", sa.Integer, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("size_bytes", sa.Integer, nullable=False),
)


def upgrade(op: Operations) -> None:
    """Add the table; no statement was closed before."""
    create_missing(op, TABLES)
