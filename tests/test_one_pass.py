"""One pass over a month: no row is lost, doubled or misplaced, and committed work is not lost.

Put here: many sources, many projects, odd account ids, claims with gaps, interrupted
publications.
Keep out: the seeded estate (test_truth.py), killed processes (test_kill.py).
"""

from __future__ import annotations

import csv
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from finops_pipeline.application.files_by_hand import FilesByHand
from finops_pipeline.application.ingest import ingest_files
from finops_pipeline.focus import claimed_bill
from finops_pipeline.focus import month_pass as month
from finops_pipeline.lake import commit, files, publish
from finops_pipeline.lake.layout import COSTS, TenantFolder
from finops_pipeline.lake.writing import tenant_writer
from finops_pipeline.ledger.ledger import Ledger, PartitionRecord
from finops_pipeline.serve.sandbox import open_sandbox
from finops_pipeline.tenants.model import Project, Tenant
from finops_pipeline.tenants.source import FocusSource, LegacyCurSource
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row, write_csv
from tests.support.commit_steps import end_at
from tests.support.globex import ask
from tests.support.published_files import copy_installation, published_files, stored_files

MONTH = "2026-09"
ACCOUNTS = [f"{number:012d}" for number in range(1, 21)]


def declare(installation: TemporaryInstallation, name: str, **settings: Any) -> Tenant:
    tenant = Tenant(name=name, **settings)
    installation.installation.registry.save(tenant)
    return installation.installation.registry.tenant(name)


def project(**settings: Any) -> Project:
    return Project.model_validate(settings)


def import_bill(installation: TemporaryInstallation, tenant: str, source: str, path: Path) -> Any:
    report = ingest_files(installation.installation, FilesByHand(tenant, source, [path]))
    assert not report.failed, report.failed
    return report


def sums(installation: TemporaryInstallation, tenant: str) -> dict[str, tuple[int, Decimal]]:
    """Per project: number of charges and their billed cost."""
    sql = (
        "select project, count(*) as n, sum(BilledCost)::varchar as billed from costs group by all"
    )
    rows = ask(sql, tenant, installation.data)
    return {r["project"]: (int(r["n"]), Decimal(r["billed"])) for r in rows}


def states(installation: TemporaryInstallation, tenant: str) -> set[str]:
    return {r["state"] for r in ask("select state from data_status", tenant, installation.data)}


@pytest.fixture(scope="module")
def only_globex(tmp_path_factory: pytest.TempPathFactory) -> TemporaryInstallation:
    """globex has a bill for the same accounts, and nothing of it may appear in acme. Read only."""
    folder = tmp_path_factory.mktemp("globex")
    made = TemporaryInstallation(folder / "data")
    cur = [LegacyCurSource(name="payer")]
    declare(made, "globex", sources=cur, projects=[project(name="p01", accounts=ACCOUNTS)])
    write_csv(folder / "globex.csv", [row("1000", account) for account in ACCOUNTS])
    import_bill(made, "globex", "payer", folder / "globex.csv")
    return made


@pytest.fixture
def two(only_globex: TemporaryInstallation, empty: TemporaryInstallation) -> TemporaryInstallation:
    """A copy with globex, to which a test adds acme."""
    return TemporaryInstallation(copy_installation(only_globex.data, empty.data))


