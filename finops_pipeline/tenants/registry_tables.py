"""The tables of the registry, and tenants as rows of them.

Put here: tables, reading and writing the rows of tenants. Keep out: transactions, rules between
tenants (registry.py), upgrading from one schema version to the next (migrations).

To change a table, add a version: a file in migrations/versions and its id in `SCHEMA`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from finops_pipeline.database.versions import Schema
from finops_pipeline.errors import RegistryError
from finops_pipeline.tenants.dimensions import Dimensions, export_dimensions
from finops_pipeline.tenants.lifecycle import Lifecycle
from finops_pipeline.tenants.model import (
    REACH,
    AccountClaim,
    Project,
    Source,
    Tenant,
    parse_source,
)
from finops_pipeline.tenants.required_tags import export_required_sets
from finops_pipeline.tenants.shared_cost import SharedCost
from finops_pipeline.tenants.source import EXTENT
from finops_pipeline.tenants.statement_terms import ProjectTerms, TenantTerms, export_terms
from finops_pipeline.tenants.watched_sections import export_watched

META = sa.MetaData()
TENANTS = sa.Table(
    "tenants",
    META,
    sa.Column("tenant", sa.String(40), primary_key=True),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("external_id", sa.Text, nullable=False, server_default=""),
    sa.Column("state", sa.String(10), nullable=False, server_default="active"),
    sa.Column("without_value", sa.String(40), nullable=False, server_default=""),
    sa.Column("statements", sa.Text, nullable=False, server_default=""),
    sa.Column("required_tags", sa.Text, nullable=False, server_default=""),
    sa.Column("budgets", sa.Text, nullable=False, server_default=""),
    sa.Column("alerts", sa.Text, nullable=False, server_default=""),
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
    sa.Column("state", sa.String(10), nullable=False, server_default="active"),
)
PROJECTS = sa.Table(
    "projects",
    META,
    sa.Column("tenant", sa.ForeignKey("tenants.tenant"), primary_key=True),
    sa.Column("project", sa.String(40), primary_key=True),
    sa.Column("display_name", sa.Text, nullable=False),
    sa.Column("environment", sa.Text, nullable=False),
    sa.Column("business_unit", sa.Text, nullable=False),
    sa.Column("state", sa.String(10), nullable=False, server_default="active"),
    sa.Column("statements", sa.Text, nullable=False, server_default=""),
    sa.Column("project_id", sa.String(60), nullable=False, server_default=""),
    sa.Column("reused_at", sa.String(40), nullable=False, server_default=""),
)
"""`project_id`, `reused_at`: see project_identity.py; a project of an older registry has none."""
FORMER_PROJECTS = sa.Table(
    "former_projects",
    META,
    sa.Column("tenant", sa.String(40), primary_key=True),
    sa.Column("project", sa.String(40), primary_key=True),
    sa.Column("project_id", sa.String(60), primary_key=True),
)
"""Names that projects had before they were removed or renamed."""
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
DIMENSIONS = sa.Table(
    "dimensions",
    META,
    sa.Column("tenant", sa.ForeignKey("tenants.tenant"), primary_key=True),
    sa.Column("declaration", sa.Text, nullable=False),
)
"""The section `dimensions` of a tenant as JSON, because it is declared and numbered as a whole."""
SHARED_COSTS = sa.Table(
    "shared_costs",
    META,
    sa.Column("tenant", sa.ForeignKey("tenants.tenant"), primary_key=True),
    sa.Column("declaration", sa.Text, nullable=False),
)
"""The section `shared_costs` of a tenant as JSON, because it is declared as a whole."""
PROJECT_CLAIMS = sa.Table(
    "project_claims",
    META,
    sa.Column("tenant", sa.String(40), primary_key=True),
    sa.Column("project", sa.String(40), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("claim", sa.JSON, nullable=False),
)
"""The entries of `claims:` in their order, each as tenants.yaml has it."""

INSTALLATION = sa.Table(
    "installation",
    META,
    sa.Column("installation_id", sa.String(36), primary_key=True),
)
PURGED_TENANTS = sa.Table(
    "purged_tenants",
    META,
    sa.Column("external_id", sa.Text, primary_key=True),
    sa.Column("tenant", sa.String(40), nullable=False),
    sa.Column("purged_at", sa.String(40), nullable=False),
)
"""The external ids of purged tenants, so that a backup of one is never restored to another tenant
that has its name now."""

SCHEMA = Schema(
    name="registry",
    tables=META,
    migrations=Path(__file__).parent / "migrations",
    versions=("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010"),
    refusal=RegistryError,
)
_OF_TENANT = (
    DIMENSIONS,
    SHARED_COSTS,
    PROJECT_CLAIMS,
    PROJECT_ACCOUNTS,
    PROJECT_SOURCES,
    PROJECTS,
    SOURCES,
    TENANTS,
)


def load_tenants(
    db: sa.Connection, name: str | None = None, *, has_projects: bool = True
) -> list[Tenant]:
    """Read all tenants, sorted by name, or only the one with this name if the registry has it.

    Args:
        has_projects: whether to read the projects of the tenants, too.
    """

    def rows(table: sa.Table) -> defaultdict[str, list[Any]]:
        columns = _present_columns(db, table)
        if not columns:  # an older registry lacks the table
            return defaultdict(list)
        keys = [column for column in columns if not isinstance(column.type, sa.JSON)]
        query = sa.select(*columns).order_by(*keys)
        if name is not None:
            query = query.where(table.c.tenant == name)
        by_tenant = defaultdict(list)
        for row in db.execute(query):
            by_tenant[row.tenant].append(row)
        return by_tenant

    heads, sources = rows(TENANTS), rows(SOURCES)
    tables = (PROJECTS, PROJECT_SOURCES, PROJECT_ACCOUNTS, PROJECT_CLAIMS)
    dimensions = _dimensions(db, name) if has_projects else {}
    shared = rows(SHARED_COSTS) if has_projects else {}
    parts = [rows(table) if has_projects else defaultdict[str, list[Any]](list) for table in tables]
    return [
        Tenant(
            name=tenant,
            display_name=heads[tenant][0].display_name,
            external_id=getattr(heads[tenant][0], "external_id", ""),
            state=_state(heads[tenant][0]),
            sources=tuple(_source(row) for row in sources[tenant]),
            projects=_projects(*(part[tenant] for part in parts)),
            dimensions=dimensions.get(tenant, Dimensions()),
            shared_costs=tuple(
                SharedCost.model_validate(entry)
                for row in shared.get(tenant, ())
                for entry in json.loads(row.declaration)
            ),
            # Its value may name a project, so it is read together with them.
            without_value=getattr(heads[tenant][0], "without_value", "") if has_projects else "",
            statements=TenantTerms(**_section(heads[tenant][0], "statements")),
            required_tags=_section(heads[tenant][0], "required_tags"),
            budgets=_section(heads[tenant][0], "budgets") or (),
            alerts=_section(heads[tenant][0], "alerts"),
        )
        for tenant in sorted(heads)
    ]


def _dimensions(db: sa.Connection, name: str | None) -> dict[str, Dimensions]:
    """Read the dimensions of all tenants, or of one; an older registry has no table of them."""
    if not sa.inspect(db).has_table(DIMENSIONS.name):
        return {}
    query = sa.select(DIMENSIONS)
    if name is not None:
        query = query.where(DIMENSIONS.c.tenant == name)
    return {
        row.tenant: Dimensions.model_validate_json(row.declaration) for row in db.execute(query)
    }


def _projects(
    rows: list[Any], reads: list[Any], accounts: list[Any], claims: list[Any]
) -> tuple[Project, ...]:
    """Make a tenant's projects of its rows: projects, the sources they read, their claims."""
    sources_of, claims_of, conditions_of = defaultdict(list), defaultdict(list), defaultdict(list)
    for row in reads:
        sources_of[row.project].append(row.source)
    for row in claims:
        conditions_of[row.project].append(row.claim)
    for row in accounts:
        claim = {"id": row.account_id, "from": row.from_day, "to": row.to_day}
        claims_of[row.project].append(AccountClaim.model_validate(claim))
    return tuple(
        Project(
            name=row.project,
            display_name=row.display_name,
            environment=row.environment,
            business_unit=row.business_unit,
            sources=tuple(sources_of[row.project]),
            accounts=tuple(claims_of[row.project]),
            claims=tuple(conditions_of[row.project]),
            state=_state(row),
            statements=ProjectTerms(**_section(row, "statements")),
            project_id=getattr(row, "project_id", ""),
            reused_at=getattr(row, "reused_at", ""),
        )
        for row in rows
    )


