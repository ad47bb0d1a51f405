"""Asset checks of the warehouse: what the checks and FOCUS's rules found of a run's months.

Put here: their specs and results, as Dagster shows them. Keep out: running them (marts, focus): a
refresh does that and keeps what it found in the tenant's file, from which it is read here.
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
from finops_pipeline.orchestration.partitions import Asked

WAREHOUSE_ASSET = "warehouse"
_TOLD = 20
"""Failures whose words are shown; the tenant's file has them all."""


def check_specs() -> list[dg.AssetCheckSpec]:
    """One spec for each check of marts/checks, and one for FOCUS's rules."""
    specs = [
        dg.AssetCheckSpec(check.name, asset=WAREHOUSE_ASSET, description=f"None: {check.meaning}")
        for check in checks()
    ]
    words = "Every charge keeps FOCUS's rules, but for the known gaps of AWS's own exports."
    return [*specs, dg.AssetCheckSpec(CONFORMANCE_CHECK, asset=WAREHOUSE_ASSET, description=words)]


def check_results(installation: Installation, parts: Sequence[Asked]) -> list[dg.AssetCheckResult]:
    """What was found of the tenants and months of a run, one result a check."""
    found: dict[str, list[tuple[str, CheckResult]]] = {}
    for part in parts:
        for result in read_results(installation.folder(part.tenant), part.months):
            found.setdefault(result.check_name, []).append((part.tenant, result))
    return [_result(spec.name, found.get(spec.name, [])) for spec in check_specs()]


def _result(name: str, found: list[tuple[str, CheckResult]]) -> dg.AssetCheckResult:
    failed = [(tenant, result) for tenant, result in found if result.state is CheckState.FAILED]
    months = sorted({f"{tenant} {result.billing_period}" for tenant, result in found})
    lines = [f"{tenant} {result.billing_period}: {result.describe()}" for tenant, result in failed]
    return dg.AssetCheckResult(
        # Nothing was checked, of months without charges: that is no pass.
        passed=bool(found) and not failed,
        asset_key=WAREHOUSE_ASSET,
        check_name=name,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "months": ", ".join(months) or "none",
            "rows": sum(result.rows for _, result in failed),
            "failures": "\n".join(lines[:_TOLD]) or "none",
        },
    )
