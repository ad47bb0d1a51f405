"""The marts of commitments (reservations and Savings Plans): their utilization and coverage.

Put here: the contracts of these marts, in column order. Keep out: their SQL (marts/sql), the
unused part by day (cost_marts.py).
"""

from __future__ import annotations

from finops_pipeline.contracts.column import COUNT, DAY, FLAG, MONEY, TEXT, TIME, Column, Table
from finops_pipeline.contracts.mart_columns import PERIOD, PROJECT_COLUMNS

PERCENT = "DECIMAL(18,2)"
"""A percentage with two decimals; percentages are never summed."""

_SOURCE = Column("source", TEXT, "Source (export) that the charges came from.", False)
_ARN = Column("commitment_discount_id", TEXT, "ARN of the reservation or Savings Plan.", False)
_TYPE = Column("commitment_discount_type", TEXT, "Savings Plan or Reserved Instance.")
_UNIT = Column(
    "commitment_discount_unit",
    TEXT,
    "Unit of the quantities: the currency, Hours, or NFU-Hours (normalized units).",
)
_CURRENCY = Column("billing_currency", TEXT, "Currency of the costs; never mixed.", False)
_OWNER = Column("owner_account_id", TEXT, "AWS account that pays the fee; null without a fee.")
_OFFERING = (
    Column(
        "offering",
        TEXT,
        "Kind of Savings Plan (ComputeSavingsPlans, …), or class of the reservation (standard or"
        " convertible); null if the bill does not say.",
    ),
    Column("term", TEXT, "How long it runs, such as 1yr; null if the bill does not say."),
    Column(
        "payment_option",
        TEXT,
        "No Upfront, Partial Upfront or All Upfront; null if the bill does not say.",
    ),
)
_TIMES = (
    Column("start_time", TIME, "When it begins (UTC); null if the bill does not say."),
    Column("end_time", TIME, "When it ends (UTC); null if the bill does not say."),
)
_PROJECT = (
    Column(
        "project",
        TEXT,
        "Project of the account that pays the fee; without a fee, the first project, by name, that"
        " used the commitment.",
    ),
    *PROJECT_COLUMNS[1:],
)
_NOT_YET = Column(
    "not_yet_used_cost", MONEY, "Part of unused_cost that is for hours still to come."
)
_PERIOD_COLUMNS = (
    Column("period_start", TIME, "First moment of the charges' period (UTC).", False),
    Column(
        "period_hours",
        COUNT,
        "Its whole hours: 1, or 24 if the bill is daily; for fees, those of a month, or 0"
        " (upfront).",
        False,
    ),
)

COMMITMENT_UTILIZATION_HOURLY = Table(
    name="commitment_utilization_hourly",
    kind="mart",
    meaning="What was committed, used and unused in each period of the bill, such as an hour.",
    grain=(
        "billing_period", "period_start", "period_hours", "source", "commitment_discount_id",
        "billing_currency",
    ),
    columns=(
        PERIOD,
        *_PERIOD_COLUMNS,
        _SOURCE, _ARN, _CURRENCY, _TYPE, _UNIT,
        Column(
            "fee_project", TEXT,
            "Project of the account that pays the fee; null without a fee.",
        ),
        Column("use_project", TEXT, "First project, by name, that used the commitment."),
        _OWNER,
        Column("fee_region_id", TEXT, "Region of the fee."),
        Column("fee_instance_type", TEXT, "Instance type of the fee."),
        Column("fee_service_name", TEXT, "AWS service of the fee."),
        *_OFFERING, *_TIMES,
        Column("charges", COUNT, "Number of charges summed.", False),
        Column("committed_quantity", MONEY, "Quantity stated with the fee; null without a fee."),
        Column("covered_quantity", MONEY, "Quantity of the covered usage in this bill."),
        Column("unused_quantity", MONEY, "Quantity that was not used."),
        Column("fees_billed", MONEY, "Recurring fees, as billed."),
        Column("upfront_share", MONEY, "The period's share of an upfront payment."),
        Column("used_cost", MONEY, "Amortized cost of the covered usage in this bill."),
        Column("unused_cost", MONEY, "Amortized cost of the unused part."),
        _NOT_YET,
        Column("upfront_billed", MONEY, "Upfront payments, as billed."),
        Column("cost_so_far", MONEY, "Fees and upfront share, without hours still to come."),
        Column(
            "used_percent", PERCENT,
            "Used part of cost_so_far; null if the period has no fee.",
        ),
    ),
)  # fmt: skip

