"""The columns we read from a Cost and Usage Report, legacy and 2.0, by their CUR 2.0 names.

Put here: the columns that conversion reads, their types, and which a file must have. Keep out:
reading them (landing), converting them (focus). Sources: AWS data dictionaries
"Line item details" (legacy CUR) and "Cost and Usage Report (CUR) 2.0 table".
"""

from __future__ import annotations

import re

from finops_pipeline.contracts.column import FLAG, JSON, MONEY, TEXT, TIME

REQUIRED = (
    "line_item_line_item_type",
    "line_item_usage_account_id",
    "line_item_usage_start_date",
    "line_item_unblended_cost",
    "line_item_currency_code",
)
"""Columns without which a bill's costs cannot be right; every row must fill them."""

COST_COLUMNS = frozenset(
    {
        *REQUIRED,
        "bill_billing_period_start_date",
        "reservation_effective_cost",
        "reservation_unused_amortized_upfront_fee_for_billing_period",
        "reservation_unused_recurring_fee",
        "savings_plan_savings_plan_effective_cost",
        "savings_plan_total_commitment_to_date",
        "savings_plan_used_commitment",
    }
)
"""Columns from which billed and effective cost and the month of a row are read. If one of them
cannot be read, the row is quarantined. Any other value that cannot be read becomes null and is
counted (sources: AWS "Understanding your Savings Plans line items" and "Understanding your
reservation line items", which name the columns of amortized cost)."""

SLASHED = {
    "line_item_line_item_type": "lineItem/LineItemType",
    "line_item_usage_account_id": "lineItem/UsageAccountId",
    "line_item_usage_start_date": "lineItem/UsageStartDate",
    "line_item_unblended_cost": "lineItem/UnblendedCost",
    "line_item_currency_code": "lineItem/CurrencyCode",
}
"""The required columns as a legacy CSV spells them, for messages."""

ACCOUNT = "line_item_usage_account_id"
LINE_TYPE = "line_item_line_item_type"
SERVICE = "line_item_product_code"
TOTAL = "line_item_unblended_cost"
CURRENCY = "line_item_currency_code"
USAGE_START = "line_item_usage_start_date"
PERIOD_START = "bill_billing_period_start_date"

COLUMNS: dict[str, str] = {
    "identity_line_item_id": TEXT,
    "bill_invoice_id": TEXT,
    "bill_invoicing_entity": TEXT,
    "bill_billing_entity": TEXT,
    "bill_bill_type": TEXT,
    "bill_payer_account_id": TEXT,
    "bill_payer_account_name": TEXT,
    "bill_billing_period_start_date": TIME,
    "bill_billing_period_end_date": TIME,
    "line_item_usage_account_id": TEXT,
    "line_item_usage_account_name": TEXT,
    "line_item_line_item_type": TEXT,
    "line_item_usage_start_date": TIME,
    "line_item_usage_end_date": TIME,
    "line_item_product_code": TEXT,
    "line_item_usage_type": TEXT,
    "line_item_operation": TEXT,
    "line_item_availability_zone": TEXT,
    "line_item_resource_id": TEXT,
    "line_item_usage_amount": MONEY,
    "line_item_normalization_factor": TEXT,
    "line_item_normalized_usage_amount": MONEY,
    "line_item_currency_code": TEXT,
    "line_item_unblended_rate": MONEY,
    "line_item_unblended_cost": MONEY,
    "line_item_net_unblended_cost": MONEY,
    "line_item_line_item_description": TEXT,
    "line_item_tax_type": TEXT,
    "line_item_iam_principal": TEXT,
    "line_item_user_identifier": TEXT,
    "line_item_legal_entity": TEXT,
    "product_product_name": TEXT,
    "product_product_family": TEXT,
    "product_instance_type": TEXT,
    "product_location": TEXT,
    "product_region": TEXT,
    "product_region_code": TEXT,
    "product_from_region_code": TEXT,
    "product_servicecode": TEXT,
    "product_sku": TEXT,
    "product_vcpu": TEXT,
    "product_memory": TEXT,
    "product_operating_system": TEXT,
    "pricing_currency": TEXT,
    "pricing_lease_contract_length": TEXT,
    "pricing_offering_class": TEXT,
    "pricing_public_on_demand_cost": MONEY,
    "pricing_public_on_demand_rate": MONEY,
    "pricing_purchase_option": TEXT,
    "pricing_rate_code": TEXT,
    "pricing_term": TEXT,
    "pricing_unit": TEXT,
    "reservation_reservation_a_r_n": TEXT,
    "reservation_start_time": TEXT,
    "reservation_end_time": TEXT,
    "reservation_amortized_upfront_fee_for_billing_period": MONEY,
    "reservation_effective_cost": MONEY,
    "reservation_net_effective_cost": MONEY,
    "reservation_total_reserved_units": MONEY,
    "reservation_total_reserved_normalized_units": MONEY,
    "reservation_unused_quantity": MONEY,
    "reservation_unused_normalized_unit_quantity": MONEY,
    "reservation_unused_amortized_upfront_fee_for_billing_period": MONEY,
    "reservation_unused_recurring_fee": MONEY,
    "reservation_net_unused_amortized_upfront_fee_for_billing_period": MONEY,
    "reservation_net_unused_recurring_fee": MONEY,
    "savings_plan_savings_plan_a_r_n": TEXT,
    "savings_plan_offering_type": TEXT,
    "savings_plan_payment_option": TEXT,
    "savings_plan_purchase_term": TEXT,
    "savings_plan_start_time": TEXT,
    "savings_plan_end_time": TEXT,
    "savings_plan_amortized_upfront_commitment_for_billing_period": MONEY,
    "savings_plan_net_amortized_upfront_commitment_for_billing_period": MONEY,
    "savings_plan_net_recurring_commitment_for_billing_period": MONEY,
    "savings_plan_savings_plan_effective_cost": MONEY,
    "savings_plan_net_savings_plan_effective_cost": MONEY,
    "savings_plan_total_commitment_to_date": MONEY,
    "savings_plan_used_commitment": MONEY,
    "capacity_reservation_capacity_reservation_arn": TEXT,
    "capacity_reservation_capacity_reservation_status": TEXT,
    "split_line_item_parent_resource_id": TEXT,
    "split_line_item_split_cost": MONEY,
    "split_line_item_unused_cost": MONEY,
    "split_line_item_net_split_cost": MONEY,
    "split_line_item_net_unused_cost": MONEY,
}
"""Canonical (CUR 2.0) name -> type. Columns a source lacks become typed nulls."""

