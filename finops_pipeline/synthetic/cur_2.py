"""Write one source-month as a CUR 2.0 export: the COST_AND_USAGE_REPORT table.

Put here: the table's columns and types, its map columns.
Keep out: folders, manifest and query (`parquet_export`), what the lines are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from finops_pipeline.synthetic.cur_columns import cur_values, is_moment
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
from finops_pipeline.synthetic.rows import ZERO, Line
from finops_pipeline.synthetic.usage import Scene

# A star marks a number. AWS types several savings plan amounts and all rates as string.
_NAMES = """
bill: bill_type billing_entity billing_period_end_date billing_period_start_date invoice_id
 invoicing_entity payer_account_id payer_account_name
capacity_reservation: capacity_reservation_arn capacity_reservation_status
 capacity_reservation_type
identity: line_item_id time_interval
line_item: availability_zone blended_cost* blended_rate currency_code legal_entity
 line_item_description line_item_type net_unblended_cost* net_unblended_rate
 normalization_factor* normalized_usage_amount* operation product_code resource_id tax_type
 unblended_cost* unblended_rate usage_account_id usage_account_name usage_amount*
 usage_end_date usage_start_date usage_type
pricing: currency lease_contract_length offering_class public_on_demand_cost*
 public_on_demand_rate purchase_option rate_code rate_id term unit
product: comment fee_code fee_description from_location from_location_type from_region_code
 instance_family instance_type instancesku location location_type operation pricing_unit
 product_family region_code servicecode sku to_location to_location_type to_region_code
 usagetype
reservation: amortized_upfront_cost_for_usage* amortized_upfront_fee_for_billing_period*
 availability_zone effective_cost* end_time modification_status
 net_amortized_upfront_cost_for_usage* net_amortized_upfront_fee_for_billing_period*
 net_effective_cost* net_recurring_fee_for_usage*
 net_unused_amortized_upfront_fee_for_billing_period* net_unused_recurring_fee*
 normalized_units_per_reservation number_of_reservations recurring_fee_for_usage*
 reservation_a_r_n start_time subscription_id total_reserved_normalized_units
 total_reserved_units units_per_reservation
 unused_amortized_upfront_fee_for_billing_period* unused_normalized_unit_quantity*
 unused_quantity* unused_recurring_fee* upfront_value*
savings_plan: amortized_upfront_commitment_for_billing_period end_time instance_type_family
 net_amortized_upfront_commitment_for_billing_period
 net_recurring_commitment_for_billing_period net_savings_plan_effective_cost* offering_type
 payment_option purchase_term recurring_commitment_for_billing_period region
 savings_plan_a_r_n savings_plan_effective_cost* savings_plan_rate start_time
 total_commitment_to_date used_commitment
split_line_item: actual_usage* net_split_cost* net_unused_cost* parent_resource_id
 public_on_demand_split_cost* public_on_demand_unused_cost* reserved_usage* split_cost*
 split_usage* split_usage_ratio* unused_cost*
"""

# Keys of the product map; AWS has some of them both in the map and as columns.
_PRODUCT_MAP_KEYS = (
    "product_name",
    "operating_system",
    "region",
    "servicecode",
    "sku",
    "transfer_type",
)


def cur_2_schema() -> pa.Schema:
    """Make the schema of the table, with all columns in alphabetical order as in AWS's exports."""
    fields = []
    for group in re.split(r"\n(?=\w)", _NAMES.strip()):
        prefix, names = group.split(":", 1)
        fields += [_field(f"{prefix}_{name}") for name in names.split()]
    fields += [pa.field(name, TEXT_MAP) for name in ("cost_category", "product", "resource_tags")]
    fields.append(pa.field("discount", NUMBER_MAP))
    fields += [
        pa.field(name, pa.float64())
        for name in ("discount_bundled_discount", "discount_total_discount")
    ]
    return pa.schema(sorted(fields, key=lambda field: str(field.name)))


def write_cur_2(folder: Path, scene: Scene, lines: Sequence[Line], *, restatement: int = 0) -> Path:
    """Write the month below `folder` (the export's location); returns the current manifest."""
    schema = cur_2_schema()
    doubles = frozenset(f.name for f in schema if f.type == pa.float64())
    rows = [_row(doubles, scene, line, number) for number, line in enumerate(lines)]
    definition = definition_of(scene, "COST_AND_USAGE_REPORT", schema.names)
    table = ExportTable(schema, rows, "BILLING_PERIOD", definition)
    return write_parquet_export(folder, scene, table, restatement=restatement)


def _field(name: str) -> pa.Field:
    if name.endswith("*"):
        return pa.field(name.removesuffix("*"), pa.float64())
    return pa.field(name, TIMESTAMP if is_moment(name) else pa.string())


def _row(doubles: frozenset[str], scene: Scene, line: Line, number: int) -> dict[str, Any]:
    values = cur_values(scene, line, number)
    row: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, datetime):
            row[name] = plain_instant(value)
        elif isinstance(value, Decimal):
            row[name] = as_double(value) if name in doubles else f"{value:f}"
        else:
            row[name] = value or None
    discount = ZERO if line.net_cost is None else line.net_cost - line.cost
    row |= {
        "bill_payer_account_name": account_name(scene, scene.source.accounts["payer"]),
        "line_item_usage_account_name": account_name(scene, line.account),
        "product": [(k, str(values[f"product_{k}"])) for k in _PRODUCT_MAP_KEYS
                    if values.get(f"product_{k}")],
        "resource_tags": [(_tag_key(key), text) for key, text in line.tags],
        "cost_category": [("area", line.cost_category)] if line.cost_category else [],
        "discount": [("edp_discount", as_double(discount))] if discount else [],
        "discount_total_discount": as_double(discount),
    }  # fmt: skip
    return row


def account_name(scene: Scene, account: str) -> str:
    """Make the display name of an account: its role at this tenant, and the tenant's marker."""
    roles = [role for role, number in scene.source.accounts.items() if number == account]
    return f"{scene.tenant.name} {roles[0]} ({scene.tenant.marker})"


def _tag_key(key: str) -> str:
    """Return a tag's key as CUR 2.0 spells it: `user_cost_center` for `user:CostCenter`."""
    scope, name = key.split(":", 1)
    return f"{scope}_{re.sub(r'(?<!^)(?=[A-Z])', '_', name).lower()}"
