"""The synthetic estate: reproducible bytes, the layouts of AWS, and a truth that matches its files.

Put here: tests of the whole estate. Keep out: single deliveries
(test_synthetic_deliveries.py), readers (synthetic_bills.py).
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from finops_pipeline.synthetic.estate import write_estate
from tests.support.synthetic_bills import (
    LAST,
    LOCATIONS,
    SEED,
    SOURCES,
    ZERO,
    Row,
    bill_digests,
    claimed_by,
    cur_entry,
    current_manifests,
    data_files,
    entries_of,
    focus_entry,
    focus_faults,
    number,
    read_bill,
)


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("estate")
    assert write_estate(folder, seed=SEED, last_month=LAST) == folder / "tenants.yaml"
    return folder


@pytest.fixture(scope="module")
def truth(estate: Path) -> Row:
    loaded: Row = json.loads((estate / "truth.json").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def bills(estate: Path) -> dict[tuple[str, str, str], list[Row]]:
    """All rows of all current deliveries, by (tenant, source, month)."""
    return {
        (tenant, source, month): read_bill(estate, manifest)
        for tenant, source in SOURCES
        for month, manifest in current_manifests(estate, tenant, source).items()
    }


def test_a_month_has_the_same_bytes_whatever_else_is_written(estate: Path, tmp_path: Path) -> None:
    """In another process, with another hash seed and fewer months, the files are byte-identical."""
    code = (
        "import sys; from pathlib import Path;"
        "from finops_pipeline.synthetic.estate import write_estate;"
        f"write_estate(Path(sys.argv[1]), seed={SEED}, last_month='{LAST}', months=2)"
    )
    root = str(Path(__file__).parents[1])
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": root, "TZ": "Asia/Tokyo"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env=environment)
    partial, complete = bill_digests(tmp_path), bill_digests(estate)
    assert len(partial) > 20
    assert partial == {name: complete[name] for name in partial}
    assert (tmp_path / "tenants.yaml").read_bytes() == (estate / "tenants.yaml").read_bytes()


def test_every_manifest_names_files_that_exist(estate: Path) -> None:
    manifests = sorted(estate.rglob("*-Manifest.json"))
    assert len(manifests) == 42  # 4 sources x 7 months, twice where versions are kept
    for manifest in manifests:
        files = data_files(estate, manifest)
        assert files
        assert all(file.is_file() for file in files), manifest
    named = {file for manifest in manifests for file in data_files(estate, manifest)}
    assert named == set(estate.rglob("*.csv.gz")) | set(estate.rglob("*.parquet"))


def test_manifest_columns_are_the_columns_of_the_files(estate: Path) -> None:
    for tenant, source in SOURCES:
        for manifest in current_manifests(estate, tenant, source).values():
            columns = json.loads(manifest.read_text(encoding="utf-8"))["columns"]
            for file in data_files(estate, manifest):
                if file.suffix == ".parquet":
                    assert pq.read_schema(file).names == [c["name"] for c in columns]
                else:
                    text = gzip.decompress(file.read_bytes()).decode().split("\n", 1)[0]
                    assert text.split(",") == [f"{c['category']}/{c['name']}" for c in columns]


def test_truth_equals_an_independent_sum_of_the_files(
    estate: Path, truth: Row, bills: dict[tuple[str, str, str], list[Row]]
) -> None:
    declared = yaml.safe_load((estate / "tenants.yaml").read_text(encoding="utf-8"))
    tenants = {tenant["name"]: tenant for tenant in declared["tenants"]}
    assert len(bills) == 28
    for (tenant, source, month), rows in bills.items():
        expected = truth["tenants"][tenant]["sources"][source][month]
        entries = entries_of(rows)
        kinds: dict[str, list[Any]] = defaultdict(lambda: [0, ZERO])
        accounts: dict[str, Decimal] = defaultdict(Decimal)
        projects: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        for entry in entries:
            kinds[entry["kind"]][0] += 1
            kinds[entry["kind"]][1] += entry["billed"]
            accounts[entry["account"]] += entry["billed"]
            name = claimed_by(tenants[tenant], source, entry["account"], entry["day"])
            projects[name]["billed_cost"] += entry["billed"]
            projects[name]["effective_cost"] += entry["effective"]
        assert expected["rows"] == len(rows)
        assert Decimal(expected["billed_cost"]) == sum(e["billed"] for e in entries)
        assert Decimal(expected["effective_cost"]) == sum(e["effective"] for e in entries)
        by_type = {k: [n, Decimal(c)] for k, (n, c) in expected["by_line_item_type"].items()}
        assert by_type == kinds
        assert {a: Decimal(c) for a, c in expected["by_account"].items()} == accounts
        for name, amounts in expected["by_project"].items():
            for basis, amount in amounts.items():
                assert Decimal(amount) == projects[name][basis], (tenant, source, month, name)
        assert set(projects) <= set(expected["by_project"])
        assert "E" not in expected["billed_cost"] + expected["effective_cost"]


def test_net_columns_exist_in_a_single_source(
    truth: Row, bills: dict[tuple[str, str, str], list[Row]]
) -> None:
    for (tenant, source, month), rows in bills.items():
        expected = truth["tenants"][tenant]["sources"][source][month]
        if (tenant, source) == ("globex", "payer"):
            net = sum(number(row, "line_item_net_unblended_cost") for row in rows)
            assert Decimal(expected["net_billed_cost"]) == net
            assert all(row["line_item_net_unblended_cost"] is not None for row in rows)
            assert net < Decimal(expected["billed_cost"])
        else:
            assert "net_billed_cost" not in expected
            assert not any("net_unblended" in name for name in rows[0])


def test_commitments_without_upfront_balance_to_the_last_digit(
    truth: Row, bills: dict[tuple[str, str, str], list[Row]]
) -> None:
    upfront_seen = plain_seen = 0
    for (tenant, source, month), rows in bills.items():
        commitments = truth["tenants"][tenant]["sources"][source][month]["by_commitment"]
        sums: dict[str, dict[str, Decimal]] = {arn: defaultdict(Decimal) for arn in commitments}
        for entry in entries_of(rows):
            if entry["commitment"]:
                for part in ("fee", "used", "unused"):
                    sums[entry["commitment"]][part] += entry[part]
        for arn, amounts in commitments.items():
            parts = sums[arn]
            assert Decimal(amounts["fees"]) == parts["fee"]
            assert Decimal(amounts["used"]) == parts["used"] > 0
            assert Decimal(amounts["unused"]) == parts["unused"] > 0
            if amounts["upfront"]:
                upfront_seen += 1
            else:
                plain_seen += 1
                assert parts["used"] + parts["unused"] == parts["fee"], (tenant, source, month)
    assert upfront_seen > 14
    assert plain_seen > 14


def test_negations_cancel_the_covered_usage(
    bills: dict[tuple[str, str, str], list[Row]],
) -> None:
    for (tenant, source, _), rows in bills.items():
        if (tenant, source) in {("acme", "payer"), ("globex", "payer")}:
            pair: dict[str, Decimal] = defaultdict(Decimal)
            for row in rows:
                pair[row["line_item_line_item_type"]] += number(row, "line_item_unblended_cost")
            assert pair["SavingsPlanCoveredUsage"] > 0
            assert pair["SavingsPlanCoveredUsage"] == -pair["SavingsPlanNegation"]


def test_the_bill_contains_every_difficult_kind_of_line(
    bills: dict[tuple[str, str, str], list[Row]],
) -> None:
    everything = {
        "Usage", "DiscountedUsage", "RIFee", "Fee", "SavingsPlanCoveredUsage",
        "SavingsPlanNegation", "SavingsPlanRecurringFee", "SavingsPlanUpfrontFee", "Tax",
        "Credit", "Refund", "BundledDiscount", "RiVolumeDiscount", "EdpDiscount", "FutureCharge",
    }  # fmt: skip
    acme = [row for (t, s, _), rows in bills.items() if (t, s) == ("acme", "payer") for row in rows]
    assert {row["line_item_line_item_type"] for row in acme} == everything
    costs = [row["line_item_unblended_cost"] for row in acme]
    assert any("E-" in cost for cost in costs)
    assert max(-int(Decimal(cost).as_tuple().exponent) for cost in costs) == 17
    assert max(number(row, "line_item_usage_amount") for row in acme) > 10**10
    texts = [row["line_item_line_item_description"] for row in acme]
    assert any("," in text and '"' in text and "\n" in text for text in texts)
    assert any(row["pricing_purchase_option"] == "Spot" for row in acme)
    assert {row["bill_billing_entity"] for row in acme} == {"AWS", "AWS Marketplace"}
    assert any(row["line_item_usage_end_date"] < row["bill_billing_period_start_date"]
               for row in acme if row["bill_bill_type"] == "Refund")  # fmt: skip
    assert {row["line_item_usage_account_id"] for row in acme} >= {"001122334455", "777788889999"}
    late = "resourceTags/user:CostCenter"
    months = [m for (t, s, m), rows in bills.items() if (t, s) == ("acme", "payer")
              and late in rows[0]]  # fmt: skip
    assert months == ["2026-05", "2026-06", "2026-07", "2026-08", "2026-09"]


def test_the_open_month_has_twelve_days(bills: dict[tuple[str, str, str], list[Row]]) -> None:
    for (tenant, source, month), rows in bills.items():
        days = {e["day"].day for e in entries_of(rows) if e["kind"] == "Usage"
                and e["day"].isoformat().startswith(month)}  # fmt: skip
        if month == LAST:
            assert days == set(range(1, 13)), (tenant, source)
        else:
            assert days >= set(range(1, 31)), (tenant, source, month)


def test_parquet_types_are_the_documented_ones(estate: Path) -> None:
    labs, payer = (
        pq.read_schema(data_files(estate, current_manifests(estate, tenant, source)["2026-08"])[0])
        for tenant, source in (("acme", "labs"), ("globex", "payer"))
    )
    text_map = pa.map_(pa.string(), pa.string())
    assert len(labs.names) == 60
    assert labs.names[57:] == ["x_Discounts", "x_Operation", "x_ServiceCode"]
    assert labs.field("BilledCost").type == pa.float64()
    assert labs.field("ChargePeriodStart").type == pa.timestamp("ms")
    assert labs.field("Tags").type == text_map
    assert labs.field("x_Discounts").type == pa.map_(pa.string(), pa.float64())
    assert payer.field("product").type == payer.field("resource_tags").type == text_map
    assert payer.field("cost_category").type == text_map
    assert payer.field("line_item_unblended_cost").type == pa.float64()
    assert payer.field("savings_plan_used_commitment").type == pa.string()
    assert payer.field("bill_payer_account_id").type == pa.string()


def test_focus_rows_keep_the_cross_column_rules(
    bills: dict[tuple[str, str, str], list[Row]],
) -> None:
    rows = [row for (_, source, _), bill in bills.items() if source == "labs" for row in bill]
    assert [(fault, row) for row in rows for fault in focus_faults(row)] == []
    assert {row["ChargeCategory"] for row in rows} == {
        "Usage", "Purchase", "Tax", "Credit", "Adjustment",
    }  # fmt: skip
    assert {row["PricingCategory"] for row in rows} == {None, "Standard", "Dynamic", "Committed"}
    assert {row["ChargeClass"] for row in rows} == {None, "Correction"}
    broken = dict(rows[0], ListCost=rows[0]["ListCost"] + 1, SkuId=None)
    assert set(focus_faults(broken)) == {"R3", "R4"}


def test_each_marker_stays_with_its_tenant(
    truth: Row, bills: dict[tuple[str, str, str], list[Row]]
) -> None:
    markers = {name: tenant["marker"] for name, tenant in truth["tenants"].items()}
    assert len(set(markers.values())) == 2
    for (tenant, source, month), rows in bills.items():
        text = json.dumps(rows, default=str)
        present = {name for name, marker in markers.items() if marker in text}
        assert present == {tenant}, (tenant, source, month)


def test_tenants_overlap_in_accounts_and_projects(estate: Path) -> None:
    loaded = yaml.safe_load((estate / "tenants.yaml").read_text(encoding="utf-8"))
    acme, globex = loaded["tenants"]
    assert (acme["name"], globex["name"]) == ("acme", "globex")
    names = [{p["name"] for p in tenant["projects"]} for tenant in (acme, globex)]
    assert names[0] & names[1] == {"prod", "staging", "dev"}
    for tenant in (acme, globex):
        claims = [claim for project in tenant["projects"] for claim in project["accounts"]]
        ids = [claim["id"] if isinstance(claim, dict) else claim for claim in claims]
        assert all(isinstance(account, str) and len(account) == 12 for account in ids)
        assert "777788889999" not in ids
        assert ids.count("444455556666") == 2
        for source in tenant["sources"]:
            assert source["location"] == LOCATIONS[tenant["name"], source["name"]]


def test_planted_anomalies_stand_out_in_the_files(
    truth: Row, bills: dict[tuple[str, str, str], list[Row]]
) -> None:
    planted = [(n, a) for n, tenant in truth["tenants"].items() for a in tenant["anomalies"]]
    assert len(planted) == 5
    for tenant, spike in planted:
        daily: dict[str, Decimal] = defaultdict(Decimal)
        for row in bills[tenant, spike["source"], spike["month"]]:
            focus = "ChargeCategory" in row
            code = row["x_ServiceCode"] if focus else row["line_item_product_code"]
            entry = cur_entry(row) if not focus else focus_entry(row)
            metered = entry["kind"] == "Usage" and not entry["commitment"]
            refunded = focus and row["ChargeFrequency"] != "Usage-Based"
            is_spiked = (code, entry["account"]) == (spike["service_code"], spike["account"])
            if is_spiked and metered and not refunded:
                daily[entry["day"].isoformat()] += entry["billed"]
        assert {day: Decimal(c) for day, c in spike["daily_cost"].items()} == daily
        for day in spike["days"]:
            assert daily[day] > 3 * Decimal(spike["usual_daily_cost"])


def test_planted_waste_is_on_the_bill(
    truth: Row, bills: dict[tuple[str, str, str], list[Row]]
) -> None:
    waste = truth["tenants"]["globex"]["waste"]
    kinds = {item["kind"] for item in waste}
    assert kinds == {"idle instance", "unattached volume", "unused commitment"}
    for item in waste:
        total = ZERO
        for row in bills["globex", item["source"], item["month"]]:
            entry = cur_entry(row)
            if item["kind"] == "unused commitment":
                total += entry["unused"] if entry["commitment"] == item["resource_id"] else ZERO
            elif row["line_item_resource_id"] == item["resource_id"]:
                total += entry["billed"]
        assert Decimal(item["cost"]) == total > 0
