"""The tables of the access database, and the triggers that keep its audit log append-only.

Put here: tables, triggers, schema versions. Keep out: reading and writing rows (principals.py,
grants.py, tokens.py, sessions.py, audit_log.py), the file (access_store.py).

To change a table, add a version: a file in migrations/versions and its id in `SCHEMA`.

Times are ISO text in UTC to the second, so that they are ordered as text. A tenant is stored with
its external id, by which rows are found; the name beside it is for people.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from finops_pipeline.database.versions import Schema
from finops_pipeline.errors import StorageFailure

META = sa.MetaData()
PRINCIPALS = sa.Table(
    "principals",
    META,
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
"""`owner_id`: external id of the tenant whose service it is; empty: the installation's.
`issuer`, `subject`: of a person; null for a service, and `subject` also until the first sign-in."""

GRANTS = sa.Table(
    "grants",
    META,
    sa.Column("principal_id", sa.ForeignKey("principals.principal_id"), primary_key=True),
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("tenant", sa.String(40), nullable=False),
    sa.Column("role", sa.String(10), nullable=False),
    sa.Column("extent", sa.String(12), nullable=False),
    sa.Column("names", sa.JSON, nullable=False),
    sa.Column("created_at", sa.String(25), nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("project_ids", sa.JSON),
    sa.Column("shown_name", sa.Text, nullable=False, server_default=""),
)
"""`extent`: what `names` are, projects or environments; or `tenant`, the whole of it.
`project_ids`: of the named projects; null: the grant is from before there were ids.
`shown_name`: what the tenant's administrators call the principal; empty: its name."""

TOKENS = sa.Table(
    "tokens",
    META,
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
SESSIONS = sa.Table(
    "sessions",
    META,
    sa.Column("prefix", sa.String(12), primary_key=True),
    sa.Column("session_hash", sa.String(64), nullable=False),
    sa.Column("principal_id", sa.ForeignKey("principals.principal_id"), nullable=False),
    sa.Column("sign_in_hash", sa.String(64), nullable=False),
    sa.Column("created_at", sa.String(25), nullable=False),
    sa.Column("expires_at", sa.String(25), nullable=False),
    sa.Column("ended_at", sa.String(25), nullable=False),
    sa.Column("last_used_at", sa.String(25), nullable=False),
    sa.Index("session_sign_ins", "sign_in_hash", unique=True),
)
"""Of browsers. `sign_in_hash`: of the sign-in that began it, which cannot begin another one."""

AUDIT_LOG = sa.Table(
    "audit_log",
    META,
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
"""One chain of entries for each tenant, and one with an empty `tenant_id` for the installation. A
tenant's numbers and hashes therefore depend on no other tenant's entries."""

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
"""The third also refuses `insert or replace`, which deletes without a trigger for deletions."""


def _create_triggers(_table: sa.Table, db: sa.Connection, **_: Any) -> None:
    for trigger in TRIGGERS:
        db.exec_driver_sql(trigger)


sa.event.listen(AUDIT_LOG, "after_create", _create_triggers)

SCHEMA = Schema(
    name="access database",
    tables=META,
    migrations=Path(__file__).parent / "migrations",
    versions=("0001", "0003", "0004"),
    refusal=StorageFailure,
)
