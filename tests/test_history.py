"""Which delivery counted when: history, differences, older deliveries, the delivery_history table.

Uses hand-written bills and restatements of the estate, for two tenants with the same names. Keep
out: missing months (test_gaps.py), ledgers of earlier versions (test_ledger_upgrade.py).
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
from tests.support.published_files import copy_installation
from tests.support.rewound_folder import rewound_by
from tests.support.tiers import some_every_day

MONTH = "2026-09"
SERVICE = "lineItem/ProductCode"
DECLARED = """
- name: {0}
  sources: [{{name: payer, format: legacy-cur, location: {0}/cur}}]
  projects: [{{name: prod, environment: prod, accounts: ["111122223333"]}}]
"""
Census = Callable[[Path], dict[str, tuple[int, int]]]
Line = dict[str, str]


def line(cost: str, service: str = "AmazonEC2", account: str = "111122223333") -> Line:
    return row(cost, account=account) | {SERVICE: service}


A = [line("10"), line("2.5", "AmazonS3")]
B = [line("10.000000000000000001"), line("3", "AmazonS3"), line("1", account="444455556666")]


def _begin(folder: Path) -> None:
    """Declare initech and hooli, and ingest A for hooli and then for initech as delivery one."""
    made = TemporaryInstallation(folder / "data")
    declared = "".join(DECLARED.format(tenant) for tenant in ("initech", "hooli"))
    (folder / "tenants.yaml").write_text(f"tenants:{declared}")
    for tenant, assembly in (("initech", "one"), ("hooli", "hooli-1")):
        deliver(folder / tenant / "cur", A, assembly=assembly)
    made.apply(folder / "tenants.yaml")
    for tenant in ("initech", "hooli"):
        assert not made.ingest(tenant).failed


pristine, tmp_path = rewound_by(_begin)


@pytest.fixture
def tenants(empty: TemporaryInstallation) -> TemporaryInstallation:
    """initech and hooli, whose payers deliver to `tmp_path/TENANT/cur`; both have ingested A."""
    return empty


def ingest_delivery(tenants: TemporaryInstallation, lines: list[Line], assembly: str) -> Any:
    """Deliver a month to initech, ingest it and return the landing step."""
    deliver(tenants.data.parent / "initech/cur", lines, assembly=assembly)
    return tenants.ingest("initech").steps[0]


def listed(*arguments: str) -> list[dict[str, str]]:
    exit_code, output = finops(*arguments, "--format", "csv")
    assert exit_code == 0, output
    lines = [line for line in output.splitlines() if not line.startswith("finops: not reconciled")]
    return list(csv.DictReader(lines))


def status_reason(tenants: TemporaryInstallation) -> str:
    (status,) = tenants.installation.status("initech")
    return status.reason or ""


# --- history and diff


def test_history_lists_each_delivery_even_when_the_same_bytes_return(
    tenants: TemporaryInstallation,
) -> None:
    for lines, assembly in ((B, "two"), (A, "three")):
        assert ingest_delivery(tenants, lines, assembly).outcome == "landed"
    rows = listed("history", "initech", "payer", MONTH)
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
    (other_delivery,) = listed("history", "hooli/payer", MONTH)
    assert (other_delivery["execution_id"], other_delivery["state"]) == ("hooli-1", "current")

    differences = listed("diff", "initech/payer", MONTH, "--from", "one", "--to", "two")
    assert [(r["service"], r["sub_account_id"]) for r in differences] == [
        ("AmazonEC2", "444455556666"), ("AmazonS3", "111122223333"), ("AmazonEC2", "111122223333"),
    ]  # fmt: skip
    assert sum(Decimal(r["difference"]) for r in differences) == Decimal("1.500000000000000001")
    same = listed("diff", "initech/payer", MONTH, "--from", rows[0]["id"], "--to", rows[2]["id"])
    assert same == []


def test_tables_come_with_an_explanation(tenants: TemporaryInstallation) -> None:
    for command, text in (("history", "It was delivered once"), ("diff", "no earlier delivery")):
        exit_code, output = finops(command, "initech/payer", MONTH)
        assert (exit_code, text in output) == (0, True), output
    ingest_delivery(tenants, B, "two")
    exit_code, output = finops("diff", "initech", "payer", MONTH)
    assert exit_code == 0
    for text in ("(one)", "(two)", "AmazonS3", "Together: +1.500000000000000001 USD and +1 row."):
        assert text in output


UNKNOWN = [
    ("history initech/payer 2026-10", 1, "no delivery of initech/payer 2026-10 has landed"),
    ("history hooli/payer 2026-01", 1, "its months are 2026-09 to 2026-09"),
    (f"history hooli/nope {MONTH}", 1, "source hooli/nope is not known"),
    (f"history nobody/payer {MONTH}", 1, "tenant nobody is not known"),
    ("history hooli/payer 2026-13", 1, "is not a billing period"),
    ("history hooli", 2, "give TENANT/SOURCE MONTH"),
    (f"diff hooli/payer {MONTH} --to x9", 1, "no delivery is named 'x9'"),
]


def test_an_unknown_tenant_source_or_month_is_reported(tenants: TemporaryInstallation) -> None:
    for command, code, message in UNKNOWN:
        exit_code, output = finops(*command.split())
        assert exit_code == code, command
        assert message in " ".join(output.replace("│", " ").split()), command


@pytest.mark.parametrize(
    ("tenant", "source"),
    [
        ("globex", "payer"),
        *(pytest.param("acme", s, marks=pytest.mark.torture) for s in ("payer", "labs")),
    ],
)
def test_differences_of_a_restatement_add_up_exactly(
    built: TemporaryInstallation,
    own_estate: Path,
    empty: TemporaryInstallation,
    truth: Any,
    tenant: str,
    source: str,
) -> None:
    shutil.rmtree(empty.data)
    copy_installation(built.data, empty.data)
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
    rows = listed("diff", f"{tenant}/{source}", MONTH)
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


def test_delivery_history_answers_as_of_a_moment(tenants: TemporaryInstallation) -> None:
    time.sleep(1.1)  # times are stored to the second
    ingest_delivery(tenants, B, "two")
    (_, second) = listed("history", "initech/payer", MONTH)
    for moment, billed in (
        (second["landed_at"], {"prod": Decimal("12.5")}),
        ("2999", {"prod": Decimal("13.000000000000000001"), "unassigned": Decimal(1)}),
        ("2001", {}),
    ):
        rows = ask(AS_OF.format(moment=moment), "initech", tenants.data)
        assert {r["project"]: Decimal(r["billed"]) for r in rows} == billed
    rows = ask(
        "select execution_id as e, project as p, service_name as s, charges as n, billed_cost as b"
        " from delivery_history order by landed_at, is_current, p, s",
        "initech", tenants.data,
    )  # fmt: skip
    assert [(r["e"], r["p"], r["n"]) for r in rows] == [
        ("one", "prod", 1), ("one", "prod", 1),
        ("two", "prod", 1), ("two", "prod", 1), ("two", "unassigned", 1),
    ]  # fmt: skip
    assert sum(Decimal(r["b"]) for r in rows if r["e"] == "one") == Decimal("12.5")
    assert sum(Decimal(r["b"]) for r in rows if r["e"] == "two") == Decimal("14.000000000000000001")
    hooli = ask("select distinct execution_id as e from delivery_history", "hooli", tenants.data)
    assert hooli == [{"e": "hooli-1"}]


def test_a_moved_claim_moves_the_totals_of_the_published_delivery(
    tenants: TemporaryInstallation,
) -> None:
    ingest_delivery(tenants, B, "two")
    sql = (
        "select execution_id as e, project as p, sum(billed_cost) as b from delivery_history"
        " group by all order by all"
    )
    assert finops("project", "add", "initech/lab", "--account", "444455556666")[0] == 0
    tenants.ingest("initech")
    rows = [(r["e"], r["p"], Decimal(r["b"])) for r in ask(sql, "initech", tenants.data)]
    assert rows == [
        ("one", "prod", Decimal("12.5")),
        ("two", "lab", Decimal(1)),
        ("two", "prod", Decimal("13.000000000000000001")),
    ]


# --- newest wins


def test_a_superseded_delivery_is_not_ingested_again(
    tenants: TemporaryInstallation, census: Census
) -> None:
    ingest_delivery(tenants, B, "two")
    step = ingest_delivery(tenants, A, "one")
    assert step.outcome == "older"
    assert "names delivery one" in step.reason
    assert "is two, which landed" in step.reason
    assert "ingest-file" in step.reason
    assert "an older delivery was not used" in status_reason(tenants)
    assert listed("history", "initech/payer", MONTH)[-1]["execution_id"] == "two"
    before = census(tenants.data)
    exit_code, output = finops("ingest", "initech")
    assert exit_code == 0
    assert "1 older" in output
    assert census(tenants.data) == before  # reported on every run, written once

    # An operator may import the older one from a file; it stays until AWS delivers a new one.
    bill = tenants.data.parent / "bill.csv.gz"
    write_csv(bill, A)
    assert finops("ingest-file", "initech/payer", str(bill))[0] == 0
    assert [r["execution_id"] for r in listed("history", "initech/payer", MONTH)] == [
        "one", "two", "by hand",
    ]  # fmt: skip
    assert ingest_delivery(tenants, B, "two").outcome == "older"
    assert ingest_delivery(tenants, B, "four").outcome == "landed"
    assert "older" not in status_reason(tenants)


def test_the_same_bytes_under_a_new_id_take_that_id(tenants: TemporaryInstallation) -> None:
    assert ingest_delivery(tenants, A, "two").outcome == "unchanged"
    (delivery,) = listed("history", "initech/payer", MONTH)
    assert delivery["execution_id"] == "two"


def test_fewer_rows_are_accepted_and_reported(tenants: TemporaryInstallation) -> None:
    ingest_delivery(tenants, B, "more")
    step = ingest_delivery(tenants, A, "two")
    assert (step.outcome, step.reason) == (
        "landed", "fewer rows than the previous delivery (3 → 2)",
    )  # fmt: skip
    assert "fewer rows than the previous delivery (3 → 2)" in status_reason(tenants)
    ingest_delivery(tenants, B, "three")
    assert status_reason(tenants) == ""


def write_data_export(report: Path, lines: list[Line], execution: str) -> None:
    """Write a CUR 2.0 delivery that keeps earlier executions; the month has a single manifest."""
    data = report / f"data/BILLING_PERIOD={MONTH}/{execution}/cur-00001.csv.gz"
    write_csv(data, lines)
    manifest = report / f"metadata/BILLING_PERIOD={MONTH}/cur-Manifest.json"
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_text(json.dumps({"dataFiles": [f"s3://b/{data.relative_to(report.parent)}"]}))


def test_an_earlier_execution_of_a_data_export_is_older(
    tenants: TemporaryInstallation, tmp_path: Path
) -> None:
    report = tmp_path / "initech/export"
    report.mkdir()
    arguments = ["source", "add", "initech/main", "--format", "cur-2.0", "--location", str(report)]
    assert finops(*arguments)[0] == 0
    outcomes = []
    for moment, lines in (("20T22", A), ("22T05", B), ("21T09", A), ("22T06", A)):
        write_data_export(report, lines, f"2026-10-{moment}_19_25.548Z-{moment.lower()}")
        (step,) = (s for s in tenants.ingest("initech").steps if s.subject == "initech/main")
        outcomes.append(step.outcome)
    assert outcomes == ["landed", "landed", "older", "landed"]
    deliveries = listed("history", "initech/main", MONTH)
    assert [r["execution_id"][:13] for r in deliveries] == [
        "2026-10-20T22", "2026-10-22T05", "2026-10-22T06",
    ]  # fmt: skip


def test_bytes_of_equal_size_and_time_are_compared(tenants: TemporaryInstallation) -> None:
    (bill,) = (tenants.data.parent / "initech/cur").rglob("*.gz")
    stat = bill.stat()
    write_csv(bill, [line("20"), line("2.5", "AmazonS3")])
    assert bill.stat().st_size == stat.st_size
    os.utime(bill, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert tenants.ingest("initech").steps[0].outcome == "landed"


@pytest.mark.parametrize("remaining", some_every_day([b"", None]))
def test_a_delivery_still_arriving_is_refused_and_the_month_stays(
    tenants: TemporaryInstallation, remaining: bytes | None
) -> None:
    deliver(tenants.data.parent / "initech/cur", B, assembly="two")
    (bill,) = (tenants.data.parent / "initech/cur").rglob("*.gz")
    bill.unlink() if remaining is None else bill.write_bytes(remaining)
    (step,) = (s for s in tenants.ingest("initech").steps if s.stage == "landing")
    assert step.outcome == "refused"
    assert "cur-1.csv.gz" in step.reason
    assert listed("history", "initech/payer", MONTH)[-1]["execution_id"] == "one"
    billed = ask("select sum(billed_cost) as b from monthly_costs", "initech", tenants.data)
    assert Decimal(billed[0]["b"]) == Decimal("12.5")
