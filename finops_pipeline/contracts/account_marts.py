"""The mart of accounts: the accounts in each month's charges, and their names in the bill.

Put here: its contract. Keep out: its SQL (marts/sql), which project claims an account (tables.py).
"""

from __future__ import annotations

from finops_pipeline.contracts.column import COUNT, TEXT, Column, Table
from finops_pipeline.contracts.mart_columns import PERIOD

ACCOUNT_NAMES = Table(
    name="account_names",
    kind="mart",
    meaning="The accounts in each month's charges, with their names in the bill.",
    grain=("billing_period", "sub_account_id"),
    columns=(
        PERIOD,
        Column("sub_account_id", TEXT, "AWS account that used the service.", False),
        Column(
            "sub_account_name",
            TEXT,
            "Name of the account in that month; null if the bill has none.",
        ),
        Column("charges", COUNT, "Number of charges of the account.", False),
    ),
)

ACCOUNT_MARTS = (ACCOUNT_NAMES,)
