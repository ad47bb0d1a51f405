"""The values that claims compare, as SQL on landed rows and on charges.

Put here: account, day, region, service, tags, resource and commitment of a row; equal for a landed
row and for the charge that it becomes. Keep out: matching them with claims
(claim_matching.py), assigning rows (assigned_rows.py), the conversions (sql/).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from finops_pipeline.contracts import cur
from finops_pipeline.contracts.bills import CUR, FOCUS
from finops_pipeline.focus.landed_bill import LandedBill
from finops_pipeline.focus.normalise import LandedColumns, line_item_value, typed
from finops_pipeline.focus.tag_columns import (
    cost_category_value,
    json_value,
    tag_value,
    valid_json,
)
from finops_pipeline.focus.tag_entries import OTHERS
from finops_pipeline.lake.duck import ident, text
from finops_pipeline.ledger.claims import OwnedClaim

_FEES = ("SavingsPlanRecurringFee", "SavingsPlanUpfrontFee", "RIFee", "Fee")
_OF_COMMITMENTS = (*_FEES, "SavingsPlanCoveredUsage", "DiscountedUsage", "Refund")
NEGATION = "SavingsPlanNegation"


@dataclass(frozen=True)
class ClaimedColumns:
    """Rows, and SQL of the values that claims compare; other values are left out.

    `name` distinguishes the rows from others on the same connection. `tags` and `cost_categories`
    are by key. `resource` is null for a row of a commitment itself, such as its fee. `is_evidence`:
    whether the row says where other rows of its resource, commitment or account belong.
    """

    name: str
    relation: str
    account: str
    day: str
    region: str
    service: str
    service_code: str
    tags: Mapping[str, str]
    cost_categories: Mapping[str, str]
    resource: str
    commitment: str
    is_evidence: str


def landed_columns(bill: LandedBill, claims: Iterable[OwnedClaim]) -> ClaimedColumns:
    """Return the values that claims compare, for the landed rows of a bill."""
    landed = LandedColumns(bill.columns, bill.empty, bill.keys, bill.unreadable, bill.tag_spellings)
    conditions = list(claims)
    if bill.form is FOCUS:
        return _focus_columns(bill, landed, conditions)
    columns = landed.filled(CUR)

    def value(name: str) -> str:
        return line_item_value(landed, columns, name)

    line_type = value(cur.LINE_TYPE)
    arn = f"coalesce({value('savings_plan_savings_plan_a_r_n')},"
    arn += f" {value('reservation_reservation_a_r_n')})"
    resource = value("line_item_resource_id")
    is_split = f"{value('split_line_item_parent_resource_id')} is not null"
    commitment = f"case when {line_type} in {_OF_COMMITMENTS} and not {is_split}"
    commitment += f" or {line_type} = {text(NEGATION)} then {arn} end"
    return ClaimedColumns(
        name=bill.source,
        relation=bill.relation,
        account=value(cur.ACCOUNT),
        day=f"({value(cur.USAGE_START)})::date",
        # as in sql/cur_charges.sql
        region=(
            f"nullif(coalesce({value('product_region_code')}, {value('product_region')},"
            f" nullif(regexp_extract({value('line_item_availability_zone')},"
            " '^[a-z]{2}(-[a-z]+)+-[0-9]+'), ''),"
            f" {value('product_from_region_code')}), 'global')"
        ),
        service=value("product_product_name"),
        service_code=value(cur.SERVICE),
        tags={key: tag_value(landed, key) for key in _keys(conditions, "tags")},
        cost_categories={
            key: cost_category_value(landed, key) for key in _keys(conditions, "cost_categories")
        },
        resource=(
            f"case when {line_type} in {_FEES} and {arn} is not null then null"
            f" else nullif({resource}, coalesce({arn}, '')) end"
        ),
        commitment=commitment,
        is_evidence=f"({line_type} is distinct from {text(NEGATION)})",
    )


def _focus_columns(
    bill: LandedBill, landed: LandedColumns, claims: list[OwnedClaim]
) -> ClaimedColumns:
    columns = landed.filled(FOCUS)

    def value(name: str) -> str:
        if name not in columns:
            return f"null::{FOCUS.types[name]}"
        column = columns[name]
        return typed(column, landed.types[column], FOCUS.types[name], column in landed.unreadable)

    def entry(name: str, key: str) -> str:
        column = columns.get(name)
        if column is None:
            return "null::varchar"
        if landed.types[column].startswith("MAP"):
            return f"{ident(column)}[{text(key)}]::varchar"
        return json_value(valid_json(value(name)), key)

    return ClaimedColumns(
        name=bill.source,
        relation=bill.relation,
        account=value("SubAccountId"),
        day=f"({value('ChargePeriodStart')})::date",
        region=value("RegionId"),
        service=f"coalesce({value('ServiceName')}, {value('x_ServiceCode')}, 'AWS')",
        service_code=value("x_ServiceCode"),
        tags={key: entry("Tags", key) for key in _keys(claims, "tags")},
        cost_categories={
            key: entry("x_CostCategories", key) for key in _keys(claims, "cost_categories")
        },
        resource=f"nullif({value('ResourceId')}, coalesce({value('CommitmentDiscountId')}, ''))",
        commitment=value("CommitmentDiscountId"),
        is_evidence="true",
    )


def charge_columns(relation: str, name: str, claims: Iterable[OwnedClaim]) -> ClaimedColumns:
    """Return the values that claims compare, for charges: the same as for the rows behind them.

    Args:
        relation: SQL for the charges.
    """
    conditions = list(claims)

    def tag(key: str) -> str:
        return json_value(valid_json("x_OtherTags" if key.startswith(OTHERS) else "Tags"), key)

    return ClaimedColumns(
        name=name,
        relation=relation,
        account="SubAccountId",
        day="ChargePeriodStart::date",
        region="RegionId",
        service="ServiceName",
        service_code="x_ServiceCode",
        tags={key: tag(key) for key in _keys(conditions, "tags")},
        cost_categories={
            key: json_value(valid_json("x_CostCategories"), key)
            for key in _keys(conditions, "cost_categories")
        },
        resource="nullif(ResourceId, coalesce(CommitmentDiscountId, ''))",
        commitment="CommitmentDiscountId",
        is_evidence="(x_RowKind <> 'residual')",
    )


def _keys(claims: Iterable[OwnedClaim], kind: str) -> list[str]:
    """List the keys of tags or cost categories that claims compare."""
    return sorted({key for each in claims for key, _ in getattr(each.claim, kind)})
