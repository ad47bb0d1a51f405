"""Version 0006: alerts, the messages about them, and what became of each delivery of messages.

Put here: the tables that this version adds. Keep out: the current tables (ledger/schema.py).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

from finops_pipeline.database.migration import create_missing

revision = "0006"
down_revision = "0005"


TABLES = sa.MetaData()
sa.Table(
    "alerts",
    TABLES,
    sa.Column("alert_id", sa.String(16), primary_key=True),
    sa.Column("rule", sa.String(40), nullable=False),
    sa.Column("alert_key", sa.Text, nullable=False),
    sa.Column("severity", sa.String(10), nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("period", sa.Text, nullable=False),
    sa.Column("summary", sa.Text, nullable=False),
    sa.Column("value", sa.Text),
    sa.Column("threshold", sa.Text),
    sa.Column("unit", sa.Text, nullable=False),
    sa.Column("cure", sa.Text, nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("opened_at", sa.String(25), nullable=False),
    sa.Column("seen_at", sa.String(25), nullable=False),
    sa.Column("recovered_at", sa.String(25)),
    sa.Column("snoozed_until", sa.String(25)),
    sa.Column("snooze_reason", sa.Text, nullable=False),
)
sa.Table(
    "alert_messages",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("alert_id", sa.String(16), nullable=False),
    sa.Column("event", sa.String(12), nullable=False),
    sa.Column("channel", sa.String(40), nullable=False),
    sa.Column("severity", sa.String(10), nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("summary", sa.Text, nullable=False),
    sa.Column("cure", sa.Text, nullable=False),
    sa.Column("created_at", sa.String(25), nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("changed_at", sa.String(25), nullable=False),
)
sa.Table(
    "alert_deliveries",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("channel", sa.String(40), nullable=False),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("sent_at", sa.String(25), nullable=False),
    sa.Column("messages", sa.Integer, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("outcome", sa.String(10), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)


def upgrade(op: Operations) -> None:
    """Add the tables; nobody was told anything before."""
    create_missing(op, TABLES)
