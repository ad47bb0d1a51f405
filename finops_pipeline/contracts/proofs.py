"""Tables that prove the numbers: what landed, what was built, results of checks and comparisons.

Put here: the contract of bill_totals, partitions, check_results, conformance and reconciliation.
Keep out: marts and other tables (tables.py), the checks themselves (marts/checks).
"""

from __future__ import annotations

from finops_pipeline.contracts.column import COUNT, FLAG, JSON, MONEY, TEXT, Column, Table

_PERIOD = Column("billing_period", TEXT, "Billing period YYYY-MM.", False)
_PROJECT = Column("project", TEXT, "Project that the rows belong to, by account and day.", False)
_SOURCE = Column("source", TEXT, "Source (export).", False)
_CURRENCY = Column(
    "billing_currency", TEXT, "Currency of the costs; currencies are never mixed.", False
)

BILL_TOTALS = Table(
    name="bill_totals",
    kind="proof",
    meaning="Totals of the rows that landed, before they become charges.",
    grain=(
        "billing_period", "source", "project", "sub_account_id", "service_code",
        "line_item_type", "billing_currency",
    ),
    columns=(
        _PERIOD,
        _SOURCE,
        _PROJECT,
        Column("sub_account_id", TEXT, "AWS account that used the service."),
        Column("service_code", TEXT, "AWS product code (FOCUS: x_ServiceCode or name).", False),
        Column("line_item_type", TEXT, "AWS line item type (FOCUS: ChargeCategory).", False),
        _CURRENCY,
        Column("rows", COUNT, "Rows that landed.", False),
        Column("billed_cost", MONEY, "Their unblended cost (FOCUS: BilledCost).", False),
        Column("effective_cost", MONEY, "Their amortized cost as AWS defines it.", False),
    ),
)  # fmt: skip

PARTITIONS = Table(
    name="partitions",
    kind="proof",
    meaning="Totals of each file of charges when it was written.",
    grain=("billing_period", "project", "source", "billing_currency", "row_kind"),
    columns=(
        _PERIOD,
        _PROJECT,
        _SOURCE,
        _CURRENCY,
        Column("row_kind", TEXT, "line, unused or residual (x_RowKind).", False),
        Column("rows", COUNT, "Charges written.", False),
        Column("billed_cost", MONEY, "Sum of BilledCost.", False),
        Column("effective_cost", MONEY, "Sum of EffectiveCost.", False),
        Column("list_cost", MONEY, "Sum of ListCost.", False),
        Column("contracted_cost", MONEY, "Sum of ContractedCost.", False),
    ),
)

CHECK_RESULTS = Table(
    name="check_results",
    kind="proof",
    meaning="What each check found when a month was last built.",
    grain=("check_name", "billing_period"),
    columns=(
        Column("check_name", TEXT, "Check (marts/checks).", False),
        _PERIOD,
        Column("state", TEXT, "passed or failed.", False, ("passed", "failed")),
        Column(
            "severity",
            TEXT,
            "refuse: a failure stops publication (so the file has none); warn: it is reported.",
            False,
            ("refuse", "warn"),
        ),
        Column("rows", COUNT, "Rows that the check found.", False),
        Column("example", JSON, "One of these rows, a JSON object as text."),
        Column("says", TEXT, "Description of the rows that the check looks for.", False),
    ),
)

CONFORMANCE = Table(
    name="conformance",
    kind="proof",
    meaning="Which FOCUS rules (and rules of our own) charges break; empty where every rule holds.",
    grain=("billing_period", "project", "source", "rule"),
    columns=(
        _PERIOD,
        _PROJECT,
        _SOURCE,
        Column("rule", TEXT, "Rule (contracts/focus_rules.py).", False),
        Column("says", TEXT, "The rule as a sentence.", False),
        Column("is_known_gap", FLAG, "AWS documents that its FOCUS exports break it.", False),
        Column("rows", COUNT, "Charges that break it.", False),
        Column("example", JSON, "One of these rows, a JSON object as text.", False),
    ),
)

RECONCILIATION = Table(
    name="reconciliation",
    kind="proof",
    meaning="What each source's month was compared with, and the result.",
    grain=(
        "source", "billing_period", "billing_currency", "against", "counterpart", "cost_basis",
        "service_name", "sub_account_id",
    ),
    columns=(
        _SOURCE,
        _PERIOD,
        Column("billing_currency", TEXT, "Currency; null where numbers of rows are compared."),
        Column("against", TEXT, "What the month is compared with.", False,
               ("files", "manifest", "cost explorer", "invoice", "other bill")),
        Column("counterpart", TEXT, "The Cost Explorer source, the invoice's id, or the source of"
               " the other bill. A bill that repeats no other bill has no row for it."),
        Column("cost_basis", TEXT, "What is compared; null if nothing is. An invoice is compared"
               " with net_billed_cost where every charge states it and it fits better.",
               True, ("rows", "billed_cost", "effective_cost", "net_billed_cost")),
        Column("service_name", TEXT, "Service; null where all are compared together."),
        Column("sub_account_id", TEXT, "AWS account; null where all are compared together."),
        Column(
            "state",
            TEXT,
            "explained: beyond the tolerance, for a reason that the note names;"
            " not checked: there was nothing to compare with.",
            False,
            ("agrees", "differs", "explained", "not checked"),
        ),
        Column("ours", MONEY, "Cost of the charges (or number of rows kept)."),
        Column("theirs", MONEY, "Cost in the counterpart (or number of rows read); 0 for another"
               " bill, which must not have any of the charges that `ours` sums."),
        Column("difference", MONEY, "ours minus theirs."),
        Column("tolerance", MONEY, "Largest difference that counts as rounding."),
        Column("note", TEXT, "What was compared, or why nothing was."),
    ),
)  # fmt: skip
"""Services and accounts that agree have no rows of their own; the row of the total counts them."""
