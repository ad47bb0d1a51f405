"""monthly_bill, account_names and unused_commitment_days computed once more, by Polars.

Put here: marts that read the charges and no other mart. Keep out: marts of costs
(second_opinion_marts.py), SQL, anything of finops_pipeline/marts.
"""

from __future__ import annotations

import polars as pl

from finops_pipeline.contracts.tables import MARTS
from tests.support.second_opinion_marts import IS_UNUSED, MONEY, ZERO, days_of, of_contract

_NAMES = {
    "InvoiceId": "invoice_id", "InvoiceIssuerName": "invoice_issuer_name",
    "BillingAccountId": "billing_account_id",
}  # fmt: skip


def monthly_bill(charges: pl.DataFrame) -> pl.DataFrame:
    """Compute what was billed, by invoice."""
    is_covered = pl.col("line_item_type").eq_missing(pl.lit("SavingsPlanCoveredUsage"))
    lacks_net = pl.col("net").is_null() & (pl.col("row_kind") != "unused")
    summed = (
        charges.rename(_NAMES)
        .with_columns(
            pl.when(is_covered & pl.col("net").is_not_null()).then(ZERO).otherwise("net")
            .alias("counted")
        )
        .group_by(MARTS["monthly_bill"].grain)
        .agg(
            pl.len().cast(pl.Int64).alias("charges"),
            pl.col("billed_cost").sum(),
            pl.when(lacks_net.any() | (pl.col("net").count() == 0)).then(None)
            .otherwise(pl.col("counted").sum()).alias("net_billed_cost"),
        )
    )  # fmt: skip
    return of_contract(summed, "monthly_bill")


def account_names(charges: pl.DataFrame) -> pl.DataFrame:
    """Compute the accounts of each month, with the name on the last charge that has one."""
    ordered = charges.sort("ChargePeriodStart", "SubAccountName", nulls_last=False)
    summed = (
        ordered.filter(pl.col("sub_account_id").is_not_null())
        .group_by("billing_period", "sub_account_id", maintain_order=True)
        .agg(
            pl.col("SubAccountName").drop_nulls().last().alias("sub_account_name"),
            pl.len().cast(pl.Int64).alias("charges"),
        )
    )
    return of_contract(summed, "account_names")


def unused_commitment_days(charges: pl.DataFrame) -> pl.DataFrame:
    """Compute the days of unused commitments."""
    unused = charges.filter(IS_UNUSED)
    days = [day for charge in unused.iter_rows(named=True) for day in days_of(charge)]
    frame = pl.DataFrame(days, schema={**unused.schema, "charge_date": pl.Date})
    summed = frame.group_by(MARTS["unused_commitment_days"].grain).agg(
        pl.col("effective_cost").cast(MONEY).sum(),
        pl.when(pl.col("net_effective_cost").is_null().any()).then(None)
        .otherwise(pl.col("net_effective_cost").sum()).alias("net_effective_cost"),
    )  # fmt: skip
    return of_contract(summed, "unused_commitment_days")
