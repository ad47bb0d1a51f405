"""Version 0002: the id of the installation.

Put here: the table that this version adds. Keep out: the current tables (tenants/registry.py).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0002"
down_revision = "0001"


def upgrade(op: Operations) -> None:
    """Add the table; the next save fills it."""
    op.create_table(
        "installation",
        sa.Column("installation_id", sa.String(36), primary_key=True),
    )
