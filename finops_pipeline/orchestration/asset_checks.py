"""Asset checks of the warehouse: the results of checks and FOCUS rules for a run's months.

Put here: their specs and results, as Dagster shows them. Keep out: running them (marts, focus): a
refresh does that and stores the results in the tenant's file, from which they are read here.
"""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from finops_pipeline.application.installation import Installation
from finops_pipeline.marts.library import checks
from finops_pipeline.marts.results import (
    CONFORMANCE_CHECK,
    CheckResult,
    CheckState,
    read_results,
)
from finops_pipeline.orchestration.partitions import TenantRequest

WAREHOUSE_ASSET = "warehouse"
_LISTED_FAILURES = 20
"""Maximum number of failures that are shown; the tenant's file holds all of them."""


def check_specs() -> list[dg.AssetCheckSpec]:
    """Return one spec for each check of marts/checks, and one for FOCUS's rules."""
    specs = [
        dg.AssetCheckSpec(
            check.name, asset=WAREHOUSE_ASSET, description=f"There are no {check.meaning}"
        )
        for check in checks()
    ]
    meaning = (
        "Every charge conforms to the FOCUS rules, except for the known gaps of AWS's own exports."
    )
    conformance = dg.AssetCheckSpec(CONFORMANCE_CHECK, asset=WAREHOUSE_ASSET, description=meaning)
    return [*specs, conformance]


def check_results(
    installation: Installation, requests: Sequence[TenantRequest]
) -> list[dg.AssetCheckResult]:
    """Return the results for the tenants and months of a run, one per check."""
    results: dict[str, list[tuple[str, CheckResult]]] = {}
    for request in requests:
        for result in read_results(installation.folder(request.tenant), request.months):
            results.setdefault(result.check_name, []).append((request.tenant, result))
    return [_result(spec.name, results.get(spec.name, [])) for spec in check_specs()]


def _result(name: str, results: list[tuple[str, CheckResult]]) -> dg.AssetCheckResult:
    failed = [(tenant, result) for tenant, result in results if result.state is CheckState.FAILED]
    months = sorted({f"{tenant} {result.billing_period}" for tenant, result in results})
    lines = [f"{tenant} {result.billing_period}: {result.describe()}" for tenant, result in failed]
    return dg.AssetCheckResult(
        # Months without charges are not checked, and that is not a pass.
        passed=bool(results) and not failed,
        asset_key=WAREHOUSE_ASSET,
        check_name=name,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "months": ", ".join(months) or "none",
            "rows": sum(result.rows for _, result in failed),
            "failures": "\n".join(lines[:_LISTED_FAILURES]) or "none",
        },
    )
