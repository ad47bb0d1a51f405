"""What was believed when: history, differences, older deliveries, the table in the tenant's file.

Bills written by hand and the estate's restatements, of two tenants that use the same names. Keep
out: months that are missing (test_gaps.py), ledgers of before (test_ledger_upgrade.py).
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from finops_pipeline.synthetic.estate import DeliveryRequest, write_delivery
from tests.conftest import LAST_MONTH, SEED, TemporaryInstallation
from tests.support.bills import deliver, row, write_csv
from tests.support.globex import ask, finops

MONTH = "2026-09"
SERVICE = "lineItem/ProductCode"
TWO = """
tenants:
- name: initech
  sources: [{name: payer, format: legacy-cur, location: initech/cur}]
  projects: [{name: prod, environment: prod, accounts: ["111122223333"]}]
- name: hooli
  sources: [{name: payer, format: legacy-cur, location: hooli/cur}]
  projects: [{name: prod, environment: prod, accounts: ["111122223333"]}]
"""
Census = Callable[[Path], dict[str, tuple[int, int]]]
Line = dict[str, str]


def line(cost: str, service: str = "AmazonEC2", account: str = "111122223333") -> Line:
    return row(cost, account=account) | {SERVICE: service}


A = [line("10"), line("2.5", "AmazonS3")]
B = [line("10.000000000000000001"), line("3", "AmazonS3"), line("1", account="444455556666")]


@pytest.fixture
def two(empty: TemporaryInstallation, tmp_path: Path) -> TemporaryInstallation:
    """initech and hooli, whose payers deliver to `tmp_path/TENANT/cur`; hooli has A."""
    (tmp_path / "tenants.yaml").write_text(TWO)
    for tenant in ("initech", "hooli"):
        (tmp_path / tenant / "cur").mkdir(parents=True)
    empty.apply(tmp_path / "tenants.yaml")
    deliver(tmp_path / "hooli/cur", A, assembly="hooli-1")
    assert not empty.ingest("hooli").failed
    return empty


def take(two: TemporaryInstallation, lines: list[Line], assembly: str) -> Any:
    """Deliver a month to initech and take it in; the step that landed it."""
    deliver(two.data.parent / "initech/cur", lines, assembly=assembly)
    return two.ingest("initech").steps[0]


def told(*words: str) -> list[dict[str, str]]:
    code, out = finops(*words, "--format", "csv")
    assert code == 0, out
    lines = [line for line in out.splitlines() if not line.startswith("finops: not reconciled")]
    return list(csv.DictReader(lines))


def note(two: TemporaryInstallation) -> str:
    (status,) = two.installation.status("initech")
    return status.reason or ""


# --- history and diff


def test_history_tells_what_was_believed_also_when_bytes_come_again(
    two: TemporaryInstallation,
) -> None:
    for lines, assembly in ((A, "one"), (B, "two"), (A, "three")):
        assert take(two, lines, assembly).outcome == "landed"
    rows = told("history", "initech", "payer", MONTH)
    assert [r["execution_id"] for r in rows] == ["one", "two", "three"]
    assert [r["state"] for r in rows] == ["superseded", "superseded", "current"]
    assert [Decimal(r["billed_cost"]) for r in rows] == [
        Decimal("12.5"), Decimal("14.000000000000000001"), Decimal("12.5"),
    ]  # fmt: skip
    assert [r["change"].rstrip("0") for r in rows] == [
        "", "1.500000000000000001", "-1.500000000000000001",
    ]  # fmt: skip
    assert [r["rows"] for r in rows] == ["2", "3", "2"]
    assert len({r["id"] for r in rows}) == 3
    (theirs,) = told("history", "hooli/payer", MONTH)
    assert (theirs["execution_id"], theirs["state"]) == ("hooli-1", "current")

    everything = told("diff", "initech/payer", MONTH, "--from", "one", "--to", "two")
    assert [(r["service"], r["sub_account_id"]) for r in everything] == [
        ("AmazonEC2", "444455556666"), ("AmazonS3", "111122223333"), ("AmazonEC2", "111122223333"),
    ]  # fmt: skip
    assert sum(Decimal(r["difference"]) for r in everything) == Decimal("1.500000000000000001")
    same = told("diff", "initech/payer", MONTH, "--from", rows[0]["id"], "--to", rows[2]["id"])
    assert same == []


def test_tables_explain_themselves(two: TemporaryInstallation) -> None:
    take(two, A, "one")
    code, out = finops("history", "initech/payer", MONTH)
    assert code == 0
    assert "It was delivered once" in out
    code, out = finops("diff", "initech/payer", MONTH)
    assert code == 0
    assert "has no earlier delivery" in out
    take(two, B, "two")
    code, out = finops("diff", "initech", "payer", MONTH)
    assert code == 0
    for words in ("(one)", "(two)", "AmazonS3", "Together: +1.500000000000000001 USD and +1 rows."):
        assert words in out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (f"history initech/payer {MONTH}", 1, "no delivery of initech/payer 2026-09 has landed"),
        ("history hooli/payer 2026-01", 1, "it has 2026-09 to 2026-09"),
        (f"history hooli/nope {MONTH}", 1, "source hooli/nope is not known"),
        (f"history nobody/payer {MONTH}", 1, "tenant nobody is not known"),
        ("history hooli/payer 2026-13", 1, "is not a billing period"),
        ("history hooli", 2, "give TENANT/SOURCE MONTH"),
        (f"diff hooli/payer {MONTH} --to x9", 1, "deliveries are named 'x9'"),
    ],
)
def test_what_is_not_there_is_said(
    two: TemporaryInstallation, words: str, code: int, said: str
) -> None:
    done = finops(*words.split())
    assert done[0] == code
    assert said in " ".join(done[1].replace("│", " ").split())


@pytest.mark.parametrize(
    ("tenant", "source"), [("acme", "payer"), ("globex", "payer"), ("acme", "labs")]
)
def test_differences_of_a_restatement_add_up_exactly(
    built: TemporaryInstallation,
    own_estate: Path,
    empty: TemporaryInstallation,
    truth: Any,
    tenant: str,
    source: str,
) -> None:
    shutil.copytree(built.data, empty.data)
    empty.apply(own_estate / "tenants.yaml")
    old = truth["tenants"][tenant]["sources"][source][MONTH]
    new = write_delivery(
        own_estate,
        DeliveryRequest(
            seed=SEED,
            last_month=LAST_MONTH,
            tenant=tenant,
            source=source,
            month=MONTH,
            restatement=1,
        ),
    ).truth
    empty.ingest(tenant)
    rows = told("diff", f"{tenant}/{source}", MONTH)
    off = Decimal(new["billed_cost"]) - Decimal(old["billed_cost"])
    assert sum((Decimal(r["difference"]) for r in rows), Decimal(0)) == off != 0
    assert sum(int(r["rows_after"]) - int(r["rows_before"]) for r in rows) == (
        new["rows"] - old["rows"]
    )
    assert all(r["service"] for r in rows if r["line_item_type"] == "Usage")

    sql = (
        "select is_current, sum(billed_cost) as billed from delivery_history where source ="
        f" '{source}' and billing_period = '{MONTH}' group by 1 order by 1"
    )
    before, after = ask(sql, tenant, empty.data)
    assert [Decimal(before["billed"]), Decimal(after["billed"])] == [
        Decimal(old["billed_cost"]), Decimal(new["billed_cost"]),
    ]  # fmt: skip


# --- the table


AS_OF = """
select project, billing_currency, sum(billed_cost) as billed from delivery_history
where (source, billing_period, landed_at) in (
    select (source, billing_period, max(landed_at)) from delivery_history
    where landed_at < '{moment}' group by source, billing_period
) group by all order by all
"""


def test_delivery_history_answers_as_of_a_moment(two: TemporaryInstallation) -> None:
    take(two, A, "one")
    time.sleep(1.1)  # moments are to the second
    take(two, B, "two")
    (_, second) = told("history", "initech/payer", MONTH)
    for moment, billed in (
        (second["landed_at"], {"prod": Decimal("12.5")}),
        ("2999", {"prod": Decimal("13.000000000000000001"), "unassigned": Decimal(1)}),
        ("2001", {}),
    ):
        rows = ask(AS_OF.format(moment=moment), "initech", two.data)
        assert {r["project"]: Decimal(r["billed"]) for r in rows} == billed
    rows = ask(
        "select execution_id as e, project as p, service_name as s, charges as n, billed_cost as b"
        " from delivery_history order by landed_at, is_current, p, s",
        "initech", two.data,
    )  # fmt: skip
    assert [(r["e"], r["p"], r["n"]) for r in rows] == [
        ("one", "prod", 1), ("one", "prod", 1),
        ("two", "prod", 1), ("two", "prod", 1), ("two", "unassigned", 1),
    ]  # fmt: skip
    assert sum(Decimal(r["b"]) for r in rows if r["e"] == "one") == Decimal("12.5")
    assert sum(Decimal(r["b"]) for r in rows if r["e"] == "two") == Decimal("14.000000000000000001")
    theirs = ask("select distinct execution_id as e from delivery_history", "hooli", two.data)
    assert theirs == [{"e": "hooli-1"}]


def test_a_claim_that_moves_moves_the_totals_of_the_published_delivery(
    two: TemporaryInstallation,
) -> None:
    take(two, A, "one")
    take(two, B, "two")
    sql = (
        "select execution_id as e, project as p, sum(billed_cost) as b from delivery_history"
        " group by all order by all"
    )
    assert finops("project", "add", "initech/lab", "--account", "444455556666")[0] == 0
    two.ingest("initech")
    rows = [(r["e"], r["p"], Decimal(r["b"])) for r in ask(sql, "initech", two.data)]
    assert rows == [
        ("one", "prod", Decimal("12.5")),
        ("two", "lab", Decimal(1)),
        ("two", "prod", Decimal("13.000000000000000001")),
    ]


# --- newest wins


def test_a_superseded_delivery_is_not_taken_again(
    two: TemporaryInstallation, census: Census
) -> None:
    take(two, A, "one")
    take(two, B, "two")
    step = take(two, A, "one")
    assert step.outcome == "older"
    assert "names delivery one" in step.reason
    assert "published is two" in step.reason
    assert "ingest-file" in step.reason
    assert "an older delivery was not taken" in note(two)
    assert told("history", "initech/payer", MONTH)[-1]["execution_id"] == "two"
    before = census(two.data)
    code, out = finops("ingest", "initech")
    assert code == 0
    assert "1 older" in out
    assert census(two.data) == before  # said every time, written once

    # By hand, an operator may bring the older one back; it stays until AWS delivers a new one.
    bill = two.data.parent / "bill.csv.gz"
    write_csv(bill, A)
    assert finops("ingest-file", "initech/payer", str(bill))[0] == 0
    assert [r["execution_id"] for r in told("history", "initech/payer", MONTH)] == [
        "one", "two", "by hand",
    ]  # fmt: skip
    assert take(two, B, "two").outcome == "older"
    assert take(two, B, "four").outcome == "landed"
    assert "older" not in note(two)


def test_the_same_bytes_under_a_new_id_are_known_by_it(two: TemporaryInstallation) -> None:
    take(two, A, "one")
    assert take(two, A, "two").outcome == "unchanged"
    (only,) = told("history", "initech/payer", MONTH)
    assert only["execution_id"] == "two"


def test_fewer_rows_are_taken_and_said(two: TemporaryInstallation) -> None:
    take(two, B, "one")
    step = take(two, A, "two")
    assert (step.outcome, step.reason) == (
        "landed", "fewer rows than the delivery before (3 → 2)",
    )  # fmt: skip
    assert "fewer rows than the delivery before (3 → 2)" in note(two)
    take(two, B, "three")
    assert note(two) == ""


def export(report: Path, lines: list[Line], execution: str) -> None:
    """A CUR 2.0 delivery in create-new form; its manifest is the month's only one."""
    data = report / f"data/BILLING_PERIOD={MONTH}/{execution}/cur-00001.csv.gz"
    write_csv(data, lines)
    manifest = report / f"metadata/BILLING_PERIOD={MONTH}/cur-Manifest.json"
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_text(json.dumps({"dataFiles": [f"s3://b/{data.relative_to(report.parent)}"]}))


