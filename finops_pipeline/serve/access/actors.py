"""Who changes access: the command line, an operator, or an administrator of one tenant.

Put here: actors, and what each of them may manage. Keep out: the changes
(access_administration.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from finops_pipeline.errors import PermissionMissing
from finops_pipeline.serve.access.audit_entries import COMMAND_LINE, AuditEntry, Outcome
from finops_pipeline.serve.access.principals import Principal
from finops_pipeline.serve.access.verified_access import Access, Permission
from finops_pipeline.tenants.tenant_identity import TenantIdentity


@dataclass(frozen=True)
class Actor:
    """Somebody who may change access, as one of the methods below makes it.

    `principal`: None: the command line. `access`: of a tenant's administrator; None: the whole
    installation.
    """

    principal: Principal | None = None
    access: Access | None = None
    request_id: str = ""

    @classmethod
    def command_line(cls) -> Actor:
        """Return whoever runs `finops`: they have the data folder."""
        return cls()

    @classmethod
    def operator(cls, principal: Principal, request_id: str = "") -> Actor:
        """Return a verified caller who manages the installation.

        Raises:
            PermissionMissing: the caller does not.
        """
        if not principal.is_operator:
            raise PermissionMissing(
                f"{principal.name} does not manage this installation",
                "an operator",
                "Ask an operator of the installation",
            )
        return cls(principal, None, request_id)

    @classmethod
    def administrator(cls, principal: Principal, access: Access, request_id: str = "") -> Actor:
        """Return a verified caller who manages one tenant.

        Raises:
            PermissionMissing: the access is another's, or does not permit to administer.
        """
        is_own = access.principal_id == principal.principal_id
        if not (is_own and access.permits(Permission.ADMINISTER) and access.scope.is_whole_tenant):
            raise PermissionMissing(
                f"the role {access.role} in tenant {access.tenant} does not permit to manage it",
                "the role admin",
                "Ask an administrator of the tenant",
            )
        return cls(principal, access, request_id)

    @property
    def name(self) -> str:
        """The name in the audit log; of an administrator, the one that the tenant sees."""
        shown_name = self.access.shown_name if self.access else ""
        return shown_name or (self.principal.name if self.principal else COMMAND_LINE)

    @property
    def manages_installation(self) -> bool:
        """Whether everything may be changed."""
        return self.access is None

    def manages(self, tenant_id: str) -> bool:
        """Return whether this tenant may be managed; an empty id is the installation's own."""
        return self.access is None or (tenant_id != "" and tenant_id == self.access.tenant_id)

    def entry(self, action: str, detail: str, tenant: TenantIdentity | None = None) -> AuditEntry:
        """Return the entry for a change in a tenant, or in the installation."""
        return AuditEntry(
            action,
            Outcome.CHANGED,
            principal_id=self.principal.principal_id if self.principal else "",
            principal=self.name,
            token=self.principal.token if self.principal else "",
            tenant=tenant.name if tenant else "",
            tenant_id=tenant.external_id if tenant else "",
            request_id=self.request_id,
            detail=detail,
        )
