"""Giving and taking access: principals and grants.

Put here: changes of principals and grants. Keep out: tokens (token_administration.py), what an
actor may manage (managed_access.py), deciding on requests (authorization.py), commands (cli).

The command line and operators manage the whole installation. An administrator of a tenant manages
its services, their tokens, and the grants in it.
"""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa

from finops_pipeline.errors import GrantRefused
from finops_pipeline.serve.access.actors import Actor
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.serve.access.grants import (
    Grant,
    NewGrant,
    delete_grant,
    find_listed,
    remove_from_grants,
    rename_in_grants,
)
from finops_pipeline.serve.access.managed_access import ManagedAccess
from finops_pipeline.serve.access.principals import (
    Identity,
    NewPrincipal,
    Principal,
    PrincipalState,
    insert_principal,
    list_principals,
    store_state,
)
from finops_pipeline.serve.access.tenant_bounds import check_room_for_service


class AccessAdministration:
    """The principals and grants that one actor manages.

    Every change raises AuditUnavailable when it cannot be stored together with its entry in the
    audit log; then nothing has changed.
    """

    def __init__(self, control: AccessControl, actor: Actor) -> None:
        self._managed = ManagedAccess(control, actor)

    def principals(self) -> list[Principal]:
        """Read the principals that the actor manages."""
        with self._managed.store.reading() as db:
            everyone = list_principals(db) if db else []
        manages = self._managed.actor.manages
        return [p for p in everyone if manages(p.full_name.owner_id)]

    def add_principal(
        self, name: str, identity: Identity | None = None, is_operator: bool = False
    ) -> Principal:
        """Create a principal: `grafana`, a service `acme/grafana` of a tenant, or a person.

        Raises:
            GrantRefused: the name is taken or not the actor's to give, or the identity is, or the
                tenant has as many services as it may have.
            Unknown: there is no such tenant.
        """
        managed = self._managed

        def change(db: sa.Connection) -> Principal:
            owner, full_name = managed.parse_name(name)
            if owner and (identity or is_operator):
                raise GrantRefused(
                    f"{name} is the name of a service of one tenant",
                    "a name without a tenant for a person or an operator",
                    f"Use the name {full_name.name}",
                )
            if not managed.actor.manages(full_name.owner_id):
                raise GrantRefused(
                    f"{name} would be a principal of the installation",
                    "a service of a tenant that you manage, such as acme/grafana",
                )
            if owner:
                check_room_for_service(db, owner, managed.settings)
            new = NewPrincipal(full_name, identity, is_operator)
            principal = insert_principal(db, new, managed.actor.name)
            kind = "operator" if is_operator else principal.kind
            managed.note(db, "principal add", f"{kind} {principal.name}", owner)
            return principal

        return managed.perform(change)

    def set_state(self, name: str, state: PrincipalState) -> Principal:
        """Disable a principal with all its tokens, or make it active again.

        Raises:
            GrantRefused: there is no such principal that the actor manages, or its tenant has as
                many services as it may have.
            Unknown: there is no such tenant.
        """
        managed = self._managed

        def change(db: sa.Connection) -> Principal:
            owner, full_name = managed.parse_name(name)
            principal = managed.find(db, full_name)
            if owner and state is PrincipalState.ACTIVE and not principal.is_active:
                check_room_for_service(db, owner, managed.settings)
            store_state(db, principal, state)
            verb = "disable" if state is PrincipalState.DISABLED else "enable"
            managed.note(db, f"principal {verb}", principal.name, owner)
            return replace(principal, state=state)

        return managed.perform(change)

    def grants(self, tenant: str) -> list[Grant]:
        """Read the grants in a tenant, with principals as the actor may know them.

        Raises:
            Unknown: there is no such tenant.
            NotGranted: the actor manages another tenant.
        """
        identity = self._managed.tenant(tenant)
        with self._managed.store.reading() as db:
            return self._managed.grants_in(db, identity) if db else []

    def give(self, tenant: str, name: str, grant: NewGrant) -> None:
        """Give a principal a grant in a tenant, in place of the one that it has.

        Raises:
            GrantRefused: there is no such principal, or the grant cannot be given.
            Unknown: there is no such tenant.
            NotGranted: the actor manages another tenant.
        """
        managed = self._managed

        def change(db: sa.Connection) -> None:
            identity = managed.tenant(tenant)
            given = managed.check_grant(identity, grant)
            _, full_name = managed.parse_name(name)
            principal = managed.find_for_grant(db, full_name, identity)
            shown_name = str(full_name) if managed.is_address(full_name) else ""
            managed.give_to(db, principal, identity, replace(given, shown_name=shown_name))

        managed.perform(change)

    def take(self, tenant: str, name: str) -> None:
        """Remove the grant of a principal in a tenant.

        Raises:
            GrantRefused: it has none.
            Unknown: there is no such tenant.
            NotGranted: the actor manages another tenant.
        """
        managed = self._managed

        def change(db: sa.Connection) -> None:
            identity = managed.tenant(tenant)
            grant = find_listed(managed.grants_in(db, identity), name)
            if grant is not None:
                delete_grant(db, grant.principal_id, identity.external_id)
                shown_name = grant.shown_name or grant.principal
                managed.note(db, "grant remove", f"{shown_name}: {grant}", identity)
                return
            raise GrantRefused(
                f"{name[:60]} has no grant in tenant {tenant}",
                "a principal with a grant",
                f"List the grants: finops grant list {tenant}",
            )

        managed.perform(change)

    def rename_project(self, tenant: str, old: str, new: str) -> None:
        """Let the grants that name a project follow its new name.

        Raises:
            Unknown: there is no such tenant.
        """
        managed = self._managed

        def change(db: sa.Connection) -> None:
            identity = managed.tenant(tenant)
            if rename_in_grants(db, identity.external_id, old, new):
                managed.note(db, "grant rename", f"project {old} is now {new}", identity)

        if managed.store.path.exists():
            managed.perform(change)

    def remove_project(self, tenant: str, project: str) -> None:
        """Take a removed project out of the grants that name it.

        Raises:
            Unknown: there is no such tenant.
        """
        managed = self._managed

        def change(db: sa.Connection) -> None:
            identity = managed.tenant(tenant)
            if remove_from_grants(db, identity.external_id, project):
                managed.note(db, "grant limit", f"project {project} was removed", identity)

        if managed.store.path.exists():
            managed.perform(change)
