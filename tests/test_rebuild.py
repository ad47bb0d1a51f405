"""`finops rebuild`: the cure that an error names works as printed, for every kind of damage.

Put here: damaged folders, lost landings and deliveries, and what a rebuild leaves. Keep out: how
publications are interrupted, damage that `finops ingest` cures by itself.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import LAST_MONTH, TemporaryInstallation
from tests.support.planted_damage import (
    DAMAGE,
    Folders,
    damaged_file,
    missing_ledger,
    missing_ledger_and_copy,
    overwritten_charges,
    removed_charges,
    removed_landing,
)
from tests.support.rewound_folder import rewind
from tests.support.tiers import some_every_day

TABLES = ("monthly_costs", "daily_costs", "costs", "landing_payer", "data_status", "projects")
ANSWERS = {
    table: f"(select count(*) || ' ' || bit_xor(hash(t)) from {columns}) as {table}"
    for table in TABLES
    for columns in [
        "(select * exclude (landed_at) from data_status) as t"
        if table == "data_status"
        else f"{table} as t"
    ]
}
"""SQL for the number of rows of each table, and a checksum over all their values."""


def _contents(folder: Path) -> dict[str, object]:
    return {
        str(path.relative_to(folder)): path.readlink() if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


@pytest.fixture
def ready(settled_estate: Path) -> TemporaryInstallation:
    """A copy of the ingested estate as it was before any test."""
    return TemporaryInstallation(rewind(settled_estate) / "data")


def _folders(made: TemporaryInstallation) -> Folders:
    return Folders(made.folder("acme"), made.folder("globex"), LAST_MONTH)


def _answers(made: TemporaryInstallation, *but: str) -> list[Any]:
    return made.rows("acme", f"select {', '.join(ANSWERS[t] for t in TABLES if t not in but)}")


def _cure(message: str) -> list[str]:
    cures = re.findall(r"finops (rebuild[a-z0-9 -]*)", message)
    assert cures, message
    return str(cures[0]).split()


@pytest.mark.parametrize("plant", some_every_day(DAMAGE, every=6), ids=lambda plant: plant.__name__)
def test_the_cure_that_is_named_works(
    ready: TemporaryInstallation, plant: Callable[[Folders], None]
) -> None:
    folders, before = _folders(ready), _answers(ready)
    other = _contents(folders.globex)
    plant(folders)
    refused = ready.finops(*DAMAGE[plant], ok=False)
    assert _contents(folders.globex) == other
    ready.finops(*_cure(refused.stderr))
    assert _contents(folders.globex) == other
    assert _answers(ready) == before
    ready.finops(*DAMAGE[plant])


def test_what_cannot_be_used_is_moved_and_reported(ready: TemporaryInstallation) -> None:
    folders = _folders(ready)
    overwritten_charges(folders)
    path, content = folders.charges, folders.charges.read_bytes()
    done = ready.finops("rebuild", "acme")
    assert f"{path} is not the file that was published" in done.stderr
    (moved,) = (folders.acme / ".set-aside").rglob(path.name)
    assert moved.read_bytes() == content
    assert path.exists() is False or path.read_bytes() != content


def test_damage_outside_the_scope_is_repaired_too(ready: TemporaryInstallation) -> None:
    before, folders = _answers(ready), _folders(ready)
    removed_charges(folders)
    removed_landing(Folders(folders.acme, folders.globex, "2026-09"))
    ready.finops("rebuild", "acme", "--project", "staging", "--month", "2026-08")
    assert _answers(ready) == before


def test_a_month_without_landing_and_delivery_is_named_and_stays(
    fresh: TemporaryInstallation, own_estate: Path
) -> None:
    fresh.ingest("acme")
    before, folders = _answers(fresh, "landing_payer"), _folders(fresh)
    folders.landing.write_bytes(b"another bill")
    shutil.rmtree(own_estate / "acme" / "payer")
    done = fresh.finops("rebuild", "acme", ok=False)
    assert f"The landing of acme/payer {LAST_MONTH} is lost" in done.stderr
    assert "finops ingest-file acme/payer FILE" in done.stderr
    assert _answers(fresh, "landing_payer") == before
    fresh.finops("query", "acme", f"select {ANSWERS['landing_payer']}", ok=False)


def test_a_ledger_without_copy_comes_back_without_deliveries(
    fresh: TemporaryInstallation, own_estate: Path
) -> None:
    """The records beside the landing files are enough; no delivery has to be there any more."""
    fresh.ingest("acme")
    before, folders = _answers(fresh), _folders(fresh)
    missing_ledger_and_copy(folders)
    shutil.rmtree(own_estate / "acme")
    done = fresh.finops("rebuild", "acme", ok=False)
    assert "landing acme/payer refused" in done.stderr, "the source has no deliveries any more"
    assert "the ledger was rebuilt from the files in the store" in done.stderr
    assert _answers(fresh) == before


def test_a_copy_that_is_too_old_lacks_nothing(
    fresh: TemporaryInstallation, own_estate: Path
) -> None:
    """The copy was not written with the last commits, for example because the disk was full."""
    fresh.finops("ingest", "acme", "--to", "2026-09")
    folders = _folders(fresh)
    older = (folders.acme / ".ledger-copy.sqlite").read_bytes()
    fresh.ingest("acme")
    before = _answers(fresh)
    (folders.acme / ".ledger-copy.sqlite").write_bytes(older)
    missing_ledger(folders)
    done = fresh.finops("rebuild", "acme", "--month", "2026-08")
    assert "restored from its copy" in done.stderr
    assert _answers(fresh) == before


def test_an_invoice_total_survives_a_lost_ledger(ready: TemporaryInstallation) -> None:
    ready.finops("invoice", "set", "acme/payer", LAST_MONTH, "12.50")
    missing_ledger(_folders(ready))
    ready.finops("rebuild", "acme")
    assert "12.5" in ready.finops("invoice", "list", "acme").stdout


def test_a_rebuild_that_is_refused_changes_nothing(ready: TemporaryInstallation) -> None:
    before = _contents(ready.folder("acme"))
    ready.finops("rebuild", "acme", "--project", "nope", ok=False)
    ready.finops("rebuild", "nobody", ok=False)
    assert _contents(ready.folder("acme")) == before


def test_a_rebuild_builds_what_is_current(ready: TemporaryInstallation) -> None:
    done = ready.finops("rebuild", "acme", "--project", "prod", "--month", LAST_MONTH)
    assert f"costs acme/prod {LAST_MONTH} built" in done.stderr
    assert "2 built" in done.stdout, "the partition and the tenant's file"
    damaged_file(_folders(ready))
    ready.finops("rebuild", "acme", "--month", "2026-08")
    assert "unchanged" in ready.finops("ingest", "acme").stdout


def test_nothing_is_written_behind_links(ready: TemporaryInstallation) -> None:
    """Links where finops writes: at the next tree of links, and at the folder `.set-aside`."""
    folders, before = _folders(ready), _answers(ready)
    other = _contents(folders.globex)
    newest = int((folders.acme / ".newest").readlink().name)
    for number in range(newest + 1, newest + 4):
        (folders.acme / ".folders" / str(number)).symlink_to(folders.globex / ".folders")
    (folders.acme / ".set-aside").symlink_to(folders.globex)
    damaged_file(folders)
    ready.finops("rebuild", "acme")
    assert _contents(folders.globex) == other
    assert _answers(ready) == before


def test_the_copy_of_the_ledger_is_private(ready: TemporaryInstallation) -> None:
    assert (ready.folder("acme") / ".ledger-copy.sqlite").stat().st_mode & 0o777 == 0o600
