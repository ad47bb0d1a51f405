"""Version 0001: the ledger as it was when schema versions were introduced.

Put here: the tables of that version, which never change. Keep out: the current tables
(ledger/schema.py).

Earlier ledgers have no version and may lack tables and columns; these are added.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

from finops_pipeline.database.migration import create_missing

revision = "0001"
down_revision = None

TABLES = sa.MetaData()
sa.Table(
    "deliveries",
    TABLES,
    sa.Column("delivery_id", sa.String(64), primary_key=True),
    sa.Column("source", sa.String(40), nullable=False),
    sa.Column("billing_period", sa.String(7), nullable=False),
    sa.Column("current", sa.Boolean, nullable=False),
    sa.Column("format", sa.String(20), nullable=False),
    sa.Column("execution_id", sa.Text, nullable=False),
    sa.Column("manifest", sa.Text, nullable=False),
    sa.Column("quick_mark", sa.String(64), nullable=False),
    sa.Column("landed_at", sa.String(25), nullable=False),
    sa.Column("size_bytes", sa.Integer, nullable=False),
    sa.Column("rows_read", sa.Integer, nullable=False),
    sa.Column("rows_kept", sa.Integer, nullable=False),
    sa.Column("rows_quarantined", sa.Integer, nullable=False),
    sa.Column("values_rounded", sa.Integer, nullable=False),
    sa.Column("files", sa.Text, nullable=False),
    sa.Column("totals", sa.Text, nullable=False),
    sa.Column("columns", sa.Text, nullable=False, server_default="{}"),
    sa.Column("billed", sa.Text, nullable=False, server_default="{}"),
)
sa.Table(
    "delivery_totals",
    TABLES,
    sa.Column("delivery_id", sa.String(64), primary_key=True),
    sa.Column("project", sa.String(40), primary_key=True),
    sa.Column("service_name", sa.Text, primary_key=True),
    sa.Column("billing_currency", sa.Text, primary_key=True),
    sa.Column("charges", sa.Integer, nullable=False),
    sa.Column("billed_cost", sa.Text, nullable=False),
    sa.Column("effective_cost", sa.Text, nullable=False),
)
sa.Table(
    "bill_totals",
    TABLES,
    sa.Column("project", sa.String(40), nullable=False),
    sa.Column("billing_period", sa.String(7), nullable=False),
    sa.Column("source", sa.String(40), nullable=False),
    sa.Column("sub_account_id", sa.Text),
    sa.Column("service_code", sa.Text, nullable=False),
    sa.Column("line_item_type", sa.Text, nullable=False),
    sa.Column("billing_currency", sa.Text, nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("billed_cost", sa.Text, nullable=False),
    sa.Column("effective_cost", sa.Text, nullable=False),
    sa.Index("bill_totals_slice", "billing_period", "project"),
)
sa.Table(
    "partitions",
    TABLES,
    sa.Column("table_name", sa.String(20), primary_key=True),
    sa.Column("key", sa.String(40), primary_key=True),
    sa.Column("billing_period", sa.String(7), primary_key=True),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("size_bytes", sa.Integer, nullable=False),
    sa.Column("built_at", sa.String(25), nullable=False),
    sa.Column("inputs", sa.Text, nullable=False),
    sa.Column("totals", sa.Text, nullable=False),
    sa.Column("findings", sa.Text, nullable=False, server_default="[]"),
)
sa.Table(
    "refusals",
    TABLES,
    sa.Column("source", sa.String(40), primary_key=True),
    sa.Column("billing_period", sa.String(7), primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("refused_at", sa.String(25), nullable=False),
    sa.Column("kind", sa.String(10), nullable=False, server_default="refused"),
)
sa.Table(
    "api_requests",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("asked_at", sa.String(25), nullable=False),
    sa.Column("source", sa.String(40), nullable=False),
    sa.Column("service", sa.String(40), nullable=False),
    sa.Column("billing_period", sa.String(7), nullable=False),
    sa.Column("requests", sa.Integer, nullable=False),
    sa.Column("cost_usd", sa.Text, nullable=False),
)
sa.Table(
    "explorer_days",
    TABLES,
    sa.Column("source", sa.String(40), primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("is_estimated", sa.Boolean),
)
sa.Table(
    "invoices",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("source", sa.String(40), nullable=False),
    sa.Column("billing_period", sa.String(7), nullable=False),
    sa.Column("invoice_id", sa.Text, nullable=False),
    sa.Column("billing_currency", sa.String(3), nullable=False),
    sa.Column("amount", sa.Text),
    sa.Column("entered_at", sa.String(25), nullable=False),
)
sa.Table(
    "moves",
    TABLES,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("staged", sa.Text),
    sa.Column("final", sa.Text, nullable=False),
)


def upgrade(op: Operations) -> None:
    """Create the tables and columns that are missing."""
    create_missing(op, TABLES)
