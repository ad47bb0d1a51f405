"""Collecting what exists: inventories once a day, and files that a customer hands over.

Put here: which inventories a run asks for, isolating their failures, and the resources of each
project. Keep out: asking AWS (sources), merging (landing), the order of a run (ingest.py), metrics
(usage_collection.py).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

from finops_pipeline import clock
from finops_pipeline.application.installation import Installation, TenantSession
from finops_pipeline.application.landing import landing_task
from finops_pipeline.application.progress import OnStep, Stage, Step, StepOutcome
from finops_pipeline.application.refusals import failed_step
from finops_pipeline.focus.resource_metric_partitions import build_resource_metrics
from finops_pipeline.focus.resource_partitions import (
    BuiltPartitions,
    build_resources,
    newest_inventories,
)
from finops_pipeline.lake.publish import Publication
from finops_pipeline.landing.inventory_landers import (
    is_due,
    land_inventory_files,
    land_listed_resources,
)
from finops_pipeline.landing.inventory_snapshot import LandedSnapshot
from finops_pipeline.tenants.lifecycle import require_active
from finops_pipeline.tenants.model import Source, SourceKind, Tenant
from finops_pipeline.tenants.places import role_account


def collect_inventories(session: TenantSession, on_step: OnStep, is_forced: bool = False) -> None:
    """Ask for the inventories that are due; a failure of one stops no other.

    Args:
        is_forced: also those that were asked for today.
    """
    sources = [s for s in session.tenant.sources if s.kind is SourceKind.INVENTORY_API]
    if not sources:
        return
    with session.writer.publication() as publication:
        newest = {f.place.key: f.place.billing_period for f in newest_inventories(publication)}
    for source in sources:
        known = newest.get(source.name)
        if source.is_active and (is_forced or is_due(date.fromisoformat(known) if known else None)):
            _collect(session, source, on_step)


def _collect(session: TenantSession, source: Source, on_step: OnStep) -> None:
    installation, tenant = session.installation, session.tenant
    name, start = f"{tenant.name}/{source.name}", clock.stopwatch()
    try:
        installation.check_location(tenant, source)
        foreign = find_foreign_accounts(installation, tenant)
        landed = land_listed_resources(landing_task(session, source), foreign)
    except Exception as error:
        on_step(failed_step(error, Stage.INVENTORY, name))
        return
    on_step(_landed_step(name, landed, clock.stopwatch() - start))


def _landed_step(name: str, landed: LandedSnapshot, seconds: float) -> Step:
    outcome = StepOutcome.LANDED if landed.rows else StepOutcome.EMPTY
    return Step(
        Stage.INVENTORY, name, landed.day.isoformat(), outcome, landed.listed, seconds, landed.note
    )


def import_inventory(
    session: TenantSession, source: Source, paths: list[Path], on_step: OnStep
) -> None:
    """Land files as the inventory of their accounts.

    Raises:
        DeliveryRefused: the files cannot be accepted; nothing was stored.
    """
    name, start = f"{session.tenant.name}/{source.name}", clock.stopwatch()
    require_active("source", name, source)
    foreign = find_foreign_accounts(session.installation, session.tenant)
    landed = land_inventory_files(landing_task(session, source), paths, foreign)
    on_step(_landed_step(name, landed, clock.stopwatch() - start))


def find_foreign_accounts(installation: Installation, tenant: Tenant) -> frozenset[str]:
    """Return the accounts that other tenants claim or have roles in, and this one does not."""
    others = frozenset[str]().union(
        *(_accounts_of(t) for t in installation.registry.tenants() if t.name != tenant.name)
    )
    return others - _accounts_of(tenant)


def _accounts_of(tenant: Tenant) -> frozenset[str]:
    claims = [c for p in tenant.projects for _, c in (*p.own_claims, *p.account_claims)]
    claimed = {account for claim in claims for account in claim.accounts}
    roles = {role_account(source.role_arn) for source in tenant.sources}
    return frozenset((claimed | roles) - {""})


def build_collected(session: TenantSession, publication: Publication, on_step: OnStep) -> None:
    """Divide what was collected among the projects, where it is out of date; report each step."""
    work: list[tuple[Stage, Callable[[], list[BuiltPartitions]]]] = [
        (Stage.RESOURCES, lambda: _build_resources(session, publication)),
        (
            Stage.RESOURCE_METRICS,
            lambda: build_resource_metrics(publication, session.tenant, session.limits),
        ),
    ]
    for stage, build in work:
        start = clock.stopwatch()
        try:
            with publication.all_or_nothing():
                built = build()
        except Exception as error:
            on_step(failed_step(error, stage, session.tenant.name))
            continue
        for part in built:
            rows = sum(part.rows.values())
            outcome = StepOutcome.BUILT if rows else StepOutcome.EMPTY
            seconds = (clock.stopwatch() - start) / len(built)
            on_step(Step(stage, session.tenant.name, part.period, outcome, rows, seconds))


def _build_resources(session: TenantSession, publication: Publication) -> list[BuiltPartitions]:
    built = build_resources(publication, session.tenant, session.limits)
    return [built] if built else []
