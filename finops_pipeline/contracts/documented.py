"""Every column that AWS documents for a Cost and Usage Report, legacy and 2.0, by CUR 2.0 names.

Put here: AWS's data dictionaries as a list of names. Keep out: which of them are read (cur.py).
Sources, as of November 2026: AWS "Data dictionary" of the Cost and Usage Report, and the pages of
"Cost and Usage Report (CUR) 2.0" in the Data Exports table dictionary (bill, capacity reservation,
cost category, discount, identity, line item, pricing, product, reservation, resource tags, savings
plan, split line item, tags). The newest: line_item_iam_principal (INCLUDE_IAM_PRINCIPAL_DATA),
line_item_user_identifier, reservation_net_upfront_value. A column that is missing
here is new or not AWS's: its values are kept in x_UnknownColumns of the charges. FOCUS columns are
those of focus.py.
"""

from __future__ import annotations

import re
from collections.abc import Set

_NAMES = """
bill: bill_type billing_entity billing_period_end_date billing_period_start_date invoice_id
 invoicing_entity payer_account_id payer_account_name
capacity_reservation: capacity_reservation_arn capacity_reservation_status
 capacity_reservation_type
identity: line_item_id time_interval
line_item: availability_zone blended_cost blended_rate currency_code iam_principal legal_entity
 line_item_description line_item_type net_unblended_cost net_unblended_rate normalization_factor
 normalized_usage_amount operation product_code resource_id tax_type unblended_cost
 unblended_rate usage_account_id usage_account_name usage_amount usage_end_date
 usage_start_date usage_type user_identifier
pricing: currency lease_contract_length offering_class public_on_demand_cost
 public_on_demand_rate purchase_option rate_code rate_id term unit
reservation: amortized_upfront_cost_for_usage amortized_upfront_fee_for_billing_period
 availability_zone effective_cost end_time modification_status
 net_amortized_upfront_cost_for_usage net_amortized_upfront_fee_for_billing_period
 net_effective_cost net_recurring_fee_for_usage
 net_unused_amortized_upfront_fee_for_billing_period net_unused_recurring_fee
 net_upfront_value
 normalized_units_per_reservation number_of_reservations recurring_fee_for_usage
 reservation_a_r_n start_time subscription_id total_reserved_normalized_units
 total_reserved_units units_per_reservation unused_amortized_upfront_fee_for_billing_period
 unused_normalized_unit_quantity unused_quantity unused_recurring_fee upfront_value
savings_plan: amortized_upfront_commitment_for_billing_period end_time instance_type_family
 net_amortized_upfront_commitment_for_billing_period
 net_recurring_commitment_for_billing_period net_savings_plan_effective_cost offering_type
 payment_option purchase_term recurring_commitment_for_billing_period region
 savings_plan_a_r_n savings_plan_effective_cost savings_plan_rate start_time
 total_commitment_to_date used_commitment
split_line_item: actual_usage net_split_cost net_unused_cost parent_resource_id
 public_on_demand_split_cost public_on_demand_unused_cost reserved_usage split_cost
 split_usage split_usage_ratio unused_cost
"""

DOCUMENTED: Set[str] = {
    f"{group.split(':')[0]}_{name}"
    for group in re.split(r"\n(?=\w)", _NAMES.strip())
    for name in group.split(":")[1].split()
}
"""Columns with fixed names, as opposed to those of maps and tags."""

MAPS = ("product", "resource_tags", "cost_category", "discount", "tags")
"""Map columns of CUR 2.0. Legacy reports have a column for each key: `product_…`."""

TAGGED = ("resource_tags", "resource_tag", "tags", "cost_category", "account_tag",
          "user_attribute", "iam_principal")  # fmt: skip
"""Groups of columns that customers name, which differ between deliveries."""


def is_documented(name: str) -> bool:
    """Check whether AWS documents a column or its group, by its CUR 2.0 name."""
    return name in DOCUMENTED or name in MAPS or name.startswith(tuple(f"{m}_" for m in _GROUPS))


def is_tag(name: str) -> bool:
    """Check whether a column is a tag or cost category, by its CUR 2.0 name."""
    return name.startswith(tuple(f"{group}_" for group in TAGGED))


_GROUPS = {*MAPS, *TAGGED}
