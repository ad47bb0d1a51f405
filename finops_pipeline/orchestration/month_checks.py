"""Asset checks of the warehouse, per tenant and month: checks, conformance, reconciliation.

Put here: their specs and results, as Dagster shows them. Keep out: running them (marts, focus,
reconciliation): a refresh does that and stores the results, which are read here.

Each result is recorded for the partition of its tenant and month (docs/decisions/0150), so that
what passes for one tenant never hides what fails for another.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

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
from finops_pipeline.orchestration.shards import Shard
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


def check_specs(
    shard: Shard, tenant_months: dg.PartitionsDefinition[str]
) -> list[dg.AssetCheckSpec]:
    """Return the three checks. `checks` blocks what follows: its file was not published."""
    with warnings.catch_warnings():
        # A preview in Dagster 1.13, and the only way to record a result per tenant and month.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [
            dg.AssetCheckSpec(
                name,
                asset=dg.AssetKey([*shard.prefix, WAREHOUSE_ASSET]),
                description=meaning,
                blocking=name == CHECKS,
                partitions_def=tenant_months,
            )
            for name, meaning in _MEANINGS.items()
        ]


def check_outputs(prefix: Sequence[str]) -> Iterator[dg.Output[None]]:
    """Yield the outputs that Dagster expects of the checks of an asset that materializes itself."""
    for name in _MEANINGS:
        yield dg.Output(None, output_name="_".join([*prefix, WAREHOUSE_ASSET, name]))


@dataclass(frozen=True)
class _Outcome:
    """What a check found in a month; nothing could be checked if it was not checked."""

    was_checked: bool
    failures: Sequence[str]
    is_error: bool = False


@dataclass(frozen=True)
class MonthChecks:
    """The results of a tenant's checks as Dagster records them.

    `prefix`: that of the asset's key.
    """

    tenant: str
    prefix: Sequence[str] = ()

    def evaluate(
        self, installation: Installation, months: Collection[str]
    ) -> Iterator[dg.AssetCheckEvaluation]:
        """Yield the results of some months. A month without charges passes no check."""
        try:
            results = read_results(installation.folder(self.tenant), sorted(months))
        except Unknown:
            results = []
        statuses = installation.status(self.tenant)
        for month in sorted(months):
            own = [result for result in results if result.billing_period == month]
            rules = [result for result in own if result.check_name == CONFORMANCE_CHECK]
            checks = [result for result in own if result.check_name != CONFORMANCE_CHECK]
            states = [status for status in statuses if status.billing_period == month]
            yield self._evaluation(CHECKS, month, _of_checks(checks))
            yield self._evaluation(CONFORMANCE_CHECK, month, _of_rules(rules))
            yield self._evaluation(RECONCILIATION, month, _of_states(states))

    def refused(self, month: str, reason: str) -> dg.AssetCheckEvaluation:
        """Return the result for a month whose file was not published: a check refused it."""
        return self._evaluation(CHECKS, month, _Outcome(True, [reason], is_error=True))

    def _evaluation(self, name: str, month: str, outcome: _Outcome) -> dg.AssetCheckEvaluation:
        reasons = list(outcome.failures)
        if not reasons and not outcome.was_checked:
            reasons = ["there are no charges that could be checked"]
        severity = dg.AssetCheckSeverity.ERROR if outcome.is_error else dg.AssetCheckSeverity.WARN
        return dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey([*self.prefix, WAREHOUSE_ASSET]),
            check_name=name,
            passed=not reasons,
            partition=partition_key(TENANT, month, self.tenant),
            severity=severity,
            description="; ".join(reasons[:1]) or "passed",
            metadata={
                "tenant": self.tenant,
                "month": month,
                "failures": "\n".join(reasons[:_LISTED_FAILURES]) or "none",
            },
            # A month that differs is published with its state, and alerts that follow must see it.
            blocking=name == CHECKS,
        )


def _of_checks(results: list[CheckResult]) -> _Outcome:
    failed = [result for result in results if result.state is CheckState.FAILED]
    is_error = any(result.severity is Severity.REFUSE for result in failed)
    return _Outcome(bool(results), [result.describe() for result in failed], is_error)


def _of_rules(results: list[CheckResult]) -> _Outcome:
    failed = [result.describe() for result in results if result.state is CheckState.FAILED]
    return _Outcome(bool(results), failed)


def _of_states(statuses: list[Status]) -> _Outcome:
    wrong = [status for status in statuses if status.state not in _RIGHT]
    lines = [f"{s.source} is {s.state}: {s.reason or 'no reason is known'}" for s in wrong]
    is_error = any(status.state is ReconciliationState.DIFFERS for status in wrong)
    return _Outcome(bool(statuses), lines, is_error)
