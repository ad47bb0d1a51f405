"""An ingest killed at any moment leaves months absent, old or new, and the next run completes them.

Real `finops ingest` processes are killed (SIGKILL) at seeded moments over their duration, and
processes that die at every single step of a publication and inside every transaction of the ledger.
Two cases: a month's first delivery, and a restated month over a published one. Another month of
the tenant, and acme, must stay as they are to the byte. Everything is read the way `finops query`
reads it.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from finops_pipeline.application.ingest import ingest
from finops_pipeline.application.plan import RunScope
from finops_pipeline.application.progress import Months
from finops_pipeline.serve.sandbox import open_sandbox
from finops_pipeline.synthetic.estate import DeliveryRequest, write_delivery
from tests.conftest import LAST_MONTH, SEED, TemporaryInstallation
from tests.support.published_files import copy_installation

MONTH, BEFORE, TENANT = LAST_MONTH, "2026-09", "globex"
Shares = dict[tuple[str, str], Decimal]
"""(source or project, month) -> billed cost."""

DRIVER = """
import os, shutil, sys
from pathlib import Path
import pytest
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.plan import RunScope
from finops_pipeline.application.progress import Months
from finops_pipeline.application.ingest import ingest
from finops_pipeline.settings import Settings
from tests.support.commit_steps import end_at

base, work, month, tenant, first, stride = sys.argv[1:]

for last in range(int(first), 1000, int(stride)):
    data = Path(work) / str(last)
    shutil.copytree(base, data, symlinks=True)
    child = os.fork()
    if not child:
        end_at(pytest.MonkeyPatch(), last, lambda: os._exit(9))
        # Superseded files are collected at once, so that a process dies while it collects, too.
        installation = Installation(Settings(data=data, reader_grace_hours=0))
        known = installation.registry.tenant(tenant)
        done = ingest(installation, known, RunScope(months=Months(month, month)))
        os._exit(1 if done.failed else 0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(last, code, flush=True)
    if code != 9:
        break
"""


@dataclass(frozen=True)
class Case:
    """The state before, and the two results that the month may have."""

    base: TemporaryInstallation
    old: dict[str, Any]
    new: dict[str, Any]
    before: dict[str, Decimal]
    acme: dict[str, tuple[int, int]]


def totals(truth: dict[str, Any]) -> dict[str, Any]:
    """Sum the truths of a month's sources: billed cost per source and per project."""
    projects = {project for month in truth.values() for project in month["by_project"]}
    return {
        "sources": {name: Decimal(month["billed_cost"]) for name, month in truth.items()},
        "projects": {
            project: sum(
                Decimal(month["by_project"].get(project, {}).get("billed_cost", "0"))
                for month in truth.values()
            )
            for project in projects
        },
    }


@pytest.fixture(scope="module", params=["first", "restated"])
def case(
    request: pytest.FixtureRequest,
    built: TemporaryInstallation,
    estate: Path,
    truth: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
    census: Callable[[Path], dict[str, tuple[int, int]]],
) -> Case:
    """One of the two cases. Tests read it and change copies."""
    folder = tmp_path_factory.mktemp("case")
    base = TemporaryInstallation(folder / "base")
    sources = truth["tenants"][TENANT]["sources"]
    complete = totals({name: months[MONTH] for name, months in sources.items()})
    before = {name: Decimal(months[BEFORE]["billed_cost"]) for name, months in sources.items()}
    copy_installation(built.data, base.data)
    old, new = {"sources": {}, "projects": {}}, complete
    if request.param == "first":
        shutil.rmtree(base.folder(TENANT))
        installation = base.installation
        scope = RunScope(months=Months(BEFORE, BEFORE))
        ingest(installation, installation.registry.tenant(TENANT), scope)
    else:
        exports = Path(shutil.copytree(estate, folder / "exports"))
        restated = {
            name: write_delivery(
                exports,
                DeliveryRequest(
                    seed=SEED,
                    last_month=LAST_MONTH,
                    tenant=TENANT,
                    source=name,
                    month=MONTH,
                    restatement=1,
                ),
            ).truth
            for name in sources
        }
        base.apply(exports / "tenants.yaml")
        old, new = complete, totals(restated)
        assert old["sources"].keys() == new["sources"].keys()
        assert all(old["sources"][name] != new["sources"][name] for name in sources)
    return Case(base, old, new, before, census(base.folder("acme")))


def of_month(shares: Shares, month: str) -> dict[str, Decimal]:
    return {name: billed for (name, where), billed in shares.items() if where == month and billed}


def check(case: Case, made: TemporaryInstallation, census: Callable[[Path], Any]) -> bool:
    """Check that no month is half and all tables agree; return whether the month is the new one."""
    with open_sandbox(made.installation.folder(TENANT), made.installation.query_limits) as sandbox:

        def shares(name: str, billed: str, table: str) -> Shares:
            """Read as `finops query` does."""
            sql = f"select {name}, billing_period, sum({billed}) from {table} group by 1, 2"
            rows = sandbox.execute(sql).fetchall()
            return {(name, month): billed for name, month, billed in rows}

        of_sources = shares("x_Source", "BilledCost", "costs")
        of_projects = shares("project", "BilledCost", "costs")
        bill = shares("source", "billed_cost", "monthly_bill")
        marts = [shares("project", "billed_cost", f"{mart}_costs") for mart in ("daily", "monthly")]

    assert of_month(of_sources, BEFORE) == of_month(bill, BEFORE) == case.before
    is_new = of_month(of_sources, MONTH) == case.new["sources"]
    expected = case.new if is_new else case.old
    for billed_shares in (of_sources, bill):
        assert of_month(billed_shares, MONTH) == expected["sources"]
    for billed_shares in (of_projects, *marts):
        assert of_month(billed_shares, MONTH) == expected["projects"]
    assert census(made.folder("acme")) == case.acme
    return is_new


def check_next_run(case: Case, made: TemporaryInstallation, census: Callable[[Path], Any]) -> None:
    """Check that an ordinary run gives the truth, reconciled, and leaves no staging files."""
    installation = made.installation
    assert not ingest(
        installation,
        installation.registry.tenant(TENANT),
        RunScope(months=Months(MONTH, MONTH)),
    ).failed
    assert check(case, made, census)
    assert {s.state for s in installation.status(TENANT) if s.billing_period == MONTH} == {
        "reconciled"
    }
    staging = made.folder(TENANT) / ".staging"
    assert not staging.exists() or not list(staging.iterdir())
    assert not list(made.folder(TENANT).rglob("*.wal"))


def start(made: TemporaryInstallation) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "finops_pipeline.cli", "ingest", TENANT, "--month", MONTH],
        env={**os.environ, "FINOPS_DATA": str(made.data)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.torture)])
