"""A bill's unblended and amortized cost per account, service and month, in Polars: JSON.

    python conformance/amortized.py JOBS.json      [{"month": …, "files": [CUR files]}, …]

Runs in the validator's environment, which has Polars. Put here: AWS's definition of amortized cost,
once more, over the delivered files alone. Keep out: DuckDB, anything of finops_pipeline.

Amortized, by AWS's "Understanding your Savings Plans line items" and "Understanding your
reservation line items": usage that a commitment covers costs what the commitment pays for it
(its effective cost); a recurring fee costs the part of the commitment that nothing used; upfront
fees and negations cost nothing; everything else its unblended cost. Gross: net columns are ignored.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

MONEY = pl.Decimal(38, 18)
KIND = pl.col("line_item_line_item_type")
COST_COLUMNS = (
    "line_item_unblended_cost",
    "savings_plan_savings_plan_effective_cost",
    "savings_plan_total_commitment_to_date",
    "savings_plan_used_commitment",
    "reservation_effective_cost",
    "reservation_unused_amortized_upfront_fee_for_billing_period",
    "reservation_unused_recurring_fee",
)
TEXT_COLUMNS = (
    "line_item_line_item_type",
    "line_item_usage_account_id",
    "line_item_product_code",
    "product_product_name",
    "reservation_reservation_a_r_n",
)


def snake(header: str) -> str:
    """`savingsPlan/SavingsPlanARN` as `savings_plan_savings_plan_a_r_n`, as in Parquet."""
    if "/" not in header:
        return header
    category, name = header.split("/", 1)
    parts = [re.sub(r"(?<=[a-z0-9A-Z])(?=[A-Z])", "_", part).lower() for part in (category, name)]
    return "_".join(parts)


def read_lines(file: Path) -> pl.DataFrame:
    """The columns of a file that are needed: text (null instead of ''), costs as exact decimals."""
    if file.name.endswith(".parquet"):
        frame = pl.read_parquet(file)
    else:
        frame = pl.read_csv(file, infer_schema=False)
        frame = frame.rename({name: snake(name) for name in frame.columns if ":" not in name})
    if "product" in frame.columns and "product_product_name" not in frame.columns:
        product_name = pl.col("product").list.eval(
            pl.element().filter(pl.element().struct.field("key") == "product_name")
        )
        name = product_name.list.first().struct.field("value")
        frame = frame.with_columns(name.alias("product_product_name"))
    return frame.select(
        *(_text(frame, name) for name in TEXT_COLUMNS),
        *(_cost(frame, name) for name in COST_COLUMNS),
    )


def _text(frame: pl.DataFrame, name: str) -> pl.Series:
    if name not in frame.columns:
        return pl.Series(name, [None] * len(frame), dtype=pl.String)
    return frame[name].cast(pl.String).replace("", None).alias(name)


def _cost(frame: pl.DataFrame, name: str) -> pl.Series:
    """Text as it is; a double as the shortest decimal that it is the nearest double to."""
    if name not in frame.columns:
        return pl.Series(name, [None] * len(frame), dtype=MONEY)
    values = [None if v in (None, "") else Decimal(str(v)) for v in frame[name].to_list()]
    return pl.Series(name, values, dtype=MONEY)


def amortized_cost() -> pl.Expr:
    """AWS's amortized cost of a line."""
    cost = {name: pl.col(name).fill_null(Decimal(0)) for name in COST_COLUMNS}
    upfront = (KIND == "Fee") & pl.col("reservation_reservation_a_r_n").is_not_null()
    return (
        pl.when(KIND == "SavingsPlanCoveredUsage")
        .then(cost["savings_plan_savings_plan_effective_cost"])
        .when(KIND == "DiscountedUsage")
        .then(cost["reservation_effective_cost"])
        .when(KIND == "SavingsPlanRecurringFee")
        .then(cost["savings_plan_total_commitment_to_date"] - cost["savings_plan_used_commitment"])
        .when(KIND == "RIFee")
        .then(
            cost["reservation_unused_amortized_upfront_fee_for_billing_period"]
            + cost["reservation_unused_recurring_fee"]
        )
        .when(KIND.is_in(["SavingsPlanNegation", "SavingsPlanUpfrontFee"]) | upfront)
        .then(pl.lit(Decimal(0), dtype=MONEY))
        .otherwise(cost["line_item_unblended_cost"])
        .cast(MONEY)
        .alias("amortized")
    )


def sum_bill(files: list[Path]) -> list[dict[str, Any]]:
    """Add up a bill's files: account, service, rows, unblended and amortized (exact, as text)."""
    bill = pl.concat([read_lines(file) for file in files])
    service = pl.coalesce("product_product_name", "line_item_product_code").alias("service")
    totals = (
        bill.with_columns(amortized_cost(), service)
        .group_by(pl.col("line_item_usage_account_id").alias("account"), "service")
        .agg(
            pl.len().alias("rows"),
            pl.col("line_item_unblended_cost").sum().alias("unblended"),
            pl.col("amortized").sum(),
        )
        .sort("account", "service")
    )
    return [
        row | {"unblended": f"{row['unblended']:f}", "amortized": f"{row['amortized']:f}"}
        for row in totals.to_dicts()
    ]


def main() -> None:
    """Print one JSON list: every job with its `sums`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("jobs", type=Path)
    jobs = json.loads(parser.parse_args().jobs.read_text(encoding="utf-8"))
    done = [job | {"sums": sum_bill([Path(file) for file in job["files"]])} for job in jobs]
    sys.stdout.write(json.dumps(done, indent=1) + "\n")


if __name__ == "__main__":
    main()
