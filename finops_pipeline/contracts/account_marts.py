"""The mart of accounts: which accounts each month's charges have, and what the bill calls them.

Put here: its contract. Keep out: its SQL (marts/sql), which project claims an account (tables.py).
"""

from __future__ import annotations

from finops_pipeline.contracts.column import COUNT, TEXT, Column, Table
from finops_pipeline.contracts.mart_columns import PERIOD

ACCOUNT_NAMES = Table(
    name="account_names",
    kind="mart",
    meaning="The accounts of each month's charges, with the names that the bill gives them.",
    grain=("billing_period", "sub_account_id"),
    columns=(
        PERIOD,
        Column("sub_account_id", TEXT, "AWS account that used the service.", False),
        Column("sub_account_name", TEXT, "Its name in that month; null where the bill has none."),
        Column("charges", COUNT, "Number of its charges.", False),
    ),
)

ACCOUNT_MARTS = (ACCOUNT_NAMES,)