@pytest.mark.torture
def test_more_sources_and_projects_than_a_single_pass_takes(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    names = [f"s{number:02d}" for number in range(10)]
    declare(
        two,
        "acme",
        sources=[LegacyCurSource(name=name, location=str(tmp_path / name)) for name in names],
        projects=[project(name=f"p{a[-2:]}", accounts=[a]) for a in ACCOUNTS[:18]],
    )
    for number, name in enumerate(names):
        cost = f"0.{number + 1:018d}"
        deliver(tmp_path / name, [row(cost, account) for account in ACCOUNTS])
    assert not two.ingest("acme").failed
    each = (10, Decimal("0.000000000000000055"))
    expected = {f"p{a[-2:]}": each for a in ACCOUNTS[:18]}
    assert sums(two, "acme") == {**expected, "unassigned": (20, 2 * each[1])}
    assert states(two, "acme") == {"reconciled"}
    assert sums(two, "globex") == {"p01": (20, Decimal(20000))}


def write_focus_bill(path: Path, rows: list[dict[str, str]]) -> Path:
    base = {
        "BilledCost": "1",
        "EffectiveCost": "1",
        "BillingCurrency": "USD",
        "BillingPeriodStart": f"{MONTH}-01T00:00:00Z",
        "ChargeCategory": "Usage",
        "ChargePeriodStart": f"{MONTH}-05T00:00:00Z",
    }
    complete = [base | changes for changes in rows]
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(complete[0]))
        writer.writeheader()
        writer.writerows(complete)
    return path


def test_accounts_with_spaces_null_and_blank(two: TemporaryInstallation, tmp_path: Path) -> None:
    labs = [FocusSource(name="labs")]
    declare(two, "acme", sources=labs, projects=[project(name="p01", accounts=ACCOUNTS[:1])])
    ids = [ACCOUNTS[0], f" {ACCOUNTS[0]}", f"{ACCOUNTS[0]}  ", "", "   ", "NULL", ACCOUNTS[1]]
    rows = [{"SubAccountId": i, "BilledCost": str(2**n)} for n, i in enumerate(ids)]
    import_bill(two, "acme", "labs", write_focus_bill(tmp_path / "labs.csv", rows))
    assert sums(two, "acme") == {"p01": (3, Decimal(7)), "unassigned": (4, Decimal(120))}
    assert states(two, "acme") == {"reconciled"}


