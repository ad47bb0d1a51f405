"""Asset checks of the warehouse, per tenant and month: checks, conformance, reconciliation.

Put here: their specs and results, as Dagster shows them. Keep out: running them (marts, focus,
reconciliation): a refresh does that and stores the results, which are read here.

Each result is recorded for the partition of its tenant and month (docs/decisions/0150), so that
what passes for one tenant never hides what fails for another.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator

import dagster as dg

from finops_pipeline.application.installation import Installation
from finops_pipeline.errors import Unknown
from finops_pipeline.marts.library import Severity
from finops_pipeline.marts.results import (
    CONFORMANCE_CHECK,
    CheckResult,
    CheckState,
    read_results,
)
from finops_pipeline.orchestration.partitions import TENANT, partition_key
from finops_pipeline.reconciliation.states import ReconciliationState, Status

WAREHOUSE_ASSET = "warehouse"
CHECKS, RECONCILIATION = "checks", "reconciliation"
_LISTED_FAILURES = 20
"""Maximum number of failures that are shown; the tenant's file holds all of them."""

_RIGHT = (
    ReconciliationState.RECONCILED,
    ReconciliationState.OPEN,
    ReconciliationState.EMPTY,
    ReconciliationState.LANDED,
)
_MEANINGS = {
    CHECKS: "No check of the month found a wrong row. One that refuses keeps the file as it was.",
    CONFORMANCE_CHECK: (
        "Every charge conforms to the FOCUS rules, except for the known gaps of AWS's own exports."
    ),
    RECONCILIATION: "The charges of the month equal its bills and everything else known of it.",
}


def check_specs(tenant_months: dg.PartitionsDefinition | None) -> list[dg.AssetCheckSpec]:
    """Return the three checks. `checks` blocks what follows: its file was not published."""
    with warnings.catch_warnings():
        # A preview in Dagster 1.13, and the only way to record a result per tenant and month.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [
            dg.AssetCheckSpec(
                name,
                asset=dg.AssetKey(WAREHOUSE_ASSET),
                description=meaning,
                blocking=name == CHECKS,
                partitions_def=tenant_months,
            )
            for name, meaning in _MEANINGS.items()
        ]


def check_outputs() -> Iterator[dg.Output[None]]:
    """Yield the outputs that Dagster expects of the checks of an asset that materializes itself."""
    for name in _MEANINGS:
        yield dg.Output(None, output_name=f"{WAREHOUSE_ASSET}_{name}")


def evaluate_months(
    installation: Installation, tenant: str, months: Collection[str]
) -> Iterator[dg.AssetCheckEvaluation]:
    """Yield the results of a tenant's months. A month without charges passes no check."""
    try:
        results = read_results(installation.folder(tenant), sorted(months))
    except Unknown:
        results = []
    statuses = installation.status(tenant)
    for month in sorted(months):
        own = [result for result in results if result.billing_period == month]
        yield _evaluate_checks(tenant, month, [r for r in own if r.check_name != CONFORMANCE_CHECK])
        conformance = [r for r in own if r.check_name == CONFORMANCE_CHECK]
        yield _evaluate(
            CONFORMANCE_CHECK, (tenant, month), bool(conformance), _failures(conformance)
        )
        yield _evaluate_states(tenant, month, [s for s in statuses if s.billing_period == month])


def refused_month(tenant: str, month: str, reason: str) -> dg.AssetCheckEvaluation:
    """Return the result for a month whose file was not published because a check refused it."""
    return _evaluate(CHECKS, (tenant, month), True, [reason], is_error=True)


def _evaluate_checks(
    tenant: str, month: str, results: list[CheckResult]
) -> dg.AssetCheckEvaluation:
    is_error = any(r.severity is Severity.REFUSE for r in results if r.state is CheckState.FAILED)
    return _evaluate(CHECKS, (tenant, month), bool(results), _failures(results), is_error)


def _evaluate_states(tenant: str, month: str, statuses: list[Status]) -> dg.AssetCheckEvaluation:
    wrong = [status for status in statuses if status.state not in _RIGHT]
    lines = [f"{s.source} is {s.state}: {s.reason or 'no reason is known'}" for s in wrong]
    is_error = any(status.state is ReconciliationState.DIFFERS for status in wrong)
    return _evaluate(RECONCILIATION, (tenant, month), bool(statuses), lines, is_error)


def _failures(results: list[CheckResult]) -> list[str]:
    return [result.describe() for result in results if result.state is CheckState.FAILED]


def _evaluate(
    name: str,
    tenant_month: tuple[str, str],
    was_checked: bool,
    failures: list[str],
    is_error: bool = False,
) -> dg.AssetCheckEvaluation:
    tenant, month = tenant_month
    nothing = "there are no charges that could be checked"
    reasons = failures or ([] if was_checked else [nothing])
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(WAREHOUSE_ASSET),
        check_name=name,
        passed=not reasons,
        partition=partition_key(TENANT, month, tenant),
        severity=dg.AssetCheckSeverity.ERROR if is_error else dg.AssetCheckSeverity.WARN,
        description="; ".join(reasons[:1]) or "passed",
        metadata={
            "tenant": tenant,
            "month": month,
            "failures": "\n".join(reasons[:_LISTED_FAILURES]) or "none",
        },
        # A month that differs is published with its state, and alerts that follow have to see it.
        blocking=name == CHECKS,
    )
