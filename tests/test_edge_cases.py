"""Contents of bills that have broken other pipelines, and the list of such cases.

docs/decisions/0026 lists all of them with the tests that cover them. Keep out: how deliveries
arrive (test_edge_deliveries.py).
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from finops_pipeline.contracts import cur
from finops_pipeline.contracts.cur import canonical
from tests.conftest import TemporaryInstallation
from tests.support.beside_globex import (
    FOLDER,
    MONTH,
    ZEROS,
    billed,
    built_globex,
    manifest,
    rows,
    take,
    two,
)
from tests.support.bills import deliver, row, write_csv
from tests.support.globex import finops
from tests.support.published_files import published_file

__all__ = ["built_globex", "two"]

ROOT = Path(__file__).parents[1]


# --- contents of a bill


def test_account_ids_keep_their_leading_zeros_in_text(two: TemporaryInstallation) -> None:
    take(two, [row("1", account=ZEROS), row("2")])
    assert billed(two, "SubAccountId") == {ZEROS: 1, "111122223333": 2}
    assert billed(two) == {"prod": 3}


def test_account_ids_regain_the_zeros_that_a_number_loses(two: TemporaryInstallation) -> None:
    """Parquet files with ids as numbers beside a text file; an id that is no integer stays."""
    folder = two.data.parent / f"acme/cur/{FOLDER}"
    ids: list[Any] = [pa.array([1122334455], kind) for kind in (pa.int64(), pa.float64())]
    ids += [pa.array([Decimal(1122334455)], pa.decimal128(12, 0)), pa.array([ZEROS])]
    ids += [pa.array([11.5])]
    manifest(folder, [f"{number}.parquet" for number in range(len(ids))])
    for number, of_file in enumerate(ids):
        bill = {canonical(header): [value] for header, value in row("1").items()}
        both = dict.fromkeys((cur.ACCOUNT, "bill_payer_account_id"), of_file)
        pq.write_table(pa.table(bill | both), folder / f"{number}.parquet")
    assert not two.ingest("acme").failed
    assert billed(two, "SubAccountId") == billed(two, "BillingAccountId") == {ZEROS: 4, "11.5": 1}
    assert billed(two) == {"prod": 4, "unassigned": 1}
    restored = rows(two, "select account_ids_restored, reason from data_status")
    assert restored == [(3, "account ids of 3 rows had lost leading zeros, which were restored")]


def test_days_outside_the_month_belong_to_their_bill(
    two: TemporaryInstallation,
) -> None:
    """Usage before the bill's month, and a fee that ends a year later: no row is lost."""
    month = {"bill/BillingPeriodStartDate": f"{MONTH}-01T00:00:00Z"}
    plan = "arn:aws:savingsplans::111122223333:savingsplan/one"
    upfront = {
        "lineItem/LineItemType": "SavingsPlanUpfrontFee",
        "lineItem/UsageEndDate": "2027-09-11T23:59:59Z",
        "savingsPlan/SavingsPlanARN": plan,
    }
    take(two, [row("1", day="2026-07-31", **month), row("2", day="2026-08-31", **month)])
    assert billed(two, "billing_period") == {MONTH: 3}
    take(two, [row("1200", day="2026-09-12", **upfront)], assembly="two")
    assert billed(two, "billing_period") == {MONTH: 1200}
    (fee,) = rows(two, "select EffectiveCost, ChargeCategory, CommitmentDiscountId from costs")
    assert fee == (0, "Purchase", plan)
    months = rows(two, "select billing_period, sum(billed_cost) from monthly_costs group by all")
    days = rows(two, "select min(charge_date), max(charge_date), sum(billed_cost) from daily_costs")
    assert months == [(MONTH, 1200)]
    assert [*map(str, days[0])][:2] == ["2026-09-12"] * 2 and days[0][2] == 1200
    assert {s.state for s in two.installation.status("acme")} == {"reconciled"}


