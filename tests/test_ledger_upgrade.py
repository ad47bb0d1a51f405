"""A folder of an earlier version still works: the first command upgrades it and loses no record.

The tables below are those of a ledger of version 1. Put here: older ledgers, older layouts. Keep
out: the contents of a history (test_history.py).
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row
from tests.support.globex import ask, finops
from tests.support.older_folder import make_older, make_older_registry
from tests.support.published_files import partition_folder, shown_partitions
from tests.support.rewound_folder import rewound_by
from tests.support.tiers import some_every_day

MONTH, LEDGER = "2026-09", "ledger.sqlite"
SUM = "select sum(BilledCost) as b from costs"
OLD = """
CREATE TABLE deliveries (
    delivery_id VARCHAR(64) NOT NULL, source VARCHAR(40) NOT NULL,
    billing_period VARCHAR(7) NOT NULL, current BOOLEAN NOT NULL, format VARCHAR(20) NOT NULL,
    execution_id TEXT NOT NULL, manifest TEXT NOT NULL, quick_mark VARCHAR(64) NOT NULL,
    landed_at VARCHAR(25) NOT NULL, size_bytes INTEGER NOT NULL, rows_read INTEGER NOT NULL,
    rows_kept INTEGER NOT NULL, rows_quarantined INTEGER NOT NULL,
    values_rounded INTEGER NOT NULL, files TEXT NOT NULL, totals TEXT NOT NULL,
    PRIMARY KEY (delivery_id)
);
CREATE TABLE moves (id INTEGER NOT NULL, staged TEXT, final TEXT NOT NULL, PRIMARY KEY (id));
CREATE TABLE partitions (
    table_name VARCHAR(20) NOT NULL, "key" VARCHAR(40) NOT NULL,
    billing_period VARCHAR(7) NOT NULL, fingerprint VARCHAR(64) NOT NULL, rows INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL, built_at VARCHAR(25) NOT NULL, inputs TEXT NOT NULL,
    totals TEXT NOT NULL, PRIMARY KEY (table_name, "key", billing_period)
);
CREATE TABLE refusals (
    source VARCHAR(40) NOT NULL, billing_period VARCHAR(7) NOT NULL, reason TEXT NOT NULL,
    refused_at VARCHAR(25) NOT NULL, PRIMARY KEY (source, billing_period)
);
"""
DECLARED = """
tenants:
- name: {name}
  sources: [{{name: payer, format: legacy-cur, location: {name}/cur}}]
  projects: [{{name: prod, accounts: ["111122223333"]}}]
"""


def age(ledger: Path) -> None:
    """Rewrite a ledger as version 1 stored it: fewer tables, columns and keys in the totals."""
    aged = ledger.with_name("aged")
    with sqlite3.connect(aged) as old, sqlite3.connect(ledger) as new:
        old.executescript(OLD)
        for (table,) in old.execute("select name from sqlite_master where type = 'table'"):
            names = [f'"{name}"' for _, name, *_ in old.execute(f"pragma table_info({table})")]
            rows = new.execute(f"select {', '.join(names)} from {table}").fetchall()
            placeholders = ", ".join("?" for _ in names)
            old.executemany(f"insert into {table} values ({placeholders})", rows)
        for delivery_id, totals in old.execute("select delivery_id, totals from deliveries"):
            without_service = [
                {k: v for k, v in t.items() if k != "service"} for t in json.loads(totals)
            ]
            old.execute(
                "update deliveries set totals = ? where delivery_id = ?",
                (json.dumps(without_service), delivery_id),
            )
        old.execute("insert into refusals values ('payer', '2026-08', 'it was torn', '2026-09-01')")
    old.close()
    new.close()
    aged.replace(ledger)


def make_aged(folder: Path) -> None:
    """initech and hooli in older folders, ingested once; initech's ledger has version 1."""
    made = TemporaryInstallation(folder / "data")
    for tenant in ("initech", "hooli"):
        (folder / f"{tenant}.yaml").write_text(DECLARED.format(name=tenant))
        lines = [row("1") | {"lineItem/ProductCode": "AmazonEC2"}, row("2", account="4" * 12)]
        deliver(folder / tenant / "cur", lines, assembly="one")
        made.apply(folder / f"{tenant}.yaml")
        assert not made.ingest(tenant).failed
    for tenant in ("initech", "hooli"):
        make_older(made.folder(tenant))
    age(made.folder("initech") / LEDGER)
    make_older_registry(made.data)


pristine, tmp_path = rewound_by(make_aged)


@pytest.fixture
def aged(empty: TemporaryInstallation) -> TemporaryInstallation:
    """initech and hooli in older folders, as `make_aged` made them."""
    return empty


