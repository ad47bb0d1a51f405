"""A small ingest killed at many random moments: months complete, no run stuck.

A process that has imported everything forks a child per attempt, which lands, converts and
publishes a tiny bill and is killed (SIGKILL) at some point; the next child continues from what it
left. For real commands that are killed, and deaths at every single step, see test_kill.py.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from finops_pipeline.serve.sandbox import open_sandbox
from finops_pipeline.tenants.declare import apply, read_declaration
from tests.conftest import FIGURES, TemporaryInstallation
from tests.support.bills import deliver, row

KILLS, TORTURE = 4, 600
MONTHS = ("2026-08", "2026-09")

DRIVER = """
import os, signal, sys, time, json
from pathlib import Path
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.ingest import ingest
from finops_pipeline.settings import Settings

def child(data):
    pid = os.fork()
    if pid:
        return pid
    try:
        installation = Installation(Settings(data=data, threads=1, memory_limit='256MB'))
        os._exit(1 if ingest(installation, installation.registry.tenant('acme')).failed else 0)
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(2)

for line in sys.stdin:
    data, seconds = json.loads(line)
    begun = time.monotonic()
    pid = child(Path(data))
    if seconds is not None:
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print(json.dumps([code, time.monotonic() - begun]), flush=True)
"""


class Victim:
    """The forking process, and the tenant whose ingests it kills."""

    def __init__(self, place: Path) -> None:
        self.made = TemporaryInstallation(place / "data")
        self.report = place / "cur"
        declared = place / "tenants.yaml"
        declared.write_text(
            "tenants:\n  - name: acme\n    sources:\n"
            f"      - {{name: payer, format: legacy-cur, location: {self.report}}}\n"
        )
        self.report.mkdir(parents=True)
        apply(self.made.installation.registry, read_declaration(declared))
        self.process = subprocess.Popen(
            [sys.executable, "-c", DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ingest(self, seconds: float | None) -> tuple[int, float]:
        """Exit code and duration of an ingest that is killed after `seconds`."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps([str(self.made.data), seconds]) + "\n")
        self.process.stdin.flush()
        code, duration = json.loads(self.process.stdout.readline())
        return code, duration

    def end(self) -> None:
        """Let the forking process end."""
        self.process.communicate(timeout=30)

    def deliver(self, number: int) -> dict[str, Decimal]:
        """Deliver both months again; return the billed cost of each."""
        bills = {}
        for position, month in enumerate(MONTHS):
            costs = [f"{number}.{position}{n}5" for n in range(12)]
            rows = [row(cost, day=f"{month}-05") for cost in costs]
            deliver(self.report, rows, month, f"version {number:05d}")
            bills[month] = sum(map(Decimal, costs), Decimal(0))
        return bills

    def served(self) -> dict[str, Decimal]:
        """Return each month's cost in `costs`, equal to `monthly_bill`; empty at first."""
        if not (self.made.folder("acme") / "acme.duckdb").exists():
            return {}
        with open_sandbox(
            self.made.installation.folder("acme"), self.made.installation.query_limits
        ) as sandbox:
            ask = "select billing_period, sum({}) from {} group by 1"
            charges = dict(sandbox.execute(ask.format("BilledCost", "costs")).fetchall())
            bill = dict(sandbox.execute(ask.format("billed_cost", "monthly_bill")).fetchall())
        assert charges == bill
        return charges


def kill_often(place: Path, kills: int, seed: int) -> str:
    """Kill that many ingests; return the figures."""
    victim, rng = Victim(place), random.Random(seed)
    killed, number, duration = 0, 0, 1.0
    landed: list[dict[str, Decimal]] = [{}]
    try:
        while killed < kills:
            if (
                number % 8 == 0
            ):  # an undisturbed run: how long it takes, and a good state to restate
                landed = [victim.deliver(number)]
                code, duration = victim.ingest(None)
                assert code == 0
                assert victim.served() == landed[0]
            else:
                landed.append(victim.deliver(number))
                code, _ = victim.ingest(rng.random() * duration)
                assert code in (0, -9)
                killed += code == -9
                for month, billed in victim.served().items():
                    assert billed in [bills[month] for bills in landed], "a month is half"
            number += 1
        landed.append(victim.deliver(number))
        assert victim.ingest(None)[0] == 0
        assert victim.served() == landed[-1]
        staging = victim.made.folder("acme") / ".staging"
        assert not staging.exists() or not list(staging.iterdir())
        assert {s.state for s in victim.made.installation.status("acme")} == {"reconciled"}
    finally:
        victim.end()
    return f"{killed} ingests killed: rows lost 0, half-visible months 0"


def test_months_stay_complete_when_many_ingests_are_killed(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    figures = kill_often(tmp_path, KILLS, 7)
    request.config.stash.setdefault(FIGURES, []).append(figures)


@pytest.mark.torture
def test_months_stay_complete_when_hundreds_of_ingests_are_killed(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    figures = kill_often(tmp_path, TORTURE, 11)
    request.config.stash.setdefault(FIGURES, []).append(figures)
