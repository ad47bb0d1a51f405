"""The plan of one month's work for a tenant: made once and passed to every stage.

Put here: the bills that projects read, the account claims that decide their rows, the deliveries
that landed. Keep out: the months of a run (application/plan.py), the rows themselves
(focus/owned_rows.py), declaring claims (tenants).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from finops_pipeline.ledger.claims import (
    CLAIMS,
    DecidingClaims,
    claims_fingerprint,
    deciding_claims,
)
from finops_pipeline.ledger.ledger import DeliveryRecord, PartitionRecord
from finops_pipeline.tenants.model import Project, Tenant


@dataclass(frozen=True)
class ProjectPlan:
    """One project's part of a month.

    `sources` are the bills that its charges come from, `deliveries` those of them that landed;
    `all_sources` includes Cost Explorer's. `deciding` are the claims that decide its rows: its own,
    those of others that may take its charges, and for `unassigned` those of every project that
    reads the source. `claims_fingerprint` is that of the claims to bills that landed: declaring
    another source changes no month that it has not delivered.
    """

    project: Project
    sources: tuple[str, ...]
    all_sources: tuple[str, ...]
    deliveries: tuple[DeliveryRecord, ...]
    deciding: DecidingClaims
    claims_fingerprint: str

    @property
    def name(self) -> str:
        """The project's name."""
        return self.project.name

    def has_same_claims(self, record: PartitionRecord) -> bool:
        """Check whether a partition was built with the current claims to its own bills."""
        claims = self.deciding.of(record.inputs)
        return record.inputs.get(CLAIMS) == claims_fingerprint(self.project, claims)


@dataclass(frozen=True)
class MonthPlan:
    """Everything that the stages need to know about one month of a tenant.

    `deliveries` are all that landed for the month, including Cost Explorer's; `projects` are all of
    the tenant's, by name, including `unassigned`. `is_forced`: partitions are built even if they
    were built from the same inputs before. `tag_spellings`: how the tenant's legacy reports spell
    the tags that other reports have in snake case (contracts/tag_spellings.py).
    """

    tenant: Tenant
    month: str
    deliveries: tuple[DeliveryRecord, ...]
    projects: dict[str, ProjectPlan]
    is_forced: bool = False
    tag_spellings: Mapping[str, str] = field(default_factory=dict)

    def readers(self, source: str) -> list[ProjectPlan]:
        """Return the projects whose charges come from a source, by name."""
        return [plan for plan in self.projects.values() if source in plan.sources]


def plan_month(tenant: Tenant, month: str, deliveries: Iterable[DeliveryRecord]) -> MonthPlan:
    """Resolve a month's projects, sources and claims.

    Args:
        deliveries: the current deliveries of the month.
    """
    landed = tuple(deliveries)
    return MonthPlan(
        tenant=tenant,
        month=month,
        deliveries=landed,
        projects={p.name: _plan_project(tenant, p, month, landed) for p in tenant.all_projects},
    )


def _plan_project(
    tenant: Tenant, project: Project, month: str, deliveries: tuple[DeliveryRecord, ...]
) -> ProjectPlan:
    sources = tenant.sources_of(project, month)
    deciding = deciding_claims(tenant, project, sources, month)
    landed = tuple(d for d in deliveries if d.source in sources)
    return ProjectPlan(
        project=project,
        sources=sources,
        all_sources=tenant.named_by(project),
        deliveries=landed,
        deciding=deciding,
        claims_fingerprint=claims_fingerprint(project, deciding.of({d.source for d in landed})),
    )
