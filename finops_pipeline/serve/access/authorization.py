"""Who calls, and what they may do: the one place that every doorway asks.

Put here: authentication, authorization, recording. Keep out: giving grants and tokens
(access_administration.py), HTTP (api), data (the rest of serve).

Nothing is cached: every call reads the access database and the registry, so that a revocation, a
grant or a renamed project holds for the next request.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

import sqlalchemy as sa

from finops_pipeline.application.installation import Installation
from finops_pipeline.errors import (
    AuditUnavailable,
    NotAuthenticated,
    NotGranted,
    PermissionMissing,
    RegistryError,
    StorageFailure,
    one_line,
)
from finops_pipeline.serve.access.access_store import AccessStore
from finops_pipeline.serve.access.audit_entries import (
    AuditEntry,
    AuditSelection,
    Outcome,
    StoredEntry,
    append_entries,
)
from finops_pipeline.serve.access.audit_log import AuditLog, read_audit, unavailable
from finops_pipeline.serve.access.grants import (
    Extent,
    Grant,
    find_grant,
    grants_of_principal,
)
from finops_pipeline.serve.access.oidc_tokens import IdentityProviders
from finops_pipeline.serve.access.people import find_person, tie_to_subject
from finops_pipeline.serve.access.principals import Identity, Principal
from finops_pipeline.serve.access.refused_tokens import RefusedTokens
from finops_pipeline.serve.access.sessions import SESSION_START, is_open_now
from finops_pipeline.serve.access.tokens import (
    TOKEN_START,
    TokenOwner,
    disabled,
    find_owner,
    find_token,
    is_valid_now,
    note_use,
)
from finops_pipeline.serve.access.verified_access import Access, Permission
from finops_pipeline.serve.data_scope import DataScope
from finops_pipeline.tenants.lifecycle import Lifecycle
from finops_pipeline.tenants.model import check_name
from finops_pipeline.tenants.tenant_directory import TenantDirectory
from finops_pipeline.tenants.tenant_identity import TenantIdentity

_NO_TENANT = "-"
"""A name that no tenant can have."""


class AccessControl:
    """Authentication, authorization and the audit log of one installation, for any thread.

    Every method raises StorageFailure when the access database cannot be read.
    """

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.store = AccessStore(installation.settings)
        self._tenants = TenantDirectory(installation.registry)
        self.providers = IdentityProviders(installation.settings)
        self._log = AuditLog(self.store)
        self._refused = RefusedTokens()

    def close(self) -> None:
        """Record how often tokens were refused, and close connections that no thread is using."""
        with suppress(AuditUnavailable):
            self._record_all(self._refused.take_all())
        self.store.close()
        self._tenants.close()

    def authenticate_token(self, text: str, request_id: str = "") -> Principal:
        """Return who calls with a token of ours, or of an identity provider.

        A token that was valid once, and one of a disabled principal, is recorded when it is used;
        if it is used again within a minute, the number of these uses is.

        Raises:
            NotAuthenticated: the token is malformed, unknown, expired or revoked, or its principal
                is disabled.
            AuditUnavailable: such a use cannot be recorded.
            Unreachable: the identity provider does not answer.
        """
        self._record_all(self._refused.take_due())
        if self.providers.are_asked(text):
            return self.authenticate_person(self.providers.verify(text), request_id)
        with self.store.reading() as db:
            owner = find_owner(db, text)
        try:
            owner.check_usable()
        except NotAuthenticated as refusal:
            self._record_refusal(owner.principal, refusal, request_id)
            raise
        self._note_use(owner)
        return owner.principal

    def _check_token_again(self, principal: Principal, request_id: str) -> None:
        if not _has_own_token(principal):
            return
        with self.store.reading() as db:
            owner = find_token(db, principal.token) if db else None
        try:
            if owner is None or owner.principal.principal_id != principal.principal_id:
                raise NotAuthenticated("the token does not exist any more")
            owner.check_usable()
        except NotAuthenticated as refusal:
            self._record_refusal(principal, refusal, request_id)
            raise

    def authenticate_person(self, identity: Identity, request_id: str = "") -> Principal:
        """Return who has signed in with an identity provider.

        Raises:
            NotAuthenticated: nobody has given the person access, or the principal is disabled.
            AuditUnavailable: the use of a disabled principal cannot be recorded.
        """
        with self.store.reading() as db:
            principal = find_person(db, identity) if db else None
        if principal is None or principal.identity is None:
            raise NotAuthenticated(
                "you are signed in, but nobody has given you access",
                "a person with a grant",
                "Ask an administrator of your tenant for a grant",
            )
        if not principal.is_active:
            refusal = disabled(principal)
            self._record_refusal(principal, refusal, request_id)
            raise refusal
        if not principal.identity.subject:
            self._tie(principal, identity, request_id)
        return principal

    def _tie(self, principal: Principal, identity: Identity, request_id: str) -> None:
        """Tie a principal to its person. If two people race for it, only one of them gets it."""
        entry = AuditEntry.of(principal, "principal tie", Outcome.CHANGED)
        entry = replace(entry, request_id=request_id, detail=f"{identity.email} signed in first")

        def write(db: sa.Connection) -> None:
            if tie_to_subject(db, principal, identity):
                append_entries(db, [entry])

        try:
            self.store.write(write)
        except StorageFailure as failure:
            raise unavailable(failure) from failure
        with self.store.reading() as db:
            owner = find_person(db, replace(identity, email="")) if db else None
        if owner is None or owner.principal_id != principal.principal_id:
            raise NotAuthenticated("this e-mail address belongs to another person already")

    def _record_refusal(
        self, principal: Principal, refusal: NotAuthenticated, request_id: str
    ) -> None:
        entry = AuditEntry.of(principal, "authenticate", Outcome.REFUSED)
        entry = replace(entry, request_id=request_id, detail=refusal.found)
        self._record_all(self._refused.add(entry))

    def _record_all(self, entries: Iterable[AuditEntry]) -> None:
        for entry in entries:
            self.record(entry)

    def _note_use(self, owner: TokenOwner) -> None:
        if not owner.needs_note:
            return
        try:
            self.store.write(lambda db: note_use(db, owner.token.prefix))
        except StorageFailure:
            return  # only the time of the last use is lost; serving data needs the audit log anyway

    def authorize(
        self, principal: Principal, tenant: str, needed: Permission, request_id: str = ""
    ) -> Access:
        """Return what a verified caller may do with a tenant. A refusal is recorded.

        The caller's token must still be valid: a request may last.

        Raises:
            NotAuthenticated: the token was revoked or has expired since it was verified.
            NotGranted: the caller has no grant for such a tenant, or there is none: the same text
                and the same work for both.
            PermissionMissing: the role in the tenant does not permit it.
            AuditUnavailable: a refusal cannot be recorded.
        """
        # A refusal is recorded here, so that no doorway can forget it.
        action = f"authorize {needed}"
        identity, grant = self._find(principal, tenant)
        if identity is None or grant is None:
            self._check_token_again(principal, request_id)
            entry = AuditEntry.of(principal, action, Outcome.REFUSED)
            self.record(replace(entry, tenant=str(tenant), request_id=request_id))
            raise not_granted(tenant)
        access = self._access(grant, identity)
        if not access.permits(needed):
            entry = AuditEntry.of(principal, action, Outcome.REFUSED, access)
            self.record(replace(entry, request_id=request_id))
            raise _missing(access, needed)
        return access

    def _find(
        self, principal: Principal, tenant: object
    ) -> tuple[TenantIdentity | None, Grant | None]:
        """Find a tenant and a grant in it, with the same work whether or not they exist."""
        identity = self._identity(tenant)
        with self.store.reading() as db:
            tenant_id = identity.external_id if identity else ""
            valid = _credential_condition(principal)
            grant = find_grant(db, principal.principal_id, tenant_id, valid) if db else None
        is_open = identity is not None and identity.state is not Lifecycle.REMOVED
        return identity, grant if is_open else None

    def _identity(self, tenant: object) -> TenantIdentity | None:
        """Read the identity of a tenant; the work is the same for a name that none can have."""
        try:
            name = check_name("tenant", tenant if isinstance(tenant, str) else "")
        except RegistryError:
            name = _NO_TENANT
        return self._tenants.identity(name)

    def _access(self, grant: Grant, identity: TenantIdentity) -> Access:
        is_whole = grant.limits.extent is Extent.TENANT
        declared = [] if is_whole else self._tenants.projects(identity.name)
        scope = DataScope.of(identity.name, grant.limits.projects(declared))
        return Access(grant.principal_id, grant.role, scope, identity.external_id, grant.shown_name)

    def tenants_of(self, principal: Principal) -> list[Access]:
        """Return what a verified caller may do with each tenant, by name."""
        with self.store.reading() as db:
            grants = grants_of_principal(db, principal.principal_id) if db else []
        by_id = {grant.tenant_id: grant for grant in grants if grant.tenant_id}
        return [
            self._access(by_id[identity.external_id], identity)
            for identity in self._tenants.identities(by_id.keys())
            if identity.state is not Lifecycle.REMOVED
        ]

    def require_operator(self, principal: Principal, request_id: str = "") -> None:
        """Check that a verified caller manages the installation. A refusal is recorded.

        Raises:
            PermissionMissing: the caller does not.
            AuditUnavailable: a refusal cannot be recorded.
        """
        if not principal.is_operator:
            entry = AuditEntry.of(principal, "authorize operator", Outcome.REFUSED)
            self.record(replace(entry, request_id=request_id))
            raise PermissionMissing(
                f"{principal.name} does not manage this installation",
                "an operator",
                "Ask an operator of the installation",
            )

    def audit_log(self, access: Access, selection: AuditSelection) -> list[StoredEntry]:
        """Read the audit log of a tenant, as its administrator.

        Raises:
            PermissionMissing: the role does not permit it.
        """
        if not access.permits(Permission.ADMINISTER):
            raise _missing(access, Permission.ADMINISTER)
        return list(read_audit(self.store, access.tenant_id, selection))

    def record(self, entry: AuditEntry) -> None:
        """Append an entry to the audit log; it is committed when this returns.

        Raises:
            AuditUnavailable: it cannot be stored, so nothing may be given out.
        """
        self._log.record(entry)


def _has_own_token(principal: Principal) -> bool:
    """Return whether a caller was verified by a token of ours: those of others are not revoked."""
    return principal.token.startswith(TOKEN_START)


def _credential_condition(principal: Principal) -> sa.ColumnElement[bool] | None:
    """Return the condition that what a caller was verified by still counts: a request may last."""
    if _has_own_token(principal):
        return is_valid_now(principal.token)
    if principal.token.startswith(SESSION_START):
        return is_open_now(principal.token)
    return None


def _missing(access: Access, needed: Permission) -> PermissionMissing:
    return PermissionMissing(
        f"the role {access.role} in tenant {access.tenant} does not permit this request",
        f"a role that permits to {needed}",
        "Ask an administrator of the tenant for another role",
    )


def not_granted(tenant: object) -> NotGranted:
    """Return the error for a tenant without a grant, which is also that for an unknown tenant."""
    return NotGranted(
        f"there is no tenant {one_line(str(tenant)[:60])!r} that you have access to",
        "the name of a tenant that you have a grant for",
        "Check the name, or ask an administrator of the tenant for a grant",
    )
