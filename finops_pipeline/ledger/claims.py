"""The claims that decide a project's rows of a month, and their fingerprint in the ledger.

Put here: selecting claims, and comparing them with the claims that a partition was built with. Keep
out: the rows themselves (focus/owned_rows.py), declaring claims (tenants).

A fingerprint changes only if the claims change. If an installation has only claims to accounts, its
fingerprints are the same as in earlier versions.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace

from finops_pipeline.ledger.ledger import PartitionRecord, fingerprint_of
from finops_pipeline.tenants.claim import Claim
from finops_pipeline.tenants.model import FOLLOW, UNASSIGNED, AccountClaim, Project, Tenant
from finops_pipeline.tenants.months import end_day, first_day
from finops_pipeline.tenants.project_identity import id_of_name, project_id_of

CLAIMS = "(claims)"
"""The key in a partition record's inputs, beside the deliveries, for the claims' fingerprint."""

PROJECT = "(project)"
"""The key there for the id of the project that the partition was built for. A partition without it
was built for the project that had the name before there were ids."""


def project_input(project: Project) -> dict[str, str]:
    """Return what a partition record's inputs say about the project that it was built for."""
    project_id = project_id_of(project)
    return {} if project_id == id_of_name(project.name) else {PROJECT: project_id}


def built_for(record: PartitionRecord) -> str:
    """Return the id of the project that a partition was built for."""
    return record.inputs.get(PROJECT) or id_of_name(record.key)


def claims_of(
    tenant: Tenant, project: Project, source: str, month: str
) -> tuple[AccountClaim, ...]:
    """Return the claims to accounts that decide a project's rows of one source in a month.

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


@dataclass(frozen=True)
class OwnedClaim:
    """A claim with the project that it belongs to and its name in messages: `claim 2`."""

    project: str
    name: str
    claim: Claim

    @property
    def is_of_accounts(self) -> bool:
        """Whether it is an entry of `accounts:`."""
        return self.name.startswith("account ")


def list_claims(tenant: Tenant, source: str, month: str) -> list[OwnedClaim]:
    """List all claims to charges of one source in a month, in the order in which they take them."""
    first, end = first_day(month), end_day(month)
    owned = [
        OwnedClaim(project.name, name, claim)
        for project in tenant.active_projects
        if source in tenant.sources_of(project, month)
        for name, claim in (*project.own_claims, *project.account_claims)
        if claim.touches(first, end)
    ]
    return sorted(owned, key=lambda each: each.claim.priority)


def has_conditions(claims: Iterable[OwnedClaim]) -> bool:
    """Check whether anything but the account and the day decides about charges."""
    return not all(each.is_of_accounts for each in claims)


def conditions_of(tenant: Tenant, project: Project, source: str, month: str) -> tuple[str, ...]:
    """Return what decides a project's rows besides `claims_of`, as text for its fingerprint.

    This is: its claims with other conditions; claims of other projects that may take its charges
    or decide which project gets the rest of negations (focus/negation_shares.py); and for projects
    that get charges without a claimed value, the rule and every claim.
    """
    if not any(p.claims for p in tenant.active_projects):
        return ()
    claims = list_claims(tenant, source, month)
    if not has_conditions(claims):
        return ()
    rule = tenant.without_value or UNASSIGNED
    first, end = first_day(month), end_day(month)
    if rule == FOLLOW or project.name in (rule, UNASSIGNED):
        marks = [f"{each.project} {each.claim.mark(first, end)}" for each in claims]
        return (*sorted(marks), f"without a value: {rule}")
    own = [each.claim for each in claims if each.project == project.name]
    deciding = [
        each
        for each in claims
        if each.project == project.name or any(_may_decide(each.claim, claim) for claim in own)
    ]
    if all(each.is_of_accounts and each.project == project.name for each in deciding):
        return ()  # `claims_of` is enough
    return tuple(sorted(f"{each.project} {each.claim.mark(first, end)}" for each in deciding))


def _may_decide(other: Claim, own: Claim) -> bool:
    comes_first = other.priority <= own.priority and other.may_meet(own)
    return comes_first or own.may_share_negations(other)


@dataclass(frozen=True)
class DecidingClaims:
    """What decides a project's rows of a month, by source; see `claims_of` and `conditions_of`."""

    accounts: Mapping[str, tuple[AccountClaim, ...]]
    conditions: Mapping[str, tuple[str, ...]]

    def of(self, sources: Container[str]) -> DecidingClaims:
        """Select what concerns some sources."""
        return DecidingClaims(
            {name: claims for name, claims in self.accounts.items() if name in sources},
            {name: texts for name, texts in self.conditions.items() if name in sources},
        )


def deciding_claims(
    tenant: Tenant, project: Project, sources: Iterable[str], month: str
) -> DecidingClaims:
    """Return the claims that decide a project's rows of these sources in a month."""
    names = tuple(sources)
    return DecidingClaims(
        {source: claims_of(tenant, project, source, month) for source in names},
        {source: conditions_of(tenant, project, source, month) for source in names},
    )


def claims_fingerprint(project: Project, claims: DecidingClaims) -> str:
    """Return the fingerprint of the claims that decide a project's rows of a month, by source.

    It differs between a project and an earlier one of its name with the same claims.
    """
    days = {
        name: sorted(f"{c.id} {c.days}" for c in of_source)
        for name, of_source in claims.accounts.items()
    }
    facts: dict[str, object] = {
        "claims": days,
        "takes_the_rest": project.name == UNASSIGNED,
    }
    conditions = {name: texts for name, texts in claims.conditions.items() if texts}
    facts |= {"conditions": conditions} if conditions else {}
    return fingerprint_of(facts | project_input(project))


def is_reclaimed(tenant: Tenant, record: PartitionRecord) -> bool:
    """Check whether the claims have changed since a partition was built.

    For a single partition; a stage that has a MonthPlan uses `ProjectPlan.has_same_claims`.
    """
    project = next((p for p in tenant.all_projects if p.name == record.key), None)
    if project is None:
        return False
    month = record.billing_period
    sources = [s for s in tenant.sources_of(project, month) if s in record.inputs]
    claims = deciding_claims(tenant, project, sources, month)
    return record.inputs.get(CLAIMS) != claims_fingerprint(project, claims)


def list_resource_claims(tenant: Tenant, source: str, month: str) -> list[OwnedClaim]:
    """List all claims to what an inventory or CloudWatch tells, in the order in which they count.

    The claims of projects that name the source count; if none names any, those of every project.
    Projects without a source in common may claim the same account: then the first by name has its
    resources, as with days from Cost Explorer.
    """
    first, end = first_day(month), end_day(month)
    readers = [p for p in tenant.active_projects if source in tenant.named_by(p)]
    owned = [
        OwnedClaim(project.name, name, claim)
        for project in readers or tenant.active_projects
        for name, claim in (*project.own_claims, *project.account_claims)
        if claim.touches(first, end)
    ]
    ordered = sorted(owned, key=lambda each: (each.claim.priority, each.project))
    if readers:
        return ordered
    return [
        replace(each, claim=each.claim.model_copy(update={"priority": rank}))
        for rank, each in enumerate(ordered)
    ]


def resource_claims_fingerprint(tenant: Tenant, claims: Iterable[OwnedClaim], month: str) -> str:
    """Return the fingerprint of claims to resources, and of the rule for missing values."""
    first, end = first_day(month), end_day(month)
    marks = [f"{each.project} {each.claim.mark(first, end)}" for each in claims]
    return fingerprint_of([*marks, tenant.without_value or UNASSIGNED])
