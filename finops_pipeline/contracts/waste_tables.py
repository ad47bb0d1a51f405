"""Waste and savings: what resources used lately, prices, findings of rules, realised savings.

Put here: the contracts of these tables, in column order. Keep out: their SQL (marts/sql,
marts/waste), the rules (marts/waste_rules).
"""

from __future__ import annotations

from finops_pipeline.contracts.column import COUNT, DAY, FLAG, JSON, MONEY, TEXT, Column, Table
from finops_pipeline.contracts.mart_columns import PERIOD

FINDING_STATES = ("found", "unknown")
WASTE_STATUSES = ("open", "accepted", "in progress", "dismissed", "done")
PRESENCES = ("present", "young", "gone")
CONFIDENCES = ("high", "medium", "low")
PRICE_ORIGINS = ("bill", "installation", "shipped")

_PROJECT = Column("project", TEXT, "Project that has the resource on its newest day.", False)
_SOURCE = Column("source", TEXT, "Source (export) that the charges came from.", False)
_ACCOUNT = Column("sub_account_id", TEXT, "AWS account that used the service.")
_REGION = Column("region_id", TEXT, "AWS region code; null for global services.")
_SERVICE_CODE = Column("service_code", TEXT, "AWS product code.")
_RESOURCE = Column("resource_id", TEXT, "ARN or id of the resource; null if the bill has none.")
_CURRENCY = Column("billing_currency", TEXT, "Currency of the costs; never mixed.", False)
_WINDOW = (
    Column("window_start", DAY, "First of the 30 days.", False),
    Column("window_end", DAY, "Last of the 30 days: the newest complete day.", False),
)

RECENT_USAGE = Table(
    name="recent_usage",
    kind="mart",
    meaning=(
        "What each resource used in the last 30 complete days of its source, by meter. Only metered"
        " usage of AWS: no credits, taxes, fees, corrections and Marketplace."
    ),
    grain=(
        "source", "sub_account_id", "region_id", "service_code", "usage_type", "operation",
        "instance_type", "resource_id", "consumed_unit", "billing_currency",
    ),
    columns=(
        _PROJECT, _SOURCE, _ACCOUNT, _REGION, _SERVICE_CODE,
        Column("usage_type", TEXT, "AWS usage type."),
        Column("meter", TEXT, "Usage type without the prefix of its region."),
        Column("operation", TEXT, "AWS operation."),
        Column("instance_type", TEXT, "Instance type."),
        _RESOURCE,
        Column("consumed_unit", TEXT, "Unit of consumed_quantity."),
        _CURRENCY,
        *_WINDOW,
        Column(
            "presence", TEXT,
            "present: seen on the first and the last of the 30 days or before and after; young:"
            " began later; gone: has no usage on the last two days.",
            False, PRESENCES,
        ),
        Column(
            "gap", TEXT,
            "Why nothing can be concluded from the bill; null if it can.",
        ),
        Column("gap_cure", TEXT, "What would cure that."),
        Column(
            "is_in_several_projects", FLAG,
            "Whether other projects pay a part of the resource in these days.",
            False,
        ),
        Column("days", COUNT, "Days with usage.", False),
        Column("charges", COUNT, "Number of charges summed.", False),
        Column("consumed_quantity", MONEY, "Amount used, in consumed_unit."),
        Column("covered_quantity", MONEY, "The part that commitments covered.", False),
        Column("spot_quantity", MONEY, "The part at Spot prices.", False),
        Column("billed_cost", MONEY, "Cash basis: AWS unblended cost.", False),
        Column("effective_cost", MONEY, "Amortized basis: commitments spread over usage.", False),
        Column("list_cost", MONEY, "Cost at public list prices.", False),
        Column("own_cost", MONEY, "The part of effective_cost that `project` pays.", False),
    ),
)  # fmt: skip

PRICES = Table(
    name="prices",
    kind="dimension",
    meaning=(
        "The price of each meter that a rule may compare with: from the bill itself if it has"
        " one, else from the installation's own list, else from the list that is shipped."
    ),
    grain=("service_code", "price_code", "region_id", "currency"),
    columns=(
        Column("service_code", TEXT, "AWS product code.", False),
        Column("price_code", TEXT, "Usage type without the prefix of its region.", False),
        Column("region_id", TEXT, "AWS region code.", False),
        Column("unit", TEXT, "Unit of the price.", False),
        Column("price", MONEY, "List price of a unit.", False),
        Column("currency", TEXT, "Currency of the price.", False),
        Column("valid_from", DAY, "Day from which the price is known to hold."),
        Column("source_url", TEXT, "Where the price comes from."),
        Column("origin", TEXT, "Which list it comes from.", False, PRICE_ORIGINS),
    ),
)

