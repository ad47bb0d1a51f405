"""Endpoints about the caller: who it is, which tenants it may see, and what was accessed.

Put here: answers that come from access control. Keep out: a tenant's data.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from finops_pipeline.serve.access.principals import Principal
from finops_pipeline.serve.api.api_services import services_of
from finops_pipeline.serve.api.data_request import JSON
from finops_pipeline.serve.api.request_record import record_of
from finops_pipeline.serve.exact_json import exact_json


def show_caller(request: Request) -> Response:
    """Show whose token or session this is."""
    principal, session = _principal_of(request), record_of(request.scope).session
    body = {
        "principal_id": principal.principal_id,
        "kind": principal.kind.value,
        "name": principal.name,
        "is_operator": principal.is_operator,
        "csrf_token": session.csrf_token if session else None,
    }
    return Response(exact_json(body), media_type=JSON)


def list_tenants(request: Request) -> Response:
    """List the tenants that you may see, with your role in each."""
    tenants = [
        {
            "tenant": access.tenant,
            "role": access.role.value,
            "permissions": sorted(access.role.permissions),
            "projects": access.scope.projects,
        }
        for access in services_of(request).access.tenants_of(_principal_of(request))
    ]
    return Response(exact_json({"tenants": tenants}), media_type=JSON)


def _principal_of(request: Request) -> Principal:
    principal = record_of(request.scope).principal
    assert principal is not None, "the route verifies before it answers"
    return principal
