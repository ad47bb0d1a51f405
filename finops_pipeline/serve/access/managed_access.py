"""What an actor may manage, and how a change is committed together with its entry in the audit log.

Put here: the checks that every change of access needs. Keep out: the changes
(access_administration.py, token_administration.py), actors (actors.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from secrets import token_hex
from typing import TypeVar

import sqlalchemy as sa

from finops_pipeline.errors import (
    GrantRefused,
    NotGranted,
    StorageFailure,
    did_you_mean,
)
from finops_pipeline.serve.access.actors import Actor
from finops_pipeline.serve.access.audit_entries import Outcome, append_entries
from finops_pipeline.serve.access.audit_log import unavailable
from finops_pipeline.serve.access.authorization import AccessControl, not_granted
from finops_pipeline.serve.access.grants import (
    Extent,
    Grant,
    NewGrant,
    find_listed,
    grants_in_tenant,
    store_grant,
    stored_grant,
)
from finops_pipeline.serve.access.people import find_invited
from finops_pipeline.serve.access.principals import (
    Identity,
    NewPrincipal,
    Principal,
    PrincipalName,
    check_principal_name,
    find_principal,
    insert_principal,
    list_principals,
    read_principal,
)
from finops_pipeline.serve.access.verified_access import Role
from finops_pipeline.tenants.lifecycle import Lifecycle
from finops_pipeline.tenants.names import check_name
from finops_pipeline.tenants.tenant_identity import TenantIdentity

Result = TypeVar("Result")


class ManagedAccess:
    """The part of an installation's access that one actor manages."""

    def __init__(self, control: AccessControl, actor: Actor) -> None:
        self.store = control.store
        self.registry = control.installation.registry
        self.settings = control.installation.settings
        self.actor = actor
        self._control = control

    def perform(self, change: Callable[[sa.Connection], Result]) -> Result:
        """Make a change in one transaction. A refusal of a principal's change is recorded.

        Raises:
            AuditUnavailable: it cannot be stored; nothing has changed.
        """
        results: list[Result] = []
        try:
            self.store.write(lambda db: results.append(change(db)))
        except (GrantRefused, NotGranted) as refusal:
            if self.actor.principal:
                entry = self.actor.entry("change access", refusal.found)
                self._control.record(replace(entry, outcome=Outcome.REFUSED))
            raise
        except StorageFailure as failure:
            raise unavailable(failure) from failure
        return results[0]

    def note(
        self, db: sa.Connection, action: str, detail: str, tenant: TenantIdentity | None
    ) -> None:
        """Append the entry of a change to the log of a tenant, or of the installation."""
        append_entries(db, [self.actor.entry(action, detail, tenant)])

    def tenant(self, name: str) -> TenantIdentity:
        """Read the identity of a tenant that the actor manages.

        Raises:
            NotGranted: the actor manages another tenant.
            Unknown: there is no such tenant.
        """
        access = self.actor.access
        if access and name != access.tenant:
            raise not_granted(name)
        identity = self.registry.identity(check_name("tenant", name))
        if access and (identity is None or not self.actor.manages(identity.external_id)):
            raise not_granted(name)
        if identity is not None and not identity.external_id:
            self.registry.save()  # a registry of an older version: saving gives every tenant its id
            identity = self.registry.identity(name)
        if identity is None:
            declared = self.registry.tenant(name)  # raises Unknown
            raise not_granted(declared.name)
        return identity

    def parse_name(self, text: str) -> tuple[TenantIdentity | None, PrincipalName]:
        """Return the name of a principal, and the tenant whose service it is, if it names one."""
        owner, slash, name = text.partition("/")
        if not slash:
            return None, PrincipalName(check_principal_name(text))
        identity = self.tenant(owner)
        name = check_principal_name(name)
        return identity, PrincipalName(name, identity.name, identity.external_id)

    def find(self, db: sa.Connection, name: PrincipalName) -> Principal:
        """Find a principal that the actor manages.

        Raises:
            GrantRefused: there is none; the same for one that the actor does not manage.
        """
        principal = find_principal(db, name)
        if principal is None or not self.actor.manages(name.owner_id):
            raise self.no_principal(name, list_principals(db))
        return principal

    def find_for_grant(
        self, db: sa.Connection, name: PrincipalName, tenant: TenantIdentity
    ) -> Principal:
        """Find a principal that the actor may give a grant in a tenant.

        An administrator cannot find out who else there is. A service of the installation has to
        have a grant in the tenant already. A person is invited by an e-mail address at the first
        identity provider, whether or not the address has a principal already. Whoever has a grant
        in the tenant is found by the name that the tenant's administrators see.

        Raises:
            GrantRefused: there is none.
        """
        if self.actor.manages(name.owner_id):
            principal = find_principal(db, name)
        else:
            listed = find_listed(self.grants_in(db, tenant), str(name))
            principal = read_principal(db, listed.principal_id) if listed else None
            if principal is None and self.is_address(name):
                principal = self._invite(db, name)
        if principal is None or not self.actor.manages(tenant.external_id):
            raise self.no_principal(name, list_principals(db))
        return principal

    def is_address(self, name: PrincipalName) -> bool:
        """Return whether an administrator means a person by an e-mail address."""
        return self.actor.access is not None and "@" in name.name and not name.owner_id

    def grants_in(self, db: sa.Connection, tenant: TenantIdentity) -> list[Grant]:
        """Read the grants in a tenant, with principals as the actor may know them.

        An administrator sees the name that was typed for an invited person, and a grant of one who
        was disabled: either could show that somebody else knows the person.
        """
        grants = grants_in_tenant(db, tenant.external_id)
        if not self.actor.access:
            return [grant for grant in grants if grant.is_active]
        return [
            replace(grant, principal=grant.shown_name or grant.principal)
            for grant in grants
            if grant.is_active or not grant.is_of_tenant
        ]

    def _invite(self, db: sa.Connection, name: PrincipalName) -> Principal:
        """Find the person with an e-mail address, or create one who has not signed in yet."""
        issuers = self._control.providers.issuers
        if not issuers:
            raise GrantRefused(
                "people cannot be invited, because this installation has no identity provider",
                "a service such as acme/grafana",
            )
        identity = Identity(issuers[0], email=name.name)
        person = find_invited(db, identity)
        if person is not None:
            return person
        # The address may be the name of somebody else's principal; that must make no difference.
        free = name if find_principal(db, name) is None else PrincipalName(f"p-{token_hex(8)}")
        return insert_principal(db, NewPrincipal(free, identity), self.actor.name)

    def no_principal(self, name: PrincipalName, existing: Iterable[Principal]) -> GrantRefused:
        """Return the error for a principal that the actor does not manage or that is not there."""
        managed = [p.name for p in existing if self.actor.manages(p.full_name.owner_id)]
        return GrantRefused(
            f"there is no principal {str(name)[:60]}",
            "a principal that exists",
            f"{did_you_mean(str(name), managed)}List them: finops principal list",
        )

    def check_grant(self, tenant: TenantIdentity, grant: NewGrant) -> NewGrant:
        """Return a grant with the ids of its projects if the actor can give it in a tenant.

        Raises:
            GrantRefused: the actor has less, the tenant was removed, or a name is not one of its.
        """
        if tenant.state is Lifecycle.REMOVED:
            raise GrantRefused(
                f"tenant {tenant.name} was removed",
                "a tenant that is declared",
                f"Declare it again first: finops tenant enable {tenant.name}",
            )
        if grant.role is Role.ADMIN and grant.limits.extent is not Extent.TENANT:
            raise GrantRefused(
                f"an admin manages the whole tenant, and the grant is limited to {grant.limits}",
                "a grant of the whole tenant for an admin",
                "Leave out the limit, or give the role viewer or analyst",
            )
        access = self.actor.access
        if access and not grant.role.permissions <= access.role.permissions:
            raise GrantRefused(
                f"the role {grant.role} permits more than your role {access.role}",
                f"at most the role {access.role}",
            )
        limits = grant.limits.resolved(self.registry.projects(tenant.name))
        return replace(grant, limits=limits)

    def give_to(
        self, db: sa.Connection, principal: Principal, tenant: TenantIdentity, grant: NewGrant
    ) -> None:
        """Give a principal a grant in a tenant, in place of the one that it has.

        Args:
            grant: as `check_grant` returns it.

        Raises:
            GrantRefused: it is a service of another tenant.
        """
        owner_id = principal.full_name.owner_id
        if owner_id and owner_id != tenant.external_id:
            raise GrantRefused(
                f"{principal.name} is a service of another tenant",
                f"a service of {tenant.name}, or a principal of the installation",
                "Create one without a tenant in its name",
            )
        earlier = stored_grant(db, principal.principal_id, tenant.external_id)
        shown = grant.shown_name or (earlier.shown_name if earlier else "")
        given = replace(grant, created_by=self.actor.name, shown_name=shown)
        store_grant(db, principal, tenant, given)
        before = f" (before: {earlier})" if earlier else ""
        self.note(db, "grant add", f"{shown or principal.name}: {grant}{before}", tenant)
