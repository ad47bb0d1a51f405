"""A publication that dies at any of its steps: the old generation or the new one, complete.

Put here: deaths at each file operation and ledger write of landing, commit and collection, with a
grace period of zero, so that every commit collects. Keep out: readers meanwhile
(test_snapshot_readers.py), kills of whole commands (test_kill.py).
"""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from finops_pipeline.application.installation import Installation
from finops_pipeline.lake.collection import measure_space
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.ledger.stored_files import read_stored_files
from finops_pipeline.serve.sandbox import open_sandbox
from finops_pipeline.settings import Settings
from tests.conftest import FIGURES, TemporaryInstallation
from tests.support.snapshot_tenants import MONTHS, begin, deliver_number
from tests.support.step_killer import MOST_STEPS, Killer

EVERY = 220


def answer(made: TemporaryInstallation) -> Decimal:
    """Return the cost of every charge, which charges and marts must agree on."""
    with open_sandbox(made.installation.folder("acme"), made.installation.query_limits) as sandbox:
        rows = sandbox.execute(
            "select (select list(distinct BilledCost) from costs),"
            " (select list(distinct billed_cost) from monthly_costs),"
            " (select count(*) from costs), (select count(*) from landing_payer)"
        ).fetchall()
    charges, monthly, count, landed = rows[0]
    assert charges == monthly and len(charges) == 1, rows
    assert count == landed == 2 * len(MONTHS), rows
    return Decimal(charges[0])


def check_nothing_is_left(made: TemporaryInstallation) -> None:
    """Check that the folder holds exactly what the ledger names, after a run without grace."""
    installation = Installation(Settings(data=made.data, reader_grace_hours=0))
    assert not any((made.folder("acme") / ".staging").iterdir())
    folder = installation.folder("acme")
    space = measure_space(folder, open_ledger(folder))
    assert space.superseded_files == 0
    current = {folder.stored(f) for f in read_stored_files(open_ledger(folder)).values()}
    assert set(folder.store.glob("*/*=[a-z]*/*/*.parquet")) == current


def die_at_steps(place: Path, first: int, every: int) -> str:
    """Restate acme's months in copies of a folder, and die at each of these steps of it."""
    base = begin(place)
    globex = [(p, p.stat().st_mtime_ns) for p in sorted(base.folder("globex").rglob("*"))]
    deliver_number(base, 2)
    killer, deaths, old = Killer(), 0, 0
    try:
        for step in range(first, MOST_STEPS, every):
            made = TemporaryInstallation(place / str(step))
            shutil.copytree(base.data, made.data, symlinks=True)
            code = killer.ingest(made.data, step)
            assert code in (0, 9), (step, code)
            deaths += code == 9
            cost = answer(made)
            assert cost in (1, 2), step
            old += cost == 1
            assert killer.ingest(made.data) == 0
            assert answer(made) == 2, step
            check_nothing_is_left(made)
            shutil.rmtree(made.data)
            if code == 0:
                break
        else:
            pytest.fail("the ingest has more steps than were tried")
    finally:
        killer.end()
    assert globex == [(p, p.stat().st_mtime_ns) for p in sorted(base.folder("globex").rglob("*"))]
    assert 0 < old < deaths
    return f"{deaths} deaths at steps of landing, commit and collection: {old} old, the rest new"


def test_a_publication_that_dies_at_some_step_is_the_old_one_or_the_new_one(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    request.config.stash.setdefault(FIGURES, []).append(die_at_steps(tmp_path, 3, EVERY))


@pytest.mark.torture
def test_a_publication_that_dies_at_any_step_is_the_old_one_or_the_new_one(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    request.config.stash.setdefault(FIGURES, []).append(die_at_steps(tmp_path, 1, 1))
