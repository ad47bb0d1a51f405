"""One pass over a month: no row is lost, doubled or misplaced, and committed work is not lost.

Put here: many sources, many projects, odd account ids, claims with gaps, interrupted moves.
Keep out: the seeded estate (test_truth.py), killed processes (test_kill.py).
"""

from __future__ import annotations

import csv
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from finops_pipeline.application.ingest import FilesByHand, ingest_files
from finops_pipeline.errors import IntegrityCheckFailed
from finops_pipeline.focus import month_pass as month
from finops_pipeline.lake import files, publish
from finops_pipeline.lake.layout import COSTS
from finops_pipeline.ledger.ledger import PartitionRecord
from finops_pipeline.tenants.model import Project, Tenant
from finops_pipeline.tenants.source import FocusSource, LegacyCurSource
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row, write_csv
from tests.support.globex import ask

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


@pytest.fixture
def two(empty: TemporaryInstallation, tmp_path: Path) -> TemporaryInstallation:
    """globex has a bill for the same accounts, and nothing of it may appear in acme."""
    cur = [LegacyCurSource(name="payer")]
    declare(empty, "globex", sources=cur, projects=[project(name="p01", accounts=ACCOUNTS)])
    write_csv(tmp_path / "globex.csv", [row("1000", account) for account in ACCOUNTS])
    import_bill(empty, "globex", "payer", tmp_path / "globex.csv")
    return empty


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
    declare(
        two,
        "acme",
        sources=[FocusSource(name="labs")],
        projects=[project(name="p01", accounts=ACCOUNTS[:1])],
    )
    ids = [ACCOUNTS[0], f" {ACCOUNTS[0]}", f"{ACCOUNTS[0]}  ", "", "   ", "NULL", ACCOUNTS[1]]
    rows = [{"SubAccountId": i, "BilledCost": str(2**n)} for n, i in enumerate(ids)]
    import_bill(two, "acme", "labs", write_focus_bill(tmp_path / "labs.csv", rows))
    assert sums(two, "acme") == {"p01": (3, Decimal(7)), "unassigned": (4, Decimal(120))}
    assert states(two, "acme") == {"reconciled"}


def test_focus_rows_without_accounts_are_unassigned(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    declare(
        two,
        "acme",
        sources=[FocusSource(name="labs")],
        projects=[project(name="p01", accounts=ACCOUNTS[:1]), project(name="unassigned")],
    )
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
    """Import a bill, fail at the given move, and return whether that many moves happened."""
    real, moves = files.move_into_place, [0]

    def broken(staged: Path, final: Path) -> None:
        moves[0] += 1
        if moves[0] == at:
            raise error
        real(staged, final)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "move_into_place", broken)
        with suppress(KeyboardInterrupt, OSError, AssertionError):
            import_bill(installation, "acme", "payer", bill)
    return moves[0] >= at


@pytest.mark.parametrize(
    ("error", "first"),
    [
        (KeyboardInterrupt, 1),
        (OSError, 2),
        pytest.param(KeyboardInterrupt, 2, marks=pytest.mark.torture),
        pytest.param(OSError, 1, marks=pytest.mark.torture),
    ],
)
def test_an_interruption_at_any_move_after_the_commit_loses_nothing(
    two: TemporaryInstallation, tmp_path: Path, error: type[BaseException], first: int
) -> None:
    """At every other move, beginning with the first or the second."""
    payer = [LegacyCurSource(name="payer")]
    halves = [
        project(name=name, accounts=[a]) for name, a in zip(["aa", "bb"], ACCOUNTS, strict=False)
    ]
    declare(two, "acme", sources=payer, projects=halves)
    bill, at = tmp_path / "a.csv", first - 2
    write_csv(bill, [row("1", a) for a in ACCOUNTS[:2]])
    import_bill(two, "acme", "payer", bill)
    while True:
        at, cost = at + 2, Decimal(7 + at)
        write_csv(bill, [row(str(cost), a) for a in ACCOUNTS[:2]])
        hit = interrupt_import(two, bill, at, error)
        assert not two.ingest("acme").failed
        assert sums(two, "acme") == {"aa": (1, cost), "bb": (1, cost)}, at
        (marts,) = ask("select sum(billed_cost) as c from monthly_costs", "acme", two.data)
        assert Decimal(marts["c"]) == 2 * cost, at
        assert states(two, "acme") == {"reconciled"}
        assert not list((two.folder("acme") / ".staging").iterdir())
        if not hit:
            break
    assert at > 4, "the landing, two projects and the warehouse are moved"
    assert sums(two, "globex") == {"p01": (20, Decimal(20000))}


def test_staged_files_removed_by_an_operator_are_reported(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    payer = [LegacyCurSource(name="payer")]
    declare(two, "acme", sources=payer, projects=[project(name="p01", accounts=ACCOUNTS[:1])])
    bill = tmp_path / "a.csv"
    write_csv(bill, [row("1", ACCOUNTS[0])])
    import_bill(two, "acme", "payer", bill)
    write_csv(bill, [row("7", ACCOUNTS[0])])
    assert interrupt_import(two, bill, 1, KeyboardInterrupt)
    folder = two.folder("acme")
    files.clear_folder(folder / ".staging")
    with pytest.raises(IntegrityCheckFailed, match=r"removed .*landing/source=payer") as error:
        two.ingest("acme")
    for name in error.value.found.split(": ", 1)[1].split(", "):
        (folder / name).unlink()
    import_bill(two, "acme", "payer", bill)
    assert sums(two, "acme") == {"p01": (1, Decimal(7))}
    assert states(two, "acme") == {"reconciled"}
    assert sums(two, "globex") == {"p01": (20, Decimal(20000))}


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
    real = month.owned_rows
    monkeypatch.setattr(month, "owned_rows", lambda *arguments: leak.format(real(*arguments)))
    report = ingest_files(two.installation, FilesByHand("acme", "payer", [tmp_path / "a.csv"]))
    assert f"landed 2 rows, but its projects have {row_count}" in str(report.failed)
    assert not list(two.folder("acme").glob("costs/**/*.parquet"))


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
    assert not list(two.folder("acme").glob("costs/**/*.parquet"))


def test_a_partly_built_month_is_removed_from_the_publication(tmp_path: Path) -> None:
    folder = TemporaryInstallation(tmp_path / "data").installation.folder("acme")
    with publish.tenant_writer(folder, 0) as writer, writer.publication() as publication:
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