def test_the_final_bill_replaces_the_open_bill_completely(two: TemporaryInstallation) -> None:
    """First without an invoice, then with an invoice and fewer rows: no open row stays."""
    take(two, [row(c, **{"bill/InvoiceId": ""}) for c in ("1", "2", "4")])
    assert rows(two, "select distinct InvoiceId from costs") == [(None,)]
    final = [row("2.5", **{"bill/InvoiceId": "77"}), row("4", **{"bill/InvoiceId": "78"})]
    take(two, final, assembly="two")
    assert billed(two, "InvoiceId") == {"77": Decimal("2.5"), "78": 4}


def test_a_month_long_closed_is_restated_alone(two: TemporaryInstallation) -> None:
    """A credit for a month two years ago counts like any other that AWS delivers."""
    old = "2024-02"
    deliver(two.data.parent / "acme/cur", [row("10", day="2024-02-29")], old)
    take(two, [row("3")])
    landing = (two.folder("acme"), "landing", "payer", MONTH)
    before = published_file(*landing).stat().st_mtime_ns
    credit = row("-4", day="2024-02-29", **{"lineItem/LineItemType": "Credit"})
    take(two, [row("10", day="2024-02-29"), credit], old, "two")
    assert billed(two, "billing_period") == {old: 6, MONTH: 3}
    assert published_file(*landing).stat().st_mtime_ns == before


# --- tags


def test_tags_of_many_columns_and_files(two: TemporaryInstallation) -> None:
    """A row without tags has `{}`; each file adds its keys; keys that differ by case stay apart."""
    folder = two.data.parent / f"acme/cur/{FOLDER}"
    tags = "resourceTags/"
    write_csv(folder / "1.csv", [row("1", **{f"{tags}aws:createdBy": ""})])
    write_csv(folder / "2.csv", [row("2", **{f"{tags}user:Team": "a", f"{tags}user:team": "b"})])
    write_csv(folder / "3.csv", [row("3", **{f"{tags}user:env": "c", f"{tags}user:Team": ""})])
    manifest(folder, ["1.csv", "2.csv", "3.csv"])
    assert not two.ingest("acme").failed
    charges = rows(two, "select BilledCost, Tags from costs order by all")
    assert [(cost, json.loads(text)) for cost, text in charges] == [
        (1, {}),
        (2, {"Team": "a", "team": "b"}),
        (3, {"env": "c"}),
    ]
    assert rows(two, "select count(*) from costs where Tags->>'env' = 'c'") == [(1,)]


# --- projects


def test_an_account_that_moves_and_comes_back(two: TemporaryInstallation, tmp_path: Path) -> None:
    text = {
        "prod": [{"id": "444455556666", "to": "2026-09-10"},
                 {"id": "444455556666", "from": "2026-09-20"}],
        "dev": [{"id": "444455556666", "from": "2026-09-10", "to": "2026-09-20"}],
    }  # fmt: skip
    projects = [{"name": name, "accounts": claims} for name, claims in text.items()]
    more = tmp_path / "more.yaml"
    more.write_text(yaml.safe_dump({"tenants": [{"name": "acme", "projects": projects}]}))
    assert finops("apply", str(more))[0] == 0
    days = {"09-01": "1", "09-09": "2", "09-10": "4", "09-19": "8", "09-20": "16", "09-30": "32"}
    take(two, [row(c, "444455556666", f"2026-{day}") for day, c in days.items()])
    assert billed(two) == {"dev": 12, "prod": 51}


# --- the list itself


def test_every_test_that_the_decision_names_exists() -> None:
    page = (ROOT / "docs/decisions/0026-edge-cases-of-a-peer.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`tests/(\w+\.py)::(\w+)`", page))
    assert len(named) > 30
    for file, name in sorted(named):
        source = (ROOT / "tests" / file).read_text(encoding="utf-8")
        assert f"\ndef {name}(" in source, f"{file}::{name}"
    numbers = [int(number) for number in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)]
    assert numbers == [*range(1, 50)]
    for cells in re.findall(r"^\| [a-z\d]+ \|.*$", page, re.MULTILINE):
        assert len(cells.split("|")[3].strip()) > 20, cells
