"""The account claims that decide a project's rows of a month, and their fingerprint in the ledger.

Put here: selecting claims, and comparing them with those with which a partition was built. Keep
out: the rows themselves (focus/owned_rows.py), declaring claims (tenants).
"""

from __future__ import annotations

from collections.abc import Mapping

from finops_pipeline.ledger.ledger import PartitionRecord, fingerprint_of
from finops_pipeline.tenants.model import UNASSIGNED, AccountClaim, Project, Tenant
from finops_pipeline.tenants.months import end_day, first_day

CLAIMS = "(claims)"
"""The key in a partition record's inputs, beside the deliveries, for the claims' fingerprint."""


def claims_of(
    tenant: Tenant, project: Project, source: str, month: str
) -> tuple[AccountClaim, ...]:
    """Return the claims that decide a project's rows of one source in a month.

    These are the project's own; for `unassigned`, those of every project that reads the source.
    """
    first, end = first_day(month), end_day(month)
    claimants = [project] if project.name != UNASSIGNED else list(tenant.active_projects)
    return tuple(
        claim
        for claimant in claimants
        if source in tenant.sources_of(claimant)
        for claim in claimant.accounts
        if claim.touches(first, end)
    )


def claims_fingerprint(project: Project, claims: Mapping[str, tuple[AccountClaim, ...]]) -> str:
    """Return the fingerprint of the claims that decide a project's rows of a month, by source."""
    days = {
        name: sorted(f"{c.id} {c.days}" for c in of_source) for name, of_source in claims.items()
    }
    return fingerprint_of({"claims": days, "takes_the_rest": project.name == UNASSIGNED})


def is_reclaimed(tenant: Tenant, record: PartitionRecord) -> bool:
    """Check whether the account claims have changed since a partition was built.

    For a single partition; a stage that has a MonthPlan uses `ProjectPlan.has_same_claims`.
    """
    project = next((p for p in tenant.all_projects if p.name == record.key), None)
    if project is None:
        return False
    month = record.billing_period
    sources = [s for s in tenant.sources_of(project, month) if s in record.inputs]
    claims = {source: claims_of(tenant, project, source, month) for source in sources}
    return record.inputs.get(CLAIMS) != claims_fingerprint(project, claims)
