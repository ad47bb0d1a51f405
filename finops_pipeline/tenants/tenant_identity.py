"""What tells a tenant from every other one: its name, and the external id that never changes.

Put here: reading identities of tenants and of their projects with one small query each, because
every request of an API needs them. Keep out: complete tenants (registry_tables.py), registries of
older versions (registry.py), who may see a tenant (serve/access).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from finops_pipeline.tenants.lifecycle import Lifecycle
from finops_pipeline.tenants.model import UNASSIGNED, Tenant
from finops_pipeline.tenants.project_identity import ProjectIdentity, id_of_name, project_id_of
from finops_pipeline.tenants.registry_tables import PROJECTS, TENANTS


@dataclass(frozen=True)
class TenantIdentity:
    """A tenant without its declaration."""

    name: str
    external_id: str
    state: Lifecycle
    display_name: str = ""


def load_identity(db: sa.Connection, name: str) -> TenantIdentity | None:
    """Read the identity of the tenant with a name, if there is one."""
    row = db.execute(_identities().where(TENANTS.c.tenant == name)).one_or_none()
    return _of_row(row) if row is not None else None


def load_identities(db: sa.Connection, external_ids: Collection[str]) -> list[TenantIdentity]:
    """Read the identities of the tenants with these external ids, by name."""
    query = _identities().where(TENANTS.c.external_id.in_(external_ids)).order_by(TENANTS.c.tenant)
    return [_of_row(row) for row in db.execute(query)]


@dataclass(frozen=True)
class DeclaredProject:
    """What decides whether a limited grant shows a project."""

    identity: ProjectIdentity
    environment: str

    @property
    def name(self) -> str:
        """Name of the project."""
        return self.identity.name


def load_projects(db: sa.Connection, name: str) -> list[DeclaredProject]:
    """Read the projects of a tenant, with disabled ones, from a registry of the newest version."""
    table = PROJECTS.c
    columns = (table.project, table.environment, table.project_id, table.reused_at)
    rows = db.execute(sa.select(*columns).where(table.tenant == name))
    return _with_built_in(
        DeclaredProject(
            ProjectIdentity(row.project, row.project_id or id_of_name(row.project), row.reused_at),
            row.environment,
        )
        for row in rows
    )


def projects_of(tenant: Tenant) -> list[DeclaredProject]:
    """Return the projects of a complete tenant, with disabled ones."""
    return _with_built_in(
        DeclaredProject(
            ProjectIdentity(p.name, project_id_of(p), p.reused_at),
            p.environment,
        )
        for p in tenant.projects
    )


def _with_built_in(projects: Iterable[DeclaredProject]) -> list[DeclaredProject]:
    """Add the built-in project, whose environment is `unassigned` unless the tenant declares one.

    It always has the same id: nothing removes it.
    """
    built_in = ProjectIdentity(UNASSIGNED, id_of_name(UNASSIGNED))
    by_name = {UNASSIGNED: DeclaredProject(built_in, UNASSIGNED)}
    for project in projects:
        is_built_in = project.name == UNASSIGNED
        own = DeclaredProject(built_in, project.environment) if is_built_in else project
        by_name[project.name] = own
    return list(by_name.values())


def _identities() -> sa.Select[Any]:
    table = TENANTS.c
    return sa.select(table.tenant, table.external_id, table.state, table.display_name)


def _of_row(row: Any) -> TenantIdentity:
    return TenantIdentity(row.tenant, row.external_id, Lifecycle(row.state), row.display_name)


def identity_of(tenant: Tenant) -> TenantIdentity:
    """Return the identity of a complete tenant."""
    return TenantIdentity(tenant.name, tenant.external_id, tenant.state, tenant.display_name)
