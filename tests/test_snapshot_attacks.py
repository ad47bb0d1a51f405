"""Foreign files, real folders and interrupted work in a tenant's folder, beside another tenant's.

Put here: what must never be answered, lost or deleted by the steps around a publication. Keep out:
damage that `finops rebuild` cures (test_rebuild.py), kills at random points
(test_snapshot_kills.py).
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from finops_pipeline.errors import QueryRefused
from finops_pipeline.serve.queries import Query, open_answer
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row
from tests.support.rewound_folder import preserve, rewind
from tests.support.snapshot_tenants import ACCOUNTS, GLOBEX_COST, MONTHS, begin, deliver_number
from tests.support.tiers import some_every_day

MARTS = "select coalesce(sum(billed_cost), 0) as b from monthly_costs"
CHARGES = "select sum(BilledCost) as b from costs"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both tenants after their first publication, and a copy of everything."""
    return preserve(tmp_path_factory.mktemp("attacks"), begin)


@pytest.fixture
def made(pristine: Path) -> TemporaryInstallation:
    """Both tenants as they were before any test."""
    return TemporaryInstallation(rewind(pristine) / "data")


def billed(made: TemporaryInstallation, sql: str = MARTS, tenant: str = "acme") -> Decimal:
    (answer,) = made.rows(tenant, sql)
    return Decimal(answer["b"])


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


def set_aside(made: TemporaryInstallation, name: str) -> list[Path]:
    """List what was moved away under this name."""
    return sorted((made.folder("acme") / ".set-aside").rglob(name))


def shown_charges(made: TemporaryInstallation, tenant: str = "acme") -> Decimal:
    """Sum the charges as a program does that reads the folders by a pattern."""
    pattern = made.folder(tenant) / "costs/project=*/billing_period=*/*.parquet"
    with duckdb.connect() as connection:
        query = connection.execute(f"select sum(BilledCost) from read_parquet('{pattern}')")
        return Decimal(query.fetchall()[0][0])


def test_a_wal_beside_an_interrupted_publication_is_set_aside(made: TemporaryInstallation) -> None:
    """It may be what a user has written into the file and not saved yet."""
    interrupt_after_commit(made)
    (made.folder("acme") / "acme.duckdb.wal").write_bytes(b"a user's changes")
    assert billed(made) == 8
    (moved,) = set_aside(made, "acme.duckdb.wal")
    assert moved.read_bytes() == b"a user's changes"


def replaced_folder(acme: Path) -> Path:
    """A user puts a folder of their own in the place of a link."""
    (acme / "costs").unlink()
    (acme / "costs/own").mkdir(parents=True)
    return acme / "costs/own/notes.txt"


def replaced_link(acme: Path) -> Path:
    """A user writes an answer over the link."""
    (acme / "costs").unlink()
    return acme / "costs"


def followed_links(acme: Path) -> Path:
    """A copy has followed the links, and a user has added a file."""
    copy = shutil.copytree(acme / "costs", acme / "copied")
    (acme / "costs").unlink()
    copy.rename(acme / "costs")
    return acme / "costs/project=prod/notes.txt"


@pytest.mark.parametrize("replace", [replaced_folder, replaced_link, followed_links])
def test_what_a_user_put_in_the_place_of_a_link_is_kept(
    made: TemporaryInstallation, replace: Callable[[Path], Path]
) -> None:
    own = replace(made.folder("acme"))
    own.write_text("a user's own")
    deliver_number(made, 2)
    for _ in range(2):
        assert not made.ingest("acme").failed
    assert shown_charges(made) == billed(made, CHARGES) == 8
    (kept,) = set_aside(made, own.name)
    assert kept.read_text() == "a user's own"
    assert not set_aside(made, "*.parquet"), "copies of the store's files take space for ever"


def test_a_link_to_another_tenants_folder_is_removed_by_the_next_command(
    made: TemporaryInstallation,
) -> None:
    acme, globex = made.folder("acme"), made.folder("globex")
    (acme / "costs").unlink()
    (acme / "costs").symlink_to(globex / "costs")
    assert billed(made) == shown_charges(made) == 4
    assert shown_charges(made, "globex") == 2 * Decimal(GLOBEX_COST)


