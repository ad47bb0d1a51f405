"""The plan of a run: which projects, sources and months of a tenant it covers.

Put here: resolving a requested scope against what is declared, once. Keep out: one month's
projects and claims (ledger/month_plan.py), the work itself (ingest.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from finops_pipeline.application.progress import Months
from finops_pipeline.errors import RegistryError
from finops_pipeline.ledger.ledger import Ledger
from finops_pipeline.tenants.lifecycle import require_active
from finops_pipeline.tenants.model import Source, Tenant


@dataclass(frozen=True)
class RunScope:
    """The requested part of a tenant: one project (None: all) and a range of months.

    `is_collected_again`: inventories and metrics are asked for even if they were today.
    """

    project: str | None = None
    months: Months = field(default_factory=Months)
    is_collected_again: bool = False


@dataclass(frozen=True)
class RunPlan:
    """The resolved scope of a run: project names, the sources that they read, a month range."""

    tenant: Tenant
    projects: tuple[str, ...]
    sources: tuple[Source, ...]
    months: Months


def plan_run(tenant: Tenant, scope: RunScope) -> RunPlan:
    """Resolve the scope of a run against the tenant's present declaration.

    Raises:
        Unknown: there is no such project.
        RegistryError: it is disabled.
    """
    chosen = [tenant.project(scope.project)] if scope.project else list(tenant.all_projects)
    for project in chosen:
        require_active("project", f"{tenant.name}/{project.name}", project)
    names = {name for p in chosen for name in tenant.sources_of(p)} | {
        *tenant.cost_explorer_sources
    }
    return RunPlan(
        tenant,
        tuple(p.name for p in chosen),
        tuple(source for source in tenant.sources if source.name in names),
        scope.months,
    )


def list_landed_months(run: RunPlan, ledger: Ledger) -> list[str]:
    """List the months of a run in which its sources have a delivery, in order."""
    names = {source.name for source in run.sources}
    landed = {d.billing_period for d in ledger.deliveries() if d.source in names}
    return sorted(month for month in landed if month in run.months)


def require_months(run: RunPlan, landed: list[str]) -> None:
    """Refuse a run over months for which nothing has landed.

    Raises:
        RegistryError: no source has the requested months.
    """
    if not landed and run.months != Months():
        raise RegistryError(
            f"no source of tenant {run.tenant.name} has a delivery for the requested months",
            "billing periods that have been delivered",
            f"See what has landed: finops status {run.tenant.name}",
        )
