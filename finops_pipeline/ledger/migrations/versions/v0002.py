"""Version 0002: whose the ledger is, published files by content, generations of the tenant's file.

Put here: the tables that this version adds. Keep out: the current tables (ledger/schema.py), moving
the files of an older folder (lake/upgrade.py).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

from finops_pipeline.database.migration import create_missing

revision = "0002"
down_revision = "0001"


TABLES = sa.MetaData()
sa.Table(
    "owner",
    TABLES,
    sa.Column("tenant", sa.String(40), primary_key=True),
    sa.Column("installation_id", sa.String(36), nullable=False),
    sa.Column("root", sa.Text, nullable=False),
    sa.Column("commits", sa.Integer, nullable=False),
)
sa.Table(
    "generations",
    TABLES,
    sa.Column("generation", sa.Integer, primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("size_bytes", sa.Integer, nullable=False),
    sa.Column("published_at", sa.String(25), nullable=False),
)
sa.Table(
    "stored_files",
    TABLES,
    sa.Column("table_name", sa.String(20), primary_key=True),
    sa.Column("key", sa.String(40), primary_key=True),
    sa.Column("billing_period", sa.String(7), primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("size_bytes", sa.Integer, nullable=False),
)
sa.Table(
    "superseded_files",
    TABLES,
    sa.Column("table_name", sa.String(20), primary_key=True),
    sa.Column("key", sa.String(40), primary_key=True),
    sa.Column("billing_period", sa.String(7), primary_key=True),
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Column("size_bytes", sa.Integer, nullable=False),
    sa.Column("released_at", sa.String(25)),
)
sa.Table(
    "file_marks",
    TABLES,
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("mark", sa.Text, nullable=False),
)


def upgrade(op: Operations) -> None:
    """Add the tables."""
    create_missing(op, TABLES)