@pytest.mark.parametrize("is_link", some_every_day([True, False]))
def test_a_name_that_a_publication_needs_may_be_taken(
    made: TemporaryInstallation, is_link: bool
) -> None:
    acme, globex = made.folder("acme"), made.folder("globex")
    if is_link:
        (acme / ".ledger-copy.new").symlink_to(globex / "ledger.sqlite")
    else:
        for name in (".ledger-copy.new", ".newest.new", "costs.new"):
            (acme / name).mkdir()
    before = (globex / "ledger.sqlite").read_bytes()
    deliver_number(made, 2)
    ingested = made.finops("ingest", "acme", ok=not is_link)
    if is_link:
        run_cure(made, ingested.stderr)
    assert billed(made) == billed(made, CHARGES) == shown_charges(made) == 8
    assert (globex / "ledger.sqlite").read_bytes() == before


def test_a_damaged_record_of_a_landing_is_not_used(made: TemporaryInstallation) -> None:
    """Without a ledger, it would name a partition, and the cure could not be carried out."""
    acme = made.folder("acme")
    for path in (acme / ".store/landing").rglob("*.json"):
        record = json.loads(path.read_text())
        record["quarantine"] = ["../../../../tenant=globex/.store", 5]
        path.write_text(json.dumps(record))
    (acme / "ledger.sqlite").unlink()
    (acme / ".ledger-copy.sqlite").unlink()
    run_cure(made, made.finops("query", "acme", MARTS, ok=False).stderr)
    assert billed(made) == billed(made, CHARGES) == 4


def lose(path: Path) -> None:
    path.unlink()


def damage(path: Path) -> None:
    os.truncate(path, 100)


@pytest.mark.parametrize(
    ("break_file", "tables", "view"),
    [
        (lose, ("landing",), "landing_payer"),
        pytest.param(damage, ("landing",), "landing_payer", marks=pytest.mark.torture),
        (lose, ("landing", "costs"), "costs"),
    ],
    ids=["lost landing", "damaged landing", "lost landing and charges"],
)
def test_a_lost_month_does_not_stop_the_others(
    made: TemporaryInstallation,
    break_file: Callable[[Path], None],
    tables: tuple[str, ...],
    view: str,
) -> None:
    """Its delivery is gone as well, so no command can bring it back."""
    lost, current = MONTHS
    bills = made.data.parent / "acme/cur"
    for table in tables:
        for path in (made.folder("acme") / ".store" / table).glob(f"*/*={lost}/*.parquet"):
            break_file(path)
    shutil.rmtree(next(bills.glob(f"{lost.replace('-', '')}*")))
    deliver(bills, [row("50", account, f"{current}-05") for account in ACCOUNTS.values()])
    refused = made.finops("ingest", "acme", ok=False)
    assert f"{view} is left out: " in refused.stderr
    assert ("hourly_costs was not rebuilt" in refused.stderr) is (view == "costs")
    by_month = "select billing_period as m, sum(billed_cost) as b from monthly_costs group by 1"
    billed_by_month = {r["m"]: Decimal(r["b"]) for r in made.rows("acme", by_month)}
    assert billed_by_month == {lost: 2, current: 100}
    answer = made.finops("query", "acme", f"select count(*) from {view}", ok=False)
    assert f"--month {lost}" in answer.stderr
    assert "is left out: " in made.finops("ingest", "acme", ok=False).stderr
    deliver(bills, [row("1", account, f"{lost}-05") for account in ACCOUNTS.values()], lost)
    run_cure(made, answer.stderr)
    assert billed(made, CHARGES) == billed(made) == 102
    made.finops("query", "acme", f"select count(*) from {view}")
    made.finops("ingest", "acme")


def test_a_file_that_vanishes_while_it_is_read_is_no_fault_of_the_query(
    made: TemporaryInstallation,
) -> None:
    with open_answer(made.installation, "acme", Query(CHARGES)) as answer:
        assert answer.execute() == ["b"]
    stored = next((made.folder("acme") / ".store/costs").glob("project=prod/*/*.parquet"))
    with (
        pytest.raises(QueryRefused, match="Run the query again"),
        open_answer(made.installation, "acme", Query(CHARGES)) as answer,
    ):
        stored.unlink()
        answer.execute()
