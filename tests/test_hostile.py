"""Deliveries and names that are hostile, or only look hostile: regression tests from reviews.

Covers: patterns in delivered names, symbolic links, columns named like internal ones, files
counted twice, offsets in times, a failing tenant or month beside good ones, charges and tables
that must be published together.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row, write_csv

SUM = "select sum(BilledCost) as b from costs"
SECRET = "777.77"


@pytest.fixture
def two_tenants(empty: TemporaryInstallation, tmp_path: Path) -> TemporaryInstallation:
    """acme and globex with a legacy CUR folder each; the cost of globex's bill is the secret."""
    text = "tenants:\n"
    for tenant, cost in (("acme", "1.5"), ("globex", SECRET)):
        deliver(tmp_path / tenant / "cur", [row(cost)])
        text += (
            f"- name: {tenant}\n"
            f"  sources: [{{name: payer, format: legacy-cur, location: {tenant}/cur}}]\n"
            "  projects: [{name: prod, accounts: ['111122223333']}]\n"
        )
    (tmp_path / "tenants.yaml").write_text(text)
    empty.apply(tmp_path / "tenants.yaml")
    return empty


def billed(installation: TemporaryInstallation, tenant: str) -> str:
    return str(installation.rows(tenant, SUM)[0]["b"]).rstrip("0")


