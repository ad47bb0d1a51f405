"""AWS's FOCUS exports: version 1.2 has 57 columns and 3 of AWS's own, version 1.0 has 43 and 5.

Put here: the table's columns and types.
Keep out: the rows (`focus_rows`), folders and manifest (`parquet_export`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from finops_pipeline.synthetic.focus_rows import FocusRow
from finops_pipeline.synthetic.parquet_export import (
    NUMBER_MAP,
    TEXT_MAP,
    TIMESTAMP,
    ExportTable,
    as_double,
    definition_of,
    plain_instant,
    write_parquet_export,
)
from finops_pipeline.synthetic.usage import Scene

_NAMES = """
AvailabilityZone BilledCost BillingAccountId BillingAccountName BillingAccountType
BillingCurrency BillingPeriodEnd BillingPeriodStart CapacityReservationId
CapacityReservationStatus ChargeCategory ChargeClass ChargeDescription ChargeFrequency
ChargePeriodEnd ChargePeriodStart CommitmentDiscountCategory CommitmentDiscountId
CommitmentDiscountName CommitmentDiscountQuantity CommitmentDiscountStatus
CommitmentDiscountType CommitmentDiscountUnit ConsumedQuantity ConsumedUnit ContractedCost
ContractedUnitPrice EffectiveCost InvoiceId InvoiceIssuerName ListCost ListUnitPrice
PricingCategory PricingCurrency PricingCurrencyContractedUnitPrice
PricingCurrencyEffectiveCost PricingCurrencyListUnitPrice PricingQuantity PricingUnit
ProviderName PublisherName RegionId RegionName ResourceId ResourceName ResourceType
ServiceCategory ServiceName ServiceSubcategory SkuId SkuMeter SkuPriceDetails SkuPriceId
SubAccountId SubAccountName SubAccountType Tags x_Discounts x_Operation x_ServiceCode
"""
FOCUS_COLUMNS = tuple(_NAMES.split())


_SINCE_1_2 = """
BillingAccountType CapacityReservationId CapacityReservationStatus CommitmentDiscountQuantity
CommitmentDiscountUnit InvoiceId PricingCurrency PricingCurrencyContractedUnitPrice
PricingCurrencyEffectiveCost PricingCurrencyListUnitPrice ServiceSubcategory SkuMeter
SkuPriceDetails SubAccountType
"""
FOCUS_1_0_COLUMNS = (
    *(name for name in FOCUS_COLUMNS if name not in _SINCE_1_2.split()),
    "x_CostCategories",
    "x_UsageType",
)

GAPS = (
    "ContractedUnitPrice",
    "InvoiceIssuerName",
    "ListUnitPrice",
    "PricingUnit",
    "PublisherName",
    "SkuId",
    "SkuPriceId",
)
"""Columns that AWS may leave null although FOCUS requires them (its "conformance gaps")."""


def focus_schema(version: str = "1.2") -> pa.Schema:
    """Make the schema that AWS documents: doubles, millisecond timestamps, maps."""
    columns = FOCUS_1_0_COLUMNS if version == "1.0" else FOCUS_COLUMNS
    return pa.schema([pa.field(name, _type(name)) for name in columns])


def write_focus_export(
    folder: Path, scene: Scene, rows: Sequence[FocusRow], *, restatement: int = 0
) -> Path:
    """Write the month below `folder` (the export's location); returns the current manifest."""
    form = scene.source.form
    schema = focus_schema(form.focus_version)
    name = f"FOCUS_{form.focus_version.replace('.', '_')}_AWS"
    definition = definition_of(scene, name, schema.names) if form.query else None
    plain_rows = [_plain(row, GAPS if form.focus_gaps else ()) for row in rows]
    table = ExportTable(schema, plain_rows, "billing_period", definition)
    return write_parquet_export(folder, scene, table, restatement=restatement)


def _type(name: str) -> pa.DataType:
    if name in {"Tags", "x_CostCategories"}:
        return TEXT_MAP
    if name == "x_Discounts":
        return NUMBER_MAP
    if name.endswith(("PeriodStart", "PeriodEnd")):
        return TIMESTAMP
    return pa.float64() if name.endswith(("Cost", "Price", "Quantity")) else pa.string()


def _plain(row: FocusRow, gaps: Sequence[str]) -> dict[str, Any]:
    plain: dict[str, Any] = dict.fromkeys(FOCUS_COLUMNS)
    for name, value in row.items():
        if isinstance(value, Decimal):
            plain[name] = as_double(value)
        elif isinstance(value, datetime):
            plain[name] = plain_instant(value)
        else:
            plain[name] = list(value) if isinstance(value, tuple) else value
    plain["x_Discounts"] = []
    return plain | dict.fromkeys(gaps)
