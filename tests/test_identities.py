"""Identities over what is published: true bills pass them all, and each check detects its fault.

Put here: `finops check`, the tables that prove the numbers, one planted fault for every check.
Keep out: checks that stop a refresh (test_checks.py), numbers against the truth (test_truth.py).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from finops_pipeline.ledger import schema as ledger_tables
from finops_pipeline.marts.library import checks
from finops_pipeline.marts.results import CheckResult, check_published, describe_row
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row
from tests.support.published_files import changing_tables, copy_installation, published_file

TENANTS = ("acme", "globex")
MONTH = "2026-09"


@pytest.fixture(scope="module")
def lake(
    built: TemporaryInstallation, tmp_path_factory: pytest.TempPathFactory
) -> TemporaryInstallation:
    """A copy of the ingested estate; a test that damages it restores it."""
    data = tmp_path_factory.mktemp("identities") / "data"
    shutil.copytree(built.data, data)
    return TemporaryInstallation(data)


def check(lake: TemporaryInstallation, tenant: str, month: str | None = None) -> list[CheckResult]:
    return check_published(lake.installation.folder(tenant), lake.installation.limits, month)


def failures(lake: TemporaryInstallation, tenant: str) -> dict[str, str]:
    """Check -> description of its first failing row."""
    failed = [result for result in check(lake, tenant) if result.state == "failed"]
    return {result.check_name: describe_row(result.examples[0]) for result in failed}


def charges(lake: TemporaryInstallation, tenant: str, project: str = "prod") -> Path:
    return published_file(lake.folder(tenant), "costs", project, MONTH)


@contextmanager
def damaged(file: Path) -> Iterator[Path]:
    """Let the block change the file, and restore it afterwards."""
    original = file.with_suffix(".kept")
    shutil.copyfile(file, original)
    try:
        yield file
    finally:
        original.replace(file)


def rewrite(file: Path, victim: str, change: str, remaining: str = "true") -> dict[str, Any]:
    """Change (or drop, with remaining = "not hit") the first row that is a victim; return it."""
    source = f"read_parquet('{file}', hive_partitioning = false, file_row_number = true)"
    first = f"(select min(file_row_number) from {source} where {victim})"
    with duckdb.connect() as connection:
        query = connection.execute(f"select * from {source} where file_row_number = {first}")
        names = [column[0] for column in query.description or []]
        hit = dict(zip(names, query.fetchall()[0], strict=True))
        connection.execute(
            f"copy (select * exclude (file_row_number, hit) replace ({change}) from (select *,"
            f" file_row_number = {first} as hit from {source}) where {remaining})"
            f" to '{file}.new' (format parquet)"
        )
    Path(f"{file}.new").replace(file)
    return hit


def on_hit(value: str, column: str) -> str:
    return f"case when hit then {value} else {column} end as {column}"


PLAIN = (
    "x_LineItemType = 'Usage' and BilledCost > 1 and ListCost > 1 and PricingCategory = 'Standard'"
)
SAME = "ListCost as ListCost"
UNUSED = "x_RowKind = 'unused' and EffectiveCost > 0"
OTHER_ACCOUNT = "reverse(SubAccountId)"

FAULTS = [
    ("charges_equal_ledger", "acme", PLAIN, SAME, "not hit"),
    ("charges_equal_lines", "acme", PLAIN, on_hit(OTHER_ACCOUNT, "SubAccountId"), "true"),
    ("effective_equals_lines", "acme", UNUSED, on_hit(OTHER_ACCOUNT, "SubAccountId"), "true"),
    ("charges_equal_bill", "acme", PLAIN, on_hit("-BilledCost", "BilledCost"), "true"),
    ("unblended_equals_amortized", "acme", PLAIN, on_hit("EffectiveCost + 1", "EffectiveCost"),
     "true"),
    ("commitments_amortize", "acme", UNUSED, on_hit("0", "EffectiveCost"), "true"),
    ("list_and_contracted_costs", "acme", PLAIN, on_hit("ContractedCost - 1", "ListCost"), "true"),
    ("charges_in_their_bill", "acme", PLAIN,
     on_hit("BillingPeriodStart + interval 1 month", "BillingPeriodStart"), "true"),
    ("charges_in_period", "acme", PLAIN,
     on_hit("ChargePeriodStart - interval 40 days", "ChargePeriodStart"), "true"),
    ("currencies_apart", "acme", PLAIN, on_hit("'EUR'", "BillingCurrency"), "true"),
    ("net_basis_whole", "globex", "x_NetUnblendedCost > 0",
     on_hit("null", "x_NetUnblendedCost"), "true"),
]  # fmt: skip
"""check, tenant, condition of the row, change made to it, which rows remain"""

NAMED = {
    "list_and_contracted_costs": ("x_LineItemId", "SubAccountId"),
    "charges_in_their_bill": ("x_LineItemId", "SubAccountId"),
    "charges_in_period": ("x_LineItemId", "SubAccountId"),
    "net_basis_whole": ("x_LineItemId", "SubAccountId"),
    "charges_equal_lines": ("x_ServiceCode", "x_LineItemType"),
    "effective_equals_lines": ("x_ServiceCode", "x_LineItemType"),
    "commitments_amortize": ("CommitmentDiscountId",),
}
"""Columns of the damaged row that the failure must name, besides the billing period."""


@pytest.mark.parametrize("tenant", TENANTS)
def test_true_bills_pass_every_check(lake: TemporaryInstallation, tenant: str) -> None:
    results = check(lake, tenant)
    assert [describe_row(r.examples[0]) for r in results if r.state != "passed"] == []
    assert {result.check_name for result in results} == {identity.name for identity in checks()}
    months = {result.billing_period for result in results}
    assert months == {"2026-08", MONTH, "2026-10"} and len(results) == 3 * len(checks())


@pytest.mark.parametrize(("name", "tenant", "victim", "change", "remaining"), FAULTS)
def test_each_check_detects_its_fault_and_names_the_row(
    lake: TemporaryInstallation, name: str, tenant: str, victim: str, change: str, remaining: str
) -> None:
    with damaged(charges(lake, tenant)) as file:
        damaged_row = rewrite(file, victim, change, remaining)
        failed = failures(lake, tenant)
    assert name in failed, failed
    description = failed[name]
    assert f"billing_period={MONTH}" in description
    for column in NAMED.get(name, ()):
        assert str(damaged_row[column]) in description, (column, description)


@pytest.mark.parametrize("mart", ["daily_costs", "monthly_costs", "monthly_bill"])
def test_a_changed_mart_is_detected(lake: TemporaryInstallation, mart: str) -> None:
    last_row = f"(select max(rowid) from {mart} where billing_period = '{MONTH}')"
    change = f"update {mart} set billed_cost = billed_cost {{}} 0.01 where rowid = {last_row}"
    with changing_tables(lake.installation, "acme") as connection:
        connection.execute(change.format("+"))
    try:
        failed = failures(lake, "acme")
    finally:
        with changing_tables(lake.installation, "acme") as connection:
            connection.execute(change.format("-"))
    name = f"{mart}_equals_charges" if mart == "monthly_bill" else f"{mart}_equal_charges"
    assert name in failed and "currencies_apart" in failed


def test_the_command_names_the_place_of_a_failure(lake: TemporaryInstallation) -> None:
    passing = lake.finops("check", "acme", "--month", MONTH).stdout
    assert passing.count("ok  ") == len(checks()) and "FAILED" not in passing
    first_row = f"(select min(rowid) from monthly_bill where billing_period = '{MONTH}')"
    change = f"update monthly_bill set billed_cost = billed_cost {{}} 1 where rowid = {first_row}"
    with changing_tables(lake.installation, "acme") as connection:
        connection.execute(change.format("+"))
    try:
        output = lake.finops("check", "acme", ok=False).stdout
        as_json = lake.finops("check", "acme", "--format", "json", ok=False).stdout
        assert "FAILED" not in lake.finops("check", "acme", "--month", "2026-08").stdout
        assert failures(lake, "globex") == {}
    finally:
        with changing_tables(lake.installation, "acme") as connection:
            connection.execute(change.format("-"))
    name = "monthly_bill_equals_charges"
    assert f"FAILED  {name} (refuse): " in output
    assert f"billing_period={MONTH}, billing_currency=" in output and "billed_by_mart=" in output
    rows = {(r["check_name"], r["billing_period"]): r for r in json.loads(as_json)}
    assert rows[name, MONTH]["state"] == "failed"
    assert rows[name, "2026-08"]["state"] == "passed"
    assert "nobody" in lake.finops("check", "nobody", ok=False).stderr


def test_a_file_that_cannot_be_read_or_is_gone_is_a_failure(lake: TemporaryInstallation) -> None:
    with damaged(charges(lake, "acme")) as file:
        file.write_bytes(file.read_bytes()[:-100])
        failed = failures(lake, "acme")
        assert "cannot_be_read" in failed["charges_equal_ledger"]
        assert str(lake.data) not in failed["charges_equal_ledger"]
        file.unlink()
        gone = failures(lake, "acme")["charges_equal_ledger"]
        assert "cannot_be_read" in gone and file.name in gone


def test_bill_totals_are_the_truth(built: TemporaryInstallation, truth: dict[str, Any]) -> None:
    for tenant in TENANTS:
        totals = built.rows(
            tenant,
            "select source, billing_period, line_item_type, sum(rows) as n, sum(billed_cost) as"
            " billed, sum(effective_cost) as effective from bill_totals group by all",
        )
        for source, months in truth["tenants"][tenant]["sources"].items():
            for month, expected in months.items():
                by_line_type = {
                    r["line_item_type"]: r
                    for r in totals
                    if (r["source"], r["billing_period"]) == (source, month)
                }
                assert sum(int(r["n"]) for r in by_line_type.values()) == expected["rows"]
                effective = sum(Decimal(r["effective"]) for r in by_line_type.values())
                assert effective == Decimal(expected["effective_cost"]), (tenant, source, month)
                for line_type, (rows, billed) in expected["by_line_item_type"].items():
                    reported = (
                        int(by_line_type[line_type]["n"]),
                        Decimal(by_line_type[line_type]["billed"]),
                    )
                    assert reported == (rows, Decimal(billed)), (tenant, source, month, line_type)


def test_net_costs_are_complete_or_absent(built: TemporaryInstallation) -> None:
    """A month's net billed cost is the net unblended cost that landed; gross bills have none."""
    landed = built.rows(
        "globex",
        "select billing_period, sum(cast(line_item_net_unblended_cost::varchar as decimal(38,18)))"
        " as net from landing_payer group by 1 having net is not null order by 1",
    )
    published = built.rows(
        "globex",
        "select billing_period, sum(net_billed_cost) as net from monthly_bill where source ="
        " 'payer' group by 1 having net is not null order by 1",
    )
    assert landed == published and len(published) == 3
    gross = "select count(*) filter (net_billed_cost is not null) as n from monthly_costs"
    assert built.rows("acme", gross) == [{"n": "0"}]


