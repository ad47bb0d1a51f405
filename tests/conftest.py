"""Fixtures shared by the tests: a seeded estate, an ingested installation, a way to run `finops`.

Put here: fixtures used by several test files. Keep out: anything one file needs alone.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from finops_pipeline.application.ingest import ingest
from finops_pipeline.application.installation import Installation
from finops_pipeline.settings import Settings
from finops_pipeline.synthetic.estate import write_estate
from finops_pipeline.tenants.declare import apply, read_declaration
from tests.support.finops_process import run_finops
from tests.support.made_once import made_once
from tests.support.published_files import copy_installation, settle_copy
from tests.support.rewound_folder import preserve, rewind
from tests.support.servers import moto, store
from tests.support.shifted_clock import shift_clock
from tests.support.tiers import is_for_torture, is_long, is_quick, place_in_run

__all__ = ["moto", "store"]

shift_clock()

SEED, LAST_MONTH, MONTHS = 7, "2026-10", 3
"""A small estate: its latest month is 2026-10. By the tests' clock (support/shifted_clock.py) all
its months are closed, so their state is `reconciled`."""


FIGURES = pytest.StashKey[list[str]]()
"""Figures reported by tests, printed at the end of the session."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of each tier, and put the files in the order of a run."""
    for item in items:
        form = item.callspec.params.get("prepared") if hasattr(item, "callspec") else None
        if form and is_for_torture(item.name, form):
            item.add_marker("torture")
        if is_quick(item.path.stem):
            item.add_marker("quick")
        if is_long(item.path.stem):
            item.add_marker("long")
    items.sort(key=lambda item: place_in_run(item.path.stem))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the counts of the fault and mutation suites."""
    for line in terminalreporter.config.stash.get(FIGURES, []):
        terminalreporter.write_line(line)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Under pytest-xdist, send a worker's figures to the process that prints them."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["figures"] = session.config.stash.get(FIGURES, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Collect the figures of a worker that has finished."""
    figures = getattr(node, "workeroutput", {}).get("figures", [])
    node.config.stash.setdefault(FIGURES, []).extend(figures)


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Keep tests away from a developer's own installation, and restore the working directory."""
    for name in [name for name in os.environ if name.startswith(("FINOPS_", "DAGSTER_", "AWS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FINOPS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "yes")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-aws-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    before = Path.cwd()
    yield
    os.chdir(before)


@pytest.fixture(scope="session")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the seeded exports with tenants.yaml and truth.json. Read only: copy to change."""
    return made_once(
        tmp_path_factory,
        "estate",
        lambda folder: write_estate(folder, seed=SEED, last_month=LAST_MONTH, months=MONTHS),
    )


@pytest.fixture(scope="session")
def truth(estate: Path) -> dict[str, Any]:
    """Sums of the estate's bills, recorded when they were generated."""
    loaded: dict[str, Any] = json.loads((estate / "truth.json").read_text())
    return loaded


@dataclass(frozen=True)
class TemporaryInstallation:
    """A data folder, and ways to run `finops` on it."""

    data: Path

    @property
    def installation(self) -> Installation:
        """The installation for calls from Python. Two test processes share two cores."""
        return Installation(Settings(data=self.data, threads=1))

    def folder(self, tenant: str) -> Path:
        """A tenant's folder."""
        return self.data / "lake" / f"tenant={tenant}"

    def finops(self, *arguments: str, ok: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the command line as a user would; `ok=False` when it must fail."""
        done = run_finops(arguments, {**os.environ, "FINOPS_DATA": str(self.data)})
        assert (done.returncode == 0) is ok, f"{arguments}: {done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def python(self, code: str) -> subprocess.CompletedProcess[str]:
        """Run a few lines of Python on this installation, in a process of its own."""
        return subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env={**os.environ, "FINOPS_DATA": str(self.data)},
            check=False,
            timeout=300,
        )

    def rows(self, tenant: str, sql: str) -> list[dict[str, Any]]:
        """Return the rows of `finops query` as objects; numbers are exact text."""
        out = self.finops("query", tenant, sql, "--format", "json").stdout
        loaded: list[dict[str, Any]] = json.loads(out, parse_float=str, parse_int=str)
        return loaded

    def apply(self, declaration: Path) -> None:
        """Declare tenants from a file."""
        apply(self.installation.registry, read_declaration(declaration))

    def ingest(self, tenant: str) -> Any:
        """Ingest a tenant in this process (faster than a command); returns the report."""
        installation = self.installation
        return ingest(installation, installation.registry.tenant(tenant))


@pytest.fixture(scope="session")
def built(estate: Path, tmp_path_factory: pytest.TempPathFactory) -> TemporaryInstallation:
    """The whole estate, ingested once. Read only: copy its data folder to change it."""

    def build(folder: Path) -> None:
        made = TemporaryInstallation(folder / "data")
        made.apply(estate / "tenants.yaml")
        for tenant in ("acme", "globex"):
            assert not made.ingest(tenant).failed

    return TemporaryInstallation(made_once(tmp_path_factory, "built", build) / "data")


@pytest.fixture(scope="session")
def settled_estate(built: TemporaryInstallation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of `built` that has settled in its place, for `rewind` (support/rewound_folder.py)."""
    folder = tmp_path_factory.mktemp("settled-estate")
    return preserve(folder, lambda used: copy_installation(built.data, used / "data"))


@pytest.fixture(scope="session")
def preserved_with_exports(
    built: TemporaryInstallation, estate: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A copy of `built` that has ingested its own copy of the exports, for `up_to_date`."""

    def make(folder: Path) -> None:
        made = TemporaryInstallation(copy_installation(built.data, folder / "data"))
        shutil.copytree(estate, folder / "exports")
        made.apply(folder / "exports/tenants.yaml")
        for tenant in ("acme", "globex"):
            assert not made.ingest(tenant).failed

    return preserve(tmp_path_factory.mktemp("with-exports"), make)


@pytest.fixture
def up_to_date(
    preserved_with_exports: Path, monkeypatch: pytest.MonkeyPatch
) -> TemporaryInstallation:
    """Both tenants ingested, with `exports` beside the data folder; a test may change all of it."""
    made = TemporaryInstallation(rewind(preserved_with_exports) / "data")
    monkeypatch.setenv("FINOPS_DATA", str(made.data))
    for tenant in ("acme", "globex"):
        settle_copy(made.data, tenant)
    return made


@pytest.fixture
def ingested(built: TemporaryInstallation, empty: TemporaryInstallation) -> TemporaryInstallation:
    """A copy of `built` that a test may damage; it reads the shared exports, which stay."""
    copy_installation(built.data, empty.data)
    return empty


@pytest.fixture
def empty(tmp_path: Path) -> TemporaryInstallation:
    """An installation with nothing declared."""
    return TemporaryInstallation(tmp_path / "data")


@pytest.fixture
def own_estate(estate: Path, tmp_path: Path) -> Path:
    """A copy of the exports that a test may damage; apply its tenants.yaml."""
    return Path(shutil.copytree(estate, tmp_path / "exports"))


@pytest.fixture
def fresh(empty: TemporaryInstallation, own_estate: Path) -> TemporaryInstallation:
    """An installation that has `own_estate` declared and has ingested nothing."""
    empty.apply(own_estate / "tenants.yaml")
    return empty


@pytest.fixture(scope="session")
def census() -> Callable[[Path], dict[str, tuple[int, int]]]:
    """A function: folder -> {file: (bytes, modification time)} of everything below it."""

    def count(folder: Path) -> dict[str, tuple[int, int]]:
        return {
            str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    return count