def records(ledger: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every record of a ledger, in the columns of version 1."""
    with closing(sqlite3.connect(":memory:")) as old, closing(sqlite3.connect(ledger)) as db:
        old.executescript(OLD)
        columns = {
            table: [f'"{name}"' for _, name, *_ in old.execute(f"pragma table_info({table})")]
            for table in ("deliveries", "partitions", "refusals", "moves")
        }
        return {
            table: sorted(db.execute(f"select {', '.join(names)} from {table}").fetchall())
            for table, names in columns.items()
        }


COMMANDS = ["status initech", f"status initech {MONTH}", f"history initech/payer {MONTH}",
            "query initech costs", f"diff initech/payer {MONTH}", "check initech",
            "validate initech", "open initech"]  # fmt: skip


@pytest.mark.parametrize("command", some_every_day(COMMANDS))
def test_the_first_command_upgrades_an_older_folder_and_loses_no_record(
    aged: TemporaryInstallation, command: str
) -> None:
    folder = aged.folder("initech")
    before, hooli = records(folder / "ledger.sqlite"), records(aged.folder("hooli") / LEDGER)
    assert len(before["deliveries"]) == 1 and len(before["partitions"]) == 2
    exit_code, output = finops(*command.replace("costs", SUM).split(" ", 2))
    assert exit_code == 0, output
    assert records(folder / "ledger.sqlite") == before
    assert set(shown_partitions(folder)) == {
        partition_folder("landing", "payer", MONTH),
        partition_folder("costs", "prod", MONTH),
        partition_folder("costs", "unassigned", MONTH),
    }
    states = {s.billing_period: (s.state, s.reason) for s in aged.installation.status("initech")}
    assert states == {"2026-08": ("refused", "it was torn"), MONTH: ("reconciled", None)}
    for sql in (SUM, "select sum(billed_cost) as b from monthly_costs"):
        assert Decimal(ask(sql, "initech", aged.data)[0]["b"]) == 3
    assert aged.ingest("initech").steps[0].outcome == "unchanged"
    assert {s.state for s in aged.installation.status("hooli")} == {"reconciled"}
    assert records(aged.folder("hooli") / LEDGER) == hooli


def test_an_upgrade_finishes_what_the_older_version_had_committed(
    aged: TemporaryInstallation,
) -> None:
    """Its commit listed moves of staged files; a process was killed before it made them."""
    folder = aged.folder("initech")
    committed = [f"costs/project=prod/billing_period={MONTH}/charges.parquet", "initech.duckdb"]
    with closing(sqlite3.connect(folder / LEDGER)) as ledger:
        for final in committed:
            staged = f".staging/0123456789ab/publish/{final}"
            (folder / staged).parent.mkdir(parents=True, exist_ok=True)
            (folder / final).rename(folder / staged)
            ledger.execute("insert into moves (staged, final) values (?, ?)", (staged, final))
        ledger.commit()
    for sql in (SUM, "select sum(billed_cost) as b from monthly_costs"):
        assert Decimal(ask(sql, "initech", aged.data)[0]["b"]) == 3
    assert records(folder / LEDGER)["moves"] == []
    assert not list(folder.glob(".staging/*"))


@pytest.mark.parametrize(
    ("staged", "final"),
    [
        ("../tenant=hooli/secret.txt", "costs/stolen.parquet"),
        (None, "../tenant=hooli/secret.txt"),
        (".staging/01/publish/initech.duckdb", "../tenant=hooli/secret.txt"),
    ],
)
def test_planted_moves_change_nothing_outside_and_the_cure_works(
    aged: TemporaryInstallation, staged: str | None, final: str
) -> None:
    """As in a folder that was restored or handed over by somebody else."""
    folder, secret = aged.folder("initech"), aged.folder("hooli") / "secret.txt"
    secret.write_text("hooli's own")
    (folder / ".staging/01/publish").mkdir(parents=True)
    (folder / ".staging/01/publish/initech.duckdb").write_text("planted")
    with closing(sqlite3.connect(folder / LEDGER)) as ledger:
        ledger.execute("insert into moves (staged, final) values (?, ?)", (staged, final))
        ledger.commit()
    exit_code, output = finops("query", "initech", SUM)
    assert exit_code == 1 and "finops rebuild initech" in " ".join(output.split())
    assert secret.read_text() == "hooli's own" and not list(folder.rglob("stolen*"))
    assert finops("rebuild", "initech")[0] == 0
    assert Decimal(ask(SUM, "initech", aged.data)[0]["b"]) == 3
    assert secret.read_text() == "hooli's own" and not list(folder.rglob("stolen*"))


def test_an_upgrade_never_leaves_out_the_charges_of_a_lost_file(
    aged: TemporaryInstallation,
) -> None:
    """The older version answered without them."""
    folder = aged.folder("initech")
    (folder / f"costs/project=prod/billing_period={MONTH}/charges.parquet").unlink()
    for _ in range(2):
        exit_code, output = finops("query", "initech", SUM)
        assert exit_code == 1, output
        assert "has no costs, because a file of it was lost" in " ".join(output.split())
    assert finops("query", "hooli", SUM)[0] == 0
    assert not aged.ingest("initech").failed
    assert Decimal(ask(SUM, "initech", aged.data)[0]["b"]) == 3


def test_an_old_ledger_is_upgraded_without_losing_its_records(
    aged: TemporaryInstallation, tmp_path: Path
) -> None:
    lines = [row("1") | {"lineItem/ProductCode": "AmazonS3"}, row("5", account="4" * 12)]
    deliver(tmp_path / "initech/cur", lines, assembly="two")
    assert aged.ingest("initech").steps[0].outcome == "landed"
    exit_code, output = finops("history", "initech/payer", MONTH, "--format", "csv")
    assert exit_code == 0
    rows = list(csv.DictReader(io.StringIO(output)))
    assert [(r["execution_id"], Decimal(r["billed_cost"])) for r in rows] == [
        ("one", Decimal(3)), ("two", Decimal(6)),
    ]  # fmt: skip
    exit_code, output = finops("diff", "initech/payer", MONTH)
    assert exit_code == 0
    assert "services are not distinguished" in output
    assert "Together: +3 USD and +0 rows." in output
    assert "AmazonS3" not in output
    executions = ask(
        "select distinct execution_id as e from delivery_history", "initech", aged.data
    )
    assert executions == [{"e": "two"}]
    assert {s.reason for s in aged.installation.status("initech")} == {"it was torn", None}
    assert {s.state for s in aged.installation.status("hooli")} == {"reconciled"}


def age_charges(file: Path) -> None:
    """Rewrite a file of charges without the columns that were added last."""
    with duckdb.connect() as connection:
        source = f"read_parquet('{file}', hive_partitioning = false)"
        newest = "x_ParentResourceId, x_SplitCost, x_SplitUnusedCost, x_NetSplitCost"
        connection.execute(
            f"copy (select * exclude ({newest}, x_NetSplitUnusedCost) from {source})"
            f" to '{file}.old' (format parquet)"
        )
    Path(f"{file}.old").replace(file)


def test_old_charges_of_a_month_that_cannot_be_rebuilt_stop_no_other_month(
    aged: TemporaryInstallation, tmp_path: Path
) -> None:
    """The landing is gone and AWS no longer delivers it: its published charges stay readable."""
    initech = aged.folder("initech")
    with sqlite3.connect(initech / "ledger.sqlite") as ledger:
        ledger.execute("update partitions set fingerprint = 'of before'")
    ledger.close()
    for file in initech.rglob("charges.parquet"):
        age_charges(file)
    shutil.rmtree(initech / "landing")
    shutil.rmtree(tmp_path / "initech/cur/20260901-20261001")
    (initech / "initech.duckdb").unlink()
    deliver(tmp_path / "initech/cur", [row("7", day="2026-10-02")], month="2026-10")
    report = aged.ingest("initech")
    assert [(step.stage, step.month) for step in report.failed] == [("costs", MONTH)]
    sums = (
        "select billing_period as m, sum(billed_cost) as b from monthly_costs group by 1 order by 1"
    )
    billed_by_month = ask(sums, "initech", aged.data)
    assert [(r["m"], Decimal(r["b"])) for r in billed_by_month] == [(MONTH, 3), ("2026-10", 7)]
    split = "select count(*) as n, count(x_SplitCost) as s from costs"
    assert ask(split, "initech", aged.data) == [{"n": 3, "s": 0}]


def test_values_of_an_old_landing_that_are_not_numbers_become_null(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """A column that earlier versions did not use may hold any text in an old landing."""
    folder = tmp_path_factory.mktemp("old-landing")
    empty = TemporaryInstallation(folder / "data")
    (folder / "initech.yaml").write_text(DECLARED.format(name="initech"))
    deliver(folder / "initech/cur", [row("1", **{"lineItem/NormalizedUsageAmount": "2"})])
    empty.apply(folder / "initech.yaml")
    assert not empty.ingest("initech").failed
    make_older(empty.folder("initech"))
    (landing,) = empty.folder("initech").rglob("delivery.parquet")
    with duckdb.connect() as connection:
        connection.execute(
            "copy (select * replace ('1,000' as \"lineItem/NormalizedUsageAmount\") from"
            f" read_parquet('{landing}', hive_partitioning = false))"
            f" to '{landing}.old' (format parquet)"
        )
    Path(f"{landing}.old").replace(landing)
    for file in empty.folder("initech").rglob("charges.parquet"):
        file.unlink()
    assert not empty.ingest("initech").failed
    billed = ask("select sum(billed_cost) as b from monthly_costs", "initech", empty.data)
    assert Decimal(billed[0]["b"]) == 1