def test_an_ingest_killed_at_any_moment_leaves_the_old_or_the_new_month(
    case: Case, tmp_path: Path, census: Callable[[Path], dict[str, tuple[int, int]]], kills: int
) -> None:
    def installation(name: str) -> TemporaryInstallation:
        copy = shutil.copytree(case.base.data, tmp_path / name, symlinks=True)
        return TemporaryInstallation(Path(copy))

    assert not check(case, case.base, census)
    whole = installation("whole")
    began = time.monotonic()
    assert start(whole).wait(timeout=60) == 0
    duration = time.monotonic() - began
    assert check(case, whole, census)

    rng, killed = random.Random(SEED), 0
    while killed < kills:
        made = installation("killed")
        began = time.monotonic()
        process = start(made)
        # One random moment in each stretch of the duration.
        time.sleep((killed + rng.random()) / kills * duration)
        process.send_signal(signal.SIGKILL)
        if process.wait() == -signal.SIGKILL:
            killed += 1
        else:  # it ended before; the machine has become quicker
            duration = min(duration, time.monotonic() - began) * 0.9
        check(case, made, census)
        if killed in (kills // 2, kills):
            check_next_run(case, made, census)
        shutil.rmtree(made.data)


@pytest.mark.parametrize("stride", [13, pytest.param(1, marks=pytest.mark.torture)])
def test_a_process_that_dies_at_any_step_of_publication_leaves_a_complete_month(
    case: Case, tmp_path: Path, census: Callable[[Path], dict[str, tuple[int, int]]], stride: int
) -> None:
    first = min(2 if case.old["sources"] else 1, stride)  # the two cases take other steps
    work = tmp_path / "work"
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, str(case.base.data), str(work), MONTH, TENANT, str(first),
         str(stride)],
        capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    steps = dict(map(int, line.split()) for line in done.stdout.splitlines())
    assert steps.popitem()[1] == 0, "the last run is killed by no step"
    assert set(steps.values()) == {9}
    assert len(steps) > 2
    seen = set()
    for number, step in enumerate(steps):
        made = TemporaryInstallation(work / str(step))
        seen.add(check(case, made, census))
        if number % 2:
            check_next_run(case, made, census)
    assert seen == {False, True}
