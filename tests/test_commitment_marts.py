"""The marts of commitments: known ledgers, the peers' mistakes, and the charges computed once more.

Put here: use, coverage, inventory and eligible spend. Keep out: data transfer, storage and hours
(test_usage_marts.py), what a line becomes (test_line_items_*.py).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import duckdb
import pytest

from finops_pipeline.contracts.tables import MARTS, PROJECTS
from finops_pipeline.lake.duck import fetch_dicts
from finops_pipeline.lake.warehouse import reading
from finops_pipeline.marts.library import find_mart
from tests.conftest import TemporaryInstallation
from tests.support.commitment_bills import commitment_bills
from tests.support.second_opinions_of_marts import mart_differences
from tests.test_queries import ask as ask_query

__all__ = ["commitment_bills"]

TENANTS = ("acme", "globex")


def ask(made: TemporaryInstallation, tenant: str, sql: str) -> list[dict[str, Any]]:
    with reading(made.installation.folder(tenant)) as connection:
        return fetch_dicts(connection.execute(sql))


@pytest.mark.parametrize("tenant", TENANTS)
def test_marts_of_a_bill_of_all_kinds_are_its_charges_computed_once_more(
    commitment_bills: TemporaryInstallation, tenant: str
) -> None:
    assert mart_differences(commitment_bills.installation.folder(tenant)) == []


def test_d2_a_ledger_where_a_peer_reports_126_percent_is_85_5_percent_used(
    commitment_bills: TemporaryInstallation,
) -> None:
    """The peer takes the public price of a fee, less its amortized cost, for the unused part."""
    for tenant in TENANTS:
        (toy,) = ask(
            commitment_bills, tenant,
            "select sum(total_cost - unused_cost) as used, sum(total_cost) as total,"
            " sum(used_cost) as covered, sum(unused_cost) as unused, max(note) as note"
            " from commitment_utilization",
        )  # fmt: skip
        assert (toy["used"], toy["total"], toy["covered"], toy["unused"]) == (106, 124, 106, 18)
        assert round(100 * toy["used"] / toy["total"], 1) == Decimal("85.5")
        assert toy["note"] is None
        (peer,) = ask(
            commitment_bills, tenant,
            "select sum(x_PublicOnDemandCost) filter (x_LineItemType in ('RIFee',"
            " 'SavingsPlanRecurringFee') and x_RowKind = 'line') as public from costs",
        )  # fmt: skip
        wrong = toy["covered"] / (toy["covered"] - (peer["public"] - toy["unused"]))
        assert round(100 * wrong) == 126
        rows = ask(
            commitment_bills, tenant,
            "select commitment_discount_type as kind, used_percent, used_quantity_percent,"
            " total_quantity, used_quantity, unused_quantity, commitment_discount_unit as unit,"
            " used_elsewhere_cost from commitment_utilization order by kind",
        )  # fmt: skip
        assert [tuple(row.values()) for row in rows] == [
            ("Reserved Instance", Decimal("85.19"), Decimal("87.5"), 720, 630, 90, "Hours", 0),
            ("Savings Plan", Decimal("85.71"), Decimal("85.71"), 70, 60, 10, "USD", 0),
        ]


def test_billed_and_amortized_costs_differ_by_upfront_payments(
    commitment_bills: TemporaryInstallation,
) -> None:
    """Unblended = amortized - what upfront payments add to the month + upfront fees."""
    for tenant in TENANTS:
        (sums,) = ask(
            commitment_bills, tenant,
            "select sum(BilledCost) as billed, sum(EffectiveCost) as effective,"
            " sum(x_AmortizedUpfrontCost) as upfront_share, sum(BilledCost) filter"
            " (x_LineItemType in ('Fee', 'SavingsPlanUpfrontFee')) as upfront_fees from costs"
            " where project = 'prod'",
        )  # fmt: skip
        assert tuple(sums.values()) == (496, 166, 30, 360)


def test_d2_coverage_is_covered_by_eligible_usage_at_list_prices(
    commitment_bills: TemporaryInstallation,
) -> None:
    """80 + 100 of 230; fees with public prices add nothing, and Spot is not eligible."""
    for tenant in TENANTS:
        (toy,) = ask(
            commitment_bills, tenant,
            "select covered_list_cost, eligible_list_cost, covered_percent, reservation_list_cost,"
            " savings_plan_list_cost, on_demand_cost, covered_quantity, eligible_quantity,"
            " covered_quantity_percent, note from commitment_coverage where project = 'prod'",
        )  # fmt: skip
        assert tuple(toy.values()) == (
            180, 230, Decimal("78.26"), 80, 100, 50, 1110, 1350, Decimal("82.22"), None,
        )  # fmt: skip
        families = ask(
            commitment_bills, tenant,
            "select distinct service_family as f, instance_family as i from"
            " commitment_coverage_hourly where project = 'dev' order by all",
        )  # fmt: skip
        assert "c5" not in {row["i"] for row in families}
        assert {row["f"] for row in families} == {
            "Aurora Serverless", "DynamoDB", "DynamoDB On-Demand", "EC2 Instance", "ElastiCache",
            "Fargate", "Lambda", "OpenSearch", "RDS", "Redshift", "SageMaker",
        }  # fmt: skip


def test_d1_xlarge_is_not_taken_for_large(commitment_bills: TemporaryInstallation) -> None:
    """A day of each size in normalized hours; a database with a standby counts twice."""
    expected = {
        "m5.large": 4, "m5.xlarge": 8, "c6g.12xlarge": 96, "c5.2xlarge": 16,
        "t3.nano": Decimal("0.25"), "db.r5.large": 4, "db.r7g.xlarge": 2 * 8,
        "cache.m6g.large": 4, "r5.large": 4, "ra3.4xlarge": 32, "ml.m5.xlarge": 8,
    }  # fmt: skip
    for tenant in TENANTS:
        rows = ask(
            commitment_bills, tenant,
            "select instance_type, normalized_hours from compute_hours where project = 'dev'",
        )  # fmt: skip
        assert {row["instance_type"]: row["normalized_hours"] / 24 for row in rows} == expected
        (covered,) = ask(
            commitment_bills, tenant,
            "select eligible_normalized_hours as n from commitment_coverage"
            " where instance_family = 'db.r7g'",
        )  # fmt: skip
        assert covered["n"] == 24 * 16


def test_the_inventory_says_what_each_commitment_is(
    commitment_bills: TemporaryInstallation,
) -> None:
    for tenant in TENANTS:
        rows = ask(
            commitment_bills, tenant,
            "select commitment_discount_type as kind, offering, term, payment_option, project,"
            " end_time::date::varchar as ends, as_of_day::varchar as day, days_left,"
            " hourly_commitment, recurring_hourly_cost, committed_quantity_per_hour as size,"
            " upfront_billed, instance_type from commitments order by kind",
        )  # fmt: skip
        assert [tuple(row.values()) for row in rows] == [
            ("Reserved Instance", "standard", "1yr", "Partial Upfront", "prod", "2027-03-01",
             "2026-09-05", 177, Decimal("0.0750000000"), Decimal("0.0583333333"), 1, 144,
             "m5.xlarge"),
            ("Savings Plan", "ComputeSavingsPlans", "3yr", "Partial Upfront", "prod", "2029-01-01",
             "2026-09-05", 849, 70, 52, 70, 216, None),
        ]  # fmt: skip


def test_eligible_spend_appears_under_each_kind_of_commitment(
    commitment_bills: TemporaryInstallation,
) -> None:
    """Database Savings Plans cover instances from the seventh generation on."""
    for tenant in TENANTS:
        rows = ask(
            commitment_bills, tenant,
            "select commitment_kind as kind, list_sort(list(distinct service_family || ' ' ||"
            " coalesce(instance_family, ''))) as what, sum(on_demand_cost) as cost"
            " from commitment_eligible_spend where project = 'dev' group by all order by all",
        )  # fmt: skip
        assert {row["kind"]: (row["what"], row["cost"]) for row in rows} == {
            "Compute Savings Plan": (
                ["EC2 Instance c6g", "EC2 Instance m5", "EC2 Instance t3", "Fargate ", "Lambda "],
                10,
            ),
            "EC2 Instance Savings Plan": (
                ["EC2 Instance c6g", "EC2 Instance m5", "EC2 Instance t3"], 8,
            ),
            "Database Savings Plan": (
                ["Aurora Serverless ", "DynamoDB ", "DynamoDB On-Demand ", "RDS db.r7g"], 5,
            ),
            "SageMaker Savings Plan": (["SageMaker ml.m5"], 2),
            "Reserved Instance": (
                ["DynamoDB ", "EC2 Instance c6g", "EC2 Instance m5", "EC2 Instance t3",
                 "ElastiCache cache.m6g", "OpenSearch r5", "RDS db.r5", "RDS db.r7g",
                 "Redshift ra3"],
                19,
            ),
        }  # fmt: skip
        hours = ask(
            commitment_bills, tenant,
            "select distinct period_hours from commitment_eligible_spend order by 1",
        )  # fmt: skip
        assert [row["period_hours"] for row in hours] == [1, 24]


def test_queries_of_commitments_answer_from_the_marts(
    commitment_bills: TemporaryInstallation,
) -> None:
    for tenant in TENANTS:
        used = ask_query(commitment_bills, tenant, "commitment_utilization")
        assert [(row["total_cost"], row["unused_cost"], row["used_percent"]) for row in used] == [
            (54, 8, Decimal("85.19")), (70, 10, Decimal("85.71")),
        ]  # fmt: skip
        ending = ask_query(commitment_bills, tenant, "commitments")
        assert [row["days_left"] for row in ending] == [177, 849]
        soon = ask_query(commitment_bills, tenant, "commitments", days="180")
        assert [row["days_left"] for row in soon] == [177]
        (toy,) = (
            row
            for row in ask_query(commitment_bills, tenant, "commitment_coverage", least="1")
            if row["project"] == "prod"
        )
        assert (toy["covered_list_cost"], toy["covered_percent"]) == (180, Decimal("78.26"))
        spend = {
            row["commitment_kind"]: row
            for row in ask_query(commitment_bills, tenant, "commitment_eligible_spend")
        }
        # 50 in the first hour of 24; 8 over the day, and 2 in the first hour
        compute = spend["Compute Savings Plan"]
        eighth = Decimal("0.333333")
        assert compute["spend"] == 60 and compute["hours"] == 24
        assert compute["least_hourly"] == compute["low_hourly"] == eighth
        assert compute["most_hourly"] == 52 + eighth


USES = {
    "as committed": ({"fees_billed": 10, "upfront_share": 0, "used_cost": 8, "unused_cost": 2},
                     80, None),
    "fee elsewhere": ({"used_cost": 8}, None, "The fee is not in this bill"),
    "shared": ({"fees_billed": 6, "upfront_share": 4, "used_cost": 3, "unused_cost": 2},
               80, "Part was used by accounts that are not in this bill"),
    "too much": ({"fees_billed": 10, "upfront_share": 0, "used_cost": 11, "unused_cost": -1},
                 110, "According to the bill, more was used than was committed"),
    "contradiction": ({"fees_billed": 10, "upfront_share": 0, "used_cost": 9, "unused_cost": 2},
                      80, "Covered usage costs more than was used"),
    "nothing": ({"fees_billed": 0, "upfront_share": 0}, None, "Nothing was committed"),
    "FOCUS": ({"fees_billed": 5, "used_cost": 9, "unused_cost": 3}, 75, None),
    "upfront only": ({"upfront_billed": 100}, None, None),
}  # fmt: skip
"""Name -> sums of a commitment's month, the percentage that is used, how the note begins."""


def test_a_percentage_that_is_missing_or_above_100_is_explained() -> None:
    """The mart's own SQL on hours made by hand; an upfront payment alone has no row."""
    hours = MARTS["commitment_utilization_hourly"]
    with duckdb.connect(":memory:") as connection:
        for table in (hours, PROJECTS):
            columns = ", ".join(f"{column.name} {column.type}" for column in table.columns)
            connection.execute(f"create table {table.name} ({columns})")
        for name, (sums, _, _) in USES.items():
            row = {"commitment_discount_id": name, "charges": 2, "billing_currency": "USD"} | sums
            marks = ", ".join("?" for _ in row)
            connection.execute(
                f"insert into {hours.name} ({', '.join(row)}) values ({marks})", [*row.values()]
            )
        rows = fetch_dicts(connection.execute(find_mart("commitment_utilization").sql))
    by_name = {row["commitment_discount_id"]: row for row in rows}
    assert by_name.keys() == USES.keys() - {"upfront only"}
    for name, row in by_name.items():
        _, used_percent, note = USES[name]
        assert row["used_percent"] == used_percent, name
        assert (row["note"] or "").startswith(note or "") and bool(row["note"]) == bool(note), name
    assert by_name["shared"]["used_elsewhere_cost"] == 5
