"""The plan of a run: which projects, sources and months of a tenant it covers.

Put here: resolving what was asked for against what is declared, once. Keep out: one month's
projects and claims (ledger/month_plan.py), the work itself (ingest.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from finops_pipeline.application.progress import Months
from finops_pipeline.errors import RegistryError
from finops_pipeline.ledger.ledger import Ledger
from finops_pipeline.tenants.model import Source, Tenant


@dataclass(frozen=True)
class RunPlan:
    """What a run covers: names of projects, the sources that they read, a range of months."""

    tenant: Tenant
    projects: tuple[str, ...]
    sources: tuple[Source, ...]
    months: Months


def plan_run(tenant: Tenant, project: str | None, months: Months) -> RunPlan:
    """Resolve a run for a tenant, or for one of its projects, as declared now.

    Raises:
        Unknown: there is no such project.
    """
    chosen = [tenant.project(project)] if project else list(tenant.all_projects)
    names = {name for p in chosen for name in tenant.sources_of(p)} | {
        *tenant.cost_explorer_sources
    }
    return RunPlan(
        tenant,
        tuple(p.name for p in chosen),
        tuple(source for source in tenant.sources if source.name in names),
        months,
    )


def list_landed_months(run: RunPlan, ledger: Ledger) -> list[str]:
    """Return the months of a run of which its sources have landed something, in order."""
    names = {source.name for source in run.sources}
    landed = {d.billing_period for d in ledger.deliveries() if d.source in names}
    return sorted(month for month in landed if month in run.months)


def require_months(run: RunPlan, landed: list[str]) -> None:
    """Refuse a run over months of which nothing has landed.

    Raises:
        RegistryError: the months asked for are in no source.
    """
    if not landed and run.months != Months():
        raise RegistryError(
            f"no source of tenant {run.tenant.name} has a delivery of the months asked for",
            "billing periods that were delivered",
            f"See what is there: finops status {run.tenant.name}",
        )
