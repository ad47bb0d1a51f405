"""What the endpoints of one server share: access control, the pool of warehouses, limits, keys.

Put here: the parts, made once when the server starts. Keep out: what they do.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.requests import Request

from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.serve.api.rate_limiter import RateLimiter
from finops_pipeline.serve.api.request_metrics import RequestMetrics
from finops_pipeline.serve.api.sealed_values import Seal
from finops_pipeline.serve.warehouse_pool import WarehousePool


@dataclass(frozen=True)
class ApiServices:
    """The parts of a server.

    `limiter`: by principal. `tenant_limiter`: by tenant. `token_limiter`: by token, valid or not.
    `body_bytes`, `body_seconds`: the size of a request's body, and the time in which it must
    arrive. `send_seconds`: the time in which a client must take the next part of an answer.
    """

    access: AccessControl
    pool: WarehousePool
    limiter: RateLimiter
    tenant_limiter: RateLimiter
    token_limiter: RateLimiter
    body_bytes: int
    body_seconds: float
    send_seconds: float
    seal: Seal = field(default_factory=Seal)
    metrics: RequestMetrics = field(default_factory=RequestMetrics)


def services_of(request: Request) -> ApiServices:
    """Return the services of the server that a request has reached."""
    services: ApiServices = request.app.state.services
    return services
