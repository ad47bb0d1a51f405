"""Which account claims decide a project's rows of a month, and the mark of them in the ledger.

Put here: choosing claims and telling when they have changed. Keep out: the rows themselves
(focus/owned_rows.py), declaring claims (tenants).
"""

from __future__ import annotations

from finops_pipeline.ledger.ledger import PartitionRecord, fingerprint_of
from finops_pipeline.tenants.model import UNASSIGNED, AccountClaim, Project, Tenant
from finops_pipeline.tenants.months import end_day, first_day

CLAIMS = "(claims)"
"""Beside the deliveries, what a partition's record says it was built under."""


def claims_for(tenant: Tenant, project: Project, source: str, month: str) -> list[AccountClaim]:
    """Claims that decide a project's rows of one source in a month.

    A project's own; for `unassigned`, those of every project that reads the source.
    """
    first, end = first_day(month), end_day(month)
    others = [project] if project.name != UNASSIGNED else list(tenant.projects)
    return [
        claim
        for other in others
        if source in tenant.sources_of(other)
        for claim in other.accounts
        if claim.touches(first, end)
    ]


def reclaimed(tenant: Tenant, record: PartitionRecord) -> bool:
    """Whether a partition was built under other account claims than hold now."""
    project = next((p for p in tenant.all_projects if p.name == record.key), None)
    if project is None:
        return False
    return record.inputs.get(CLAIMS) != claims_mark(tenant, project, record.billing_period)


def claims_mark(tenant: Tenant, project: Project, month: str) -> str:
    """A checksum of the claims that decide a project's rows of a month."""
    claims = {
        source: sorted(f"{c.id} {c.days}" for c in claims_for(tenant, project, source, month))
        for source in tenant.sources_of(project)
    }
    return fingerprint_of({"claims": claims, "takes_the_rest": project.name == UNASSIGNED})
