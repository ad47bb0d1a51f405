"""The state of months: all of a tenant, or one month with all evidence for and against it.

Put here: gathering states, comparisons, checks and changed files of a month. Keep out: the states
(reconciliation/statuses.py), the verdict (reconciliation/verdict.py), how they look
(cli/status.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from finops_pipeline.application.installation import Installation
from finops_pipeline.application.refusals import as_expected
from finops_pipeline.errors import FinopsError, RegistryError
from finops_pipeline.lake.changed_files import changed_files
from finops_pipeline.lake.collection import Space, measure_space
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.marts.evidence import Evidence, read_evidence
from finops_pipeline.reconciliation.comparisons import Comparison
from finops_pipeline.reconciliation.states import ReconciliationState, Status
from finops_pipeline.reconciliation.verdict import Doubts, MonthOutcome, Verdict, reach_verdict
from finops_pipeline.tenants.lifecycle import Lifecycle
from finops_pipeline.tenants.model import UNASSIGNED, Tenant
from finops_pipeline.tenants.months import check_month, shift


@dataclass(frozen=True)
class MonthStatus:
    """One month of one tenant: the states of its sources, the evidence, and the verdict."""

    tenant: str
    month: str
    statuses: Sequence[Status]
    comparisons: Sequence[Comparison]
    evidence: Evidence
    verdict: Verdict


@dataclass(frozen=True)
class TenantStatus:
    """The state of every source and month of one tenant, and the space that its files take.

    `failure`: the error because of which nothing else is known. `notes`: what of the tenant is
    disabled or removed, a sentence each.
    """

    tenant: str
    statuses: Sequence[Status] = ()
    space: Space | None = None
    failure: FinopsError | None = None
    notes: Sequence[str] = ()


def read_tenant_statuses(installation: Installation, tenant: str | None) -> list[TenantStatus]:
    """Read the states of one tenant's months, or of every tenant's if none is named.

    Of several tenants, the error of one stops no other.

    Raises:
        Unknown: there is no such tenant.
        FinopsError: the ledger of the named tenant cannot be used.
    """
    registry = installation.registry
    if tenant is not None:
        return [_read_status(installation, registry.tenant(tenant).name)]
    return [_read_status_or_failure(installation, name) for name in registry.names()]


def _read_status(installation: Installation, name: str) -> TenantStatus:
    statuses = installation.status(name)
    space = measure_space(installation.folder(name), open_ledger(installation.folder(name)))
    declared = installation.registry.tenant(name)
    return TenantStatus(name, statuses, space, notes=list_inactive(declared))


def _read_status_or_failure(installation: Installation, name: str) -> TenantStatus:
    try:
        return _read_status(installation, name)
    except Exception as error:
        expected = as_expected(error)
        if expected is None:
            raise
        return TenantStatus(name, failure=expected)


def read_month_status(installation: Installation, tenant: str, month: str) -> MonthStatus:
    """Read the state of one month with all evidence for and against it.

    Raises:
        RegistryError: nothing of the month has landed, or it is not of the form YYYY-MM.
        Unknown: there is no such tenant.
    """
    declared, month = installation.registry.tenant(tenant), check_month(month)
    name = declared.name
    reconciled = installation.reconciled(name)
    statuses = [status for status in reconciled.statuses if status.billing_period == month]
    comparisons = [item for item in reconciled.comparisons if item.billing_period == month]
    if not statuses:
        raise RegistryError(
            f"nothing of {month} has landed for tenant {name}",
            "a month that finops status lists",
            f"See what is missing: finops gaps {name}",
        )
    proofs = read_evidence(installation.folder(name), month)
    doubts = Doubts(
        failed_checks=tuple(check.name for check in proofs.failed if check.is_doubt),
        harmless_checks=tuple(check.name for check in proofs.failed if not check.is_doubt),
        are_checked=proofs.are_all,
        broken_rules=tuple(
            rule.name for rule in proofs.conformance or () if not rule.is_export_gap
        ),
        changed_files=tuple(changed_files(installation.folder(name), month)),
        refused_sources=tuple(source for source, period in reconciled.refused if period == month),
        crashed_sources=tuple(source for source, period in reconciled.crashed if period == month),
        absent_sources=tuple(
            source
            for source in _absent_sources(reconciled.statuses, month)
            if not declared.leaves_out(source, month) and not _is_inactive(declared, source)
        ),
    )
    conclusion = reach_verdict(MonthOutcome(name, month, statuses, comparisons), doubts)
    return MonthStatus(name, month, statuses, comparisons, proofs, conclusion)


def list_inactive(tenant: Tenant) -> list[str]:
    """Describe what of a tenant is disabled or removed, and what that means."""
    notes = []
    if not tenant.is_active:
        notes.append(f"tenant {tenant.name} is {tenant.state}: nothing of it is refreshed")
    for source in tenant.sources:
        if not source.is_active:
            effect = "nothing new of it is ingested; its charges stay"
            notes.append(f"source {tenant.name}/{source.name} is {source.state}: {effect}")
    for project in tenant.projects:
        if project.state is not Lifecycle.ACTIVE:
            effect = f"its charges are in {UNASSIGNED}"
            notes.append(f"project {tenant.name}/{project.name} is {project.state}: {effect}")
    return notes


def _is_inactive(tenant: Tenant, source: str) -> bool:
    return any(s.name == source and not s.is_active for s in tenant.sources)


def _absent_sources(statuses: Sequence[Status], month: str) -> list[str]:
    """List sources of bills that have the month before and nothing of this month."""
    without_charges = (ReconciliationState.LANDED, ReconciliationState.REFUSED)
    bills = [status for status in statuses if status.state not in without_charges]
    previous = {bill.source for bill in bills if bill.billing_period == shift(month, -1)}
    return sorted(
        previous - {status.source for status in statuses if status.billing_period == month}
    )
