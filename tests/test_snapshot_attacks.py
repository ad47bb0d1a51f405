"""Foreign files, real folders and interrupted work in a tenant's folder, beside another tenant's.

Put here: what must never be answered, lost or deleted by the steps around a publication. Keep out:
damage that `finops rebuild` cures (test_rebuild.py), kills at random points
(test_snapshot_kills.py).
"""

from __future__ import annotations

import re
import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from tests.conftest import TemporaryInstallation
from tests.support.snapshot_tenants import GLOBEX_COST, begin, deliver_number

MARTS = "select coalesce(sum(billed_cost), 0) as b from monthly_costs"
CHARGES = "select sum(BilledCost) as b from costs"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both tenants after their first publication, and a copy of everything."""
    folder = tmp_path_factory.mktemp("attacks")
    begin(folder / "work")
    shutil.copytree(folder / "work", folder / "pristine", symlinks=True)
    return folder


@pytest.fixture
def made(pristine: Path) -> TemporaryInstallation:
    """Both tenants as they were before any test."""
    shutil.rmtree(pristine / "work")
    shutil.copytree(pristine / "pristine", pristine / "work", symlinks=True)
    return TemporaryInstallation(pristine / "work/data")


def billed(made: TemporaryInstallation, sql: str = MARTS, tenant: str = "acme") -> Decimal:
    (row,) = made.rows(tenant, sql)
    return Decimal(row["b"])


def run_cure(made: TemporaryInstallation, message: str) -> None:
    """Type the command that a message names."""
    cures = re.findall(r"finops (rebuild[a-z0-9 -]*)", message)
    assert cures, message
    made.finops(*cures[0].split())


def move(made: TemporaryInstallation) -> TemporaryInstallation:
    moved = TemporaryInstallation(made.data.with_name("moved"))
    made.data.rename(moved.data)
    return moved


def interrupt_after_commit(made: TemporaryInstallation) -> None:
    """Publish acme's number 2, and end before the tenant's file is renamed to its path."""
    deliver_number(made, 2)
    ended = made.python(
        "import os, sys\n"
        "from finops_pipeline.lake import publish\n"
        "from finops_pipeline.cli.app import main\n"
        "publish.finish_commit = lambda *_: os._exit(9)\n"
        "sys.argv = ['finops', 'ingest', 'acme']\n"
        "main()\n"
    )
    assert ended.returncode == 9, ended.stderr
    assert list((made.folder("acme") / ".staging").glob("generation-*.duckdb"))


@pytest.mark.parametrize("planted", ["another tenant's", "an older one"])
def test_a_file_that_was_not_published_last_is_not_taken_over_by_a_move(
    made: TemporaryInstallation, planted: str
) -> None:
    """A move writes the tenant's file anew, under the tenant's name and with a new checksum."""
    file = made.folder("acme") / "acme.duckdb"
    older = shutil.copy(file, made.data.parent / "older.duckdb")
    deliver_number(made, 2)
    assert not made.ingest("acme").failed
    foreign = made.folder("globex") / "globex.duckdb"
    shutil.copy(foreign if planted == "another tenant's" else older, file)
    moved = move(made)
    refused = moved.finops("query", "acme", MARTS, ok=False)
    assert "is not the file that was published last" in refused.stderr
    assert GLOBEX_COST not in refused.stdout + refused.stderr
    run_cure(moved, refused.stderr)
    assert billed(moved) == billed(moved, CHARGES) == 8
    assert billed(moved, CHARGES, "globex") == 2 * Decimal(GLOBEX_COST)


def test_a_publication_that_was_interrupted_is_finished_in_a_moved_folder(
    made: TemporaryInstallation,
) -> None:
    interrupt_after_commit(made)
    moved = move(made)
    assert billed(moved) == billed(moved, CHARGES) == 8
    shown = moved.folder("acme").glob("costs/*/*/*.parquet")
    views = moved.rows("acme", "select count(distinct project || billing_period) as b from costs")
    assert len(list(shown)) == int(views[0]["b"]) == 4
