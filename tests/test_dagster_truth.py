"""What Dagster shows is true: each partition for itself, failures with their reason, no stack.

Put here: mixed outcomes of a run, checks per tenant and month, retries. Keep out: partitions and
runs that succeed (test_dagster.py), automation (test_automation.py).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from finops_pipeline.errors import IntegrityCheckFailed, Unreachable
from finops_pipeline.landing import landers
from finops_pipeline.orchestration import run_work, tenant_parts
from finops_pipeline.orchestration.assets import build_assets
from finops_pipeline.orchestration.month_checks import MonthChecks
from finops_pipeline.orchestration.partitions import partitions, range_tags
from finops_pipeline.orchestration.resources import InstallationResource as Resource
from finops_pipeline.orchestration.tenant_parts import FOLLOW_TAG
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row
from tests.support.dagster_home import make_home, materialized

MONTHS = [f"2026-{month:02}" for month in range(4, 10)]
BROKEN = "2026-06"
FOLLOWED = {FOLLOW_TAG: "true"}


@pytest.fixture
def two(
    empty: TemporaryInstallation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> TemporaryInstallation:
    """Two tenants with six months of one charge each; in Dagster, nothing has run."""
    make_home(tmp_path, monkeypatch, empty)
    lines = ["tenants:"]
    for name in ("initech", "umbrella"):
        for month in MONTHS:
            deliver(tmp_path / name, [row("1", day=f"{month}-02")], month)
        lines += [f"  - name: {name}", "    sources:", "      - name: payer"]
        lines += ["        format: legacy-cur", f"        location: {tmp_path / name}"]
    (tmp_path / "two.yaml").write_text("\n".join(lines))
    empty.apply(tmp_path / "two.yaml")
    return empty


def run(
    made: TemporaryInstallation, name: str, stage: str = "landing", tags: dict[str, str] = FOLLOWED
) -> dg.ExecuteInProcessResult:
    """Run a stage over the six months of a source, project or tenant."""
    whole = range_tags(f"{MONTHS[0]}|{name}", f"{MONTHS[-1]}|{name}", name.partition("/")[0])
    with dg.DagsterInstance.get() as instance:
        return dg.materialize(
            build_assets(partitions(made.installation.registry.tenants(), MONTHS[0])),
            instance=instance,
            selection=[stage],
            tags=whole | tags,
            resources={"finops": Resource()},
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=False,
        )


def error_of(result: dg.ExecuteInProcessResult) -> Any:
    (failure,) = result.get_step_failure_events()
    return failure.step_failure_data.error


def checked() -> dict[str, dict[str, bool]]:
    """Check -> partition of the warehouse -> whether its latest result passed."""
    shown: dict[str, dict[str, bool]] = {}
    with dg.DagsterInstance.get() as instance:
        for name in ("checks", "conformance", "reconciliation"):
            key = dg.AssetCheckKey(dg.AssetKey("warehouse"), name)
            records = instance.event_log_storage.get_asset_check_execution_history(key, limit=500)
            shown[name] = {}
            for record in records:
                if record.status is AssetCheckExecutionRecordStatus.PLANNED:
                    continue
                evaluation = record.event.dagster_event.asset_check_evaluation_data
                shown[name].setdefault(evaluation.partition, evaluation.passed)
    return shown


def months_of(tenant: str, asset: str) -> list[str]:
    """The months of a tenant that are materialized."""
    return sorted(key[:7] for key in materialized(asset) if key[8:].partition("/")[0] == tenant)


def test_five_of_six_months_are_recorded_and_the_run_fails_with_one_reason(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    assert run(two, "umbrella/payer").success
    (bill,) = tmp_path.glob(f"initech/{BROKEN.replace('-', '')}01-*/*.csv.gz")
    whole = bill.read_bytes()
    bill.write_bytes(whole[:40])
    result = run(two, "initech/payer")
    assert not result.success
    error = error_of(result)
    reasons = error.message.strip().splitlines()
    assert len(reasons) == 1
    assert reasons[0].startswith(f"Refused: initech/payer {BROKEN}: ")
    assert error.stack == [] and error.cause is None
    good = [month for month in MONTHS if month != BROKEN]
    for asset in ("landing", "costs", "warehouse"):
        assert months_of("initech", asset) == good
        assert months_of("umbrella", asset) == MONTHS
    assert materialized("costs")[f"{good[0]}|initech/unassigned"]["billed_cost_USD"] == "1"
    shown = materialized("warehouse")[f"{good[0]}|initech"]
    assert shown["data_status"] == "payer reconciled"
    assert "data:image/svg+xml;base64," in shown["cost_by_day_USD"]
    # It is repaired: the same run lands the one month.
    bill.write_bytes(whole)
    assert run(two, "initech/payer").success
    assert months_of("initech", "warehouse") == MONTHS
    assert not hasattr(sys, "tracebacklimit"), "stacks are shown again"


def test_what_passes_for_one_tenant_hides_no_failure_of_another(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    month = MONTHS[0]
    period = {"bill/BillingPeriodStartDate": f"{month}-01T00:00:00Z"}
    lines = [row("1", day=f"{month}-02"), row("7", day="2026-03-30", **period)]
    deliver(tmp_path / "initech", lines, month, "two")
    for name in ("initech", "umbrella"):
        assert run(two, f"{name}/payer").success
    shown = checked()
    failed = {(name, key) for name, of in shown.items() for key, passed in of.items() if not passed}
    assert failed == {(name, f"{month}|initech") for name in ("checks", "conformance")}
    assert set(shown["reconciliation"]) == {
        f"{m}|{t}" for m in MONTHS for t in ("initech", "umbrella")
    }
    (checks,) = (
        result
        for result in MonthChecks("initech").evaluate(two.installation, [month])
        if result.check_name == "checks"
    )
    assert "2026-03-30" in str(checks.metadata["failures"].value)
    unchecked = list(MonthChecks("umbrella").evaluate(two.installation, ["2020-01"]))
    assert len(unchecked) == 3 and not any(result.passed for result in unchecked)


def test_a_file_that_a_check_refuses_is_a_failed_check_of_its_months_and_no_other(
    two: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("initech", "umbrella"):
        assert run(two, f"{name}/payer").success
    before = checked()

    def refused(*_: Any) -> None:
        raise IntegrityCheckFailed("check charges_equal_bill found 1 row", "none")

    with monkeypatch.context() as patch:
        patch.setattr("finops_pipeline.application.ingest._refresh", refused)
        result = run(two, "initech", "warehouse")
    assert error_of(result).message.startswith("Refused: initech: check charges_equal_bill")
    after = checked()
    failed = {key for key, passed in after["checks"].items() if not passed}
    assert failed == {f"{month}|initech" for month in MONTHS}
    assert {k: v for k, v in after["checks"].items() if "umbrella" in k} == {
        k: v for k, v in before["checks"].items() if "umbrella" in k
    }


def test_a_transient_fault_is_retried_and_succeeds_and_a_terminal_one_is_not(
    two: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenant_parts, "RETRY_DELAY_SECONDS", 0)
    real, asked = landers.read_delivery, list[str]()

    def throttled(source: Any, location: Any, month: str) -> Any:
        asked.append(month)
        if month == BROKEN and asked.count(month) <= 2:
            raise Unreachable("S3 answered 503 Slow Down")
        return real(source, location, month)

    monkeypatch.setattr(landers, "read_delivery", throttled)
    result = run(two, "initech/payer")
    assert result.success
    retries = [event for event in result.all_events if event.is_step_up_for_retry]
    assert len(retries) == 2
    assert months_of("initech", "warehouse") == MONTHS


def test_a_crash_is_reported_as_one_with_its_traceback(
    two: TemporaryInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*amounts: Any) -> None:
        raise ZeroDivisionError(f"{len(amounts)} values of a bill")

    monkeypatch.setattr(run_work, "build_costs", crash)
    result = run(two, "initech/payer")
    assert not result.success
    (failure,) = result.get_step_failure_events()
    data = failure.step_failure_data
    assert "finops_pipeline has a defect" in data.error.message
    stack = data.user_failure_data.metadata["traceback"].value
    assert "in crash" in stack and "ZeroDivisionError" in stack
    assert "4 values" not in stack and "3 values" not in stack
    assert not [event for event in result.all_events if event.is_step_up_for_retry]
