"""The marts of usage: kinds of data transfer, classes of storage, hours of instances, split costs.

Put here: the classifications and the sums of split rows. Keep out: the same numbers computed once
more from the charges, which test_commitment_marts.py does for all these marts.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from finops_pipeline.marts.library import marts
from tests.conftest import TemporaryInstallation
from tests.support.commitment_bills import NO_TRANSFER, STORED, TRANSFERS, commitment_bills
from tests.support.published_files import copy_installation
from tests.test_commitment_marts import TENANTS, ask
from tests.test_queries import ask as ask_query

__all__ = ["commitment_bills"]


def test_d8_each_transfer_has_exactly_one_kind(commitment_bills: TemporaryInstallation) -> None:
    """A NAT gateway is no transit gateway; log ingestion and stored bytes move nothing."""
    for tenant in TENANTS:
        rows = ask(
            commitment_bills, tenant,
            "select service_code || '/' || usage_type as meter, kind, direction, gigabytes,"
            " billed_cost, charges from data_transfer",
        )  # fmt: skip
        found = {
            row["meter"]: (row["kind"], row["direction"]) for row in rows if row["kind"] != "VPN"
        }
        assert found == TRANSFERS
        assert not set(found) & set(NO_TRANSFER)
        assert len(rows) == len(TRANSFERS) + 1
        assert {(row["gigabytes"], row["billed_cost"], row["charges"]) for row in rows} == {
            (10, 1, 1)
        }


def test_stored_data_has_a_class_and_a_size(commitment_bills: TemporaryInstallation) -> None:
    for tenant in TENANTS:
        rows = ask(
            commitment_bills, tenant,
            "select service_code || '/' || usage_type as meter, storage_class, gigabyte_months,"
            " billed_cost, resource_id from storage_costs",
        )  # fmt: skip
        assert {row["meter"]: row["storage_class"] for row in rows} == STORED
        assert {(row["gigabyte_months"], row["billed_cost"]) for row in rows} == {(10, 1)}
        assert all(row["meter"].endswith(row["resource_id"]) for row in rows)


def test_hours_are_counted_by_purchase_option(commitment_bills: TemporaryInstallation) -> None:
    for tenant in TENANTS:
        (sums,) = ask(
            commitment_bills, tenant,
            "select sum(running_hours) as ran, sum(on_demand_hours) as on_demand,"
            " sum(spot_hours) as spot, sum(savings_plan_hours) as plan,"
            " sum(reserved_hours) as reserved from compute_hours",
        )  # fmt: skip
        assert tuple(sums.values()) == (240 + 480 + 630 + 264, 240 + 240, 24, 480, 630)
        unnamed = ask(
            commitment_bills, tenant,
            "select distinct note, elasticity_percent from compute_hours where project = 'prod'",
        )  # fmt: skip
        assert [tuple(row.values()) for row in unnamed] == [
            ("The bill does not name the instances.", None)
        ]


def test_elasticity_is_running_hours_by_hours_of_the_period(built: TemporaryInstallation) -> None:
    """The estate's web servers never stop; Spot runs nine days at most."""
    rows = ask(
        built, "acme",
        "select billing_period, instance_type, sum(spot_hours) > 0 as is_spot,"
        " max(elasticity_percent) as most, min(elasticity_percent) as least, max(period_hours) as h"
        " from compute_hours where source = 'payer' and on_demand_hours + spot_hours > 0"
        " and service_code = 'AmazonEC2' group by all",
    )  # fmt: skip
    hours = {row["billing_period"]: row["h"] for row in rows}
    # the newest day of the running month is left out
    assert hours == {"2026-08": 31 * 24, "2026-09": 30 * 24, "2026-10": 11 * 24}
    for row in rows:
        if row["is_spot"]:
            assert row["most"] < 50 or row["billing_period"] == "2026-10"
        else:
            assert row["most"] == row["least"] == 100


def test_split_costs_are_those_of_the_instance_and_never_in_the_bill(
    commitment_bills: TemporaryInstallation,
) -> None:
    for tenant in TENANTS:
        rows = ask(
            commitment_bills, tenant,
            "select cluster, namespace, workload, workload_type, split_cost, unused_cost,"
            " total_cost from split_costs order by workload nulls last",
        )  # fmt: skip
        assert [tuple(row.values()) for row in rows] == [
            ("one", "shop", "web", "Deployment", Decimal("1.1"), Decimal("0.5"), Decimal("1.6")),
            ("one", "shop", None, None, Decimal("0.3"), Decimal("0.1"), Decimal("0.4")),
        ]
        (parent,) = ask(
            commitment_bills, tenant,
            "select parent_resource_id, sum(total_cost) as shares, (select sum(effective_cost) from"
            " compute_hours where resource_id = parent_resource_id) as cost from split_costs"
            " group by all",
        )  # fmt: skip
        assert parent["shares"] == parent["cost"] == 2
        (bill,) = ask(
            commitment_bills, tenant,
            "select (select sum(effective_cost) from monthly_costs) as bill, (select"
            " sum(EffectiveCost) from costs where x_ParentResourceId is null) as charges",
        )  # fmt: skip
        assert bill["bill"] == bill["charges"]


def test_split_costs_that_lose_rows_are_refused(
    commitment_bills: TemporaryInstallation,
    empty: TemporaryInstallation,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy_installation(commitment_bills.data, empty.data)
    wrong = [
        mart
        if mart.name != "split_costs"
        else replace(mart, sql=mart.sql + " where split_cost < 1")
        for mart in marts()
    ]
    monkeypatch.setattr("finops_pipeline.marts.build.marts", lambda: tuple(wrong))
    (refused,) = empty.ingest("acme").failed
    assert "split_costs_equal_charges" in refused.reason


def test_queries_of_usage_add_up_the_marts(commitment_bills: TemporaryInstallation) -> None:
    for tenant in TENANTS:
        kinds = ask_query(commitment_bills, tenant, "data_transfer", least="1")
        assert {(row["kind"], row["direction"]) for row in kinds} == {
            *TRANSFERS.values(), ("VPN", "out"),
        }  # fmt: skip
        between = [row for row in kinds if row["kind"] == "CloudFront"]
        assert [(row["gigabytes"], row["billed_cost"]) for row in between] == [(20, 2)]
        assert ask_query(commitment_bills, tenant, "data_transfer", least="2.5") == []
        stored = ask_query(commitment_bills, tenant, "storage_costs")
        assert sum(row["gigabyte_months"] for row in stored) == 10 * len(STORED)
        ran = ask_query(commitment_bills, tenant, "compute_hours")
        assert sum(row["running_hours"] for row in ran) == 240 + 480 + 630 + 264
        (spot,) = (row for row in ran if row["instance_family"] == "c5")
        assert (spot["instances"], spot["spot_hours"]) == (1, 24)
        shares = ask_query(commitment_bills, tenant, "workloads")
        assert [(row["workload"], row["total_cost"]) for row in shares] == [
            ("web", Decimal("1.6")), (None, Decimal("0.4")),
        ]  # fmt: skip