def _source(row: Any) -> Source:
    reach = {field: getattr(row, field, "") for field in (*REACH, *EXTENT)}
    fields = {"name": row.source, "format": row.format, "location": row.location, **reach}
    return parse_source(fields | {"state": _state(row)})


def _state(row: Any) -> Lifecycle:
    """Return the state of a row; those of an older registry have none and are active."""
    return Lifecycle(getattr(row, "state", Lifecycle.ACTIVE))


def _section(row: Any, name: str) -> Any:
    """Return a section that is stored as JSON; rows of an older registry have none."""
    return json.loads(getattr(row, name, "") or "{}")


def _present_columns(db: sa.Connection, table: sa.Table) -> list[sa.Column[Any]]:
    """Return the columns of a table in the database; an older registry lacks some."""
    if not sa.inspect(db).has_table(table.name):
        return []
    names = {column["name"] for column in sa.inspect(db).get_columns(table.name)}
    return [column for column in table.c if column.name in names]


def replace_tenants(db: sa.Connection, tenants: list[Tenant]) -> None:
    """Write tenants in place of the rows that the registry has of them."""
    names = [{"name": tenant.name} for tenant in tenants]
    for table in _OF_TENANT:
        if names:
            db.execute(sa.delete(table).where(table.c.tenant == sa.bindparam("name")), names)
    rows: dict[sa.Table, list[dict[str, Any]]] = {table: [] for table in reversed(_OF_TENANT)}
    for tenant in tenants:
        for table, row in _rows_of(tenant):
            rows[table].append({"tenant": tenant.name, **row})
    for table, of_table in rows.items():
        if of_table:
            db.execute(sa.insert(table), of_table)


