"""Bills whose columns change: no data is lost, and the change is reported.

Put here: added and removed columns, spellings mixed in a delivery, headers and tags that differ by
case, types that change between files and months, columns that AWS does not document. Keep out: rows
that cannot be read (test_quarantine.py).
"""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from finops_pipeline.contracts.headers import header_of, landed_name
from finops_pipeline.lake.warehouse import reading
from tests.conftest import TemporaryInstallation
from tests.support.bills import deliver, row, write_csv
from tests.support.export_forms import MONTH, write_form
from tests.support.rewound_folder import rewound_by

TENANTS = ("acme", "globex")


def make_drifting(home: Path) -> None:
    """Two tenants with a legacy CUR, a CUR 2.0 and a FOCUS export each; globex is ingested."""
    made = TemporaryInstallation(home / "data")
    sources = [("cur", "legacy-cur"), ("cur2", "cur-2.0"), ("focus", "focus")]
    tenants = []
    for tenant in TENANTS:
        for name, _ in sources:
            (home / tenant / name).mkdir(parents=True)
        listed = [
            {"name": name, "format": kind, "location": f"{tenant}/{name}"} for name, kind in sources
        ]
        tenants.append({"name": tenant, "sources": listed})
        deliver(home / tenant / "cur", [row("7", **{"resourceTags/user:Env": tenant})])
    declared = home / "tenants.yaml"
    declared.write_text(yaml.safe_dump({"tenants": tenants}))
    made.apply(declared)
    made.ingest("globex")


class Drifting:
    """The two tenants; tests change only acme's bills."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.made = TemporaryInstallation(home / "data")
        self.report = home / "acme" / "cur"

    def ingest(self) -> None:
        """Ingest both tenants; globex keeps its only charge."""
        for tenant in TENANTS:
            done = self.made.ingest(tenant)
            # Sources without a delivery are refused; these tests are about the others.
            assert not [s for s in done.failed if "contains no billing period" not in s.reason]
        assert self.ask("select sum(BilledCost) from costs", "globex") == [(Decimal(7),)]

    def ask(self, sql: str, tenant: str = "acme") -> list[tuple[Any, ...]]:
        """Run a query on the tenant's file; returns its rows."""
        with reading(self.made.installation.folder(tenant)) as connection:
            return connection.execute(sql).fetchall()

    def drift(self, month: str, source: str = "cur") -> str | None:
        """The drift reported for a reconciled month, which the tenant's file must repeat."""
        statuses = {(s.source, s.billing_period): s for s in self.made.installation.status("acme")}
        assert statuses[source, month].state == "reconciled", statuses[source, month].reason
        sql = f"select drift from data_status where source = '{source}'"
        assert self.ask(f"{sql} and billing_period = '{month}'") == [
            (statuses[source, month].drift,)
        ]
        return statuses[source, month].drift


pristine, tmp_path = rewound_by(make_drifting)


@pytest.fixture
def drifting(tmp_path: Path) -> Drifting:
    return Drifting(tmp_path)


def test_added_and_removed_columns_are_reported(drifting: Drifting) -> None:
    first = {"lineItem/UsageType": "Box", "pricing/unit": "Hrs", "resourceTags/user:Team": "a"}
    second = {"lineItem/Operation": "Run", "resourceTags/user:Env": "b", "lineItem/UsageType": "X",
              "resourceTags/user:Zone": "c"}  # fmt: skip
    deliver(drifting.report, [row("1.5", day="2026-08-05", **first)], "2026-08")
    deliver(drifting.report, [row("2.25", **second)])
    drifting.ingest()
    assert drifting.drift("2026-08") is None
    assert drifting.drift("2026-09") == (
        "since 2026-08, columns added: lineItem/Operation; columns removed: pricing/unit;"
        " tag columns: 2 added, 1 removed"
    )
    assert drifting.ask("select Tags, BilledCost from costs order by billing_period") == [
        ('{"Team":"a"}', Decimal("1.5")),
        ('{"Env":"b","Zone":"c"}', Decimal("2.25")),
    ]
    landed = 'select "pricing/unit", "lineItem/Operation" from landing_cur order by billing_period'
    assert drifting.ask(landed) == [("Hrs", None), (None, "Run")]
    output = " ".join(drifting.made.finops("status", "acme").stdout.split())
    assert "cur 2026-09: columns: since 2026-08, columns added: lineItem/Operation" in output


