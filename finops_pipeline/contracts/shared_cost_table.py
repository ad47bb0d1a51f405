"""The table of shared costs, as statements read it.

Put here: its contract, until the mart of the same name takes its place. Keep out: splitting costs.
"""

from __future__ import annotations

from finops_pipeline.contracts.column import MONEY, TEXT, Column, Table
from finops_pipeline.contracts.mart_columns import PERIOD, PROJECT_COLUMNS

SHARED_COSTS = Table(
    name="shared_costs",
    kind="status",
    meaning="Shared costs: what projects give and receive of each; both add up to zero.",
    grain=("billing_period", "shared_cost", "direction", "project", "billing_currency"),
    columns=(
        PERIOD,
        Column("shared_cost", TEXT, "Name of the shared cost.", False),
        Column("direction", TEXT, "Given or received.", False, ("given", "received")),
        *PROJECT_COLUMNS,
        Column("billing_currency", TEXT, "Currency of the costs; never mixed.", False),
        Column("billed_cost", MONEY, "Cash basis: AWS unblended cost.", False),
        Column("effective_cost", MONEY, "Amortized basis: commitments spread over usage.", False),
    ),
)