def test_a_fault_of_the_bill_itself_is_reported_published_and_remembered(
    empty: TemporaryInstallation, tmp_path: Path
) -> None:
    """Late usage comes from AWS: a warning and a row of check_results, but no refusal."""
    item = "identity/LineItemId"
    report = tmp_path / "cur"
    late = row("7", **{item: "late", "lineItem/UsageStartDate": "2026-08-30T00:00:00Z"})
    deliver(report, [row("1", **{item: "a"}), late])
    deliver(report, [row("2", day="2026-10-02", **{item: "b"})], month="2026-10")
    declaration = tmp_path / "tenants.yaml"
    declaration.write_text(
        "tenants:\n  - name: acme\n    sources:\n      - name: payer\n        format: legacy-cur\n"
        f"        location: {report}\n    projects: []\n"
    )
    empty.apply(declaration)
    ingest_report = empty.ingest("acme")
    assert not ingest_report.failed
    assert any("charges_in_period" in step.reason and "late" in step.reason
               for step in ingest_report.steps)  # fmt: skip
    sql = "select * from check_results where state = 'failed'"
    (failed_row,) = empty.rows("acme", sql)
    assert (failed_row["check_name"], failed_row["billing_period"]) == ("charges_in_period", MONTH)
    assert (failed_row["severity"], failed_row["rows"]) == ("warn", "1")
    assert json.loads(failed_row["example"])["line_item_id"] == "late"
    # Another month is rebuilt: the results of this month stay.
    deliver(report, [row("3", day="2026-10-02", **{item: "b"})], month="2026-10", assembly="two")
    assert not empty.ingest("acme").failed
    assert empty.rows("acme", sql) == [failed_row]


def test_an_older_ledger_gets_its_totals_with_the_next_build(
    lake: TemporaryInstallation, tmp_path: Path
) -> None:
    """Without totals of what landed there is nothing to compare, and nothing is refused."""
    name = ledger_tables.BILL_TOTALS.name
    with duckdb.connect(str(lake.folder("acme") / "acme.duckdb"), read_only=True) as connection:
        (counted,) = connection.execute(f"select count(*) from {name}").fetchall()
    assert counted[0] > 100
    older = TemporaryInstallation(copy_installation(lake.data, tmp_path / "older"))
    with changing_tables(older.installation, "acme") as connection:
        connection.execute(f"delete from {name}")
    assert failures(older, "acme") == {}
