"""Creating, listing and revoking tokens.

Put here: changes of tokens. Keep out: their form and rows (tokens.py), what an actor may manage
(managed_access.py), commands (cli).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from finops_pipeline.errors import GrantRefused, one_line
from finops_pipeline.serve.access.access_tables import TOKENS
from finops_pipeline.serve.access.actors import Actor
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.serve.access.grants import NewGrant
from finops_pipeline.serve.access.managed_access import ManagedAccess
from finops_pipeline.serve.access.principals import (
    NewPrincipal,
    Principal,
    find_principal,
    insert_principal,
    list_principals,
)
from finops_pipeline.serve.access.tenant_bounds import (
    check_room_for_service,
    check_room_for_token,
)
from finops_pipeline.serve.access.tokens import (
    PREFIX_LENGTH,
    CreatedToken,
    NewToken,
    Token,
    find_token,
    insert_token,
    list_tokens,
    revoke_token,
)
from finops_pipeline.tenants.tenant_identity import TenantIdentity

DEFAULT_DAYS, MOST_DAYS = 90, 730
"""Days for which a token is valid: if nothing else was asked for, and at most."""


@dataclass(frozen=True)
class TokenRequest:
    """A token that somebody asks for: whose it is, how long it is valid, free text.

    `grant`: to be given first, in the tenant whose service it is; a service that does not exist
    yet is then created.
    """

    name: str
    days: int = DEFAULT_DAYS
    label: str = ""
    grant: NewGrant | None = None


class TokenAdministration:
    """The tokens that one actor manages: those of principals that the actor manages.

    Every change raises AuditUnavailable when it cannot be stored together with its entry in the
    audit log; then nothing has changed.
    """

    def __init__(self, control: AccessControl, actor: Actor) -> None:
        self._managed = ManagedAccess(control, actor)

    def tokens(self, name: str | None = None) -> list[Token]:
        """Read the tokens that the actor manages, or those of one principal.

        Raises:
            GrantRefused: there is no such principal that the actor manages.
        """
        managed = self._managed
        full_name = managed.parse_name(name)[1] if name else None
        with managed.store.reading() as db:
            if full_name is not None and db is None:
                raise managed.no_principal(full_name, [])
            if db is None:
                return []
            if full_name is not None:
                principals = [managed.find(db, full_name)]
            else:
                principals = list_principals(db)
            ids = {
                principal.principal_id
                for principal in principals
                if managed.actor.manages(principal.full_name.owner_id)
            }
            return list_tokens(db, TOKENS.c.principal_id.in_(ids))

    def create(self, asked: TokenRequest) -> CreatedToken:
        """Create a token, and first the service and its grant if a grant is asked for.

        Raises:
            GrantRefused: there is no such principal, the token or grant cannot be given, or the
                tenant has as many services or tokens as it may have.
            Unknown: there is no such tenant.
        """
        managed = self._managed
        if not 1 <= asked.days <= MOST_DAYS:
            raise GrantRefused(
                f"a token cannot be valid for {asked.days} days", f"1 to {MOST_DAYS} days"
            )

        def change(db: sa.Connection) -> CreatedToken:
            owner, full_name = managed.parse_name(asked.name)
            if asked.grant is None:
                principal = managed.find(db, full_name)
            else:
                principal = self._with_grant(db, asked, asked.grant)
            return self._create(db, principal, asked, owner)

        return managed.perform(change)

    def _with_grant(self, db: sa.Connection, asked: TokenRequest, grant: NewGrant) -> Principal:
        """Return the service with its grant; either may be new."""
        managed = self._managed
        owner, full_name = managed.parse_name(asked.name)
        if owner is None:
            raise GrantRefused(
                f"{asked.name[:60]} is the name of no tenant's service, so no grant was given",
                "a name such as acme/grafana, or no role",
                "Give the grant with `finops grant add`, and create the token without a role",
            )
        grant = managed.check_grant(owner, grant)
        principal = find_principal(db, full_name)
        if principal is None:
            check_room_for_service(db, owner, managed.settings)
            principal = insert_principal(db, NewPrincipal(full_name), managed.actor.name)
            managed.note(db, "principal add", f"service {principal.name}", owner)
        managed.give_to(db, principal, owner, grant)
        return principal

    def _create(
        self,
        db: sa.Connection,
        principal: Principal,
        asked: TokenRequest,
        owner: TenantIdentity | None,
    ) -> CreatedToken:
        if not principal.is_active:
            raise GrantRefused(
                f"{principal.name} is disabled",
                "a principal that is active",
                "Make it active with `finops principal enable`",
            )
        if owner:
            check_room_for_token(db, owner, self._managed.settings)
        name, lifetime = self._managed.actor.name, timedelta(days=asked.days)
        created = insert_token(db, NewToken(principal, lifetime, one_line(asked.label[:200]), name))
        detail = f"{created.prefix}… for {principal.name}, until {created.expires_at[:10]}"
        self._managed.note(db, "token create", detail, owner)
        return created

    def revoke(self, prefix: str) -> Token:
        """Revoke a token; the next request with it is refused.

        Args:
            prefix: the first 12 characters of the token, as they are listed; what follows them
                is not looked at and never repeated.

        Raises:
            GrantRefused: there is no such token that the actor manages.
        """
        managed, prefix = self._managed, prefix[:PREFIX_LENGTH]

        def change(db: sa.Connection) -> Token:
            owned = find_token(db, prefix)
            if owned is None or not managed.actor.manages(owned.principal.full_name.owner_id):
                raise GrantRefused(
                    f"there is no token {prefix!r}",
                    "the first 12 characters of a token, as they are listed",
                    "List the tokens: finops token list",
                )
            if not owned.token.revoked_at:
                revoke_token(db, prefix)
                detail = f"{prefix}… of {owned.principal.name}"
                managed.note(db, "token revoke", detail, self._owner_of(owned.principal))
            return owned.token

        return managed.perform(change)

    def _owner_of(self, principal: Principal) -> TenantIdentity | None:
        """Return the tenant whose service a principal is, unless that was purged."""
        name = principal.full_name
        identity = self._managed.registry.identity(name.owner) if name.owner_id else None
        is_same = identity is not None and identity.external_id == name.owner_id
        return identity if is_same else None
