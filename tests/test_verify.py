"""`finops verify`, and all-tenant commands beside a damaged tenant: each finding has its cure.

Put here: what verifying finds and prints, that one tenant's damage hides no other's state. Keep
out: whether the cures work (test_rebuild.py).
"""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from finops_pipeline.contracts.tables import MARTS
from finops_pipeline.lake.duck import open_in_memory
from finops_pipeline.lake.files import fingerprint
from finops_pipeline.ledger.stored_files import Place
from tests.conftest import LAST_MONTH, TemporaryInstallation
from tests.support.planted_damage import (
    Folders,
    damaged_file,
    empty_ledger,
    foreign_ledger,
    linked_charges,
    overwritten_charges,
    removed_charges,
    swapped_landing,
    text_for_a_ledger,
    truncated_ledger,
    wal_beside,
)
from tests.support.published_files import publish_instead, published_file
from tests.support.rewound_folder import rewind
from tests.support.tiers import some_every_day


@pytest.fixture
def ready(settled_estate: Path) -> TemporaryInstallation:
    """A copy of the ingested estate as it was before any test."""
    return TemporaryInstallation(rewind(settled_estate) / "data")


def _folders(made: TemporaryInstallation) -> Folders:
    return Folders(made.folder("acme"), made.folder("globex"), LAST_MONTH)


def test_nothing_is_wrong_with_what_was_ingested(ready: TemporaryInstallation) -> None:
    done = ready.finops("verify", "acme")
    assert "nothing is wrong" in done.stdout
    assert "acme: files 0 of" in done.stderr
    (fields,) = json.loads(ready.finops("verify", "globex", "--format", "json").stdout)
    assert fields["findings"] == []
    assert fields["rows"] > 0
    assert fields["months"] == 3
    assert fields["tables"] == len(MARTS)
    assert fields["checks"] >= 3


NAMED = {
    removed_charges: "is missing",
    overwritten_charges: "is not the file that was published",
    linked_charges: "is a link",
    swapped_landing: "is not the file that was published",
    damaged_file: "cannot be opened as a DuckDB file",
    wal_beside: "is a WAL",
    foreign_ledger: "belongs to another tenant",
    truncated_ledger: "is damaged",
    empty_ledger: "is empty",
}
"""What `finops verify` says of each kind of damage."""


@pytest.mark.parametrize("plant", some_every_day(NAMED, every=2), ids=lambda plant: plant.__name__)
def test_damage_is_named_with_its_cure(
    ready: TemporaryInstallation, plant: Callable[[Folders], None]
) -> None:
    plant(_folders(ready))
    done = ready.finops("verify", "acme", ok=False)
    assert NAMED[plant] in done.stdout
    assert "finops rebuild acme" in done.stdout
    assert re.search(r": [0-9]+ findings?$", done.stdout.strip())
    assert "nothing is wrong" in ready.finops("verify", "globex").stdout


def test_a_table_that_its_charges_do_not_give_is_named(ready: TemporaryInstallation) -> None:
    """Even where every checksum agrees: here they were changed together with the table."""
    folder = ready.folder("acme")
    with open_in_memory({}) as connection:
        connection.execute(f"attach '{folder / 'acme.duckdb'}' as w")
        connection.execute(
            "update w.monthly_costs set billed_cost = billed_cost + 1 where rowid = 0"
        )
        connection.execute("detach w")
    with sqlite3.connect(folder / "ledger.sqlite") as db:
        db.execute(
            "update generations set sha256 = ? where generation ="
            " (select max(generation) from generations)",
            [fingerprint(folder / "acme.duckdb")],
        )
    db.close()
    done = ready.finops("verify", "acme", ok=False)
    assert "has 1 row that the charges do not give, and lacks 1 row that they give" in done.stdout
    ready.finops("rebuild", "acme")
    assert "nothing is wrong" in ready.finops("verify", "acme").stdout


def test_a_file_that_reads_other_charges_than_the_current_ones_is_named(
    ready: TemporaryInstallation,
) -> None:
    """The folders would show another publication than the views."""
    folders = _folders(ready)
    path = published_file(folders.acme, "costs", "staging", LAST_MONTH)
    publish_instead(ready.installation, "acme", Place("costs", "prod", LAST_MONTH), path)
    done = ready.finops("verify", "acme", ok=False)
    assert "acme.duckdb: reads other charges than those that are current" in done.stdout
    ready.finops("rebuild", "acme")
    assert "nothing is wrong" in ready.finops("verify", "acme").stdout


def test_a_file_in_the_folders_that_is_not_current_is_named(ready: TemporaryInstallation) -> None:
    folders = _folders(ready)
    more = folders.acme / f"costs/project=prod/billing_period={LAST_MONTH}/more.parquet"
    shutil.copy(folders.charges, more)
    assert f"{more}" in ready.finops("verify", "acme", ok=False).stdout
    ready.finops("rebuild", "acme", "--month", LAST_MONTH)
    assert "nothing is wrong" in ready.finops("verify", "acme").stdout


@pytest.mark.parametrize(
    "plant", [foreign_ledger, truncated_ledger, text_for_a_ledger, empty_ledger]
)
def test_a_damaged_tenant_hides_no_other(
    ready: TemporaryInstallation, plant: Callable[[Folders], None]
) -> None:
    plant(_folders(ready))
    for command in ("status", "gaps"):
        done = ready.finops(command, ok=False)
        assert "globex" in done.stdout
        assert "finops: acme: " in done.stderr
        assert "finops rebuild acme" in done.stderr
    done = ready.finops("status", "--format", "json", ok=False)
    assert {row["tenant"] for row in json.loads(done.stdout)} == {"globex"}
    assert json.loads(done.stderr)["error"]["cure"].endswith("finops rebuild acme")
    done = ready.finops("ingest", ok=False)
    assert "finops rebuild acme" in done.stderr
    assert "warehouse globex built" in done.stderr


def test_status_shows_the_space_of_a_tenant(ready: TemporaryInstallation) -> None:
    ready.finops("rebuild", "acme")
    shown = ready.finops("status", "acme").stdout
    assert re.search(r"space: [0-9.]+ MB, [0-9.]+ MB in [0-9]+ superseded files? kept", shown)


def test_files_lists_what_is_current(ready: TemporaryInstallation) -> None:
    listed = json.loads(ready.finops("files", "acme", "costs", "--format", "json").stdout)
    assert {row["billing_period"] for row in listed} == {"2026-08", "2026-09", "2026-10"}
    rows = sum(pq.read_metadata(row["path"]).num_rows for row in listed)
    assert [{"n": str(rows)}] == ready.rows("acme", "select count(*) as n from costs")
    for row in listed:
        assert fingerprint(Path(row["path"])) == row["sha256"]
        assert Path(row["path"]).stat().st_size == row["size_bytes"]
    assert "charges-" in ready.finops("files", "acme", "costs").stdout
    wrong = ready.finops("files", "acme", "cost", ok=False)
    assert "landing, costs, quarantine, cost_explorer_daily" in wrong.stderr
