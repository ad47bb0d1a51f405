"""Files of accesses limited to projects, as a server keeps them: few at a time, few of each tenant.

Put here: their bounds at the API, with two tenants. Keep out: what is in them
(test_scoped_files.py), their life without a server (test_scoped_lifecycle.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from finops_pipeline import clock
from finops_pipeline.application.scoped_files import name_scoped
from finops_pipeline.serve.access.actors import Actor
from finops_pipeline.serve.access.grants import Extent, Limits, NewGrant
from finops_pipeline.serve.access.token_administration import TokenAdministration, TokenRequest
from finops_pipeline.serve.access.verified_access import Role
from finops_pipeline.serve.data_scope import DataScope
from finops_pipeline.serve.limited_files import LimitedFiles
from finops_pipeline.serve.sandboxed_files import LimitedFile
from finops_pipeline.serve.warehouse_pool import PoolLimits, WarehousePool
from tests.conftest import TemporaryInstallation
from tests.support.marked_projects import identities
from tests.support.published_files import copy_installation
from tests.support.served_tenants import TENANTS, ServedTenants, serve_tenants

KEPT = 2
PATH = "/tenants/{}/projects"


@pytest.fixture
def served(built: TemporaryInstallation, tmp_path: Path) -> Iterator[ServedTenants]:
    """Both tenants; a token for each of three projects: `acme:dev`, …"""
    copy_installation(built.data, tmp_path / "data")
    bounds = {"serve_limited_files": KEPT, "serve_wait_seconds": 0.4, "serve_queries_per_tenant": 1}
    with serve_tenants(tmp_path / "data", **bounds) as served:
        tokens = TokenAdministration(served.services.access, Actor.command_line())
        for tenant in TENANTS:
            for project in projects_of(served, tenant):
                limits = Limits(Extent.PROJECTS, (project,))
                grant = NewGrant(Role.ANALYST, limits)
                created = tokens.create(TokenRequest(f"{tenant}/for-{project}", grant=grant))
                served.tokens[f"{tenant}:{project}"] = created.text
        yield served


def projects_of(served: ServedTenants, tenant: str) -> list[str]:
    return sorted(project.name for project in served.installation.registry.projects(tenant))[:3]


def ask(served: ServedTenants, tenant: str, project: str) -> None:
    """Ask for the projects that a grant shows, again while the server is busy."""
    started = clock.stopwatch()
    while (answer := served.get(PATH.format(tenant), f"{tenant}:{project}")).status_code == 503:
        assert answer.headers["retry-after"] == "2"
        assert clock.stopwatch() - started < 30
    assert [row["project"] for row in answer.json()["rows"]] == [project]


def path_of(served: ServedTenants, tenant: str, project: str) -> Path:
    folder = served.installation.folder(tenant)
    (scoped,) = name_scoped(
        folder, [identities(served.installation, DataScope(tenant, (project,)))]
    )
    return scoped.path


def test_those_that_were_not_used_for_longest_are_removed(served: ServedTenants) -> None:
    first, second, third = projects_of(served, "acme")
    own = projects_of(served, "globex")[0]
    for tenant, project in (("globex", own), ("acme", first), ("acme", second), ("acme", first)):
        ask(served, tenant, project)
    with served.services.pool.open(DataScope("acme", (second,))) as opened:
        ask(served, "globex", own)
        assert path_of(served, "acme", second).exists()
    ask(served, "acme", first)
    ask(served, "acme", third)
    kept = {
        project: path_of(served, "acme", project).exists() for project in (first, second, third)
    }
    assert kept == {first: True, second: False, third: True}
    assert path_of(served, "globex", own).exists(), "the bound is for each tenant"
    ask(served, "acme", second)  # from the process that has the removed file open
    assert not path_of(served, "acme", second).exists()
    pool = WarehousePool(served.installation, PoolLimits(limited_files=KEPT))
    with pool.open(DataScope("acme", (second,))) as opened:
        rows = opened.sandbox.execute("select project from projects").fetchall()
    pool.close()
    assert rows == [(second,)]
    folder = served.installation.folder("acme").scoped
    assert len(list(folder.glob("*-*.duckdb"))) == KEPT


def test_a_file_that_is_removed_before_it_is_opened_is_written_again(
    served: ServedTenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = projects_of(served, "acme")[0]
    attach, removed = LimitedFile.attach, list[Path]()

    def remove_and_attach(file: LimitedFile, *arguments: Any) -> str:
        if not removed:
            removed.append(path_of(served, "acme", project))
            removed[0].unlink()
        return attach(file, *arguments)

    monkeypatch.setattr(LimitedFile, "attach", remove_and_attach)
    ask(served, "acme", project)
    assert removed and removed[0].exists()


def test_whoever_waits_for_a_file_keeps_no_query_waiting(
    served: ServedTenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One query of acme may run at a time: it does while the file is written."""
    write, answers = LimitedFiles.write, list[int]()

    def ask_and_write(files: LimitedFiles, *arguments: Any) -> None:
        with served.services.pool.open(DataScope("acme")) as opened:
            answers.append(len(opened.sandbox.execute("from projects").fetchall()))
        write(files, *arguments)

    monkeypatch.setattr(LimitedFiles, "write", ask_and_write)
    ask(served, "acme", projects_of(served, "acme")[0])
    assert answers and answers[0] > 1


def test_whoever_waits_for_a_file_is_answered_soon(served: ServedTenants) -> None:
    """While another process writes limited files of acme, which can take two minutes."""
    first, second, _ = projects_of(served, "acme")
    scoped = served.installation.folder("acme").scoped
    scoped.mkdir(exist_ok=True)
    with FileLock(scoped / ".lock"):
        started = clock.stopwatch()
        for project in (first, second, first):
            refused = served.get(PATH.format("acme"), f"acme:{project}")
            assert refused.status_code == 503
            assert refused.headers["retry-after"] == "2"
            assert refused.json()["type"] == "urn:finops:problem:busy"
            assert str(served.installation.settings.data) not in refused.text
        assert "is being prepared" in refused.json()["found"]
        assert clock.stopwatch() - started < 30
        assert served.get(PATH.format("acme"), "acme").status_code == 200
        ask(served, "globex", projects_of(served, "globex")[0])
    for project in (first, second):
        ask(served, "acme", project)
