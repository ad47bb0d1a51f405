"""Version 0001: the first tables of principals, grants, tokens and the audit log.

Put here: the tables and triggers of that version, which never change. Keep out: the current tables
(access/access_tables.py).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

from finops_pipeline.database.migration import create_missing

revision = "0001"
down_revision = None

TABLES = sa.MetaData()
sa.Table(
    "principals",
    TABLES,
    sa.Column("principal_id", sa.String(20), primary_key=True),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("owner", sa.String(40), nullable=False),
    sa.Column("owner_id", sa.Text, nullable=False),
    sa.Column("issuer", sa.Text),
    sa.Column("subject", sa.Text),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("is_operator", sa.Boolean, nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("created_at", sa.String(25), nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Index("principal_names", "owner_id", "name", unique=True),
    sa.Index("principal_subjects", "issuer", "subject", unique=True),
)
sa.Table(
    "grants",
    TABLES,
    sa.Column("principal_id", sa.ForeignKey("principals.principal_id"), primary_key=True),
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("tenant", sa.String(40), nullable=False),
    sa.Column("role", sa.String(10), nullable=False),
    sa.Column("extent", sa.String(12), nullable=False),
    sa.Column("names", sa.JSON, nullable=False),
    sa.Column("created_at", sa.String(25), nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
)
sa.Table(
    "tokens",
    TABLES,
    sa.Column("prefix", sa.String(12), primary_key=True),
    sa.Column("token_hash", sa.String(64), nullable=False),
    sa.Column("principal_id", sa.ForeignKey("principals.principal_id"), nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("created_at", sa.String(25), nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("expires_at", sa.String(25), nullable=False),
    sa.Column("revoked_at", sa.String(25), nullable=False),
    sa.Column("last_used_at", sa.String(25), nullable=False),
)
sa.Table(
    "audit_log",
    TABLES,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("at", sa.String(25), nullable=False),
    sa.Column("principal_id", sa.String(20), nullable=False),
    sa.Column("principal", sa.Text, nullable=False),
    sa.Column("token", sa.String(12), nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("outcome", sa.String(10), nullable=False),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("projects", sa.JSON, nullable=False),
    sa.Column("rows", sa.Integer),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("entry_hash", sa.String(64), nullable=False),
)

TRIGGERS = (
    """
    create trigger if not exists audit_log_no_update before update on audit_log
    begin select raise(abort, 'entries of the audit log are never changed'); end
    """,
    """
    create trigger if not exists audit_log_no_delete before delete on audit_log
    begin select raise(abort, 'entries of the audit log are never deleted'); end
    """,
    """
    create trigger if not exists audit_log_in_order before insert on audit_log
    when new.number is not (
        select coalesce(max(number), 0) + 1 from audit_log where tenant_id = new.tenant_id
    )
    begin select raise(abort, 'an entry of the audit log has the next number'); end
    """,
)


def upgrade(op: Operations) -> None:
    """Create the tables and triggers that are missing."""
    create_missing(op, TABLES)
    for trigger in TRIGGERS:
        op.execute(trigger)
