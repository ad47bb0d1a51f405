"""A defect of finops_pipeline is a crash: logged and reported, no refusal; other months go on.

An AttributeError is planted in landing and in the conversion, for a month of initech. Its message
is an amount, which must not appear anywhere.
"""

from __future__ import annotations

import json
import logging
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from finops_pipeline import __version__, log
from finops_pipeline.application.progress import Stage, Step, StepOutcome
from finops_pipeline.application.refusals import as_expected, failed_step
from finops_pipeline.cli.app import main
from finops_pipeline.errors import (
    BudgetSpent,
    DeliveryMoving,
    DiskFull,
    FileProblem,
    OutOfMemory,
    StorageFailure,
    TenantBusy,
    Unreachable,
)
from finops_pipeline.focus.month_pass import MonthPass
from finops_pipeline.landing import landers
from finops_pipeline.orchestration import assets, tenant_parts
from finops_pipeline.orchestration.partitions import key, partitions
from finops_pipeline.orchestration.resources import InstallationResource
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row

MONTHS = ("2026-08", "2026-09", "2026-10")
CRASHING = "2026-09"
AMOUNT = "1234.5678"


@pytest.fixture(autouse=True)
def _own_logger() -> Iterator[None]:
    """Restore the process's logger after the test."""
    logger = logging.getLogger(log.LOGGER)
    before = (logger.handlers, logger.propagate, logger.level)
    yield
    logger.handlers, logger.propagate, _ = before
    logger.setLevel(before[2])


@pytest.fixture(scope="module")
def built_two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the two tenants' exports, declaration and ingested data. Read only."""
    folder = tmp_path_factory.mktemp("two")
    lines = ["tenants:"]
    for name in ("initech", "umbrella"):
        _deliver(folder / name, "1")
        lines += [f"  - name: {name}", "    sources:", "      - name: payer"]
        lines += ["        format: legacy-cur", f"        location: {name}"]
    (folder / "two.yaml").write_text("\n".join(lines))
    made = TemporaryInstallation(folder / "data")
    made.apply(folder / "two.yaml")
    for name in ("initech", "umbrella"):
        assert not made.ingest(name).failed
    return folder


@pytest.fixture
def two(built_two: Path, empty: TemporaryInstallation, tmp_path: Path) -> TemporaryInstallation:
    """Initech and umbrella, with the same account and three published months each."""
    shutil.copytree(built_two, tmp_path, dirs_exist_ok=True)
    empty.apply(tmp_path / "two.yaml")
    return empty


def _deliver(report: Path, cost: str) -> None:
    for month in MONTHS:
        period = {"bill/BillingPeriodStartDate": f"{month}-01T00:00:00Z"}
        deliver(report, [row(cost, day=f"{month}-05", **period)], month, assembly=cost)


def _crash(*_: Any) -> Any:
    raise AttributeError(AMOUNT)


def _crash_landing(monkeypatch: pytest.MonkeyPatch) -> None:
    real = landers.read_delivery

    def planted(source: Any, location: Any, month: str) -> Any:
        return _crash() if month == CRASHING else real(source, location, month)

    monkeypatch.setattr(landers, "read_delivery", planted)


def _crash_conversion(monkeypatch: pytest.MonkeyPatch) -> None:
    real = MonthPass.write

    def planted(self: MonthPass, connection: Any) -> None:
        return _crash() if self._month == CRASHING else real(self, connection)

    monkeypatch.setattr(MonthPass, "write", planted)


STAGES = pytest.mark.parametrize(
    ("plant", "stage"), [(_crash_landing, "landing"), (_crash_conversion, "costs")]
)
Plant = Callable[[pytest.MonkeyPatch], None]


def _billed(two: TemporaryInstallation, tenant: str) -> dict[str, str]:
    sql = "select billing_period, sum(billed_cost) as billed from monthly_costs group by all"
    return {r["billing_period"]: str(r["billed"]).split(".")[0] for r in two.rows(tenant, sql)}