def delete_tenant(db: sa.Connection, name: str) -> None:
    """Remove the rows of a tenant."""
    for table in (FORMER_PROJECTS, *_OF_TENANT):
        db.execute(sa.delete(table).where(table.c.tenant == name))


def _as_text(section: dict[str, Any] | list[Any]) -> str:
    return json.dumps(section) if section else ""


def _rows_of(tenant: Tenant) -> Iterator[tuple[sa.Table, dict[str, Any]]]:
    """Yield the rows of a tenant, each with its table."""
    head = {"display_name": tenant.display_name, "external_id": tenant.external_id}
    head["without_value"] = tenant.without_value
    head["statements"] = _as_text(export_terms(tenant.statements))
    head["required_tags"] = _as_text(export_required_sets(tenant.required_tags))
    head |= {name: _as_text(section) for name, section in export_watched(tenant).items()}
    yield TENANTS, head | {"state": tenant.state.value}
    if tenant.dimensions:
        yield DIMENSIONS, {"declaration": json.dumps(export_dimensions(tenant.dimensions))}
    if tenant.shared_costs:
        entries = [entry.declaration for entry in tenant.shared_costs]
        yield SHARED_COSTS, {"declaration": json.dumps(entries)}
    for source in tenant.sources:
        row = {"source": source.name, "format": source.format.value, "location": source.location}
        row["state"] = source.state.value
        yield SOURCES, row | {field: getattr(source, field) for field in (*REACH, *EXTENT)}
    for project in tenant.projects:
        key = {"project": project.name}
        labels = ("display_name", "environment", "business_unit", "project_id", "reused_at")
        row = {label: getattr(project, label) for label in labels}
        row["statements"] = _as_text(export_terms(project.statements))
        yield PROJECTS, key | row | {"state": project.state.value}
        for source_name in project.sources:
            yield PROJECT_SOURCES, {**key, "source": source_name}
        for claim in project.accounts:
            days = {"from_day": claim.from_day, "to_day": claim.to_day}
            yield PROJECT_ACCOUNTS, {**key, "account_id": claim.id, **days}
        for number, entry in enumerate(project.claims, 1):
            yield PROJECT_CLAIMS, {**key, "number": number, "claim": entry.declaration}