def test_mixed_spellings_of_a_column_become_a_single_column(drifting: Drifting) -> None:
    """The first file has slashes, the second underscores; rows of both share a column."""
    manifest = deliver(drifting.report, [row("1", **{"resourceTags/user:Team": "web",
                                                     "product/sku": "one"})])  # fmt: skip
    other = {
        "bill_billing_period_start_date": "2026-09-01T00:00:00Z",
        "line_item_usage_account_id": "001122334455",
        "line_item_line_item_type": "Usage",
        "line_item_usage_start_date": "2026-09-06T00:00:00Z",
        "line_item_unblended_cost": "0.25",
        "line_item_currency_code": "USD",
        "resource_tags_user_team": "app",
        "product_sku": "two",
    }
    write_csv(manifest.with_name("cur-2.csv.gz"), [other])
    content = json.loads(manifest.read_text())
    content["reportKeys"].append(content["reportKeys"][0].replace("cur-1", "cur-2"))
    manifest.write_text(json.dumps(content))
    drifting.ingest()
    assert drifting.drift("2026-09") is None
    sql = "select BilledCost, Tags, SkuId, SubAccountId from costs order by 1"
    assert drifting.ask(sql) == [
        (Decimal("0.25"), '{"Team":"app"}', "two", "001122334455"),
        (Decimal(1), '{"Team":"web"}', "one", "111122223333"),
    ]


def test_headers_that_differ_by_case_stay_apart(drifting: Drifting) -> None:
    tags = {"resourceTags/user:Env": "Prod", "resourceTags/user:env": "prod",
            "resourceTags/user:env__2": "odd", "acme/Note": "big",
            "acme/note": "small"}  # fmt: skip
    manifest = deliver(drifting.report, [row("1", **tags)])
    # The second file has only one of these headers.
    write_csv(manifest.with_name("cur-2.csv.gz"), [row("2", **{"resourceTags/user:env": "alone"})])
    content = json.loads(manifest.read_text())
    content["reportKeys"].append(content["reportKeys"][0].replace("cur-1", "cur-2"))
    manifest.write_text(json.dumps(content))
    drifting.ingest()
    charges = drifting.ask("select Tags, x_UnknownColumns from costs order by BilledCost")
    assert [json.loads(tags) for tags, _ in charges] == [
        {"Env": "Prod", "env": "prod", "env__2": "odd"},
        {"env": "alone"},
    ]
    assert json.loads(charges[0][1]) == {"acme/Note": "big", "acme/note": "small"}
    assert charges[1][1] is None
    assert drifting.drift("2026-09") == (
        "not in AWS's dictionary, kept in x_UnknownColumns: acme/Note, acme/note"
    )


@pytest.mark.parametrize(
    "headers",
    [
        ["a", "A", "a__2", "A__2"],
        ["a__2", "a"],
        ["a__2"],
        ["source", "SOURCE", "source__2"],
        ["b__2__3", "b"],
    ],
)
def test_every_landed_name_gives_its_header_back(headers: list[str]) -> None:
    lower = {header.lower() for header in headers}
    names: list[str] = []
    for header in headers:
        names.append(landed_name(header, {name.lower() for name in names}, lower))
    assert len({name.lower() for name in names}) == len(names)
    landed = {name.lower() for name in names}
    assert [header_of(name, landed) for name in names] == headers


