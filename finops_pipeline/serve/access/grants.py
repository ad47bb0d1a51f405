"""Grants: which role a principal has in a tenant, and in which of its projects.

Put here: grants, their rows, and which projects a limit means now. Keep out: deciding on a request
(authorization.py), who may give a grant (access_administration.py).

A grant belongs to a tenant's external id. A tenant that was purged and declared again under the
same name is another tenant, in which nobody has the old grants.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from finops_pipeline import clock
from finops_pipeline.errors import GrantRefused, did_you_mean
from finops_pipeline.serve.access.access_tables import GRANTS, PRINCIPALS
from finops_pipeline.serve.access.principals import Principal, PrincipalName
from finops_pipeline.serve.access.verified_access import Role
from finops_pipeline.tenants.tenant_identity import TenantIdentity


class Extent(StrEnum):
    """What a grant is limited to."""

    TENANT = "tenant"
    PROJECTS = "projects"
    ENVIRONMENTS = "environments"


@dataclass(frozen=True)
class Limits:
    """The part of a tenant that a grant shows: all of it, some projects, or some environments."""

    extent: Extent = Extent.TENANT
    names: tuple[str, ...] = ()

    def projects(self, environments: Mapping[str, str]) -> tuple[str, ...] | None:
        """Return the projects that the limits mean now; None: the whole tenant.

        Args:
            environments: of each project of the tenant. Names that are not there show nothing.
        """
        match self.extent:
            case Extent.TENANT:
                return None
            case Extent.PROJECTS:
                return tuple(sorted(environments.keys() & set(self.names)))
            case Extent.ENVIRONMENTS:
                return tuple(sorted(p for p, e in environments.items() if e in self.names))

    def check_names(self, environments: Mapping[str, str]) -> None:
        """Check that every name is one of the tenant's.

        Raises:
            GrantRefused: one is not, or there is none.
        """
        if self.extent is Extent.TENANT:
            return
        existing = environments if self.extent is Extent.PROJECTS else set(environments.values())
        noun = self.extent.removesuffix("s")
        if not self.names:
            raise GrantRefused(f"no {noun} was given", f"the {noun}s that the grant shows")
        for name in self.names:
            if name not in existing or not name:
                raise GrantRefused(
                    f"the {noun} {name[:60]!r} is not one of the tenant's",
                    f"one of: {', '.join(sorted(filter(None, existing)))}",
                    did_you_mean(name, existing).strip() or "Choose one of them",
                )

    def __str__(self) -> str:
        if self.extent is Extent.TENANT:
            return "the whole tenant"
        noun = self.extent.removesuffix("s") if len(self.names) == 1 else self.extent
        return f"{noun} {', '.join(self.names)}"


@dataclass(frozen=True)
class Grant:
    """A grant as it is stored."""

    principal_id: str
    principal: str
    tenant: str
    tenant_id: str
    role: Role
    limits: Limits
    created_at: str = ""
    created_by: str = ""

    def __str__(self) -> str:
        return f"{self.role} of {self.limits}"


def find_grant(
    db: sa.Connection,
    principal_id: str,
    tenant_id: str,
    condition: sa.ColumnElement[bool] | None = None,
) -> Grant | None:
    """Find the grant of an active principal in a tenant; an empty id finds nothing.

    Args:
        db: the access database.
        principal_id: of the principal.
        tenant_id: external id of the tenant.
        condition: what else must be true, such as that a token is valid.
    """
    table = GRANTS.c
    query = _select_grants().where(
        table.principal_id == principal_id,
        table.tenant_id == tenant_id,
        table.tenant_id != "",
    )
    row = db.execute(query if condition is None else query.where(condition)).one_or_none()
    return _parse_grant(row) if row is not None else None


def grants_of_principal(db: sa.Connection, principal_id: str) -> list[Grant]:
    """Read all grants of a principal, by tenant; none if it is disabled."""
    query = _select_grants().where(GRANTS.c.principal_id == principal_id)
    return [_parse_grant(row) for row in db.execute(query.order_by(GRANTS.c.tenant))]


def grants_in_tenant(db: sa.Connection, tenant_id: str) -> list[Grant]:
    """Read all grants in a tenant, by principal; those of disabled principals are left out."""
    query = _select_grants().where(GRANTS.c.tenant_id == tenant_id)
    order = (PRINCIPALS.c.owner_id, PRINCIPALS.c.name)
    return [_parse_grant(row) for row in db.execute(query.order_by(*order))]


def _select_grants() -> sa.Select[Any]:
    principal = PRINCIPALS.c
    joined = GRANTS.join(PRINCIPALS, GRANTS.c.principal_id == principal.principal_id)
    return (
        sa.select(GRANTS, principal.name, principal.owner, principal.owner_id)
        .select_from(joined)
        .where(principal.state == "active")
    )


def _parse_grant(row: Any) -> Grant:
    names = row.names if isinstance(row.names, list) else []  # whatever else it is shows nothing
    return Grant(
        principal_id=row.principal_id,
        principal=str(PrincipalName(row.name, row.owner, row.owner_id)),
        tenant=row.tenant,
        tenant_id=row.tenant_id,
        role=Role(row.role),
        limits=Limits(Extent(row.extent), tuple(names)),
        created_at=row.created_at,
        created_by=row.created_by,
    )


@dataclass(frozen=True)
class NewGrant:
    """A grant to be given."""

    role: Role
    limits: Limits = field(default_factory=Limits)
    created_by: str = ""

    def __str__(self) -> str:
        return f"{self.role} of {self.limits}"


def store_grant(
    db: sa.Connection, principal: Principal, tenant: TenantIdentity, grant: NewGrant
) -> None:
    """Store a grant in place of the one that the principal has in the tenant."""
    delete_grant(db, principal.principal_id, tenant.external_id)
    row = {
        "principal_id": principal.principal_id,
        "tenant_id": tenant.external_id,
        "tenant": tenant.name,
        "role": grant.role,
        "extent": grant.limits.extent,
        "names": list(grant.limits.names),
        "created_at": clock.now().isoformat(),
        "created_by": grant.created_by,
    }
    db.execute(sa.insert(GRANTS), row)


def delete_grant(db: sa.Connection, principal_id: str, tenant_id: str) -> bool:
    """Remove the grant of a principal in a tenant; return whether there was one."""
    table = GRANTS.c
    own = sa.and_(table.principal_id == principal_id, table.tenant_id == tenant_id)
    return db.execute(sa.delete(GRANTS).where(own)).rowcount > 0


def rename_in_grants(db: sa.Connection, tenant_id: str, old: str, new: str) -> bool:
    """Put the new name of a project in place of the old one; return whether a grant names it."""
    return _change_names(db, tenant_id, old, [new])


def remove_from_grants(db: sa.Connection, tenant_id: str, project: str) -> bool:
    """Take a project out of the grants that name it; return whether one did.

    A grant of no other project shows nothing from then on, also not a later project of that name.
    """
    return _change_names(db, tenant_id, project, [])


def _change_names(db: sa.Connection, tenant_id: str, old: str, new: list[str]) -> bool:
    table = GRANTS.c
    of_projects = (table.tenant_id == tenant_id, table.extent == Extent.PROJECTS)
    is_changed = False
    for row in db.execute(sa.select(GRANTS).where(*of_projects)).all():
        if old in row.names:
            rest = [name for name in row.names if name != old and name not in new]
            own = (table.principal_id == row.principal_id, table.tenant_id == tenant_id)
            db.execute(sa.update(GRANTS).where(*own).values(names=[*new, *rest]))
            is_changed = True
    return is_changed
