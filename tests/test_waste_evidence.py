"""Rules that read inventories and statistics: a hit, near misses and what is unknown of each.

Put here: what each rule of tiers B and C finds in planted tables. Keep out: rules of the bill
(test_waste_rules.py), two tenants and their bills, inventories and CloudWatch at the doorway
(test_waste_doorway.py).
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from finops_pipeline.marts.waste_findings import waste_sql
from finops_pipeline.marts.waste_rules_library import waste_rules
from finops_pipeline.sources.inventory_table import CALLS
from finops_pipeline.sources.usage_metrics import METRICS
from tests.support.waste_evidence import Billed, Metric, Planted, World
from tests.support.waste_inventory_cases import INVENTORY_CASES
from tests.support.waste_metric_cases import METRIC_CASES

CASES = {**METRIC_CASES, **INVENTORY_CASES}
RULES = pytest.mark.parametrize("rule", CASES)
MEASURED = pytest.mark.parametrize("rule", METRIC_CASES)


@pytest.fixture(scope="module")
def planted() -> Planted:
    return Planted()


def of_resource(planted: Planted, rule: str, world: World) -> list[dict[str, Any]]:
    resource = CASES[rule].resource
    return [row for row in planted.findings(rule, world) if row["resource_id"] == resource]


def only(rows: list[dict[str, Any]]) -> dict[str, Any]:
    (row,) = rows
    return row


@RULES
def test_a_rule_finds_its_waste(planted: Planted, rule: str) -> None:
    case = CASES[rule]
    row = only(planted.findings(rule, case.world))
    assert (row["resource_id"], row["state"]) == (case.resource, "found")
    assert row["monthly_saving"] == (None if case.saving is None else Decimal(case.saving))
    assert (row["reason"] is None) is (row["cure"] is None) is (case.saving is not None)
    assert row["cost"] == sum(Decimal(use.cost) for use in case.world.bill)
    assert json.loads(row["evidence"])


@RULES
def test_a_rule_leaves_near_misses_alone(planted: Planted, rule: str) -> None:
    assert CASES[rule].misses
    for world in CASES[rule].misses:
        assert of_resource(planted, rule, world) == []


@RULES
def test_what_is_not_stated_is_unknown(planted: Planted, rule: str) -> None:
    assert CASES[rule].unknown
    for world, cure in CASES[rule].unknown:
        row = only(planted.findings(rule, world))
        assert (row["state"], row["monthly_saving"]) == ("unknown", None)
        assert row["reason"] and cure in row["cure"]


@RULES
def test_a_resource_that_is_gone_is_not_waste(planted: Planted, rule: str) -> None:
    case = CASES[rule]
    first = replace(case.world.listed[0], last_seen=date(2026, 9, 29))
    assert planted.findings(rule, replace(case.world, listed=(first, *case.world.listed[1:]))) == []


@RULES
def test_without_an_inventory_each_place_is_unknown_once(planted: Planted, rule: str) -> None:
    case = CASES[rule]
    more = tuple(replace(use, resource=f"{use.resource}0") for use in case.world.bill)
    row = only(planted.findings(rule, World((*case.world.bill, *more))))
    assert (row["state"], row["resource_id"]) == ("unknown", None)
    assert row["cost"] == 2 * sum(Decimal(use.cost) for use in case.world.bill)
    assert json.loads(row["evidence"]) == {"resources": "2"}
    assert "Add an inventory of this account and region: " in row["cure"]
    assert case.permission in row["cure"]


@RULES
def test_a_denied_listing_is_unknown_and_names_the_permission(planted: Planted, rule: str) -> None:
    case = CASES[rule]
    kind = case.world.listed[0].kind
    action = case.permission.split(",")[0]
    types = tuple(name for name in case.world.types if name != kind)
    world = replace(case.world, types=types, denied={kind: action})
    row = only(planted.findings(rule, world))
    assert (row["state"], row["resource_id"], row["monthly_saving"]) == ("unknown", None, None)
    assert f"AWS denied {action}." in row["reason"]
    assert row["cure"] == f"Allow {action}."


@RULES
def test_an_old_inventory_proves_nothing(planted: Planted, rule: str) -> None:
    row = only(_with_old_inventory(planted, rule))
    assert row["state"] == "unknown" and "is of 2026-08-31" in row["reason"]


def _with_old_inventory(planted: Planted, rule: str) -> list[dict[str, Any]]:
    planted.findings(rule, CASES[rule].world)
    connection = planted.connection
    connection.execute("update inventory_coverage set as_of = date '2026-08-31'")
    connection.execute("delete from inventory_gaps")
    connection.execute(f"insert into inventory_gaps {waste_sql('inventory_gaps')}")
    (sql,) = (known.sql for known in waste_rules() if known.rule == rule)
    names = [column[0] for column in connection.execute(sql).description or ()]
    return [dict(zip(names, row, strict=True)) for row in connection.execute(sql).fetchall()]


@RULES
def test_a_resource_that_the_inventory_lacks_is_unknown(planted: Planted, rule: str) -> None:
    case = CASES[rule]
    row = only(planted.findings(rule, replace(case.world, listed=())))
    assert (row["state"], row["resource_id"]) == ("unknown", case.resource)
    assert row["reason"] == "The inventory does not have this resource."


@RULES
def test_a_bill_without_resource_ids_is_unknown(planted: Planted, rule: str) -> None:
    bill = tuple(replace(use, resource=None) for use in CASES[rule].world.bill)
    row = only(planted.findings(rule, replace(CASES[rule].world, bill=bill)))
    assert (row["state"], row["cure"]) == ("unknown", "Include resource ids in the export.")


@MEASURED
def test_d14_without_cloudwatch_each_place_is_unknown_once(planted: Planted, rule: str) -> None:
    """No statistics are neither fine nor zero, of NAT gateways (B04) and of all others."""
    case = CASES[rule]
    listed = tuple(replace(resource, metrics=()) for resource in case.world.listed)
    row = only(planted.findings(rule, replace(case.world, listed=listed)))
    assert (row["state"], row["resource_id"], row["monthly_saving"]) == ("unknown", None, None)
    assert "cloudwatch:GetMetricData" in row["cure"]


@MEASURED
def test_denied_statistics_are_unknown_and_name_the_permission(planted: Planted, rule: str) -> None:
    case = CASES[rule]
    refused = (replace(metric, days=0, state="denied") for metric in case.world.listed[0].metrics)
    row = only(planted.findings(rule, _with_metrics(case.world, *refused)))
    assert (row["state"], row["monthly_saving"]) == ("unknown", None)
    assert row["cure"] == "Allow cloudwatch:GetMetricData."


def test_d15_a_volume_is_either_unattached_or_of_a_stopped_instance(planted: Planted) -> None:
    """A volume without an instance is found as such (C01); an unknown instance is never fine."""
    stopped = CASES["C03"].world
    unattached = replace(
        stopped, listed=(replace(stopped.listed[0], attributes={"attachments": []}),
                         stopped.listed[1]),
    )  # fmt: skip
    assert of_resource(planted, "C03", unattached) == []
    assert only(planted.findings("C01", unattached))["state"] == "found"
    assert planted.findings("C01", stopped) == []
    unknown = replace(stopped, listed=(stopped.listed[0], replace(stopped.listed[1], state=None)))
    assert only(planted.findings("C03", unknown))["state"] == "unknown"


def test_d15_an_instance_of_the_same_id_in_another_region_is_another(planted: Planted) -> None:
    """Its state says nothing about the volume, whose own instance is running."""
    world = CASES["C03"].world
    volume, instance = world.listed
    elsewhere = replace(instance, region="eu-west-1")
    running = replace(instance, state="running")
    assert of_resource(planted, "C03", replace(world, listed=(volume, running, elsewhere))) == []


def test_d17_equal_numbers_of_reads_and_writes_are_added_up(planted: Planted) -> None:
    """Half a read and half a write a day are one; a union of equal rows would make it half."""
    case = CASES["B06"]

    def at(amount: float) -> list[dict[str, Any]]:
        metrics = (replace(m, statistics={"total": amount}) for m in case.world.listed[0].metrics)
        return planted.findings("B06", _with_metrics(case.world, *metrics))

    assert at(0.5) == []
    evidence = json.loads(only(at(0.4))["evidence"])
    assert float(evidence["reads"]) == float(evidence["writes"]) == pytest.approx(14 * 0.4)


@pytest.mark.parametrize("position", [0, 19, 39])
def test_d19_every_image_is_looked_at(planted: Planted, position: int) -> None:
    """A snapshot that one of forty images needs is no waste, whichever of them it is."""
    case = CASES["C04"]
    snapshot, image, _ = case.world.listed
    images = [
        replace(
            image, identifier=f"ami-{n:02d}", attributes={"snapshots": [f"snap-x{n}", "snap-y"]}
        )
        for n in range(40)
    ]
    world = replace(case.world, listed=(snapshot, *images))
    assert only(of_resource(planted, "C04", world))["state"] == "found"
    images[position] = replace(images[position], attributes={"snapshots": ["snap-1", "snap-z"]})
    assert of_resource(planted, "C04", replace(world, listed=(snapshot, *images))) == []


def test_d18_a_processor_alone_says_nothing_about_the_size(planted: Planted) -> None:
    case = CASES["B02"]
    processor, memory = case.world.listed[0].metrics
    silent = replace(memory, days=0, state="no data")
    row = only(planted.findings("B02", _with_metrics(case.world, processor, silent)))
    assert (row["state"], row["monthly_saving"]) == ("unknown", None)
    assert "CloudWatch agent" in row["cure"]


def test_a_cure_belongs_to_its_reason(planted: Planted) -> None:
    """The budget of a run ended before the processor: no agent would help."""
    case = CASES["B02"]
    first = case.world.listed[0]
    processor, memory = first.metrics
    metrics = (replace(processor, days=0, state="not asked"), replace(memory, days=13))
    row = only(planted.findings("B02", _with_metrics(case.world, *metrics)))
    assert "CloudWatch has 0 of 14 days of AWS/EC2 CPUUtilization." in row["reason"]
    assert row["cure"] == "Ask CloudWatch again: cloudwatch:GetMetricData."


def _with_metrics(world: World, *metrics: Metric) -> World:
    return replace(world, listed=(replace(world.listed[0], metrics=metrics), *world.listed[1:]))


def test_whether_a_smaller_size_without_a_price_saves_anything_is_unknown(
    planted: Planted,
) -> None:
    row = only(planted.findings("B02", replace(CASES["B02"].world, prices={})))
    assert (row["state"], row["monthly_saving"]) == ("unknown", None)
    assert row["reason"] == "No price of BoxUsage:m5.large is known for this region."
    assert "FINOPS_PRICES" in row["cure"]


@pytest.mark.parametrize("rule", ["B02", "B07"])
def test_amounts_that_are_too_large_leave_a_finding(planted: Planted, rule: str) -> None:
    """What no decimal holds exactly is unknown; it neither fails nor vanishes."""
    huge, *others = CASES[rule].world.bill
    many = replace(huge, cost="60000000000000", list_cost="70000000000000", quantity="9e13")
    row = only(planted.findings(rule, replace(CASES[rule].world, bill=(many, *others))))
    assert (row["state"], row["monthly_saving"]) == ("unknown", None)
    assert row["reason"] == "The amounts are too large for an exact saving." and row["cure"]


def test_statistics_that_two_sources_state_count_once(planted: Planted) -> None:
    case = CASES["B06"]
    planted.findings("B06", case.world)
    connection = planted.connection
    connection.execute(
        "insert into resource_metrics select * replace ('again' as source) from resource_metrics"
    )
    (total,) = connection.execute(
        f"select sum(total) from ({waste_sql('recent_metrics')})"
    ).fetchone() or (None,)
    assert round(total, 6) == round(0.9 * 14, 6)


def test_other_resources_of_the_service_are_left_alone(planted: Planted) -> None:
    """Classic balancers and addresses of interfaces are not what inventories list."""
    classic = Billed("arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/old",
                     "AWSELB", "LoadBalancerUsage")  # fmt: skip
    interface = Billed("arn:aws:ec2:us-east-1:111122223333:network-interface/eni-1", "AmazonVPC",
                       "PublicIPv4:InUseAddress")  # fmt: skip
    for rule, use in (("B05", classic), ("C07", classic), ("C02", interface)):
        assert planted.findings(rule, World((use,))) == []


def test_every_rule_has_cases() -> None:
    """So each is tried without an inventory, with a denied one, and without CloudWatch."""
    rules = {rule.rule for rule in waste_rules() if rule.tier in "BC"}
    assert rules == CASES.keys()
    assert sum(rule.startswith("B") for rule in rules) >= 8
    assert sum(rule.startswith("C") for rule in rules) >= 8


def test_rules_know_what_is_collected() -> None:
    """Types, permissions and metrics in SQL are those that sources ask for."""
    gaps = waste_sql("inventory_gaps").replace("'\n                || '", "")
    calls = {call.resource_type: call for call in CALLS}
    metrics = {metric.metric_name: set(metric.statistics) for metric in METRICS}
    for case in CASES.values():
        for resource in case.world.listed:
            assert f"'{resource.kind}'" in gaps
            for metric in resource.metrics:
                assert set(metric.statistics) <= metrics[metric.name], metric.name
    for kind, call in calls.items():
        if f"'{kind}'" in gaps:
            assert f"'{', '.join(call.actions)}'" in gaps, kind
