"""Rules of waste on small bills: a hit, a near miss and an unknown of each, and its saving.

Put here: what each rule finds, defects of other tools' rules, prices. Keep out: how findings
exclude each other and what becomes of them (test_waste_findings.py).
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from finops_pipeline.errors import SettingError
from finops_pipeline.lake.duck import fetch_dicts
from finops_pipeline.marts.library import head
from finops_pipeline.marts.price_list import read_price_list, shipped_prices
from finops_pipeline.marts.waste_rules_library import RULE_COLUMNS, read_rule, waste_rules
from tests.conftest import TemporaryInstallation
from tests.support.sql_tables import tables_read
from tests.support.waste_bills import DEV, OTHER, ask, ingest_bills
from tests.support.waste_cases import EC2, HITS, MISSES, every_use, hours, stored

PRICES = """\
service_code,price_code,region_id,unit,price,currency,valid_from,source_url
AmazonElastiCache,NodeUsage:cache.m5.large/Valkey,us-east-1,Hrs,0.1248,USD,2026-01-01,contract
"""
HUGE = [
    replace(use, resource="huge", amount="500000000000000", listed="1")
    for rule in ("A16", "A20", "A08", "A14")
    for use in HITS[rule][0]
]
"""Usage whose cost no exact saving can be computed of; it is listed at more than its price."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> TemporaryInstallation:
    folder = tmp_path_factory.mktemp("waste")
    busy = hours("nat-busy", EC2, "NatGateway-Hours", "0.045")
    unlisted = stored("unlisted", "TimedStorage-GlacierByteHrs", "100", "0.0036", listed="0")
    (folder / "prices.csv").write_text(PRICES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FINOPS_PRICES", str(folder / "prices.csv"))
        return ingest_bills(folder, every_use(), [busy, unlisted, *HUGE])


@pytest.fixture(scope="module")
def findings(made: TemporaryInstallation) -> list[dict[str, Any]]:
    return list(ask(made, "acme", "from waste_findings"))


def finding_of(
    findings: list[dict[str, Any]], rule: str, resource: str | None
) -> dict[str, Any] | None:
    rows = [row for row in findings if (row["rule"], row["resource_id"]) == (rule, resource)]
    assert len(rows) <= 1
    return rows[0] if rows else None


@pytest.mark.parametrize("rule", HITS)
def test_a_rule_finds_its_waste(findings: list[dict[str, Any]], rule: str) -> None:
    uses, saving = HITS[rule]
    row = finding_of(findings, rule, uses[0].resource)
    assert row is not None and row["state"] == "found" and row["status"] == "open"
    expected = None if saving is None else Decimal(saving)
    assert row["monthly_saving"] == expected
    assert (row["reason"] is None) is (expected is not None)
    assert row["project"] == ("lab" if uses[0].account == DEV else "shop")
    assert expected is None or expected <= row["cost"]
    assert json.loads(row["evidence"])


@pytest.mark.parametrize("rule", MISSES)
def test_a_rule_leaves_a_near_miss_alone(findings: list[dict[str, Any]], rule: str) -> None:
    assert finding_of(findings, rule, MISSES[rule][0].resource) is None


@pytest.mark.parametrize("rule", HITS)
def test_a_bill_without_resource_ids_is_unknown(findings: list[dict[str, Any]], rule: str) -> None:
    (row,) = [
        r for r in findings
        if r["rule"] == rule and r["resource_id"] is None and r["sub_account_id"] == OTHER
    ] if rule not in ("A07", "A09", "A16") else [None]  # fmt: skip
    if row is None:
        return
    assert (row["state"], row["monthly_saving"], row["counted_saving"]) == ("unknown", None, 0)
    assert row["reason"] == "The bill does not name the resource."
    assert row["cure"] == "Include resource ids in the export."


def test_without_a_list_price_the_saving_is_not_known(made: TemporaryInstallation) -> None:
    (row,) = ask(
        made, "globex", "from waste_findings where resource_id = 'unlisted' and rule = 'A20'"
    )
    assert (row["state"], row["monthly_saving"], row["counted_saving"]) == ("unknown", None, 0)
    assert row["reason"].startswith("The bill has no list price") and row["cure"]


@pytest.mark.parametrize("rule", ["A08", "A14", "A16", "A20"])
def test_amounts_that_are_too_large_leave_a_finding(made: TemporaryInstallation, rule: str) -> None:
    """What no decimal holds exactly is unknown; it neither fails nor vanishes."""
    (row,) = ask(
        made, "globex", f"from waste_findings where rule = '{rule}' and resource_id = 'huge'"
    )
    assert (row["state"], row["monthly_saving"], row["counted_saving"]) == ("unknown", None, 0)
    assert row["reason"] == "The amounts are too large for an exact saving." and row["cure"]


def test_every_rule_of_the_bill_is_tried() -> None:
    tried = {*HITS, "A10", "A24"}
    assert {rule.rule for rule in waste_rules() if rule.tier == "A"} == tried
    assert len(tried) >= 25


def test_d3_gp3_is_compared_with_the_size_of_a_volume(findings: list[dict[str, Any]]) -> None:
    small, large = finding_of(findings, "A08", "vol-151"), finding_of(findings, "A08", "vol-4000")
    assert small is not None and large is not None
    assert round(small["monthly_saving"], 2) == Decimal("2.90")
    # 20 % of USD 400, without 9000 IOPS and 125 MB/s
    assert round(large["monthly_saving"], 2) == Decimal("30.00")


def test_d8_rules_of_nat_and_transit_gateways_are_two(findings: list[dict[str, Any]]) -> None:
    assert finding_of(findings, "A01", "tgw-idle") is None
    assert finding_of(findings, "A29", "nat-idle") is None


def test_d9_the_new_cost_is_that_of_the_other_class(findings: list[dict[str, Any]]) -> None:
    """0.004 of 0.0125 is 32 %, so 68 % are saved."""
    row = finding_of(findings, "A21", "rare")
    assert row is not None and row["monthly_saving"] / row["cost"] == Decimal("0.68")


def test_d10_arm_saves_nothing_on_requests(findings: list[dict[str, Any]]) -> None:
    row = finding_of(findings, "A14", "fn-x86")
    assert row is not None and row["cost"] == Decimal("50.0001")


def test_d11_aurora_is_judged_by_cluster(findings: list[dict[str, Any]]) -> None:
    rows = [row for row in findings if row["rule"] == "A24"]
    assert [(r["resource_id"], r["state"], r["cure"]) for r in rows if r["resource_id"]] == [
        ("cluster-io", "unknown", "rds:DescribeDBClusters")
    ]


def test_d12_usage_without_bytes_is_not_divided(findings: list[dict[str, Any]]) -> None:
    for rule, resource in (("A03", "vpce-idle"), ("A04", "fw-idle")):
        row = finding_of(findings, rule, resource)
        assert row is not None and Decimal(json.loads(row["evidence"])["gigabytes"]) == 0


def test_d20_only_resources_of_the_whole_window_are_judged(findings: list[dict[str, Any]]) -> None:
    assert not [row for row in findings if row["resource_id"] in ("i-young", "i-gone")]
    assert {row["window_start"] for row in findings} == {date(2026, 9, 1)}


def test_d21_the_saving_has_the_rate_of_the_resource(findings: list[dict[str, Any]]) -> None:
    """At half the list price, half as much is saved; and no rule has a price."""
    row = finding_of(findings, "A12", "i-deal")
    assert row is not None and round(row["monthly_saving"], 9) == Decimal("6.84")
    for rule in waste_rules():
        assert "prices" in rule.reads or "prices." not in rule.sql


def test_a_missing_price_is_not_guessed(findings: list[dict[str, Any]]) -> None:
    row = finding_of(findings, "A12", "i-far")
    assert row is not None and row["state"] == "unknown"
    assert (row["monthly_saving"], row["counted_saving"]) == (None, 0)
    assert row["reason"] == "No price of BoxUsage:m6g.large is known for this region."


def test_an_age_that_the_bill_cannot_tell_is_unknown(findings: list[dict[str, Any]]) -> None:
    row = finding_of(findings, "A10", "snap-any")
    assert row is not None and row["state"] == "unknown"
    assert "ec2:DescribeSnapshots" in row["cure"]


def test_a_price_of_the_bill_comes_before_the_list(made: TemporaryInstallation) -> None:
    rows = ask(
        made, "acme", "select price, origin from prices where price_code = 'BoxUsage:m5.large'"
        " and region_id = 'us-east-1'",
    )  # fmt: skip
    assert [tuple(row.values()) for row in rows] == [(Decimal("0.096"), "bill")]


def test_an_installation_completes_the_list(tmp_path: Any) -> None:
    file = tmp_path / "prices.csv"
    names = "service_code,price_code,region_id,unit,price,currency,valid_from,source_url\n"
    file.write_text(names + "AmazonEC2,X,eu-west-1,Hrs,0.5,USD,2026-01-01,contract\n")
    prices = read_price_list(str(file))
    assert len(prices) == len(shipped_prices()) + 1 and prices[-1].origin == "installation"
    file.write_text(names + "AmazonEC2,X,eu-west-1,Hrs,NaN,USD,2026-01-01,contract\n")
    with pytest.raises(SettingError, match="FINOPS_PRICES"):
        read_price_list(str(file))


@pytest.mark.parametrize("rule", waste_rules(), ids=lambda rule: rule.name)
def test_a_rule_runs_unchanged_in_the_file(made: TemporaryInstallation, rule: Any) -> None:
    """An analyst gets the fixed columns, and everything that the table of findings has."""
    rows = list(ask(made, "acme", rule.sql))
    assert tables_read(rule.sql) == rule.reads
    for row in rows:
        assert tuple(row) == RULE_COLUMNS
    listed = ask(made, "acme", f"from waste_findings where rule = '{rule.rule}'")
    names = ("sub_account_id", "region_id", "resource_id")
    # resources that the bill does not name may have several prices, and are one finding
    assert {tuple(r[n] for n in names) for r in listed} == {
        tuple(r[n] for n in names) for r in rows
    }


def test_a_rule_with_prices_runs_as_a_query(made: TemporaryInstallation) -> None:
    (rule,) = (rule for rule in waste_rules() if rule.rule == "A12")
    rows = made.rows("acme", rule.sql.partition("\n\n")[2])  # the head begins like an option
    assert {row["resource_id"] for row in rows} >= {"i-x86", "i-deal"}


def test_rules_run_unchanged_in_an_export(made: TemporaryInstallation, tmp_path: Any) -> None:
    """Elsewhere, too, they find the same."""
    made.finops("export", "acme", "-o", str(tmp_path / "acme.duckdb"))
    with duckdb.connect(str(tmp_path / "acme.duckdb"), read_only=True) as connection:
        for rule in waste_rules():
            rows = fetch_dicts(connection.execute(rule.sql))
            assert sorted(map(str, rows)) == sorted(map(str, ask(made, "acme", rule.sql)))


def test_heads_refuse_keys_that_nothing_reads() -> None:
    rule = waste_rules()[0]
    assert head(rule.sql)["rule"] == "A01"
    with pytest.raises(ValueError, match="colour"):
        read_rule(rule.name, rule.sql.replace("-- effort:", "-- colour: red\n-- effort:"))
    with pytest.raises(ValueError, match="effort"):
        read_rule(rule.name, rule.sql.replace("-- effort: low", "-- effort: tiny"))
