"""Models of the answers for administrators.

Put here: the shape of the audit log, grants and tokens. Keep out: other answers (answer_models.py).
"""

from __future__ import annotations

from pydantic import Field

from finops_pipeline.serve.access.verified_access import Role
from finops_pipeline.serve.api.row_models import StrictModel


class AuditRow(StrictModel):
    """An entry of the audit log; `entry_hash` covers it and the entry before it."""

    number: int
    at: str
    principal_id: str
    principal: str
    token: str = Field(description="The first characters of the token.")
    action: str
    outcome: str
    tenant: str
    projects: list[str] | None
    rows: int | None
    request_id: str
    detail: str
    entry_hash: str


class AuditPage(StrictModel):
    """Some entries of the audit log, the oldest first."""

    tenant: str
    rows: list[AuditRow]
    next_after: int | None = Field(description="The parameter `after` of the next page, if any.")


class GrantRow(StrictModel):
    """Who may see the tenant, or a part of it."""

    principal: str
    role: Role
    projects: list[str] | None
    environments: list[str] | None
    created_at: str
    created_by: str


class Grants(StrictModel):
    """All grants in a tenant."""

    tenant: str
    rows: list[GrantRow]


class TokenRow(StrictModel):
    """A token without its secret."""

    prefix: str
    principal: str
    label: str
    created_at: str
    created_by: str
    expires_at: str
    revoked_at: str
    last_used_at: str
    state: str


class Tokens(StrictModel):
    """All tokens of a tenant's services."""

    tenant: str
    rows: list[TokenRow]


class NewTokenAnswer(StrictModel):
    """A new token; its text is not shown again."""

    token: str
    prefix: str
    expires_at: str