WASTE_FINDINGS = Table(
    name="waste_findings",
    kind="mart",
    meaning=(
        "What the rules of waste find in the last 30 complete days, and where they cannot know."
        " Add up counted_saving, never monthly_saving: several findings may be about the same"
        " money."
    ),
    grain=("finding_id",),
    columns=(
        Column("finding_id", TEXT, "Id of the finding; the same in every rebuild.", False),
        Column("rule", TEXT, "Id of the rule.", False),
        Column("rule_version", COUNT, "Version of the rule.", False),
        Column("tier", TEXT, "A: bill; B: with metrics; C: with inventory.", False),
        Column("finding", TEXT, "What the rule is about.", False),
        Column("state", TEXT, "found, or unknown with the reason.", False, FINDING_STATES),
        Column("status", TEXT, "What the team decided.", False, WASTE_STATUSES),
        _PROJECT, _SOURCE, _ACCOUNT, _REGION, _SERVICE_CODE, _RESOURCE, _CURRENCY,
        *_WINDOW,
        Column("cost_part", TEXT, "Part of the resource's cost that is concerned.", False),
        Column("cost", MONEY, "Effective cost of this part in the 30 days.", False),
        Column(
            "monthly_saving", MONEY,
            "Saving in 30 days at the resource's own effective rate, never more than its cost;"
            " null: unknown, see reason.",
        ),
        Column(
            "counted_saving", MONEY,
            "The part of the saving that no other finding on the resource counts; 0 for findings"
            " that are dismissed, done or unknown.",
            False,
        ),
        Column(
            "is_commitment_absorbed", FLAG,
            "Whether commitments covered some of it: then only other usage that the freed"
            " commitment covers makes the saving real.",
            False,
        ),
        Column(
            "is_in_several_projects", FLAG,
            "Whether other projects pay a part of the resource in these days.",
            False,
        ),
        Column("confidence", TEXT, "How sure the rule is.", False, CONFIDENCES),
        Column("effort", TEXT, "Effort of the change: low, medium or high.", False),
        Column("risk", TEXT, "Risk of the change: low, medium or high.", False),
        Column("price", MONEY, "Price that the saving was computed with."),
        Column("price_source", TEXT, "Where that price comes from."),
        Column("reason", TEXT, "Why it, or its saving, is unknown."),
        Column("cure", TEXT, "The permission or data that would tell."),
        Column("evidence", JSON, "The values that the rule compared, a JSON object.", False),
        Column("status_reason", TEXT, "Reason that was given for the status."),
        Column("status_until", DAY, "Last day of a dismissal; null: for good."),
        Column("status_changed_at", TEXT, "When the status was set (UTC)."),
    ),
)  # fmt: skip

SAVINGS_REALISED = Table(
    name="savings_realised",
    kind="mart",
    meaning=(
        "What finished findings have saved, month by month, according to later bills. The expected"
        " cost is that of the usage of the month at the rate before the change; of a resource that"
        " was removed, the cost of the same days before. A month in which it has moved to another"
        " project has no row."
    ),
    grain=("billing_period", "finding_id"),
    columns=(
        PERIOD,
        Column("finding_id", TEXT, "Id of the finding.", False),
        Column("rule", TEXT, "Id of the rule.", False),
        _PROJECT, _SOURCE, _ACCOUNT, _REGION, _RESOURCE, _CURRENCY,
        Column("done_on", DAY, "Day on which the change was finished; it does not count.", False),
        Column("days", COUNT, "Complete days of the month after it.", False),
        Column("normalised_by", TEXT, "days, or the unit by which usage is compared.", False),
        Column("baseline_quantity", MONEY, "Days, or usage in that unit, before.", False),
        Column("baseline_cost", MONEY, "Effective cost of it, in at most 30 days before.", False),
        Column("quantity", MONEY, "Days, or usage in that unit, in the month.", False),
        Column(
            "expected_cost", MONEY,
            "Cost of that quantity at the rate before; null if it is too large to be exact.",
        ),
        Column("effective_cost", MONEY, "Cost of the resource in the month's days.", False),
        Column("realised_saving", MONEY, "expected_cost minus effective_cost; null like it."),
        Column("is_gone", FLAG, "Whether the bill has no more of the resource.", False),
        Column("bill_lines", JSON, "The bill's lines of these days, by meter, as JSON.", False),
    ),
)  # fmt: skip

USAGE_WINDOW_MARTS = (RECENT_USAGE,)
WASTE_TABLES = (PRICES, WASTE_FINDINGS, SAVINGS_REALISED)