COMMITMENT_UTILIZATION = Table(
    name="commitment_utilization",
    kind="mart",
    meaning="How much of each reservation and Savings Plan was used in a month.",
    grain=("billing_period", "source", "commitment_discount_id", "billing_currency"),
    columns=(
        PERIOD, _SOURCE, *_PROJECT, _OWNER, _ARN, _TYPE, _UNIT, _CURRENCY,
        Column(
            "total_quantity", MONEY,
            "Quantity stated with the fees: the sum of committed_quantity; null without a fee.",
        ),
        Column("used_quantity", MONEY, "total_quantity minus unused_quantity."),
        Column("unused_quantity", MONEY, "Quantity that was not used."),
        Column("covered_quantity", MONEY, "Quantity of the covered usage in this bill."),
        Column(
            "used_quantity_percent", PERCENT,
            "Used part of total_quantity; null in an unfinished month.",
        ),
        Column(
            "total_cost", MONEY,
            "Fees and the month's share of an upfront payment; null without a fee.",
        ),
        Column("used_cost", MONEY, "Amortized cost of the covered usage in this bill.", False),
        Column("unused_cost", MONEY, "Amortized cost of the unused part.", False),
        _NOT_YET,
        Column(
            "used_elsewhere_cost", MONEY,
            "The rest of total_cost: used by accounts that are not in this bill. If it is negative,"
            " covered usage costs more than was used according to the fee.",
        ),
        Column("used_percent", PERCENT, "Used part of total_cost, without hours still to come."),
        Column(
            "note", TEXT,
            "Why a percentage is missing, above 100, or not simply used_cost / total_cost.",
        ),
    ),
)  # fmt: skip

COMMITMENTS = Table(
    name="commitments",
    kind="mart",
    meaning="The reservations and Savings Plans of a month, as of the newest day in the bill.",
    grain=("billing_period", "source", "commitment_discount_id", "billing_currency"),
    columns=(
        PERIOD,
        Column(
            "as_of_day", DAY,
            "Newest day (UTC) of the month on which the source has usage.",
            False,
        ),
        _SOURCE, *_PROJECT, _OWNER, _ARN, _TYPE, *_OFFERING,
        Column("service_name", TEXT, "AWS service of the fee."),
        Column("region_id", TEXT, "Region of the fee; null for Savings Plans of any region."),
        Column("instance_type", TEXT, "Instance type of the reservation."),
        *_TIMES,
        Column("days_left", COUNT, "Days from as_of_day to the end; 0 once it has ended."),
        Column(
            "committed_quantity_per_hour", MONEY,
            "What is committed per hour: instances or normalized units (reservation), or an amount"
            " of money (Savings Plan).",
        ),
        _UNIT,
        Column(
            "hourly_commitment", MONEY,
            "Cost per hour: the recurring fee and the share of an upfront payment.",
        ),
        Column("recurring_hourly_cost", MONEY, "Recurring fee per hour."),
        Column("upfront_hourly_cost", MONEY, "Share of an upfront payment per hour."),
        Column(
            "upfront_billed", MONEY,
            "Upfront payment billed in this month; null if there was none.",
        ),
        _CURRENCY,
    ),
)  # fmt: skip

_USAGE = (
    Column("sub_account_id", TEXT, "AWS account that used the service."),
    Column("region_id", TEXT, "AWS region code."),
    Column("service_family", TEXT, "EC2 Instance, Fargate, Lambda, RDS, …", False),
    Column("instance_family", TEXT, "Instance family (m5, db.r6g); null if no instance is used."),
)
_CONSUMED_UNIT = Column("consumed_unit", TEXT, "Unit of the quantities.")
_COVERED = (
    Column("charges", COUNT, "Number of charges summed.", False),
    Column(
        "charges_without_list_price", COUNT,
        "Charges without a public price in the bill; they count with their own cost.",
        False,
    ),
    Column(
        "eligible_quantity", MONEY,
        "Quantity that commitments covered or could have covered.",
        False,
    ),
    Column("covered_quantity", MONEY, "Quantity that commitments covered.", False),
    Column(
        "eligible_normalized_hours", MONEY,
        "Eligible hours times the size factor of the instance; null unless every size is known.",
    ),
    Column(
        "covered_normalized_hours", MONEY,
        "Covered hours times the size factor of the instance; null unless every size is known.",
    ),
    Column("eligible_list_cost", MONEY, "Eligible usage at public on-demand prices.", False),
    Column("covered_list_cost", MONEY, "Covered usage at public on-demand prices.", False),
    Column(
        "reservation_list_cost", MONEY,
        "The part of covered_list_cost that reservations covered.",
        False,
    ),
)  # fmt: skip
_PLANNED = Column(
    "savings_plan_list_cost",
    MONEY,
    "The part of covered_list_cost that Savings Plans covered.",
    False,
)
_ON_DEMAND = (
    Column("on_demand_cost", MONEY, "Billed cost of eligible usage that was not covered.", False),
    Column("covered_cost", MONEY, "Amortized cost of the covered usage.", False),
)
_COVERED_PERCENT = Column(
    "covered_percent", PERCENT, "covered_list_cost as a percentage of eligible_list_cost."
)

