"""The OpenAPI document: FastAPI's, with the problem documents that every operation may answer.

Put here: what FastAPI does not know. Keep out: addresses (endpoint_table.py), shapes of answers
(answer_models.py).
"""

from __future__ import annotations

from functools import cache
from typing import Any

from fastapi import APIRouter
from fastapi.openapi.utils import get_openapi

from finops_pipeline import __version__
from finops_pipeline.serve.api.answer_models import ProblemDetails
from finops_pipeline.serve.api.browser_cookies import HOST, SESSION
from finops_pipeline.serve.api.endpoint_table import PREFIX, add_endpoints, endpoints
from finops_pipeline.serve.api.export_endpoints import export_table
from finops_pipeline.serve.api.export_streams import MEDIA_TYPES
from finops_pipeline.serve.api.problem_details import KINDS, MEDIA_TYPE
from finops_pipeline.serve.api.verified_route import PrincipalRoute

_COOKIE = "SessionCookie"
_PROBLEM = "ProblemDetails"
_REPLACED = ("HTTPValidationError", "ValidationError")
_DESCRIPTION = """\
Send your token as `Authorization: Bearer TOKEN`. A browser can use a session instead, see
docs/access.md. Amounts are exact decimal numbers as text. Every
error is a problem document (RFC 9457) that says what was found, what was expected and what to do.
"""


@cache
def openapi_document() -> dict[str, Any]:
    """Return the OpenAPI document, which says nothing about any tenant."""
    router = APIRouter()
    add_endpoints(router)
    document = get_openapi(
        title="finops_pipeline",
        version=__version__,
        summary="Every organisation's AWS costs, exact to the last digit.",
        description=_DESCRIPTION,
        routes=router.routes,
        servers=[{"url": "/", "description": "This server."}],
    )
    schemas = document["components"]["schemas"]
    schemas[_PROBLEM] = ProblemDetails.model_json_schema()
    for name in _REPLACED:
        schemas.pop(name, None)
    for endpoint in endpoints():
        operation = document["paths"][PREFIX + endpoint.path][endpoint.method.lower()]
        responses = {str(endpoint.status): operation["responses"][str(endpoint.status)]}
        if endpoint.function is export_table:
            responses["200"] = _exports()
        if endpoint.has_entity_tag:
            responses["304"] = {"description": "Not modified since the given entity tag."}
        responses |= _problems(endpoint.route is not PrincipalRoute)
        operation["responses"] = dict(sorted(responses.items()))
        operation["security"].append({_COOKIE: []})
    document["components"]["securitySchemes"][_COOKIE] = {
        "type": "apiKey",
        "in": "cookie",
        "name": f"{HOST}{SESSION}",
        "description": f"A session that began at /login; over http the cookie is called {SESSION}."
        " Every method but GET also needs the header X-CSRF-Token. It does not count in a request"
        " with a header Authorization.",
    }
    return document


def _problems(is_of_tenant: bool) -> dict[str, Any]:
    """Return the responses for problems, by status."""
    titles: dict[int, list[str]] = {}
    for kind in KINDS:
        titles.setdefault(kind.status, []).append(f"{kind.title} (`{kind.name}`)")
    schema = {"$ref": f"#/components/schemas/{_PROBLEM}"}
    general = {400, 401, 405, 429, 431, 500, 503}
    return {
        str(status): {
            "description": "; ".join(of_status),
            "content": {MEDIA_TYPE: {"schema": schema}},
        }
        for status, of_status in titles.items()
        if is_of_tenant or status in general
    }


def _exports() -> dict[str, Any]:
    """Return the response of an export, in each of its formats."""
    schema = {"type": "string", "format": "binary"}
    types = [media_type.partition(";")[0] for media_type in MEDIA_TYPES.values()]
    return {
        "description": "The rows of the table.",
        "content": {media_type: {"schema": schema} for media_type in types},
    }
