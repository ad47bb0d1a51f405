"""Version 0003: sessions of browsers.

Put here: the table that this version adds. Keep out: the current tables (access/access_tables.py).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0003"
down_revision = "0001"


def upgrade(op: Operations) -> None:
    """Add the table; nobody had signed in with a browser before."""
    op.create_table(
        "sessions",
        sa.Column("prefix", sa.String(12), primary_key=True),
        sa.Column("session_hash", sa.String(64), nullable=False),
        sa.Column(
            "principal_id",
            sa.String(20),
            sa.ForeignKey("principals.principal_id"),
            nullable=False,
        ),
        sa.Column("sign_in_hash", sa.String(64), nullable=False),
        sa.Column("created_at", sa.String(25), nullable=False),
        sa.Column("expires_at", sa.String(25), nullable=False),
        sa.Column("ended_at", sa.String(25), nullable=False),
        sa.Column("last_used_at", sa.String(25), nullable=False),
    )
    op.create_index("session_sign_ins", "sessions", ["sign_in_hash"], unique=True)
