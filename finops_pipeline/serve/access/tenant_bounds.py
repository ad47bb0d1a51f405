"""How many services and tokens one tenant may have: each can send requests of its own.

Put here: counting them, and the refusals. Keep out: creating them (access_administration.py,
token_administration.py).
"""

from __future__ import annotations

import sqlalchemy as sa

from finops_pipeline import clock
from finops_pipeline.errors import GrantRefused, counted
from finops_pipeline.serve.access.access_tables import PRINCIPALS, TOKENS
from finops_pipeline.serve.access.principals import PrincipalState
from finops_pipeline.settings import Settings
from finops_pipeline.tenants.tenant_identity import TenantIdentity


def check_room_for_service(db: sa.Connection, tenant: TenantIdentity, settings: Settings) -> None:
    """Check that a tenant may have one more active service.

    Raises:
        GrantRefused: it has as many as it may have.
    """
    own = PRINCIPALS.c
    active = (own.owner_id == tenant.external_id, own.state == PrincipalState.ACTIVE)
    count = db.scalar(sa.select(sa.func.count()).select_from(PRINCIPALS).where(*active)) or 0
    if count >= settings.tenant_services:
        raise GrantRefused(
            f"tenant {tenant.name} has {counted(count, 'active service')} already",
            f"at most FINOPS_TENANT_SERVICES ({settings.tenant_services})",
            "Disable services that nobody uses, which finops principal list shows, or set"
            f" FINOPS_TENANT_SERVICES={2 * settings.tenant_services}",
        )


def check_room_for_token(db: sa.Connection, tenant: TenantIdentity, settings: Settings) -> None:
    """Check that the services of a tenant may have one more token.

    Raises:
        GrantRefused: they have as many as they may have.
    """
    token = TOKENS.c
    joined = TOKENS.join(PRINCIPALS, token.principal_id == PRINCIPALS.c.principal_id)
    valid = (token.revoked_at == "", token.expires_at > clock.now().isoformat())
    query = sa.select(sa.func.count()).select_from(joined)
    of_tenant = query.where(PRINCIPALS.c.owner_id == tenant.external_id, *valid)
    count = db.scalar(of_tenant) or 0
    if count >= settings.tenant_tokens:
        raise GrantRefused(
            f"the services of tenant {tenant.name} have {counted(count, 'valid token')} already",
            f"at most FINOPS_TENANT_TOKENS ({settings.tenant_tokens})",
            "Revoke tokens that nobody uses, which finops token list shows, or set"
            f" FINOPS_TENANT_TOKENS={2 * settings.tenant_tokens}",
        )