def test_an_earlier_execution_of_a_data_export_is_older(
    two: TemporaryInstallation, tmp_path: Path
) -> None:
    report = tmp_path / "initech/export"
    report.mkdir()
    words = ["source", "add", "initech/main", "--format", "cur-2.0", "--location", str(report)]
    assert finops(*words)[0] == 0
    outcomes = []
    for moment, lines in (("20T22", A), ("22T05", B), ("21T09", A), ("22T06", A)):
        export(report, lines, f"2026-10-{moment}_19_25.548Z-{moment.lower()}")
        (step,) = (s for s in two.ingest("initech").steps if s.subject == "initech/main")
        outcomes.append(step.outcome)
    assert outcomes == ["landed", "landed", "older", "landed"]
    shown = told("history", "initech/main", MONTH)
    assert [r["execution_id"][:13] for r in shown] == [
        "2026-10-20T22", "2026-10-22T05", "2026-10-22T06",
    ]  # fmt: skip


def test_other_bytes_of_the_same_size_and_time_are_noticed(two: TemporaryInstallation) -> None:
    take(two, A, "one")
    (bill,) = (two.data.parent / "initech/cur").rglob("*.gz")
    stat = bill.stat()
    write_csv(bill, [line("20"), line("2.5", "AmazonS3")])
    assert bill.stat().st_size == stat.st_size
    os.utime(bill, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert two.ingest("initech").steps[0].outcome == "landed"


@pytest.mark.parametrize("left", [b"", None])
def test_a_delivery_still_arriving_is_refused_and_the_month_stays(
    two: TemporaryInstallation, left: bytes | None
) -> None:
    take(two, A, "one")
    deliver(two.data.parent / "initech/cur", B, assembly="two")
    (bill,) = (two.data.parent / "initech/cur").rglob("*.gz")
    bill.unlink() if left is None else bill.write_bytes(left)
    (step,) = (s for s in two.ingest("initech").steps if s.stage == "landing")
    assert step.outcome == "refused"
    assert "cur-1.csv.gz" in step.reason
    assert told("history", "initech/payer", MONTH)[-1]["execution_id"] == "one"
    billed = ask("select sum(billed_cost) as b from monthly_costs", "initech", two.data)
    assert Decimal(billed[0]["b"]) == Decimal("12.5")
