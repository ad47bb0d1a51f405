"""Two tenants behind the API, in this process: tokens for both, and requests of a client.

Put here: a served installation and its client. Keep out: what tests expect of answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI

from finops_pipeline.application.installation import Installation
from finops_pipeline.serve.access.actors import Actor
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.serve.access.grants import NewGrant
from finops_pipeline.serve.access.token_administration import TokenAdministration, TokenRequest
from finops_pipeline.serve.access.tokens import PREFIX_LENGTH
from finops_pipeline.serve.access.verified_access import Role
from finops_pipeline.serve.api.api_app import build_app
from finops_pipeline.serve.api.api_server import build_services
from finops_pipeline.serve.api.api_services import ApiServices
from finops_pipeline.serve.api.endpoint_table import Endpoint
from finops_pipeline.serve.api.verified_route import AdminRoute
from finops_pipeline.settings import Settings
from tests.support.example_declarations import prepare_declarations

TENANTS = ("acme", "globex")


def give_token(installation: Installation, name: str, role: Role) -> str:
    """Create a service with a grant in its tenant; return its token."""
    control = AccessControl(installation)
    asked = TokenRequest(name, grant=NewGrant(role))
    return TokenAdministration(control, Actor.command_line()).create(asked).text


@dataclass
class ServedTenants:
    """A served installation. Requests are sent with a token; '' sends none."""

    installation: Installation
    services: ApiServices
    app: FastAPI
    portal: BlockingPortal
    client: httpx.AsyncClient
    tokens: dict[str, str] = field(default_factory=dict)

    def send(self, method: str, path: str, token: str = "", **options: Any) -> httpx.Response:
        """Send a request below /v1, or to an address that begins with `//`."""
        url = path[1:] if path.startswith("//") else f"/v1{path}"
        headers = dict(options.pop("headers", {}))
        if token:
            headers.setdefault("Authorization", f"Bearer {self.tokens.get(token, token)}")
        call = partial(self.client.request, method, url, headers=headers, **options)
        response: httpx.Response = self.portal.call(call)
        return response

    def get(self, path: str, token: str = "acme", **options: Any) -> httpx.Response:
        """Send a GET with a token: by default that of acme's analyst."""
        return self.send("GET", path, token, **options)

    def send_example(self, endpoint: Endpoint, tenant: str = "acme") -> httpx.Response:
        """Send the example of an endpoint as the tenant's administrator."""
        path = endpoint.example.replace("acme", tenant)
        if "{prefix}" in endpoint.path:
            token = give_token(self.installation, f"{tenant}/leaving", Role.VIEWER)
            path = f"{path.rpartition('/')[0]}/{token[:PREFIX_LENGTH]}"
        if endpoint.route is AdminRoute:
            path = prepare_declarations(self.installation, endpoint, tenant, path)
        options: dict[str, Any] = {}
        if endpoint.body:
            options["json"] = json.loads(endpoint.body.replace("acme", tenant))
        return self.send(endpoint.method, path, f"{tenant}-admin", **options)

    def post(self, path: str, token: str = "acme", **options: Any) -> httpx.Response:
        """Send a POST."""
        return self.send("POST", path, token, **options)


@contextmanager
def serve_tenants(data: Path, **settings: Any) -> Iterator[ServedTenants]:
    """Serve an installation with acme and globex in this process.

    Tokens: `acme` and `globex` of an analyst each, `acme-viewer`, `acme-admin`, `globex-admin`.
    """
    settings.setdefault("serve_ingests", 0)
    many = {"serve_requests_per_minute_per_tenant": 1_000_000, "serve_sign_ins_per_minute": 100_000}
    settings = {**many, **settings}
    installation = Installation(Settings(data=data, threads=1, **settings))
    services = build_services(installation)
    app = build_app(services)
    with ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal())
        stack.enter_context(portal.wrap_async_context_manager(app.router.lifespan_context(app)))
        transport = httpx.ASGITransport(app, raise_app_exceptions=True)
        client = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000")
        stack.enter_context(portal.wrap_async_context_manager(client))
        served = ServedTenants(installation, services, app, portal, client)
        for tenant in TENANTS:
            served.tokens[tenant] = give_token(installation, f"{tenant}/analyst", Role.ANALYST)
            admin = give_token(installation, f"{tenant}/admin", Role.ADMIN)
            served.tokens[f"{tenant}-admin"] = admin
        served.tokens["acme-viewer"] = give_token(installation, "acme/viewer", Role.VIEWER)
        yield served