def parquet(path: Path, cost: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    names = {name.replace("/", "_"): value for name, value in row(cost).items()}
    snake = {
        "bill_billing_period_start_date": names["bill_BillingPeriodStartDate"],
        "line_item_usage_account_id": "111122223333",
        "line_item_line_item_type": "Usage",
        "line_item_usage_start_date": names["lineItem_UsageStartDate"],
        "line_item_unblended_cost": cost,
        "line_item_currency_code": "USD",
    }
    pq.write_table(pa.table({name: [value] for name, value in snake.items()}), path)


def test_a_pattern_in_a_delivered_name_is_a_name(
    two_tenants: TemporaryInstallation, tmp_path: Path
) -> None:
    """`d*ta` beside a link `dxta` into globex's exports: acme gets its own file only."""
    parquet(tmp_path / "globex2/data/f.parquet", SECRET)
    cur = tmp_path / "acme2"
    parquet(cur / "20260901-20261001/d*ta/f.parquet", "2.25")
    (cur / "20260901-20261001/dxta").symlink_to(tmp_path / "globex2/data")
    key = "20260901-20261001/d*ta/f.parquet"
    (cur / "20260901-20261001/x-Manifest.json").write_text(json.dumps({"reportKeys": [key]}))
    two_tenants.finops(
        "source", "add", "acme/odd", "--format", "legacy-cur", "--location", str(cur)
    )
    two_tenants.finops("ingest")
    assert billed(two_tenants, "acme") == "3.75"
    assert billed(two_tenants, "globex") == SECRET


def test_a_link_out_of_the_location_is_refused(
    two_tenants: TemporaryInstallation, tmp_path: Path
) -> None:
    file = tmp_path / "acme/cur/20260901-20261001/cur-1.csv.gz"
    file.unlink()
    file.symlink_to(tmp_path / "globex/cur/20260901-20261001/cur-1.csv.gz")
    assert "points outside" in two_tenants.finops("ingest", "acme", ok=False).stderr
    shutil.rmtree(tmp_path / "acme/cur")
    (tmp_path / "acme/cur").symlink_to(tmp_path / "globex/cur")
    assert "belongs to another tenant" in two_tenants.finops("ingest", "acme", ok=False).stderr


@pytest.mark.parametrize(
    "name", ["d*ta", "tenant=globex", "source=payer", "Project=prod", "billing_period=2026-09"]
)
def test_the_data_folder_may_not_be_a_pattern_or_a_partition(tmp_path: Path, name: str) -> None:
    installation = TemporaryInstallation(tmp_path / name / "data")
    assert (
        f"FINOPS_DATA contains the folder {name!r}"
        in installation.finops("status", ok=False).stderr
    )


def test_a_data_folder_may_contain_an_equals_sign_in_other_names(tmp_path: Path) -> None:
    assert (
        "leads through" not in TemporaryInstallation(tmp_path / "year=2026").finops("status").stderr
    )


def test_columns_named_like_internal_ones_change_nothing(
    two_tenants: TemporaryInstallation, tmp_path: Path
) -> None:
    """A bill has its own x_problem: the good row stays good, only the bad row is quarantined."""
    internal_names = {
        "x_problem": "boo",
        "x_SourceFile": "evil",
        "project": "globex",
        "source": "s",
    }
    rows = [row("1.5", **internal_names), row("bad", **{**internal_names, "x_problem": ""})]
    deliver(tmp_path / "acme/cur", rows, assembly="two")
    two_tenants.finops("ingest", "acme")
    assert billed(two_tenants, "acme") == "1.5"
    charges = two_tenants.rows("acme", "select x_SourceFile as f, project as p from costs")
    assert charges == [{"f": "cur-1.csv.gz", "p": "prod"}]
    quarantined = two_tenants.rows("acme", "select line, reason from quarantine")
    assert quarantined == [{"line": "3", "reason": "lineItem/UnblendedCost: bad is not a number"}]
    assert two_tenants.rows("acme", "select x_problem__2 as x from landing_payer") == [{"x": "boo"}]


def test_a_file_counts_once(two_tenants: TemporaryInstallation, tmp_path: Path) -> None:
    bill = tmp_path / "hand.csv"
    write_csv(bill, [row("10")])
    two_tenants.finops("source", "add", "acme/hand", "--format", "legacy-cur")
    refused = two_tenants.finops("ingest-file", "acme/hand", str(bill), str(bill), ok=False)
    assert "given twice" in refused.stderr
    manifest = tmp_path / "acme/cur/20260901-20261001/cur-Manifest.json"
    facts = json.loads(manifest.read_text())
    facts["reportKeys"] += ["20260901-20261001/cur-1.csv.gz"]
    manifest.write_text(json.dumps(facts))
    assert "lists a file twice" in two_tenants.finops("ingest", "acme", ok=False).stderr


def test_an_offset_in_a_time_is_applied(two_tenants: TemporaryInstallation, tmp_path: Path) -> None:
    line = row("1", **{"lineItem/UsageStartDate": "2026-09-03T00:00:00+09:00"})
    deliver(tmp_path / "acme/cur", [line], assembly="two")
    two_tenants.finops("ingest", "acme")
    start = two_tenants.rows("acme", "select ChargePeriodStart::varchar as s from costs")
    assert start == [{"s": "2026-09-02 15:00:00"}]


def test_decimals_beside_floats_stay_decimals(
    two_tenants: TemporaryInstallation, tmp_path: Path
) -> None:
    """A delivery of two files, with costs as decimals in one file and as floats in the other."""
    folder = tmp_path / "acme3/20260901-20261001"
    for name, cost in (("a", pa.array(["12345678901.123456789012345678"])), ("b", pa.array([0.1]))):
        parquet(folder / f"{name}.parquet", "0")
        table = pq.read_table(folder / f"{name}.parquet")
        typed = cost if name == "b" else cost.cast(pa.decimal128(38, 18))
        index = table.column_names.index("line_item_unblended_cost")
        pq.write_table(
            table.set_column(index, "line_item_unblended_cost", typed), folder / f"{name}.parquet"
        )
    keys = [f"20260901-20261001/{name}.parquet" for name in ("a", "b")]
    (folder / "x-Manifest.json").write_text(json.dumps({"reportKeys": keys}))
    two_tenants.finops("source", "add", "acme/mixed", "--format", "legacy-cur",
               "--location", str(folder.parent))  # fmt: skip
    two_tenants.finops("ingest", "acme")
    sql = "select sum(BilledCost) as b from costs where x_Source = 'mixed'"
    assert two_tenants.rows("acme", sql)[0]["b"] == "12345678901.223456789012345678"


def test_a_failure_of_a_tenant_or_month_stops_no_other(
    two_tenants: TemporaryInstallation, tmp_path: Path
) -> None:
    """With an empty tenant and a damaged month the rest is built and the exit code is not 0."""
    two_tenants.finops("tenant", "add", "able")
    (tmp_path / "none").mkdir()
    two_tenants.finops("source", "add", "able/none", "--format", "focus",
               "--location", str(tmp_path / "none"))  # fmt: skip
    deliver(tmp_path / "acme/cur", [row("2", day="2026-08-05")], "2026-08")
    damaged = tmp_path / "acme/cur/20260901-20261001/cur-1.csv.gz"
    damaged.write_bytes(damaged.read_bytes()[:-5])
    result = two_tenants.finops("ingest", ok=False)
    assert "acme/payer 2026-09 refused" in result.stderr and "able/none" in result.stderr
    assert billed(two_tenants, "acme") == "2." and billed(two_tenants, "globex") == SECRET


def test_hostile_manifests_are_refused_with_a_short_message(
    two_tenants: TemporaryInstallation, tmp_path: Path
) -> None:
    two_tenants.finops("ingest")
    manifest = tmp_path / "acme/cur/20260901-20261001/cur-Manifest.json"
    for facts in (
        {"reportKeys": ["a\0b.csv"]},
        {"reportKeys": ["x" * 5000 + ".csv"]},
        {"reportKeys": ["a\nb.csv"]},
        {"reportKeys": ["\ud800.csv"]},
        {"reportKeys": ["../../globex/cur/20260901-20261001/cur-1.csv.gz"]},
        {"reportKeys": 5, "columns": 5},
    ):
        manifest.write_text(json.dumps(facts))
        result = two_tenants.finops("ingest", "acme", ok=False)
        assert result.stderr.count("\n") <= 3, result.stderr
        assert billed(two_tenants, "acme") == "1.5"


def test_amounts_at_the_edge_build(two_tenants: TemporaryInstallation, tmp_path: Path) -> None:
    """Huge costs and tiny quantities: exact sums, and a refusal instead of a traceback."""
    amounts = {"lineItem/UsageAmount": "1e-17", "pricing/publicOnDemandCost": "5000"}
    rows = [
        row("1000000000000000", **{"lineItem/UsageAmount": "3"}),
        row("5000", **amounts),
        row("-7.5", **{"lineItem/UsageAmount": "0"}),
    ]
    deliver(tmp_path / "acme/cur", rows, assembly="two")
    two_tenants.finops("ingest", "acme")
    assert billed(two_tenants, "acme") == "1000000000004992.5"
    deliver(tmp_path / "acme/cur", [row("9" + "0" * 19), row("9" + "0" * 19)], assembly="three")
    refused = two_tenants.finops("ingest", "acme", ok=False)
    assert "the sum of the delivery's costs has more than 20 digits" in refused.stderr
    assert billed(two_tenants, "acme") == "1000000000004992.5"


def test_a_missing_landing_loses_no_published_charges(
    two_tenants: TemporaryInstallation, tmp_path: Path
) -> None:
    bill = tmp_path / "hand.csv"
    write_csv(bill, [row("10", account="999988887777")])
    two_tenants.finops("source", "add", "acme/hand", "--format", "legacy-cur")
    two_tenants.finops("ingest-file", "acme/hand", str(bill))
    shutil.rmtree(two_tenants.folder("acme") / ".store/landing/source=hand")
    two_tenants.finops("project", "add", "acme/new", "--account", "999988887777")
    refused = two_tenants.finops("ingest", "acme", ok=False).stderr
    assert re.search(
        r"landing/source=hand/billing_period=2026-09/delivery-\w+.parquet is missing", refused
    )
    assert "finops rebuild acme --month 2026-09" in refused
    assert billed(two_tenants, "acme") == "10."


def test_charges_and_tables_are_published_together_or_not_at_all(
    two_tenants: TemporaryInstallation, tmp_path: Path
) -> None:
    """A refused refresh publishes neither: `costs` and `monthly_costs` keep the same total."""
    two_tenants.finops("ingest", "acme")
    published = two_tenants.folder("acme") / "acme.duckdb"
    published_bytes = published.read_bytes()
    deliver(tmp_path / "acme/cur", [row("99")], assembly="two")
    code = (
        "import finops_pipeline.marts.library as l, finops_pipeline.marts.build as b, sys\n"
        "from dataclasses import replace\n"
        "wrong = tuple(replace(m, sql=m.sql + ' limit 0') for m in l.marts())\n"
        "b.marts = lambda: wrong\n"
        "from finops_pipeline.cli.app import main\n"
        "sys.argv = ['finops', 'ingest', 'acme']\n"
        "main()\n"
    )
    result = two_tenants.python(code)
    assert result.returncode == 1 and "None of this was published" in result.stderr
    assert published.read_bytes() == published_bytes
    both_sums = (
        "select (select sum(BilledCost) from costs) as c, sum(billed_cost) as m from monthly_costs"
    )
    assert {value.rstrip("0") for value in two_tenants.rows("acme", both_sums)[0].values()} == {
        "1.5"
    }
    two_tenants.finops("ingest", "acme")
    assert {value.rstrip("0") for value in two_tenants.rows("acme", both_sums)[0].values()} == {
        "99."
    }


def test_control_characters_in_values_do_not_format_the_table(
    two_tenants: TemporaryInstallation, tmp_path: Path
) -> None:
    line = row("1", **{"lineItem/LineItemDescription": "[prod] a [/foo] \x1b[31mred"})
    deliver(tmp_path / "acme/cur", [line], assembly="two")
    two_tenants.finops("ingest", "acme")
    output = two_tenants.finops("query", "acme", "select ChargeDescription from costs").stdout
    assert "[prod] a [/foo] ?[31mred" in output


def test_a_claim_moves_the_charges_at_once(
    two_tenants: TemporaryInstallation, tmp_path: Path
) -> None:
    """Ingesting one project after a claim also removes its charges from `unassigned`."""
    deliver(tmp_path / "acme/cur", [row("1"), row("2", account="999988887777")], assembly="two")
    two_tenants.finops("ingest", "acme")
    two_tenants.finops("project", "add", "acme/new", "--account", "999988887777")
    assert two_tenants.installation.status("acme")[0].state == "incomplete"
    two_tenants.finops("ingest", "acme/new")
    sql = "select project as p, sum(BilledCost)::int as b from costs group by all order by all"
    assert two_tenants.rows("acme", sql) == [{"p": "new", "b": "2"}, {"p": "prod", "b": "1"}]
    assert two_tenants.installation.status("acme")[0].state == "reconciled"
