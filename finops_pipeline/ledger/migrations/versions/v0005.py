"""Version 0005: decisions on findings of waste.

Put here: the table that this version adds. Keep out: the current tables (ledger/schema.py).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

from finops_pipeline.database.migration import create_missing

revision = "0005"
down_revision = "0004"


TABLES = sa.MetaData()
sa.Table(
    "waste_decisions",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("finding_id", sa.String(20), nullable=False),
    sa.Column("status", sa.String(12), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("until", sa.String(10)),
    sa.Column("decided_at", sa.String(25), nullable=False),
    sa.Column("done_on", sa.String(10)),
    sa.Column("finding", sa.Text, nullable=False),
    sa.Column("baseline", sa.Text, nullable=False),
)


def upgrade(op: Operations) -> None:
    """Add the table; nothing was decided before."""
    create_missing(op, TABLES)