LATER = {
    "line_item_normalization_factor",
    "line_item_normalized_usage_amount",
    "reservation_total_reserved_normalized_units",
    "reservation_unused_normalized_unit_quantity",
    "savings_plan_net_amortized_upfront_commitment_for_billing_period",
    "savings_plan_net_recurring_commitment_for_billing_period",
    "split_line_item_split_cost",
    "split_line_item_unused_cost",
    "split_line_item_net_split_cost",
    "split_line_item_net_unused_cost",
}
"""Amounts that got a type when they were first used. Earlier landings were not checked for them, so
values that are not numbers were not counted there; they are null too."""

EXTRA: dict[str, str] = {
    "tags": JSON,
    "name_tag": TEXT,
    "tag_keys": JSON,
    "other_tags": JSON,
    "cost_categories": JSON,
    "discounts": JSON,
    "unknown_columns": JSON,
    "x_source": TEXT,
    "x_source_file": TEXT,
    "x_project": TEXT,
    "x_in_normalized_units": FLAG,
}
"""Columns that reading adds to a line item: maps as JSON text, the tag Name, the row's source, file
and project, whether its reservation is counted in normalized units."""

ALIASES = {
    "savings_plan_savings_plan_arn": "savings_plan_savings_plan_a_r_n",
    "reservation_reservation_arn": "reservation_reservation_a_r_n",
    "product_servicename": "product_product_name",
    "capacity_reservation_capacity_reservation_a_r_n": (
        "capacity_reservation_capacity_reservation_arn"
    ),
}
"""Other spellings seen in practice (nise, self-made exports) -> canonical name."""

KNOWN_LINE_TYPES = (
    "Usage",
    "DiscountedUsage",
    "SavingsPlanCoveredUsage",
    "SavingsPlanNegation",
    "SavingsPlanRecurringFee",
    "SavingsPlanUpfrontFee",
    "RIFee",
    "Fee",
    "FlatRateSubscription",
    "Tax",
    "Credit",
    "Refund",
    "EdpDiscount",
    "PrivateRateDiscount",
    "BundledDiscount",
    "RiVolumeDiscount",
    "SppDiscount",
    "Discount",
    "DistributorDiscount",
    "CrossServiceDiscount",
)
"""Line item types that focus/sql has a rule for; any other is kept as an Adjustment."""

_CAPITAL = re.compile(r"(?<=[a-zA-Z0-9])(?=[A-Z])")
_OTHER = re.compile(r"[^a-z0-9]+")


def canonical(header: str) -> str:
    """Return the CUR 2.0 name of a header: `lineItem/UnblendedCost` -> `line_item_unblended_cost`.

    AWS's own rule for Parquet: lower case, an underscore before every capital and for every other
    character (so `savingsPlan/SavingsPlanARN` ends in `_a_r_n`).
    """
    if "/" in header:
        group, _, name = header.partition("/")
        header = f"{_CAPITAL.sub('_', group)}_{_CAPITAL.sub('_', name)}"
    name = _OTHER.sub("_", header.strip().lower()).strip("_")
    return ALIASES.get(name, name)
