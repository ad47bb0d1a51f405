"""What a verified caller may do with one tenant, as the rest of the program receives it.

Put here: roles, what each permits, and the result of an authorization. Keep out: how it is decided
(authorization.py), where grants are stored (access_tables.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from finops_pipeline.serve.data_scope import DataScope


class Permission(StrEnum):
    """What a request needs."""

    READ = "read"
    """Costs, marts, statements and states, by the questions that the program offers."""
    QUERY = "query"
    """SQL of one's own."""
    ADMINISTER = "administer"
    """The tenant's projects, rules, grants, tokens, invoices and audit log."""


class Role(StrEnum):
    """The role of a principal in one tenant."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    ADMIN = "admin"

    @property
    def permissions(self) -> frozenset[Permission]:
        """What the role permits."""
        return _PERMISSIONS[self]


_PERMISSIONS = {
    Role.VIEWER: frozenset({Permission.READ}),
    Role.ANALYST: frozenset({Permission.READ, Permission.QUERY}),
    Role.ADMIN: frozenset({Permission.READ, Permission.QUERY, Permission.ADMINISTER}),
}


@dataclass(frozen=True)
class Access:
    """One principal's access to one tenant in one request; it is never stored.

    `principal_id`: of the verified caller. `scope`: what may be shown. `tenant_id`: the tenant's
    external id, which tells it from an earlier tenant of the same name. `shown_name`: what the
    tenant's administrators call the caller; empty: its own name.
    """

    principal_id: str
    role: Role
    scope: DataScope
    tenant_id: str = ""
    shown_name: str = ""

    @property
    def tenant(self) -> str:
        """Name of the tenant."""
        return self.scope.tenant

    def permits(self, permission: Permission) -> bool:
        """Return whether the role permits something."""
        return permission in self.role.permissions
