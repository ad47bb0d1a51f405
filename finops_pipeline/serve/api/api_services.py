"""What the endpoints of one server share: access control, the pool of warehouses, limits, keys.

Put here: the parts, made once when the server starts. Keep out: what they do.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.requests import Request

from finops_pipeline.application.installation import Installation
from finops_pipeline.serve.access.authorization import AccessControl
from finops_pipeline.serve.access.browser_sign_in import BrowserSignIn
from finops_pipeline.serve.api.calculation_turns import CalculationTurns
from finops_pipeline.serve.api.rate_limiter import RateLimiter
from finops_pipeline.serve.api.request_metrics import RequestMetrics
from finops_pipeline.serve.api.sealed_values import Seal
from finops_pipeline.serve.ingest_runner import IngestRunner
from finops_pipeline.serve.warehouse_pool import WarehousePool


@dataclass(frozen=True)
class ApiServices:
    """The parts of a server.

    `limiter`: by principal. `tenant_limiter`: by tenant. `token_limiter`: by token, valid or not.
    `sign_in_limiter`: by address of the client. `all_sign_ins_limiter`: under one key.
    `body_bytes`, `body_seconds`: the size of a request's body, and the time in which it must
    arrive. `send_seconds`: the time in which a client must take the next part of an answer.
    `browsers`: None: nobody signs in with a browser, and cookies do not count.
    `declarations`: the same installation, for changes that do not wait long for a lock.
    `ingests`: carries out requests for an ingest.
    """

    access: AccessControl
    pool: WarehousePool
    limiter: RateLimiter
    tenant_limiter: RateLimiter
    token_limiter: RateLimiter
    sign_in_limiter: RateLimiter
    all_sign_ins_limiter: RateLimiter
    body_bytes: int
    body_seconds: float
    send_seconds: float
    declarations: Installation
    ingests: IngestRunner
    browsers: BrowserSignIn | None = None
    calculations: CalculationTurns = field(default_factory=CalculationTurns)
    seal: Seal = field(default_factory=Seal)
    metrics: RequestMetrics = field(default_factory=RequestMetrics)


def services_of(request: Request) -> ApiServices:
    """Return the services of the server that a request has reached."""
    services: ApiServices = request.app.state.services
    return services
