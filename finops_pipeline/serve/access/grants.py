"""Grants: which role a principal has in a tenant, and in which of its projects.

Put here: grants, their rows, and which projects a limit means now. Keep out: deciding on a request
(authorization.py), who may give a grant (access_administration.py).

A grant belongs to a tenant's external id. A tenant that was purged and declared again under the
same name is another tenant, in which nobody has the old grants.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from finops_pipeline import clock
from finops_pipeline.errors import GrantRefused, did_you_mean
from finops_pipeline.serve.access.access_tables import GRANTS, PRINCIPALS
from finops_pipeline.serve.access.principals import Principal, PrincipalName, PrincipalState
from finops_pipeline.serve.access.verified_access import Role
from finops_pipeline.tenants.project_identity import ProjectIdentity, id_of_name
from finops_pipeline.tenants.tenant_identity import DeclaredProject, TenantIdentity


class Extent(StrEnum):
    """What a grant is limited to."""

    TENANT = "tenant"
    PROJECTS = "projects"
    ENVIRONMENTS = "environments"


@dataclass(frozen=True)
class Limits:
    """The part of a tenant that a grant shows: all of it, some projects, or some environments.

    `project_ids`: of the projects that were named, in the same order. A name alone shows nothing:
    another project may have it one day.
    """

    extent: Extent = Extent.TENANT
    names: tuple[str, ...] = ()
    project_ids: tuple[str, ...] = field(default=(), compare=False)

    def projects(self, declared: Iterable[DeclaredProject]) -> list[ProjectIdentity] | None:
        """Return the projects that the limits mean now; None: the whole tenant.

        Args:
            declared: all projects of the tenant.
        """
        match self.extent:
            case Extent.TENANT:
                return None
            case Extent.PROJECTS:
                return [p.identity for p in declared if p.identity.project_id in self.project_ids]
            case Extent.ENVIRONMENTS:
                return [p.identity for p in declared if p.environment in self.names]

    def resolved(self, declared: Collection[DeclaredProject]) -> Limits:
        """Return the limits with the ids of the projects that they name.

        Raises:
            GrantRefused: a name is not one of the tenant's, or there is none.
        """
        ids = {p.name: p.identity.project_id for p in declared}
        self._check_names(ids.keys(), {p.environment for p in declared})
        if self.extent is not Extent.PROJECTS:
            return self
        return replace(self, project_ids=tuple(ids[name] for name in self.names))

    def _check_names(self, projects: Collection[str], environments: Collection[str]) -> None:
        if self.extent is Extent.TENANT:
            return
        existing = projects if self.extent is Extent.PROJECTS else environments
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
    """A grant as it is stored.

    `shown_name`: what the tenant's administrators call the principal; empty: its own name.
    `is_active`: whether the principal is. `is_of_tenant`: whether it is a service of the tenant.
    """

    principal_id: str
    principal: str
    tenant: str
    tenant_id: str
    role: Role
    limits: Limits
    created_at: str = ""
    created_by: str = ""
    shown_name: str = ""
    is_active: bool = True
    is_of_tenant: bool = False

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
        _is_active(),
        table.principal_id == principal_id,
        table.tenant_id == tenant_id,
        table.tenant_id != "",
    )
    row = db.execute(query if condition is None else query.where(condition)).one_or_none()
    return _parse_grant(row) if row is not None else None


def stored_grant(db: sa.Connection, principal_id: str, tenant_id: str) -> Grant | None:
    """Read the grant of a principal in a tenant, also of a disabled one, to replace it."""
    own = (GRANTS.c.principal_id == principal_id, GRANTS.c.tenant_id == tenant_id)
    row = db.execute(_select_grants().where(*own)).one_or_none()
    return _parse_grant(row) if row is not None else None


def grants_of_principal(db: sa.Connection, principal_id: str) -> list[Grant]:
    """Read all grants of a principal, by tenant; none if it is disabled."""
    query = _select_grants().where(_is_active(), GRANTS.c.principal_id == principal_id)
    return [_parse_grant(row) for row in db.execute(query.order_by(GRANTS.c.tenant))]


def grants_in_tenant(db: sa.Connection, tenant_id: str) -> list[Grant]:
    """Read all grants in a tenant, by principal, with those of disabled principals."""
    query = _select_grants().where(GRANTS.c.tenant_id == tenant_id)
    order = (PRINCIPALS.c.owner_id, PRINCIPALS.c.name)
    return [_parse_grant(row) for row in db.execute(query.order_by(*order))]


def _select_grants() -> sa.Select[Any]:
    principal = PRINCIPALS.c
    joined = GRANTS.join(PRINCIPALS, GRANTS.c.principal_id == principal.principal_id)
    return sa.select(
        GRANTS, principal.name, principal.owner, principal.owner_id, principal.state
    ).select_from(joined)


def _is_active() -> sa.ColumnElement[bool]:
    return PRINCIPALS.c.state == PrincipalState.ACTIVE


def find_listed(grants: Iterable[Grant], name: str) -> Grant | None:
    """Find the grant that is listed under a name; case does not matter in an e-mail address."""
    for grant in grants:
        if name == grant.principal or ("@" in name and name.lower() == grant.principal.lower()):
            return grant
    return None


def _parse_grant(row: Any) -> Grant:
    names = row.names if isinstance(row.names, list) else []  # whatever else it is shows nothing
    return Grant(
        principal_id=row.principal_id,
        principal=str(PrincipalName(row.name, row.owner, row.owner_id)),
        tenant=row.tenant,
        tenant_id=row.tenant_id,
        role=Role(row.role),
        limits=Limits(Extent(row.extent), tuple(names), _project_ids(row, names)),
        created_at=row.created_at,
        created_by=row.created_by,
        shown_name=row.shown_name,
        is_active=row.state == PrincipalState.ACTIVE,
        is_of_tenant=bool(row.owner_id),
    )


def _project_ids(row: Any, names: Collection[str]) -> tuple[str, ...]:
    """Return the ids of the projects that a grant names; one from before has only the names."""
    ids = getattr(row, "project_ids", None)
    if ids is None:
        return tuple(id_of_name(name) for name in names)
    is_whole = isinstance(ids, list) and len(ids) == len(names)
    return tuple(ids) if is_whole else ()  # whatever else it is shows nothing


@dataclass(frozen=True)
class NewGrant:
    """A grant to be given; `shown_name` as in Grant."""

    role: Role
    limits: Limits = field(default_factory=Limits)
    created_by: str = ""
    shown_name: str = ""

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
        "project_ids": list(grant.limits.project_ids),
        "created_at": clock.now().isoformat(),
        "created_by": grant.created_by,
        "shown_name": grant.shown_name,
    }
    db.execute(sa.insert(GRANTS), row)


def delete_grant(db: sa.Connection, principal_id: str, tenant_id: str) -> bool:
    """Remove the grant of a principal in a tenant; return whether there was one."""
    table = GRANTS.c
    own = sa.and_(table.principal_id == principal_id, table.tenant_id == tenant_id)
    return db.execute(sa.delete(GRANTS).where(own)).rowcount > 0


def rename_in_grants(db: sa.Connection, tenant_id: str, old: str, new: str) -> bool:
    """Put the new name of a project in place of the old one; return whether a grant names it.

    What the grant shows stays the same, because the project keeps its id.
    """
    return _change_names(db, tenant_id, old, new)


def remove_from_grants(db: sa.Connection, tenant_id: str, project: str) -> bool:
    """Take a project out of the grants that name it; return whether one did.

    A grant of no other project shows nothing from then on, also not a later project of that name.
    """
    return _change_names(db, tenant_id, project, None)


def _change_names(db: sa.Connection, tenant_id: str, old: str, new: str | None) -> bool:
    table = GRANTS.c
    of_projects = (table.tenant_id == tenant_id, table.extent == Extent.PROJECTS)
    is_changed = False
    for row in db.execute(sa.select(GRANTS).where(*of_projects)).all():
        if old in row.names:
            limits = zip(row.names, _project_ids(row, row.names), strict=False)
            renamed = {id_: new if name == old else name for name, id_ in limits}
            rest = {id_: name for id_, name in renamed.items() if name is not None}
            own = (table.principal_id == row.principal_id, table.tenant_id == tenant_id)
            values = {"names": list(rest.values()), "project_ids": list(rest)}
            db.execute(sa.update(GRANTS).where(*own).values(values))
            is_changed = True
    return is_changed
