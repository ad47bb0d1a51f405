"""Version 0001: the registry as it was when schema versions were introduced.

Put here: the tables of that version, which never change. Keep out: the current tables
(tenants/registry.py).

Earlier registries have no version and may lack columns; these are added, and every tenant without
an external id gets one.
"""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from alembic.operations import Operations

from finops_pipeline.database.migration import create_missing

revision = "0001"
down_revision = None

TABLES = sa.MetaData()
sa.Table(
    "tenants",
    TABLES,
    sa.Column("tenant", sa.String(40), primary_key=True),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("external_id", sa.Text, nullable=False, server_default=""),
)
sa.Table(
    "sources",
    TABLES,
    sa.Column("tenant", sa.ForeignKey("tenants.tenant"), primary_key=True),
    sa.Column("source", sa.String(40), primary_key=True),
    sa.Column("format", sa.String(20), nullable=False),
    sa.Column("location", sa.Text, nullable=False),
    sa.Column("role_arn", sa.Text, nullable=False, server_default=""),
    sa.Column("profile", sa.Text, nullable=False, server_default=""),
    sa.Column("endpoint_url", sa.Text, nullable=False, server_default=""),
    sa.Column("region", sa.Text, nullable=False, server_default=""),
)
sa.Table(
    "projects",
    TABLES,
    sa.Column("tenant", sa.ForeignKey("tenants.tenant"), primary_key=True),
    sa.Column("project", sa.String(40), primary_key=True),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("environment", sa.Text, nullable=False),
    sa.Column("business_unit", sa.Text, nullable=False),
)
sa.Table(
    "project_sources",
    TABLES,
    sa.Column("tenant", sa.String(40), primary_key=True),
    sa.Column("project", sa.String(40), primary_key=True),
    sa.Column("source", sa.String(40), primary_key=True),
)
sa.Table(
    "project_accounts",
    TABLES,
    sa.Column("tenant", sa.String(40), nullable=False, index=True),
    sa.Column("project", sa.String(40), nullable=False),
    sa.Column("account_id", sa.String(12), nullable=False),
    sa.Column("from_day", sa.Date),
    sa.Column("to_day", sa.Date),
)


def upgrade(op: Operations) -> None:
    """Create the tables, columns and external ids that are missing."""
    create_missing(op, TABLES)
    db, tenants = op.get_bind(), TABLES.tables["tenants"]
    without = sa.select(tenants.c.tenant).where(tenants.c.external_id == "")
    for name in list(db.scalars(without)):
        values = {"external_id": str(uuid.uuid4())}
        db.execute(sa.update(tenants).where(tenants.c.tenant == name).values(values))