def _run(*arguments: str) -> int:
    """The command line in this process; its exit code."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setattr(sys, "argv", ["finops", *arguments])
        main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize(
    ("plant", "stage", "log_format"),
    [
        (_crash_landing, "landing", "text"),
        (_crash_conversion, "costs", "json"),
        pytest.param(_crash_landing, "landing", "json", marks=pytest.mark.torture),
        pytest.param(_crash_conversion, "costs", "text", marks=pytest.mark.torture),
    ],
)
def test_a_crash_fails_the_command_and_keeps_published_months(
    two: TemporaryInstallation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    census: Callable[[Path], Any],
    plant: Plant,
    stage: str,
    log_format: str,
) -> None:
    umbrella = census(two.folder("umbrella"))
    _deliver(tmp_path / "initech", "5")
    monkeypatch.setenv("FINOPS_LOG_FORMAT", log_format)
    with monkeypatch.context() as patch:
        plant(patch)
        assert _run("ingest", "initech") == 1
    printed = capsys.readouterr()

    name = "initech/payer" if stage == "landing" else "initech"
    assert f"finops: {stage} {name} {CRASHING} crashed: finops_pipeline has a defect" in printed.err
    assert __version__ in printed.err and "traceback in the log" in printed.err
    assert "1 crashed" in printed.out and "refused" not in printed.out + printed.err
    assert AMOUNT not in printed.out + printed.err
    _check_log(printed.err, log_format)

    assert _billed(two, "initech") == {"2026-08": "5", CRASHING: "1", "2026-10": "5"}
    if stage == "landing":
        status = next(s for s in two.installation.status("initech") if s.billing_period == CRASHING)
        assert "landing a newer delivery crashed: finops_pipeline has" in (status.reason or "")
    assert census(two.folder("umbrella")) == umbrella
    assert not two.ingest("initech").failed
    assert _billed(two, "initech") == dict.fromkeys(MONTHS, "5")
    assert _billed(two, "umbrella") == dict.fromkeys(MONTHS, "1")


def _check_log(text: str, log_format: str) -> None:
    """Check that the traceback names file and function of the planted error."""
    if log_format == "text":
        assert "Traceback (most recent call last)" in text
        assert "in planted" in text and "test_crashes.py" in text and "AttributeError" in text
        return
    (record,) = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert record["level"] == "ERROR" and CRASHING in record["message"]
    assert "in planted" in record["traceback"] and "AttributeError" in record["traceback"]
    assert "Traceback" not in record["message"]


def _materialize(two: TemporaryInstallation, asset: str, name: str) -> dg.ExecuteInProcessResult:
    parts = partitions(two.installation.registry.tenants(), MONTHS[0])
    with dg.DagsterInstance.ephemeral(tempdir=str(two.data.parent)) as instance:
        return dg.materialize(
            assets.build_assets(parts),
            instance=instance,
            selection=[asset],
            partition_key=key(CRASHING, name),
            resources={"finops": InstallationResource()},
            raise_on_error=False,
        )


@STAGES
def test_a_crash_fails_the_dagster_run(
    two: TemporaryInstallation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    plant: Plant,
    stage: str,
) -> None:
    _deliver(tmp_path / "initech", "5")
    name = "initech/payer" if stage == "landing" else "initech/unassigned"
    if stage == "costs":
        assert _materialize(two, "landing", "initech/payer").success
    with monkeypatch.context() as patch:
        plant(patch)
        result = _materialize(two, stage, name)
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    error = failure.step_failure_data.error
    assert error is not None and "finops_pipeline has a defect" in error.to_string()
    assert not [event for event in result.all_events if event.is_step_up_for_retry]
    printed = capsys.readouterr().err
    assert "in planted" in printed and "test_crashes.py" in printed
    assert _billed(two, "initech")[CRASHING] == "1"


@pytest.mark.parametrize(("error", "is_retried"), [(Unreachable, True), (FileProblem, False)])
def test_dagster_retries_a_problem_that_may_pass(
    two: TemporaryInstallation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception],
    is_retried: bool,
) -> None:
    _deliver(tmp_path / "initech", "5")
    monkeypatch.setattr(tenant_parts, "RETRY_DELAY_SECONDS", 0)
    real, calls = landers.read_delivery, []

    def planted(source: Any, location: Any, month: str) -> Any:
        calls.append(month)
        if len(calls) == 1:
            raise error("S3 did not answer")
        return real(source, location, month)

    monkeypatch.setattr(landers, "read_delivery", planted)
    assert _materialize(two, "landing", "initech/payer").success is is_retried
    assert len(calls) == 1 + is_retried


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (PermissionError(13, "Permission denied"), StorageFailure),
        (OSError(28, "No space left on device"), DiskFull),
        (MemoryError(), OutOfMemory),
        (FileProblem("it is damaged"), FileProblem),
    ],
)
def test_foreseen_errors_of_the_environment_are_refusals(
    error: Exception, kind: type[Exception]
) -> None:
    assert type(as_expected(error)) is kind
    assert failed_step(error, Stage.COSTS, "initech").outcome is StepOutcome.REFUSED


@pytest.mark.parametrize(
    "error", [AttributeError(), TypeError(), KeyError("x"), ZeroDivisionError(), ValueError()]
)
def test_other_errors_are_crashes(error: Exception) -> None:
    step = failed_step(error, Stage.COSTS, "initech", CRASHING)
    assert step.outcome is StepOutcome.CRASHED and step.has_failed and not step.is_retryable


def test_an_interruption_is_neither_refusal_nor_crash() -> None:
    with pytest.raises(RuntimeError, match="Query interrupted"):
        failed_step(RuntimeError("Query interrupted"), Stage.COSTS, "initech")


@pytest.mark.parametrize(
    ("error", "is_retryable"),
    [(TenantBusy, True), (DeliveryMoving, True), (BudgetSpent, False), (DiskFull, False)],
)
def test_only_a_problem_that_passes_by_itself_is_retryable(
    error: type[Exception], is_retryable: bool
) -> None:
    step: Step = failed_step(error("busy"), Stage.LANDING, "initech/payer")
    assert step.is_retryable is is_retryable


def test_causes_are_logged_by_their_types_alone(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure_logging("text")
    try:
        try:
            _crash()
        except AttributeError as error:
            raise TypeError(AMOUNT) from error
    except TypeError as error:
        log.log_crash(error, "crashed")
        logging.getLogger(log.LOGGER).exception("another handler")
    printed = capsys.readouterr().err
    assert printed.count("\nAttributeError\n") == printed.count("in _crash\n") == 2
    assert printed.count("\nTypeError\n") == 2
    assert AMOUNT not in printed
