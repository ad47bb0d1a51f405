"""Shared costs as declared, and the marts of what projects give and receive.

Put here: the contracts of these tables, in column order. Keep out: their SQL (marts/sql), the
declaration (tenants/shared_cost.py).
"""

from __future__ import annotations

from finops_pipeline.contracts.column import COUNT, FLAG, MONEY, TEXT, Column, Table
from finops_pipeline.contracts.mart_columns import PERIOD

_NAME = Column("shared_cost", TEXT, "Name of the shared cost.", False)
_METHOD = Column(
    "method",
    TEXT,
    "What the shares are in proportion to: nothing (even), the receivers' own effective cost"
    " (proportional), declared percentages (fixed), units of a business metric (metric).",
    False,
    ("even", "proportional", "fixed", "metric"),
)

SHARED_COST_RULES = Table(
    name="shared_cost_rules",
    kind="dimension",
    meaning="Shared costs as the registry declares them: charges, method and receivers.",
    grain=("shared_cost",),
    columns=(
        _NAME,
        Column(
            "position",
            COUNT,
            "If several match a charge, the one with the lowest position takes it.",
            False,
        ),
        Column(
            "step",
            COUNT,
            "Step in which it is split: after the shared costs that it passes on.",
            False,
        ),
        Column("kinds", TEXT, "Kinds of charges, separated by commas; null: every kind."),
        Column("projects", TEXT, "Projects whose charges are shared; null: every project."),
        _METHOD,
        Column("metric", TEXT, "Business metric, if the method is metric."),
        Column("receivers", TEXT, "Receiving projects; null: those with charges in the month."),
        Column("shares", TEXT, "Percentages of the receivers, in the same order."),
        Column(
            "passes_on", TEXT, "Shared costs whose received parts its projects pass on with it."
        ),
        Column(
            "otherwise",
            TEXT,
            "What happens if no receiver has a basis: it stays where it is, or is split evenly.",
            False,
            ("stay", "even"),
        ),
        Column("from_month", TEXT, "First month in which it is split; null: no beginning."),
        Column("to_month", TEXT, "First month in which it is no longer split; null: no end."),
    ),
)

_COSTS = (
    Column("billed_cost", MONEY, "Cash basis: AWS unblended cost.", False),
    Column("effective_cost", MONEY, "Amortized basis: commitments spread over usage.", False),
    Column("list_cost", MONEY, "Cost at public list prices.", False),
    Column("contracted_cost", MONEY, "Cost at contracted prices, before commitments.", False),
)
_CURRENCY = Column("billing_currency", TEXT, "Currency of the costs; never mixed.", False)
_BASIS = "What the share is in proportion to: 1, effective cost, percentage, or units."

COSTS_TO_SHARE = Table(
    name="costs_to_share",
    kind="mart",
    meaning="Costs of each project and month by kind, and the shared cost that takes them; only for"
    " months in which a shared cost is split.",
    grain=("billing_period", "project", "billing_currency", "kind"),
    columns=(
        PERIOD,
        Column("project", TEXT, "Project that the charges belong to.", False),
        _CURRENCY,
        Column(
            "kind", TEXT,
            "unused_commitments, or the charge_group of the charges.", False,
        ),
        Column("shared_cost", TEXT, "Shared cost that takes them; null: they are not shared."),
        *_COSTS,
    ),
)  # fmt: skip

SHARED_COST_SHARES = Table(
    name="shared_cost_shares",
    kind="mart",
    meaning="Which projects receive a shared cost in a month, and which share of it.",
    grain=("billing_period", "shared_cost", "billing_currency", "project"),
    columns=(
        PERIOD,
        _NAME,
        _CURRENCY,
        Column("project", TEXT, "Project that receives it.", False),
        Column("basis", MONEY, _BASIS, False),
        Column(
            "share",
            MONEY,
            "Fraction of the cost; the shares of all receivers add up to exactly 1.",
            False,
        ),
        Column(
            "is_fallback",
            FLAG,
            "Whether it is split evenly because no receiver has a basis.",
            False,
        ),
    ),
)

SHARED_COSTS = Table(
    name="shared_costs",
    kind="mart",
    meaning="Shared costs that projects give and receive, in addition to their own costs; given and"
    " received amounts add up to zero.",
    grain=("billing_period", "shared_cost", "direction", "project", "billing_currency"),
    columns=(
        PERIOD,
        _NAME,
        Column(
            "direction", TEXT,
            "given: the project's own cost, or one that it passes on, with the opposite sign;"
            " received: its part of a shared cost.", False, ("given", "received"),
        ),
        Column("project", TEXT, "Project that gives or receives.", False),
        Column("environment", TEXT, "Environment of the project."),
        Column("business_unit", TEXT, "Business unit of the project."),
        _CURRENCY,
        _METHOD,
        Column(
            "basis", MONEY,
            f"{_BASIS} Null for given costs and costs that stay.",
        ),
        Column(
            "share", MONEY,
            "Fraction of the cost; the shares of all receivers add up to exactly 1. Null if basis"
            " is null.",
        ),
        *_COSTS,
        Column(
            "note", TEXT,
            "If no receiver has a basis: whether the cost stays where it is or is split evenly.",
        ),
    ),
)  # fmt: skip

SHARED_COST_MARTS = (COSTS_TO_SHARE, SHARED_COST_SHARES, SHARED_COSTS)
