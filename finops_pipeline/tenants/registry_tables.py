"""The tables of the registry, and tenants as rows of them.

Put here: tables, reading and writing the rows of one tenant. Keep out: transactions, rules between
tenants (registry.py), upgrading from one schema version to the next (migrations).

To change a table, add a version: a file in migrations/versions and its id in `SCHEMA`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from finops_pipeline.database.versions import Schema
from finops_pipeline.errors import RegistryError
from finops_pipeline.tenants.model import (
    REACH,
    AccountClaim,
    Project,
    Source,
    Tenant,
    parse_source,
)
from finops_pipeline.tenants.source import EXTENT

META = sa.MetaData()
TENANTS = sa.Table(
    "tenants",
    META,
    sa.Column("tenant", sa.String(40), primary_key=True),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("external_id", sa.Text, nullable=False, server_default=""),
)
SOURCES = sa.Table(
    "sources",
    META,
    sa.Column("tenant", sa.ForeignKey("tenants.tenant"), primary_key=True),
    sa.Column("source", sa.String(40), primary_key=True),
    sa.Column("format", sa.String(20), nullable=False),
    sa.Column("location", sa.Text, nullable=False),
    sa.Column("role_arn", sa.Text, nullable=False, server_default=""),
    sa.Column("profile", sa.Text, nullable=False, server_default=""),
    sa.Column("endpoint_url", sa.Text, nullable=False, server_default=""),
    sa.Column("region", sa.Text, nullable=False, server_default=""),
    sa.Column("from_month", sa.String(7), nullable=False, server_default=""),
    sa.Column("to_month", sa.String(7), nullable=False, server_default=""),
)
PROJECTS = sa.Table(
    "projects",
    META,
    sa.Column("tenant", sa.ForeignKey("tenants.tenant"), primary_key=True),
    sa.Column("project", sa.String(40), primary_key=True),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("environment", sa.Text, nullable=False),
    sa.Column("business_unit", sa.Text, nullable=False),
)
PROJECT_SOURCES = sa.Table(
    "project_sources",
    META,
    sa.Column("tenant", sa.String(40), primary_key=True),
    sa.Column("project", sa.String(40), primary_key=True),
    sa.Column("source", sa.String(40), primary_key=True),
)
PROJECT_ACCOUNTS = sa.Table(
    "project_accounts",
    META,
    sa.Column("tenant", sa.String(40), nullable=False, index=True),
    sa.Column("project", sa.String(40), nullable=False),
    sa.Column("account_id", sa.String(12), nullable=False),
    sa.Column("from_day", sa.Date),
    sa.Column("to_day", sa.Date),
)
INSTALLATION = sa.Table(
    "installation",
    META,
    sa.Column("installation_id", sa.String(36), primary_key=True),
)
SCHEMA = Schema(
    name="registry",
    tables=META,
    migrations=Path(__file__).parent / "migrations",
    versions=("0001", "0002", "0003"),
    refusal=RegistryError,
)
_OF_TENANT = (PROJECT_ACCOUNTS, PROJECT_SOURCES, PROJECTS, SOURCES, TENANTS)


def load_tenant(db: sa.Connection, name: str) -> Tenant:
    """Read a tenant that the registry has."""

    def rows(table: sa.Table) -> list[Any]:
        columns = _present_columns(db, table)
        query = sa.select(*columns).where(table.c.tenant == name).order_by(*columns)
        return list(db.execute(query))

    head = rows(TENANTS)[0]
    reads, claims = rows(PROJECT_SOURCES), rows(PROJECT_ACCOUNTS)
    return Tenant(
        name=name,
        display_name=head.display_name,
        external_id=getattr(head, "external_id", ""),
        sources=tuple(_source(row) for row in rows(SOURCES)),
        projects=tuple(
            Project(
                name=row.project,
                display_name=row.display_name,
                environment=row.environment,
                business_unit=row.business_unit,
                sources=tuple(r.source for r in reads if r.project == row.project),
                accounts=tuple(
                    AccountClaim.model_validate(
                        {"id": c.account_id, "from": c.from_day, "to": c.to_day}
                    )
                    for c in claims
                    if c.project == row.project
                ),
            )
            for row in rows(PROJECTS)
        ),
    )


def _source(row: Any) -> Source:
    reach = {field: getattr(row, field, "") for field in (*REACH, *EXTENT)}
    fields = {"name": row.source, "format": row.format, "location": row.location, **reach}
    return parse_source(fields)


def _present_columns(db: sa.Connection, table: sa.Table) -> list[sa.Column[Any]]:
    """Return the columns of a table in the database; an older registry lacks some."""
    names = {column["name"] for column in sa.inspect(db).get_columns(table.name)}
    return [column for column in table.c if column.name in names]


def delete_tenant(db: sa.Connection, name: str) -> None:
    """Delete the rows of a tenant."""
    for table in _OF_TENANT:
        db.execute(sa.delete(table).where(table.c.tenant == name))


def insert_tenant(db: sa.Connection, tenant: Tenant) -> None:
    """Write a tenant that the registry does not have."""
    key = {"tenant": tenant.name}
    labels = {"display_name": tenant.display_name, "external_id": tenant.external_id}
    db.execute(sa.insert(TENANTS), {**key, **labels})
    for source in tenant.sources:
        row = {"source": source.name, "format": source.format.value, "location": source.location}
        reach = {field: getattr(source, field) for field in (*REACH, *EXTENT)}
        db.execute(sa.insert(SOURCES), {**key, **row, **reach})
    for project in tenant.projects:
        project_key = {**key, "project": project.name}
        labels = {
            "display_name": project.display_name,
            "environment": project.environment,
            "business_unit": project.business_unit,
        }
        db.execute(sa.insert(PROJECTS), {**project_key, **labels})
        for source_name in project.sources:
            db.execute(sa.insert(PROJECT_SOURCES), {**project_key, "source": source_name})
        for claim in project.accounts:
            days = {"from_day": claim.from_day, "to_day": claim.to_day}
            db.execute(sa.insert(PROJECT_ACCOUNTS), {**project_key, "account_id": claim.id, **days})
