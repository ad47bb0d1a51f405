"""Collecting how resources are used: CloudWatch's metrics, their estimate and their coverage.

Put here: which sources a run asks, isolating their failures, what the command line shows. Keep out:
asking AWS (sources), which series are due (landing), what exists (resource_collection.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from finops_pipeline import clock
from finops_pipeline.application.installation import Installation, TenantSession
from finops_pipeline.application.landing import landing_task
from finops_pipeline.application.progress import OnStep, Stage, Step, StepOutcome
from finops_pipeline.application.refusals import failed_step
from finops_pipeline.application.resource_collection import find_foreign_accounts
from finops_pipeline.errors import RegistryError, Unknown, counted
from finops_pipeline.lake.duck import fetch_dicts
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.lake.warehouse import reading
from finops_pipeline.lake.writing import settle
from finops_pipeline.landing.usage_landing import LandedUsage, UsageEstimate, UsageLanding
from finops_pipeline.ledger.cost_explorer_days import RequestRecord, read_requests
from finops_pipeline.sources.cloudwatch_api import PRICE_USD, MetricBudget
from finops_pipeline.tenants.model import Source, SourceKind, Tenant


def collect_usage(session: TenantSession, on_step: OnStep, is_forced: bool = False) -> None:
    """Ask for the metrics that are due; a failure of one source stops no other.

    Args:
        is_forced: also series that were asked today.
    """
    budget = MetricBudget(session.installation.settings.cloudwatch_metrics)
    for source in _sources(session.tenant):
        _collect(session, source, budget, (on_step, is_forced))


def _sources(tenant: Tenant) -> list[Source]:
    return [s for s in tenant.sources if s.kind is SourceKind.CLOUDWATCH and s.is_active]


def _collect(
    session: TenantSession, source: Source, budget: MetricBudget, run: tuple[OnStep, bool]
) -> None:
    (on_step, is_forced), tenant = run, session.tenant
    name, start, sent = f"{tenant.name}/{source.name}", clock.stopwatch(), budget.sent
    requests = budget.requests
    try:
        session.installation.check_location(tenant, source)
        landing = _open(session, source, budget)
        landed = landing.land(_own_account(session, landing, name), is_forced)
    except Exception as error:
        on_step(failed_step(error, Stage.CLOUDWATCH, name))
    else:
        if landed.series:
            on_step(_landed_step(name, landed, clock.stopwatch() - start))
    if budget.requests > requests:
        metrics = budget.sent - sent
        reason = f"{counted(budget.requests - requests, 'request')},"
        reason += f" {counted(metrics, 'metric')}, USD {PRICE_USD * metrics:.2f}"
        on_step(Step(Stage.CLOUDWATCH, name, "", StepOutcome.REQUESTS_SENT, reason=reason))


def _open(session: TenantSession, source: Source, budget: MetricBudget) -> UsageLanding:
    days = session.installation.settings.cloudwatch_days
    return UsageLanding(landing_task(session, source), budget, days)


def _own_account(session: TenantSession, landing: UsageLanding, name: str) -> str:
    account = landing.find_account()
    if account in find_foreign_accounts(session.installation, session.tenant):
        raise RegistryError(
            f"{name} reads account {account}, which belongs to another tenant",
            "credentials of an account of this tenant",
            "Correct the role or profile of the source; nothing was stored",
        )
    return account


def _landed_step(name: str, landed: LandedUsage, seconds: float) -> Step:
    outcome = StepOutcome.LANDED if landed.rows else StepOutcome.EMPTY
    month = max(landed.months, default="")
    return Step(Stage.CLOUDWATCH, name, month, outcome, landed.rows, seconds, landed.note)


def estimate_usage(installation: Installation, tenant: str) -> Sequence[UsageEstimate]:
    """Return what the next run would request of CloudWatch and cost at most; nothing is requested.

    Raises:
        Unknown: there is no such tenant.
        AccessRefused: a role may not be assumed, so that its account is not known.
        RegistryError: a source reads an account of another tenant.
        TenantBusy: another process is writing this tenant.
    """
    installation.registry.tenant(tenant)
    estimates = []
    with installation.writing(tenant) as session:
        for source in _sources(session.tenant):
            landing = _open(session, source, MetricBudget(0))
            account = _own_account(session, landing, f"{tenant}/{source.name}")
            estimates.append(landing.estimate(account))
    return estimates


@dataclass(frozen=True)
class CoveredMetric:
    """How many resources have a metric: a line of the coverage, and the permission that cures it.

    `days`: the days with statistics, summed over the resources.
    """

    source: str
    resource_type: str
    metric_name: str
    state: str
    resources: int
    days: int
    first_day: str
    last_day: str
    permission: str


@dataclass(frozen=True)
class MetricCosts:
    """What the requests for metrics of a source cost at most in a month."""

    source: str
    month: str
    requests: int
    cost_usd: Decimal


def read_metric_coverage(installation: Installation, tenant: str) -> Sequence[CoveredMetric]:
    """Return which metrics are known, by source, type and state.

    Raises:
        Unknown: there is no such tenant.
        DamagedFile, ForeignFile: the tenant's file is not the one that was published.
    """
    folder = installation.folder(installation.registry.tenant(tenant).name)
    settle(folder)
    try:
        with reading(folder) as connection:
            rows = fetch_dicts(connection.execute(_COVERAGE))
    except Unknown:
        return []
    return [CoveredMetric(**row) for row in rows]


_COVERAGE = """
    select
        source, resource_type, metric_name, state, count(*) as resources,
        sum(days)::bigint as days,
        coalesce(min(first_day)::varchar, '') as first_day,
        coalesce(max(last_day)::varchar, '') as last_day,
        coalesce(max(permission), '') as permission
    from metric_coverage
    group by source, resource_type, metric_name, state
    order by source, resource_type, metric_name, state
"""


def read_metric_costs(installation: Installation, tenant: str) -> Sequence[MetricCosts]:
    """Return what requests to CloudWatch have cost at most, by source and month.

    Raises:
        Unknown: there is no such tenant.
    """
    folder = installation.folder(installation.registry.tenant(tenant).name)
    settle(folder)
    requests = [r for r in read_requests(open_ledger(folder)) if r.service == "CloudWatch"]
    keys = sorted({(request.source, request.billing_period) for request in requests})
    return [_sum_costs(key, requests) for key in keys]


def _sum_costs(key: tuple[str, str], requests: Iterable[RequestRecord]) -> MetricCosts:
    own = [r for r in requests if (r.source, r.billing_period) == key]
    sent = sum(r.requests for r in own)
    cost = sum((r.cost_usd for r in own), Decimal(0))
    return MetricCosts(*key, sent, cost)
