"""The tables and views of statements: what each project is charged for a month.

Put here: the contracts of the terms, the closed statements and the views over them. Keep out: their
SQL (marts/statements), the declaration of terms (tenants/statement_terms.py).
"""

from __future__ import annotations

from finops_pipeline.contracts.column import COUNT, MONEY, TEXT, Column, Table
from finops_pipeline.contracts.mart_columns import PERIOD

PERCENT = "DECIMAL(9,4)"
LINE_KINDS = ("direct", "shared_received", "shared_given", "markup", "fixed_fee")
BASES = ("billed", "effective", "net_billed", "net_effective")
STATEMENT_KINDS = ("statement", "adjustment")

_PROJECT = Column("project", TEXT, "Project that is charged.", False)
_CURRENCY = Column("billing_currency", TEXT, "Currency of the amount; never mixed.", False)
_LABELS = (
    Column("display_name", TEXT, "Name of the project for people."),
    Column("environment", TEXT, "Environment of the project (prod, staging, dev, …)."),
    Column("business_unit", TEXT, "Business unit of the project."),
)
_LINE = (
    Column(
        "line_kind", TEXT,
        "direct: own costs; shared_received and shared_given: shared costs that the project"
        " receives and gives; markup: the mark-up on all of these; fixed_fee: a fixed fee.",
        False, LINE_KINDS,
    ),
    Column("line", TEXT, "Service, shared cost, `mark-up` or `fixed fee`.", False),
    Column("charge_group", TEXT, "Kind of cost of a direct line (charge_groups)."),
)  # fmt: skip
_TERMS = (
    Column(
        "cost_basis", TEXT,
        "Basis of its costs. A net basis is used in months in which all charges in the currency"
        " have net costs; in others, the basis without `net_`.",
        False, BASES,
    ),
    Column("markup_percent", PERCENT, "Mark-up of the project's statement in percent.", False),
    Column("fixed_fee", MONEY, "Fixed fee of the project's statement."),
    Column("fixed_fee_currency", TEXT, "Currency of the fixed fee."),
)  # fmt: skip
_KEY = ("project", "billing_currency", "line_kind", "line", "charge_group")

STATEMENT_TERMS = Table(
    name="statement_terms",
    kind="dimension",
    meaning="Declared terms of statements: cost basis, mark-up and fixed fee of each project.",
    grain=("project",),
    columns=(_PROJECT, *_LABELS, *_TERMS),
)

STATEMENT_PREVIEW = Table(
    name="statement_preview",
    kind="view",
    meaning="Statements of every month as they would be now; a closed month keeps its terms.",
    grain=("billing_period", *_KEY),
    columns=(
        PERIOD, _PROJECT, *_LABELS, _CURRENCY, *_LINE, *_TERMS,
        Column("amount", MONEY, "Amount of the line, exact.", False),
    ),
)  # fmt: skip

STATEMENTS = Table(
    name="statements",
    kind="status",
    meaning="Closed statements, which never change, and their dated adjustments.",
    grain=("billing_period", "version", *_KEY),
    columns=(
        PERIOD,
        Column("version", COUNT, "1: the statement; each later version is an adjustment.", False),
        Column("kind", TEXT, "Whether it is a statement or an adjustment.", False, STATEMENT_KINDS),
        Column("closed_at", TEXT, "When it was closed (UTC).", False),
        Column("month_state", TEXT, "State of the month at that time (data_status).", False),
        Column("reason", TEXT, "Reason that was given for closing it."),
        *STATEMENT_PREVIEW.columns[1:],
    ),
)

STATEMENT_DIFFERENCES = Table(
    name="statement_differences",
    kind="view",
    meaning="What an adjustment of each closed month would state now; no rows if nothing changed.",
    grain=("billing_period", *_KEY),
    columns=(
        *STATEMENT_PREVIEW.columns[:-1],
        Column("stated_amount", MONEY, "Amount of the statement and all adjustments.", False),
        Column("present_amount", MONEY, "Amount as it would be stated now.", False),
        Column("amount", MONEY, "present_amount minus stated_amount.", False),
    ),
)

STATEMENT_TABLES = (STATEMENT_TERMS, STATEMENT_PREVIEW, STATEMENTS, STATEMENT_DIFFERENCES)