def test_focus_rows_without_accounts_are_unassigned(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    projects = [project(name="p01", accounts=ACCOUNTS[:1]), project(name="unassigned")]
    declare(two, "acme", sources=[FocusSource(name="labs")], projects=projects)
    import_bill(two, "acme", "labs", write_focus_bill(tmp_path / "labs.csv", [{}, {}, {}]))
    assert sums(two, "acme") == {"unassigned": (3, Decimal(3))}
    assert states(two, "acme") == {"reconciled"}


def test_claims_with_a_gap_cover_every_day_once(two: TemporaryInstallation, tmp_path: Path) -> None:
    account = ACCOUNTS[0]
    declare(
        two,
        "acme",
        sources=[LegacyCurSource(name="payer")],
        projects=[
            project(
                name="p01", accounts=[{"id": account, "from": "2026-09-03", "to": "2026-09-10"}]
            ),
            project(name="p02", accounts=[{"id": account, "from": "2026-09-20"}]),
        ],
    )
    days = ["01", "02", "03", "09", "10", "19", "20", "30"]
    rows = [row(str(10**n), account, f"{MONTH}-{day}") for n, day in enumerate(days)]
    for late in ("2026-08-31", "2026-10-02"):
        start = {"bill/BillingPeriodStartDate": f"{MONTH}-01T00:00:00Z"}
        rows.append(row("0.5" if late < MONTH else "0.25", account, late) | start)
    write_csv(tmp_path / "a.csv", rows)
    import_bill(two, "acme", "payer", tmp_path / "a.csv")
    assert sums(two, "acme") == {
        "p01": (2, Decimal(1100)),
        "p02": (3, Decimal("11000000.25")),
        "unassigned": (5, Decimal("110011.5")),
    }
    assert states(two, "acme") == {"reconciled"}


def interrupt_import(
    installation: TemporaryInstallation, bill: Path, at: int, error: type[BaseException]
) -> bool:
    """Import a bill, fail at the given step, and return whether there were that many steps."""

    def fail() -> None:
        raise error

    with pytest.MonkeyPatch.context() as patch:
        count = end_at(patch, at, fail)
        with suppress(KeyboardInterrupt, OSError, AssertionError):
            import_bill(installation, "acme", "payer", bill)
        return count() >= at


def seen(installation: TemporaryInstallation) -> Decimal:
    """The cost of each of acme's two projects, which is the same in all tables."""
    with open_sandbox(
        installation.installation.folder("acme"), installation.installation.query_limits
    ) as sandbox:
        tables = ["costs", "monthly_costs", "daily_costs"]
        for table, cost in zip(tables, ["BilledCost", *["billed_cost"] * 2], strict=True):
            rows = sandbox.execute(
                f"select project, sum({cost}) from {table} group by all order by all"
            ).fetchall()
            assert [project for project, _ in rows] == ["aa", "bb"], table
            costs = {cost for _, cost in rows}
            if table == "costs":
                (charged,) = costs
            assert costs == {charged}, table
    return Decimal(charged)


@pytest.mark.parametrize(
    ("error", "first", "every"),
    [
        (KeyboardInterrupt, 1, 16),
        *(pytest.param(OSError, n, 8, marks=pytest.mark.torture) for n in (2, 4, 6, 8)),
        *(pytest.param(KeyboardInterrupt, n, 8, marks=pytest.mark.torture) for n in (1, 3, 5, 7)),
    ],
)
def test_an_interruption_at_any_step_of_a_publication_loses_nothing(
    two: TemporaryInstallation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: type[BaseException],
    first: int,
    every: int,
) -> None:
    """At some of the steps; superseded files are collected at once, so at those of that, too."""
    monkeypatch.setenv("FINOPS_READER_GRACE_HOURS", "0")
    payer = [LegacyCurSource(name="payer")]
    halves = [
        project(name=name, accounts=[a]) for name, a in zip(["aa", "bb"], ACCOUNTS, strict=False)
    ]
    declare(two, "acme", sources=payer, projects=halves)
    bill, folder = tmp_path / "a.csv", two.folder("acme")
    write_csv(bill, [row("1", a) for a in ACCOUNTS[:2]])
    import_bill(two, "acme", "payer", bill)
    # The eight cases of `make torture` take every eighth step each, and together all.
    at, old, outcomes = first, Decimal(1), set()
    while True:
        new = Decimal(7 + at)
        write_csv(bill, [row(str(new), a) for a in ACCOUNTS[:2]])
        was_hit = interrupt_import(two, bill, at, error)
        assert seen(two) in (old, new), at
        assert not two.ingest("acme").failed
        outcomes.add(seen(two) == new)
        assert seen(two) in (old, new), at
        assert {s.state for s in two.installation.status("acme")} == {"reconciled"}
        import_bill(two, "acme", "payer", bill)
        assert seen(two) == new, at
        assert not list((folder / ".staging").iterdir())
        assert stored_files(folder) == set(published_files(folder)), at
        at, old = at + every, new
        if not was_hit:
            break
    assert at > 20, "files are put, the ledger is written, the folders change, files are collected"
    assert outcomes == {True, False}
    assert sums(two, "globex") == {"p01": (20, Decimal(20000))}


def test_staged_files_removed_by_an_operator_are_reported(
    two: TemporaryInstallation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit names a file of the tenant that is gone: nothing older is shown in its place."""
    payer = [LegacyCurSource(name="payer")]
    declare(two, "acme", sources=payer, projects=[project(name="p01", accounts=ACCOUNTS[:1])])
    bill = tmp_path / "a.csv"
    write_csv(bill, [row("1", ACCOUNTS[0])])
    import_bill(two, "acme", "payer", bill)
    write_csv(bill, [row("7", ACCOUNTS[0])])
    folder = two.installation.folder("acme")
    real = commit.finish_commit

    def interrupted(finished: TenantFolder, ledger: Ledger) -> None:
        if any(folder.staging.glob("generation-*.duckdb")):
            raise KeyboardInterrupt
        real(finished, ledger)

    monkeypatch.setattr(publish, "finish_commit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        import_bill(two, "acme", "payer", bill)
    monkeypatch.undo()
    assert any(folder.staging.glob("generation-*.duckdb"))
    files.clear_folder(folder.staging)
    refused = two.finops("query", "acme", "select sum(BilledCost) from costs", ok=False)
    assert "acme.duckdb is not the file that was published last" in refused.stderr
    assert sums(two, "globex") == {"p01": (20, Decimal(20000))}
    assert not two.ingest("acme").failed
    assert sums(two, "acme") == {"p01": (1, Decimal(7))}
    assert states(two, "acme") == {"reconciled"}


LOST = "(select * from {0} where x_Project <> 'unassigned')"
DOUBLED = "(from {0} union all (select * from {0} where x_Project = 'unassigned'))"


@pytest.mark.parametrize(("leak", "row_count"), [(LOST, 1), (DOUBLED, 3)])
def test_a_lost_or_doubled_row_without_cost_is_detected(
    two: TemporaryInstallation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    leak: str,
    row_count: int,
) -> None:
    payer = [LegacyCurSource(name="payer")]
    declare(two, "acme", sources=payer, projects=[project(name="p01", accounts=ACCOUNTS[:1])])
    write_csv(tmp_path / "a.csv", [row("1", ACCOUNTS[0]), row("0", ACCOUNTS[1])])
    real = claimed_bill.owned_rows
    monkeypatch.setattr(
        claimed_bill, "owned_rows", lambda *arguments: leak.format(real(*arguments))
    )
    report = ingest_files(two.installation, FilesByHand("acme", "payer", [tmp_path / "a.csv"]))
    assert f"landed 2 rows, but its projects have {row_count}" in str(report.failed)
    assert not published_files(two.folder("acme"), "costs")


def test_two_files_of_a_project_are_refused(
    two: TemporaryInstallation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    payer = [LegacyCurSource(name="payer")]
    declare(two, "acme", sources=payer, projects=[project(name="p01", accounts=ACCOUNTS[:1])])
    write_csv(tmp_path / "a.csv", [row("1", ACCOUNTS[0])])
    real = month.MonthPass.write

    def twice(self: month.MonthPass, connection: Any) -> None:
        real(self, connection)
        (file,) = self._folder.glob("project=p01/*.parquet")
        file.with_name("another.parquet").write_bytes(file.read_bytes())

    monkeypatch.setattr(month.MonthPass, "write", twice)
    report = ingest_files(two.installation, FilesByHand("acme", "payer", [tmp_path / "a.csv"]))
    assert "2 files" in str(report.failed), report
    assert not published_files(two.folder("acme"), "costs")


def test_a_partly_built_month_is_removed_from_the_publication(tmp_path: Path) -> None:
    folder = TemporaryInstallation(tmp_path / "data").installation.folder("acme")
    with tenant_writer(folder, 0) as writer, writer.publication() as publication:
        record = PartitionRecord(COSTS, "p01", MONTH, "mark", 0, 0, "")
        publication.build(record)
        with pytest.raises(OSError), publication.all_or_nothing():
            publication.build(PartitionRecord(COSTS, "p02", MONTH, "mark", 0, 0, ""))
            raise OSError("the disk is full")
        assert publication.partitions(COSTS) == {("p01", MONTH): record}


def test_a_negative_price_stops_no_warehouse(two: TemporaryInstallation, tmp_path: Path) -> None:
    labs = [FocusSource(name="labs")]
    declare(two, "acme", sources=labs, projects=[project(name="p01", accounts=ACCOUNTS[:1])])
    prices = [("-5000000", "2"), ("-150", "2000000")]
    rows = [
        {"SubAccountId": ACCOUNTS[0], "ContractedUnitPrice": price, "PricingQuantity": quantity}
        for price, quantity in prices
    ]
    import_bill(two, "acme", "labs", write_focus_bill(tmp_path / "labs.csv", rows))
    assert sums(two, "acme") == {"p01": (2, Decimal(2))}
