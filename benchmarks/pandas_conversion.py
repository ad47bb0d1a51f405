"""A conversion of a Cost and Usage Report to FOCUS columns as one would write it with pandas.

Put here: the shortest honest conversion, vectorized. Keep out: our package, because this runs in
an environment of its own (benchmarks/pandas.txt), as `python pandas_conversion.py OUT FILE...`.

It reads text from csv.gz and AWS's types from Parquet, computes in doubles, and checks nothing.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd

COVERED, NEGATION = "SavingsPlanCoveredUsage", "SavingsPlanNegation"
FEES = ("SavingsPlanRecurringFee", "SavingsPlanUpfrontFee", "RIFee")
NAMES = {
    "BillingAccountId": "bill_payer_account_id",
    "BillingCurrency": "line_item_currency_code",
    "ChargeDescription": "line_item_line_item_description",
    "ChargePeriodStart": "line_item_usage_start_date",
    "ChargePeriodEnd": "line_item_usage_end_date",
    "InvoiceIssuerName": "bill_invoicing_entity",
    "PricingQuantity": "line_item_usage_amount",
    "PricingUnit": "pricing_unit",
    "PublisherName": "line_item_legal_entity",
    "RegionId": "product_region_code",
    "ResourceId": "line_item_resource_id",
    "ServiceName": "product_product_name",
    "SkuId": "product_sku",
    "SkuMeter": "line_item_usage_type",
    "SkuPriceId": "pricing_rate_code",
    "SubAccountId": "line_item_usage_account_id",
    "x_LineItemType": "line_item_line_item_type",
    "x_LineItemId": "identity_line_item_id",
}


def read(file: Path) -> pd.DataFrame:
    """Read a file of a bill under AWS's names of CUR 2.0."""
    if file.suffix == ".parquet":
        return pd.read_parquet(file)
    frame = pd.read_csv(file, dtype=str)
    return frame.rename(columns={name: snake(name) for name in frame.columns})


def snake(header: str) -> str:
    """Return a legacy header under its name of CUR 2.0."""
    return re.sub(r"([A-Z]+)", r"_\1", header.replace("/", "_")).lower().replace("__", "_")


def convert(line: pd.DataFrame) -> pd.DataFrame:
    """Convert line items to FOCUS columns."""
    kind = line["line_item_line_item_type"]
    line = line[kind != NEGATION]
    kind = line["line_item_line_item_type"]
    billed = pd.to_numeric(line["line_item_unblended_cost"])
    public = pd.to_numeric(line["pricing_public_on_demand_cost"])
    effective = pd.to_numeric(line["savings_plan_savings_plan_effective_cost"])
    is_fee = kind.isin(FEES)
    charge = pd.DataFrame({name: line[column] for name, column in NAMES.items()})
    charge["PricingQuantity"] = pd.to_numeric(charge["PricingQuantity"])
    for name in ("ChargePeriodStart", "ChargePeriodEnd"):
        charge[name] = pd.to_datetime(charge[name], utc=True)
    charge["BilledCost"] = np.where(kind == COVERED, 0, billed)
    charge["EffectiveCost"] = np.where(kind == COVERED, effective, np.where(is_fee, 0, billed))
    charge["ListCost"] = public.fillna(billed)
    charge["ContractedCost"] = billed
    charge["ListUnitPrice"] = charge["ListCost"] / charge["PricingQuantity"]
    charge["ContractedUnitPrice"] = charge["ContractedCost"] / charge["PricingQuantity"]
    charge["ChargeCategory"] = np.where(is_fee, "Purchase", np.where(kind == "Tax", "Tax", "Usage"))
    charge["PricingCategory"] = np.where(kind == COVERED, "Committed", "Standard")
    charge["ProviderName"] = "AWS"
    tags = [name for name in line.columns if name.startswith("resource_tags")]
    for name in tags:
        charge[f"Tags.{name}"] = line[name]
    return charge


def main() -> None:
    """Convert every file to one of the folder."""
    out, *files = map(Path, sys.argv[1:])
    for number, file in enumerate(files):
        convert(read(file)).to_parquet(out / f"{number}.parquet", compression="zstd")


if __name__ == "__main__":
    main()
