"""The settings of the HTTP API: sign-in, sessions, what a server does at once, bounds per tenant.

Put here: fields that only `finops serve` and its doorways need. Keep out: all other settings, and
reading the environment (settings.py).
"""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

_ISSUER = r"(https://|http://(127\.0\.0\.1|localhost)[:/])[^\s?#,]+"


class ServerSettings(BaseSettings):
    """One installation's settings of the HTTP API, a part of `Settings`."""

    model_config = SettingsConfigDict(env_prefix="FINOPS_", frozen=True, extra="ignore")

    oidc_issuer: str = Field(
        default="",
        pattern=rf"^({_ISSUER}( +{_ISSUER})*)?$",
        description=(
            "Issuer URLs of the identity providers with which people sign in, separated by spaces;"
            " each has a discovery document. Empty: services with tokens only."
        ),
    )
    oidc_audience: str = Field(
        default="",
        description=(
            "Audiences, separated by spaces, of which a provider's token must have one to count"
            " here: usually the client id."
        ),
    )
    oidc_client: str = Field(
        default="",
        description=(
            "Client ids with which people sign in in a browser, separated by spaces: one for each"
            " issuer, in the same order. Empty: no sign-in in a browser."
        ),
    )
    oidc_client_secret: str = Field(
        default="",
        repr=False,
        description=(
            "Secrets of these clients, in the same order; - for one without a secret. Empty: none"
            " of them has one."
        ),
    )
    public_url: str = Field(
        default="",
        pattern=r"^(https://[^\s/?#@,]+|http://(127\.0\.0\.1|localhost)(:\d+)?)?$",
        description=(
            "URL at which browsers reach `finops serve`, such as https://finops.acme.example. The"
            " identity provider sends people back to its address /login/callback."
        ),
    )
    session_idle_minutes: int = Field(
        default=60,
        ge=5,
        description="Minutes after which a session of a browser ends if it is not used.",
    )
    session_hours: int = Field(
        default=12, ge=1, description="Hours after which a session of a browser ends in any case."
    )
    serve_workers: int = Field(
        default=64,
        ge=1,
        description="Processes that a server keeps for queries, one per open file of a tenant.",
    )
    serve_queries: int = Field(
        default=8,
        ge=1,
        description="Queries that a server answers at the same time; further ones wait.",
    )
    serve_queries_per_tenant: int = Field(
        default=4, ge=1, description="Queries of one tenant that a server answers at the same time."
    )
    serve_exports: int = Field(
        default=16,
        ge=1,
        description="Exports that a server sends at the same time, each from a process of its own.",
    )
    serve_exports_per_tenant: int = Field(
        default=4, ge=1, description="Exports of one tenant that a server sends at the same time."
    )
    serve_limited_files: int = Field(
        default=32,
        ge=1,
        description=(
            "Files of some projects that a server keeps for each tenant: one for each set of"
            " projects to which a grant is limited."
        ),
    )
    serve_limited_files_at_once: int = Field(
        default=2,
        ge=1,
        description="Files of some projects that a server writes at the same time.",
    )
    serve_wait_seconds: float = Field(
        default=30.0,
        ge=0,
        description="Seconds that a query waits in a server before it is refused as busy.",
    )
    serve_idle_memory: str = Field(
        default="4GB",
        pattern=r"^\d+(\.\d+)?\s?(KB|MB|GB|TB|KiB|MiB|GiB|TiB)$",
        description="Memory that processes of a server may hold between queries, all together.",
    )
    serve_answer_memory: str = Field(
        default="64MB",
        pattern=r"^\d+(\.\d+)?\s?(KB|MB|GB|TB|KiB|MiB|GiB|TiB)$",
        description="Memory for answers that a server gives again if the same is asked.",
    )
    require_landlock: bool = Field(
        default=False,
        description="Refuse queries where the kernel cannot confine them to a tenant's folder.",
    )
    serve_requests_per_minute: int = Field(
        default=600,
        ge=1,
        description="Requests that one principal may send to a server in a minute.",
    )
    serve_ingests: int = Field(
        default=1,
        ge=0,
        le=100,
        description="Requested ingests that a server runs at once; 0: another program does it.",
    )
    serve_ingests_per_hour: int = Field(
        default=12,
        ge=1,
        le=20,
        description="Ingests of one tenant that may be requested over the API in an hour.",
    )
    serve_sign_ins_per_minute: int = Field(
        default=120,
        ge=1,
        description=(
            "Requests to /login and /login/callback from one address in a minute; from all, ten"
            " times as many. Behind a proxy, everybody has its address."
        ),
    )
    serve_requests_per_minute_per_tenant: int = Field(
        default=3000,
        ge=1,
        description="Requests that all principals of a tenant may send to a server in a minute.",
    )
    tenant_services: int = Field(
        default=100, ge=1, description="Services of one tenant that may be active at the same time."
    )
    tenant_tokens: int = Field(
        default=500,
        ge=1,
        description="Tokens of one tenant's services that may be valid at the same time.",
    )