def _parquet(path: Path, **columns: pa.Array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def _cur2(report: Path, month: str, *files: dict[str, pa.Array]) -> None:
    """A CUR 2.0 month of one row per file; `files` add or replace columns."""
    start = datetime.fromisoformat(f"{month}-01")
    keys = []
    for number, more in enumerate(files, start=1):
        base = {
            "bill_billing_period_start_date": pa.array([start]),
            "line_item_usage_account_id": pa.array(["111122223333"]),
            "line_item_line_item_type": pa.array(["Usage"]),
            "line_item_usage_start_date": pa.array([start]),
            "line_item_unblended_cost": pa.array([1.25]),
            "line_item_currency_code": pa.array(["USD"]),
        }
        name = f"data/BILLING_PERIOD={month}/cur2-{number:05d}.snappy.parquet"
        _parquet(report / name, **(base | more))
        keys.append(f"s3://bucket/exports/cur2/{name}")
    manifest = report / f"metadata/BILLING_PERIOD={month}/cur2-Manifest.json"
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_text(json.dumps({"executionId": f"x-{month}", "dataFiles": keys}))


TEAM = pa.array([[("user_team", "web")]], pa.map_(pa.string(), pa.string()))


def test_types_that_change_between_files_and_months(drifting: Drifting) -> None:
    """Costs as double, decimal and text; maps as maps and as JSON; a number becomes a time."""
    report = drifting.home / "acme" / "cur2"
    _cur2(
        report,
        "2026-08",
        {"resource_tags": TEAM, "pricing_unit": pa.array([3.5]), "own": pa.array([1])},
        {
            "line_item_unblended_cost": pa.array([Decimal("0.000000000000000001")]),
            "resource_tags": pa.array(['{"user_team": "text"}']),
            "pricing_unit": pa.array(["Hrs"]),
            "line_item_usage_start_date": pa.array(["2026-08-02T00:00:00Z"]),
        },
        {"line_item_unblended_cost": pa.array(["0.1"]), "own": pa.array([[1, 2]])},
    )
    later = {"pricing_unit": pa.array([datetime.fromisoformat("2026-09-01")]), "own": TEAM}
    _cur2(report, "2026-09", later | {"resource_tags": pa.array(["{}"])})
    _cur2(report, "2026-10", later | {"pricing_unit": pa.array([2.5])})
    drifting.ingest()
    cur2_costs = "from costs where x_Source = 'cur2'"
    sql = f"select BilledCost, Tags {cur2_costs} and billing_period = '2026-08' order by 1"
    assert drifting.ask(sql) == [
        (Decimal("0.000000000000000001"), '{"team":"text"}'),
        (Decimal("0.1"), None),
        (Decimal("1.25"), '{"team":"web"}'),
    ]
    sql = f"select x_UnknownColumns {cur2_costs} and x_UnknownColumns is not null order by 1"
    nested = {"own": {"user_team": "web"}}
    unknown_columns = [json.loads(value) for (value,) in drifting.ask(sql)]
    assert unknown_columns == [{"own": "1"}, {"own": "[1,2]"}, nested, nested]
    # DuckDB alone fails here: a number and a time have no type in common.
    units = drifting.ask("select distinct pricing_unit from landing_cur2 order by 1")
    assert [value for (value,) in units] == ["2.5", "2026-09-01 00:00:00", "3.5", "Hrs", None]
    assert drifting.ask("select count(*), count(own) from landing_cur2") == [(5, 4)]
    assert "types changed: " in str(drifting.drift("2026-09", "cur2"))
    assert "pricing_unit (VARCHAR, now TIMESTAMP)" in str(drifting.drift("2026-09", "cur2"))
    assert "pricing_unit (TIMESTAMP, now DOUBLE)" in str(drifting.drift("2026-10", "cur2"))


def test_parquet_names_that_differ_by_case_stay_apart(drifting: Drifting) -> None:
    report = drifting.home / "acme" / "cur2"
    more = {"resource_tags_user_Env": pa.array(["A"]), "resource_tags_user_env": pa.array(["b"])}
    _cur2(report, "2026-09", more)
    drifting.ingest()
    (tags,) = drifting.ask("select Tags from costs where x_Source = 'cur2'")
    assert json.loads(tags[0]) == {"Env": "A", "env": "b"}


def test_columns_unknown_to_focus_are_preserved(drifting: Drifting) -> None:
    written = write_form(drifting.home / "written", "acme", "focus-1-2-gaps")
    shutil.copytree(written.report, drifting.home / "acme" / "focus", dirs_exist_ok=True)
    (path,) = (drifting.home / "acme" / "focus" / "data").rglob("*.parquet")
    table = pq.read_table(path)
    values = pa.array([None if n % 2 else f"new {n}" for n in range(len(table))])
    table = table.append_column("AllocatedMethodId", values)
    pq.write_table(table.append_column("x_Empty", pa.nulls(len(table), pa.string())), path)
    drifting.ingest()
    assert drifting.drift(MONTH, "focus") == (
        "not in AWS's dictionary, kept in x_UnknownColumns: AllocatedMethodId, x_Empty"
    )
    sql = """
        select count(*), count(x_UnknownColumns), min(x_UnknownColumns), sum(BilledCost) from costs
        where x_Source = 'focus'
    """
    rows = written.truth["rows"]
    first = '{"AllocatedMethodId":"new 0"}'
    billed = Decimal(written.truth["billed_cost"])
    assert drifting.ask(sql) == [(rows, (rows + 1) // 2, first, billed)]


def test_columns_of_the_current_dictionary_are_known(drifting: Drifting) -> None:
    """AWS's table dictionary of CUR 2.0 in November 2026; who used it is in the charges."""
    names = {
        "lineItem/IamPrincipal": "arn:aws:iam::111122223333:role/app",
        "lineItem/UserIdentifier": "u-1",
        "reservation/NetUpfrontValue": "5.0",
        "pricing/OfferingClass": "standard",
    }
    deliver(drifting.report, [row("1", **names)])
    drifting.ingest()
    assert drifting.drift("2026-09") is None
    shown = "select x_IamPrincipal, x_UserIdentifier, x_UnknownColumns from costs"
    assert drifting.ask(shown) == [("arn:aws:iam::111122223333:role/app", "u-1", None)]


def test_a_delivery_without_amortization_columns_is_reported(drifting: Drifting) -> None:
    covered = {"lineItem/LineItemType": "SavingsPlanCoveredUsage"}
    deliver(drifting.report, [row("1"), row("2", **covered)])
    drifting.ingest()
    assert drifting.drift("2026-09") == (
        "missing, so costs are not amortized: savings_plan_savings_plan_effective_cost"
    )
