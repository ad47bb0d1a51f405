"""The tables of a tenant's ledger.sqlite in their newest version.

Put here: tables, columns, the list of schema versions. Keep out: upgrading from one version to the
next (migrations), reading and writing records (ledger.py).

To change a table, add a version: a file in migrations/versions and its id in `SCHEMA`. A new column
needs a `server_default`, which is its value in existing rows. An older ledger that is only read is
not upgraded, and its records have the defaults of records.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import sqlalchemy as sa

from finops_pipeline.database.versions import Schema
from finops_pipeline.errors import SchemaTooNew

META = sa.MetaData()
DELIVERIES = sa.Table(
    "deliveries",
    META,
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
    sa.Column("values_unreadable", sa.Text, nullable=False, server_default="{}"),
    sa.Column("account_ids_restored", sa.Integer, nullable=False, server_default="0"),
)
DELIVERY_TOTALS = sa.Table(
    "delivery_totals",
    META,
    sa.Column("delivery_id", sa.String(64), primary_key=True),
    sa.Column("project", sa.String(40), primary_key=True),
    sa.Column("service_name", sa.Text, primary_key=True),
    sa.Column("billing_currency", sa.Text, primary_key=True),
    sa.Column("charges", sa.Integer, nullable=False),
    sa.Column("billed_cost", sa.Text, nullable=False),
    sa.Column("effective_cost", sa.Text, nullable=False),
)
BILL_TOTALS = sa.Table(
    "bill_totals",
    META,
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
PARTITIONS = sa.Table(
    "partitions",
    META,
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
REFUSALS = sa.Table(
    "refusals",
    META,
    sa.Column("source", sa.String(40), primary_key=True),
    sa.Column("billing_period", sa.String(7), primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("refused_at", sa.String(25), nullable=False),
    sa.Column("kind", sa.String(10), nullable=False, server_default="refused"),
)
API_REQUESTS = sa.Table(
    "api_requests",
    META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("asked_at", sa.String(25), nullable=False),
    sa.Column("source", sa.String(40), nullable=False),
    sa.Column("service", sa.String(40), nullable=False),
    sa.Column("billing_period", sa.String(7), nullable=False),
    sa.Column("requests", sa.Integer, nullable=False),
    sa.Column("cost_usd", sa.Text, nullable=False),
)
COST_EXPLORER_DAYS = sa.Table(
    "explorer_days",
    META,
    sa.Column("source", sa.String(40), primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("is_estimated", sa.Boolean),
)
INVOICES = sa.Table(
    "invoices",
    META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("source", sa.String(40), nullable=False),
    sa.Column("billing_period", sa.String(7), nullable=False),
    sa.Column("invoice_id", sa.Text, nullable=False),
    sa.Column("billing_currency", sa.String(3), nullable=False),
    sa.Column("amount", sa.Text),
    sa.Column("entered_at", sa.String(25), nullable=False),
)
STATEMENTS = sa.Table(
    "statements",
    META,
    sa.Column("billing_period", sa.String(7), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("closed_at", sa.String(25), nullable=False),
    sa.Column("month_state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("lines", sa.Integer, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("size_bytes", sa.Integer, nullable=False),
)
WASTE_DECISIONS = sa.Table(
    "waste_decisions",
    META,
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
ALERTS = sa.Table(
    "alerts",
    META,
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
ALERT_MESSAGES = sa.Table(
    "alert_messages",
    META,
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
ALERT_DELIVERIES = sa.Table(
    "alert_deliveries",
    META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("channel", sa.String(40), nullable=False),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("sent_at", sa.String(25), nullable=False),
    sa.Column("messages", sa.Integer, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("outcome", sa.String(10), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)
OWNER = sa.Table(
    "owner",
    META,
    sa.Column("tenant", sa.String(40), primary_key=True),
    sa.Column("installation_id", sa.String(36), nullable=False),
    sa.Column("root", sa.Text, nullable=False),
    sa.Column("commits", sa.Integer, nullable=False),
)
GENERATIONS = sa.Table(
    "generations",
    META,
    sa.Column("generation", sa.Integer, primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("size_bytes", sa.Integer, nullable=False),
    sa.Column("published_at", sa.String(25), nullable=False),
)
STORED_FILES = sa.Table(
    "stored_files",
    META,
    sa.Column("table_name", sa.String(20), primary_key=True),
    sa.Column("key", sa.String(40), primary_key=True),
    sa.Column("billing_period", sa.String(7), primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("size_bytes", sa.Integer, nullable=False),
)
SUPERSEDED_FILES = sa.Table(
    "superseded_files",
    META,
    sa.Column("table_name", sa.String(20), primary_key=True),
    sa.Column("key", sa.String(40), primary_key=True),
    sa.Column("billing_period", sa.String(7), primary_key=True),
    sa.Column("sha256", sa.String(64), primary_key=True),
    sa.Column("size_bytes", sa.Integer, nullable=False),
    sa.Column("released_at", sa.String(25)),
)
FILE_MARKS = sa.Table(
    "file_marks",
    META,
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("mark", sa.Text, nullable=False),
)
MOVES = sa.Table(
    "moves",
    META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("staged", sa.Text),
    sa.Column("final", sa.Text, nullable=False),
)

SCHEMA = Schema(
    name="ledger",
    tables=META,
    migrations=Path(__file__).parent / "migrations",
    versions=("0001", "0002", "0003", "0004", "0005", "0006"),
    refusal=SchemaTooNew,
)


Shape = Mapping[str, frozenset[str]]
"""The tables that a ledger has, and the names of their columns; an older ledger has fewer."""

_READ_SHAPE = """
    select tables.name, columns.name
    from sqlite_master as tables, pragma_table_info(tables.name) as columns
    where tables.type = 'table'
"""


def read_shape(db: sa.Connection) -> Shape:
    """Read which tables and columns this ledger has."""
    columns: defaultdict[str, set[str]] = defaultdict(set)
    for table, column in db.exec_driver_sql(_READ_SHAPE):
        columns[table].add(column)
    return {table: frozenset(names) for table, names in columns.items()}
