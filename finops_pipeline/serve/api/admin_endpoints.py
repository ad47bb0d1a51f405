"""Endpoints for a tenant's administrators: the audit log, grants and tokens.

Put here: reading and changing who may see the tenant. Keep out: what an administrator may change
(serve/access), which records each change itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from itertools import islice
from typing import Annotated, Any

from fastapi import Path, Query
from starlette.responses import Response

from finops_pipeline.serve.access.access_administration import AccessAdministration
from finops_pipeline.serve.access.audit_entries import AuditSelection
from finops_pipeline.serve.access.audit_log import read_audit
from finops_pipeline.serve.access.grants import Extent, Grant, Limits, NewGrant
from finops_pipeline.serve.access.token_administration import TokenAdministration, TokenRequest
from finops_pipeline.serve.access.tokens import Token
from finops_pipeline.serve.api.data_request import JSON, Data
from finops_pipeline.serve.api.request_parameters import (
    AuditParameters,
    GrantRemoval,
    GrantRequest,
    TokenCreation,
)
from finops_pipeline.serve.api.tenant_changes import actor_of
from finops_pipeline.serve.exact_json import exact_json

_CREATED = 201
_DONE = 204


def list_audit(data: Data, parameters: Annotated[AuditParameters, Query()]) -> Response:
    """List who accessed what in this tenant, and who was refused, the oldest first."""
    selection = AuditSelection(parameters.since or "", parameters.until or "", parameters.after)
    size = parameters.page_size
    store = data.services.access.store
    entries = list(islice(read_audit(store, data.access.tenant_id, selection), size + 1))
    rows = [asdict(entry) for entry in entries[:size]]
    for row in rows:
        del row["tenant_id"]
    next_after = entries[size - 1].number if len(entries) > size else None
    body = {"tenant": data.access.tenant, "rows": rows, "next_after": next_after}
    data.audit(len(rows))
    return Response(exact_json(body), media_type=JSON)


def list_grants(data: Data) -> Response:
    """List who may see this tenant, or a part of it."""
    grants = _grants(data).grants(data.access.tenant)
    return _listed(data, map(_grant_row, grants))


def give_grant(data: Data, asked: GrantRequest) -> Response:
    """Give a role to a service of this tenant, or to somebody who has a grant in it already.

    An e-mail address invites a person: the grant holds from the time when somebody first signs in
    with this address, verified by the identity provider. The answer is the same for everybody.
    """
    grant = NewGrant(asked.role, _limits(asked))
    _grants(data).give(data.access.tenant, asked.principal, grant)
    return Response(status_code=_DONE)


def take_grant(data: Data, asked: Annotated[GrantRemoval, Query()]) -> Response:
    """Take a grant away; the next request of its principal is refused."""
    _grants(data).take(data.access.tenant, asked.principal)
    return Response(status_code=_DONE)


def list_tenant_tokens(data: Data) -> Response:
    """List the tokens of this tenant's services, without their secrets."""
    return _listed(data, map(_token_row, _tokens(data).tokens()))


def create_token(data: Data, asked: TokenCreation) -> Response:
    """Create a token of a service of this tenant. Its text is in this answer and nowhere else.

    With a role, the service and its grant are created, too, in the whole tenant or only in some of
    its projects or environments.
    """
    grant = NewGrant(asked.role, _limits(asked)) if asked.role else None
    request = TokenRequest(asked.principal, asked.days, asked.label, grant)
    created = _tokens(data).create(request)
    body = {"token": created.text, "prefix": created.prefix, "expires_at": created.expires_at}
    return Response(exact_json(body), _CREATED, media_type=JSON)


def revoke_token(
    data: Data,
    prefix: Annotated[str, Path(description="The first 12 characters.", examples=["fow_9ZxYw3Ab"])],
) -> Response:
    """Revoke a token; the next request with it is refused."""
    _tokens(data).revoke(prefix)
    return Response(status_code=_DONE)


def _limits(asked: GrantRequest | TokenCreation) -> Limits:
    if asked.projects:
        return Limits(Extent.PROJECTS, tuple(asked.projects))
    if asked.environments:
        return Limits(Extent.ENVIRONMENTS, tuple(asked.environments))
    return Limits()


def _listed(data: Data, rows: Iterable[dict[str, Any]]) -> Response:
    listed = list(rows)
    data.audit(len(listed))
    return Response(exact_json({"tenant": data.access.tenant, "rows": listed}), media_type=JSON)


def _grant_row(grant: Grant) -> dict[str, Any]:
    limits = grant.limits
    return {
        "principal": grant.principal,
        "role": grant.role,
        "projects": limits.names if limits.extent is Extent.PROJECTS else None,
        "environments": limits.names if limits.extent is Extent.ENVIRONMENTS else None,
        "created_at": grant.created_at,
        "created_by": grant.created_by,
    }


def _token_row(token: Token) -> dict[str, Any]:
    row = asdict(token) | {"state": token.state}
    del row["principal_id"]
    return row


def _grants(data: Data) -> AccessAdministration:
    return AccessAdministration(data.services.access, actor_of(data))


def _tokens(data: Data) -> TokenAdministration:
    return TokenAdministration(data.services.access, actor_of(data))
