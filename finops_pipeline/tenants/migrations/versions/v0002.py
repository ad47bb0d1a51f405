"""Version 0002: the id of the installation.

Put here: the table that this version adds. Keep out: the current tables (tenants/registry.py).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

from finops_pipeline.database.migration import create_missing

revision = "0002"
down_revision = "0001"


TABLES = sa.MetaData()
sa.Table(
    "installation",
    TABLES,
    sa.Column("installation_id", sa.String(36), primary_key=True),
)


def upgrade(op: Operations) -> None:
    """Add the table; the next save fills it."""
    create_missing(op, TABLES)
