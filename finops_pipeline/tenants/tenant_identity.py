"""What tells a tenant from every other one: its name, and the external id that never changes.

Put here: reading identities and the environments of projects with one small query each, because
every request of an API needs them. Keep out: complete tenants (registry_tables.py), registries of
older versions (registry.py), who may see a tenant (serve/access).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from finops_pipeline.tenants.lifecycle import Lifecycle
from finops_pipeline.tenants.model import UNASSIGNED, Tenant
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


def load_environments(db: sa.Connection, name: str) -> dict[str, str]:
    """Read the environment of each project of a tenant, of disabled ones too.

    The built-in project has the environment `unassigned`, unless the tenant declares another.
    """
    query = sa.select(PROJECTS.c.project, PROJECTS.c.environment).where(PROJECTS.c.tenant == name)
    return {UNASSIGNED: UNASSIGNED, **{row.project: row.environment for row in db.execute(query)}}


def _identities() -> sa.Select[Any]:
    table = TENANTS.c
    return sa.select(table.tenant, table.external_id, table.state, table.display_name)


def _of_row(row: Any) -> TenantIdentity:
    return TenantIdentity(row.tenant, row.external_id, Lifecycle(row.state), row.display_name)


def identity_of(tenant: Tenant) -> TenantIdentity:
    """Return the identity of a complete tenant."""
    return TenantIdentity(tenant.name, tenant.external_id, tenant.state, tenant.display_name)