COMMITMENT_COVERAGE_HOURLY = Table(
    name="commitment_coverage_hourly",
    kind="mart",
    meaning="Usage, without Spot, that commitments covered or could have covered, by hour.",
    grain=(
        "billing_period", "period_start", "period_hours", "project", "source", "sub_account_id",
        "region_id", "service_family", "instance_family", "savings_plans", "is_reservable",
        "consumed_unit", "billing_currency",
    ),
    columns=(
        PERIOD, *_PERIOD_COLUMNS, PROJECT_COLUMNS[0], _SOURCE, *_USAGE,
        Column(
            "savings_plans", TEXT,
            "Kinds of Savings Plans that could cover the usage, separated by commas; null if none.",
        ),
        Column("is_reservable", FLAG, "Whether a reservation could cover the usage.", False),
        _CONSUMED_UNIT, _CURRENCY, *_COVERED, *_ON_DEMAND, _PLANNED, _COVERED_PERCENT,
    ),
)  # fmt: skip

COMMITMENT_COVERAGE = Table(
    name="commitment_coverage",
    kind="mart",
    meaning="How much of a month's eligible usage was covered by commitments.",
    grain=(
        "billing_period", "project", "source", "sub_account_id", "region_id", "service_family",
        "instance_family", "consumed_unit", "billing_currency",
    ),
    columns=(
        PERIOD, *PROJECT_COLUMNS, _SOURCE, *_USAGE, _CONSUMED_UNIT, _CURRENCY, *_COVERED,
        _PLANNED, *_ON_DEMAND, _COVERED_PERCENT,
        Column(
            "covered_quantity_percent", PERCENT,
            "covered_quantity as a percentage of eligible_quantity.",
        ),
        Column("note", TEXT, "Why a percentage may mislead or is above 100."),
    ),
)  # fmt: skip

COMMITMENT_ELIGIBLE_SPEND = Table(
    name="commitment_eligible_spend",
    kind="mart",
    meaning="On-demand spend that commitments could cover, by hour and kind of commitment.",
    grain=(
        "billing_period", "period_start", "period_hours", "project", "source", "region_id",
        "commitment_kind", "service_family", "instance_family", "billing_currency",
    ),
    columns=(
        PERIOD, *_PERIOD_COLUMNS, PROJECT_COLUMNS[0], _SOURCE, _USAGE[1],
        Column(
            "commitment_kind", TEXT,
            "Compute, EC2 Instance, SageMaker or Database Savings Plan, or Reserved Instance. The"
            " same spend appears under each kind that could cover it, so never add up several.",
            False,
        ),
        *_USAGE[2:], _CURRENCY,
        Column("on_demand_cost", MONEY, "Billed cost of the uncovered usage.", False),
        Column("on_demand_list_cost", MONEY, "Uncovered usage at public on-demand prices.", False),
        Column(
            "on_demand_normalized_hours", MONEY,
            "Uncovered hours times the size factor of the instance; null unless every size is"
            " known.",
        ),
    ),
)  # fmt: skip

COMMITMENT_MARTS = (
    COMMITMENT_UTILIZATION_HOURLY,
    COMMITMENT_UTILIZATION,
    COMMITMENTS,
    COMMITMENT_COVERAGE_HOURLY,
    COMMITMENT_COVERAGE,
    COMMITMENT_ELIGIBLE_SPEND,
)
