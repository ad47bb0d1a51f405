"""Business metrics: loading, replacing and removing values; unit costs; bad files.

Put here: `finops metrics`, business_metrics and unit_costs at a user's doorway. Keep out: splitting
shared costs by a metric (test_shared_costs.py).
"""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, localcontext
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from finops_pipeline.errors import FileProblem
from finops_pipeline.landing.metric_file import read_metric_file
from finops_pipeline.ledger.ownership import Identity
from finops_pipeline.marts.library import find_check, find_mart
from finops_pipeline.marts.use_cases import use_cases
from tests.support.mart_comparison import differences, read_charges
from tests.support.measured_tenants import (
    TENANTS,
    Measured,
    measured,
    measured_once,
    metrics,
)
from tests.support.published_files import (
    changing_tables,
    partition_folder,
    published_files,
    store_copy,
)

__all__ = ["measured", "measured_once"]

E18 = Decimal("1e-18")


def expected_unit_costs(made: Measured, tenant: str) -> list[dict[str, Any]]:
    """unit_costs computed from the charges and the CSV, by Python's decimals."""
    folder = made.made.installation.folder(tenant)
    names = ("billing_period", "project", "ChargePeriodStart", "BillingCurrency", "BilledCost")
    charges = read_charges(folder, (*names, "EffectiveCost")).with_columns(
        pl.col("ChargePeriodStart").dt.date().alias("day")
    )
    values: dict[tuple[str, str, str], Decimal] = {}
    for line in metrics(tenant).splitlines()[1:]:
        day, metric, project, value = line.split(",")
        values[metric, project, day] = Decimal(value)
    costs: dict[Any, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for charge in charges.iter_rows(named=True):
        for project in (charge["project"], ""):
            key = (charge["billing_period"], charge["day"], project, charge["BillingCurrency"])
            costs[key][0] += charge["BilledCost"]
            costs[key][1] += charge["EffectiveCost"]
    rows = []
    for (month, day, project, currency), (billed, effective) in costs.items():
        for metric in sorted({m for m, p, d in values if p == project and d[:7] == month}):
            value = values.get((metric, project, day.isoformat()))
            units = value or None
            rows.append(
                {"billing_period": month, "charge_date": day, "metric": metric,
                 "project": project or None, "billing_currency": currency, "value": value,
                 "billed_cost": billed, "effective_cost": effective,
                 "billed_cost_per_unit": units and (billed / units).quantize(E18, ROUND_HALF_UP),
                 "effective_cost_per_unit":
                     units and (effective / units).quantize(E18, ROUND_HALF_UP)}
            )  # fmt: skip
    return rows


@pytest.mark.parametrize("tenant", TENANTS)
def test_unit_costs_are_the_costs_divided_once_more(measured_once: Measured, tenant: str) -> None:
    with localcontext(prec=80):
        expected = expected_unit_costs(measured_once, tenant)
    assert len(expected) > 10 and any(row["value"] is None for row in expected)
    assert differences("unit_costs", measured_once.rows("from unit_costs", tenant), expected) == []
    checks = "select distinct state from check_results where check_name like 'unit_costs%'"
    assert measured_once.rows(checks, tenant) == [{"state": "passed"}]


def test_a_day_without_units_has_no_unit_cost(measured_once: Measured) -> None:
    sql = "from unit_costs where metric = 'orders' and project = 'data' and billing_period ="
    rows = measured_once.rows(f"{sql} '2026-09' and billing_currency = 'USD'")
    by_day = {row["charge_date"].day: row for row in rows}
    assert by_day[1]["billed_cost_per_unit"] == Decimal("2.508")  # 6.27 / 2.5
    assert (by_day[2]["value"], by_day[3]["value"]) == (None, 0)
    for day in (2, 3):
        assert by_day[day]["billed_cost"] > 0
        assert by_day[day]["billed_cost_per_unit"] is None
        assert by_day[day]["effective_cost_per_unit"] is None


def test_the_query_divides_only_days_with_units(measured_once: Measured) -> None:
    arguments = ("--from", "2026-09", "--to", "2026-09", "--format", "json")
    out = measured_once.finops("queries", "run", "acme", "unit_costs", *arguments)
    (row,) = [
        row
        for row in json.loads(out, parse_float=str)
        if (row["project"], row["billing_currency"]) == ("web", "USD")
    ]
    # 2 × 3.17 in two days / (2 + 4) orders; the third day has costs and no orders
    assert (row["value"], row["days_without_value"]) == ("6.000000000000000000", 1)
    assert row["effective_cost_per_unit"] == "1.056666666667"


def test_values_of_the_same_days_are_replaced_and_the_others_stay(measured: Measured) -> None:
    file = measured.write("date,metric,value\n2026-09-01,orders,7\n2026-09-02,orders,4\n"
                          "2026-10-01,orders,1\n")  # fmt: skip
    before = measured.rows("from business_metrics order by all")
    said = measured.finops("metrics", "load", "acme", file, "--project", "web")
    assert said == (
        "orders of project web: 3 days, 2026-09-01 to 2026-10-01: 1 new, 1 replaced, 1 unchanged\n"
    )
    after = measured.rows("from business_metrics order by all")
    changed = {(str(r["day"]), r["value"]) for r in after if r not in before}
    assert changed == {("2026-09-01", Decimal(7)), ("2026-10-01", Decimal(1))}
    assert len(after) == len(before) + 1
    listed = measured.finops("metrics", "list", "acme", "--format", "json")
    assert {"metric": "orders", "project": "web", "first_day": "2026-08-01",
            "last_day": "2026-10-01", "days": 5, "days_without_value": 57} in json.loads(
        listed
    )  # fmt: skip
    assert "2 values removed" in measured.finops("metrics", "remove", "acme", "users")
    assert measured.rows("from unit_costs where metric = 'users'") == []
    assert measured.rows("from unit_costs where metric = 'users'", "globex")
    assert "no values of the metric user" in measured.finops(
        "metrics", "remove", "acme", "user", fails=True
    )


def test_only_the_months_that_values_touch_are_rebuilt(measured: Measured) -> None:
    with changing_tables(measured.made.installation, "acme") as connection:
        for name in ("unit_costs", "monthly_costs"):
            connection.execute(f"update {name} set billed_cost = 777")
    file = measured.write("date,metric,value\n2026-09-03,users,9\n")
    measured.finops("metrics", "load", "acme", file)
    marked = "select distinct billing_period from {} where billed_cost = 777 order by all"
    months = [row["billing_period"] for row in measured.rows(marked.format("unit_costs"))]
    assert months == ["2026-08"]
    # A mart that reads no metrics stays as it was in both months.
    assert len(measured.rows(marked.format("monthly_costs"))) == 2


def test_parquet_is_read_like_a_csv(measured: Measured) -> None:
    frame = pl.DataFrame(
        {"date": [date(2026, 9, 1), date(2026, 9, 2)], "metric": ["carts"] * 2,
         "value": [1.5, 2.0]}
    )  # fmt: skip
    path = measured.folder / "values.parquet"
    frame.write_parquet(path)
    assert "carts of the whole tenant: 2 days" in measured.finops(
        "metrics", "load", "acme", str(path)
    )
    values = measured.rows("select value from business_metrics where metric = 'carts' order by 1")
    assert [row["value"] for row in values] == [Decimal("1.5"), Decimal(2)]
    frame.with_columns(value=pl.lit(float("nan"))).write_parquet(path)
    assert "row 1: value is 'nan'" in measured.finops(
        "metrics", "load", "acme", str(path), fails=True
    )


def test_a_path_of_a_file_is_not_a_pattern(tmp_path: Path) -> None:
    """DuckDB would read m1.parquet for m[1].parquet, and another folder for [ag]*."""
    names = ("m1.parquet", "m[1].parquet", "m*.parquet", "globex/m.parquet", "[ag]*/m.parquet")
    for number, name in enumerate(names):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        frame = {"date": ["2026-09-01"], "metric": ["carts"], "value": [number]}
        pl.DataFrame(frame).write_parquet(path)
    for number, name in enumerate(names):
        assert list(read_metric_file(tmp_path / name).values.values()) == [number], name
    (tmp_path / "b[1].parquet").write_bytes(b"PAR1 is not enough")
    with pytest.raises(FileProblem) as refused:
        read_metric_file(tmp_path / "b[1].parquet")
    assert str(refused.value).count("b[1].parquet") == 2  # no name of our own


def test_a_unit_that_costs_too_much_has_no_unit_cost() -> None:
    """200 / 10^-18 fits no column: it stopped every later run of the tenant."""
    least = "0.000000000000000001"
    days = {1: ("200", least), 2: ("-9.5", least), 3: (f"1{'0' * 19}", "1"), 4: ("2", "0"),
            5: ("2", "0.000000001"), 6: ("2", None)}  # fmt: skip
    with duckdb.connect() as connection:
        connection.execute(
            "create table daily_costs as select '2026-09' as billing_period, charge_date::date as"
            " charge_date, 'web' as project, 'USD' as billing_currency, cost::decimal(38, 18) as"
            " billed_cost, (3 * cost::decimal(24, 2))::decimal(38, 18) as effective_cost"
            " from (values"
            + ", ".join(f"('2026-09-0{day}', '{cost}')" for day, (cost, _) in days.items())
            + ") t(charge_date, cost)"
        )
        connection.execute("create view resource_daily_costs as from daily_costs")
        connection.execute(
            "create table business_metrics as select '2026-09' as billing_period, day::date as day,"
            " 'rare' as metric, 'web' as project, value::decimal(38, 18) as value from (values"
            + ", ".join(f"('2026-09-0{day}', '{v}')" for day, (_, v) in days.items() if v)
            + ") t(day, value)"
        )
        connection.execute(f"create table unit_costs as {find_mart('unit_costs').sql}")
        rows = connection.execute(
            "select billed_cost_per_unit, effective_cost_per_unit from unit_costs order by"
            " charge_date"
        ).fetchall()
        check = find_check("unit_costs_equal_charges").sql
        assert connection.execute(check).fetchall() == []
        (query,) = (query for query in use_cases() if query.name == "unit_costs")
        months = [{"from": date(2026, 9, 1), "to": date(2026, 10, 1)}]
        answer = connection.execute(query.sql, *months).fetchall()
        connection.execute(
            "update unit_costs set billed_cost_per_unit = null where charge_date = '2026-09-02'"
        )
        assert len(connection.execute(check).fetchall()) == 1
    assert rows == [
        *((None, None), (Decimal("-9.5e18"), None), (None, None), (None, None)),
        *((Decimal(2 * 10**9), Decimal(6 * 10**9)), (None, None)),
    ]
    with localcontext(prec=80):
        cost, units = Decimal(f"1{'0' * 19}") + Decimal("192.5"), Decimal("1.000000001000000002")
        month = (cost / units).quantize(Decimal("1e-12"), ROUND_HALF_UP)
    assert [row[-2:] for row in answer] == [(month, None)]


BAD = {
    "date,metric,value\n2026-09-01,orders,1\n2026-09-01,orders,2\n":
        "line 3 repeats orders of the whole tenant on 2026-09-01, which line 2 has",
    "date,metric,value,project\n2026-09-01,orders,1,wep\n": "line 2: project is 'wep'",
    "date,metric,value\n2026-09-01,orders,-1\n": "line 2: value is '-1'",
    "date,metric,value\n2026-09-01,orders,\"1,5\"\n": "line 2: value is '1,5'",
    "date,metric,value\n2026-09-01,orders,\n": "Leave out days without a value",
    "date,metric,value\n2026-09-01,orders,1e30\n": "line 2: value is '1e30'",
    "date,metric,value\n2026-09-01,orders,0.0000000001\n": "0, or at least 0.000000001",
    "date,metric,value\n01.09.2026,orders,1\n": "line 2: date is '01.09.2026'",
    "date,metric,value\n2026-13-01,orders,1\n": "line 2: date is '2026-13-01'",
    "date,metric,value\n2026-09-01,Orders!,1\n": "line 2: metric name 'Orders!'",
    "date,metric,value\n2026-09-01,orders\n": "line 2 has 2 values",
    "date;metric;value\n2026-09-01;orders;1\n": "has the columns date;metric;value",
    "day,metric,value\n2026-09-01,orders,1\n": "has the columns day, metric, value",
    "date,metric,value,more\n2026-09-01,orders,1,2\n": "the columns date, metric, value, more",
    "date,metric,value\n": "has no values",
    "": "has the columns nothing",
    "PAR1 is not enough": "is not a readable Parquet file",
    "PK\x03\x04\x00\x00": "has the columns",
}  # fmt: skip


def test_a_bad_file_is_refused_with_its_place_and_nothing_is_stored(measured: Measured) -> None:
    before = measured.rows("from business_metrics order by all")
    files = {path: path.stat().st_mtime_ns for path in measured.folder.rglob("*.parquet")}
    for content, message in BAD.items():
        said = measured.finops("metrics", "load", "acme", measured.write(content), fails=True)
        assert message in said and "metrics.csv" in said, (content, said)
    latin = measured.folder / "latin.csv"
    latin.write_bytes("date,metric,value\n2026-09-01,größe,1\n".encode("latin-1"))
    assert "not a CSV in UTF-8" in measured.finops(
        "metrics", "load", "acme", str(latin), fails=True
    )
    (measured.folder / "empty").mkdir()
    both = measured.write("date,metric,value,project\n2026-09-01,orders,1,web\n")
    for arguments, message in (
        ((both, "--project", "web"), "Leave out --project"),
        ((both, "--project", "wep"), "Did you mean web?"),
        ((str(measured.folder / "empty"),), "is a folder"),
        ((str(measured.folder / "none.csv"),), "cannot be read"),
        ((str(published_files(measured.made.folder("globex"))[0]),), "not tenant acme's own"),
    ):
        assert message in measured.finops("metrics", "load", "acme", *arguments, fails=True)
    assert measured.rows("from business_metrics order by all") == before
    assert files == {path: path.stat().st_mtime_ns for path in measured.folder.rglob("*.parquet")}


def test_values_outlast_backup_restore_and_a_lost_ledger(measured: Measured) -> None:
    before = measured.rows("from business_metrics order by all")
    units = measured.rows("from unit_costs order by all")
    assert "problems" not in measured.finops("verify", "acme")
    backup = measured.folder / "backup"
    measured.finops("backup", "acme", str(backup))
    measured.finops("metrics", "remove", "acme", "orders")
    shutil.rmtree(measured.made.folder("acme"))
    measured.finops("restore", str(backup), "acme")
    assert measured.rows("from business_metrics order by all") == before
    folder = measured.made.folder("acme")
    own = published_files(folder, "business_metrics")[0]
    elsewhere = folder / ".store" / partition_folder("business_metrics", "visits", "2026-09")
    store_copy(own, elsewhere, Identity("acme", "of-another-installation"))
    for name in ("ledger.sqlite", ".ledger-copy.sqlite"):
        (folder / name).unlink()
    measured.finops("rebuild", "acme")
    assert measured.rows("from business_metrics order by all") == before
    assert measured.rows("from unit_costs order by all") == units
    assert "problems" not in measured.finops("verify", "acme")


def test_a_lost_file_of_values_is_named_and_can_be_loaded_again(measured: Measured) -> None:
    before = measured.rows("from business_metrics order by all")
    lost = published_files(measured.made.folder("acme"), "business_metrics")[0]
    lost.unlink()
    cure = "Load its values again: finops metrics load acme FILE"
    assert cure in measured.finops("verify", "acme", fails=True)
    assert cure in measured.finops("ingest", "acme", fails=True)
    assert measured.rows("from business_metrics order by all") == before
    measured.finops("rebuild", "acme", fails=True)
    assert measured.rows("from business_metrics order by all") != before
    measured.finops("metrics", "load", "acme", measured.write(metrics("acme")))
    assert measured.rows("from business_metrics order by all") == before
    measured.finops("verify", "acme")


def test_removing_a_project_removes_no_file_that_may_have_others(measured: Measured) -> None:
    files = published_files(measured.made.folder("acme"), "business_metrics")
    lost = next(path for path in files if "orders" in str(path))
    lost.rename(measured.folder / "aside")
    for project in ("web", "platform"):
        remove = ("metrics", "remove", "acme", "orders", "--project", project)
        said = measured.finops(*remove, fails=True)
        assert "is missing" in said and "finops metrics load acme FILE" in said
    (measured.folder / "aside").rename(lost)
    assert "no values of the metric orders for project platform" in measured.finops(
        *remove, fails=True
    )
    measured.finops("verify", "acme")


def test_a_renamed_project_keeps_its_values(measured: Measured) -> None:
    measured.finops("project", "rename", "acme/web", "shop")
    measured.finops("ingest", "acme")
    projects = measured.rows("select distinct project from business_metrics order by all")
    assert [row["project"] for row in projects] == ["data", "shop", None]
    assert measured.rows("from unit_costs where project = 'shop' and value > 0")
    assert Path(measured.made.folder("acme")).exists()
    # An earlier project of the new name has values of the same days: neither value is lost.
    measured.finops("project", "remove", "acme/data", "--yes", "acme/data")
    measured.finops("ingest", "acme")
    before = measured.finops("metrics", "list", "acme")
    said = measured.finops("project", "rename", "acme/shop", "data", fails=True)
    assert "project acme/data has values of orders for 2 of the same days, such as 2026-08" in said
    assert measured.finops("metrics", "list", "acme") == before
    cure = "finops metrics remove acme orders --project data"
    assert cure in said
    measured.finops(*cure.split()[1:])
    measured.finops("project", "rename", "acme/shop", "data")
    assert "shop" not in measured.finops("metrics", "list", "acme")
