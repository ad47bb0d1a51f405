"""Several processes at once: one tenant's writers take turns, tenants never wait for each other.

Real processes that start together at a signal. Keep out: processes that are killed (test_kill.py).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row
from tests.support.globex import ask

MONTHS = ("2026-07", "2026-08", "2026-09")
DECLARED = """
tenants:
- name: {name}
  sources: [{{name: payer, format: legacy-cur, location: {name}/cur}}]
  projects: [{{name: prod, accounts: ["111122223333"]}}]
"""
TOGETHER = """
import sys, time
from pathlib import Path
from finops_pipeline.cli.app import main
print("ready", flush=True)
while not Path(sys.argv[1]).exists():
    time.sleep(0.001)
sys.argv = ["finops", *sys.argv[2:]]
main()
"""
HOLD = """
import sys
from finops_pipeline.application.installation import Installation
from finops_pipeline.settings import load_settings
with Installation(load_settings()).writing(sys.argv[1]):
    print("ready", flush=True)
    sys.stdin.read()
"""
Process = subprocess.Popen[str]


@pytest.fixture
def two(empty: TemporaryInstallation, tmp_path: Path) -> TemporaryInstallation:
    """initech and hooli: the same account and project, three months of bills, nothing ingested."""
    for tenant, cost in (("initech", "1.5"), ("hooli", "7")):
        declared = tmp_path / f"{tenant}.yaml"
        declared.write_text(DECLARED.format(name=tenant))
        for month in MONTHS:
            lines = [row(cost, day=f"{month}-0{day}") for day in range(1, 9)]
            deliver(tmp_path / tenant / "cur", lines, month)
        empty.apply(declared)
    return empty


class Processes:
    """The processes of a test on an installation; they end with the test."""

    def __init__(self, two: TemporaryInstallation) -> None:
        self._two = two
        self._all: list[Process] = []

    def begin(self, code: str, *arguments: str, wait: int = 60) -> Process:
        """Start Python on this installation and wait until it prints `ready`."""
        return self._ready(self._start(code, *arguments, wait=wait))

    def _start(self, code: str, *arguments: str, wait: int = 60) -> Process:
        settings = {"FINOPS_DATA": str(self._two.data), "FINOPS_LOCK_WAIT_SECONDS": str(wait)}
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **settings},
        )
        self._all.append(process)
        return process

    def _ready(self, process: Process) -> Process:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first == "ready\n", first + process.stdout.read()
        return process

    def at_once(self, *commands: str) -> list[str]:
        """`finops` commands that start at the same moment; return their outputs. All succeed."""
        signal = self._two.data.parent / f"go-{time.monotonic_ns()}"
        processes = [self._start(TOGETHER, str(signal), *command.split()) for command in commands]
        for process in processes:
            self._ready(process)
        signal.touch()
        outputs = [process.communicate(timeout=120)[0] for process in processes]
        for process, output in zip(processes, outputs, strict=True):
            assert process.returncode == 0, output
            assert "Traceback" not in output
        return outputs

    def end(self) -> None:
        """Kill running processes and close every pipe."""
        for process in self._all:
            process.kill()
            with process:  # closes its pipes
                process.wait()


@pytest.fixture
def run(two: TemporaryInstallation) -> Iterator[Processes]:
    processes = Processes(two)
    yield processes
    processes.end()


def billed(two: TemporaryInstallation, tenant: str) -> dict[str, Decimal]:
    sql = "select billing_period as m, sum(billed_cost) as b from monthly_costs group by all"
    return {r["m"]: Decimal(r["b"]) for r in ask(sql, tenant, two.data)}


def test_two_ingests_of_the_same_months_end_right(
    two: TemporaryInstallation, run: Processes
) -> None:
    outputs = run.at_once("ingest initech", "ingest initech")
    assert sum("3 landed" in output for output in outputs) == 1  # the other found it done
    assert billed(two, "initech") == dict.fromkeys(MONTHS, Decimal(12))
    assert {s.state for s in two.installation.status("initech")} == {"reconciled"}
    assert not list((two.folder("initech") / ".staging").glob("*"))


def test_ingests_of_different_months_end_right(two: TemporaryInstallation, run: Processes) -> None:
    outputs = run.at_once(*(f"ingest initech --month {month}" for month in MONTHS))
    assert all("1 landed" in output for output in outputs)
    assert billed(two, "initech") == dict.fromkeys(MONTHS, Decimal(12))
    assert {s.state for s in two.installation.status("initech")} == {"reconciled"}


def test_a_tenant_that_is_being_written_makes_no_other_tenant_wait(
    two: TemporaryInstallation, run: Processes
) -> None:
    holder = run.begin(HOLD, "initech")
    (output,) = run.at_once("ingest hooli")
    assert "3 landed" in output
    assert holder.poll() is None
    assert billed(two, "hooli") == dict.fromkeys(MONTHS, Decimal(56))

    yields = run.begin(TOGETHER, str(two.data), "ingest", "initech", wait=0)
    refusal = yields.communicate(timeout=60)[0]
    assert yields.returncode == 1
    assert "tenant initech is being written by another process" in refusal

    waits = run.begin(TOGETHER, str(two.data), "ingest", "initech")
    assert holder.poll() is None
    holder.communicate("", timeout=60)
    assert "3 landed" in waits.communicate(timeout=60)[0]
    assert billed(two, "initech") == dict.fromkeys(MONTHS, Decimal(12))


def test_declarations_applied_at_the_same_moment_all_take_effect(
    two: TemporaryInstallation, run: Processes
) -> None:
    names = [f"team-{number}" for number in range(4)]
    commands = []
    for number, name in enumerate(names):
        declared = two.data.parent / f"{name}.yaml"
        account = f'"{number:012d}"'
        declared.write_text(
            f"tenants:\n- name: initech\n  projects: [{{name: {name}, accounts: [{account}]}}]\n"
            f"- name: hooli\n  projects: [{{name: {name}, accounts: [{account}]}}]\n"
        )
        commands.append(f"apply {declared}")
    run.at_once(*commands)
    for tenant in ("initech", "hooli"):
        registered = two.installation.registry.tenant(tenant)
        assert {p.name for p in registered.projects} == {"prod", *names}
