"""The line items of a bill, each with its project, for every kind of claim.

Put here: the choice between assignment by accounts and by other claims. Keep out:
either kind of assignment (owned_rows.py, assigned_rows.py), running the conversion (month_pass.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from finops_pipeline.focus.assigned_rows import assigned_rows, rules_of
from finops_pipeline.focus.bill_conversions import CONVERSIONS
from finops_pipeline.focus.claim_columns import landed_columns
from finops_pipeline.focus.conversion import LINE_ITEM_STATEMENTS
from finops_pipeline.focus.landed_bill import LandedBill
from finops_pipeline.focus.negation_shares import count_shares, store_negation_shares
from finops_pipeline.focus.owned_rows import owned_rows
from finops_pipeline.lake.duck import Connection, text
from finops_pipeline.ledger.claims import has_conditions, list_claims
from finops_pipeline.ledger.month_plan import MonthPlan, ProjectPlan


@dataclass(frozen=True)
class ClaimedBill:
    """SQL for the normalized rows of some projects.

    `shares` counts rows that are not in the bill (negation_shares.py), by project, account, service
    code, line item type and currency.
    """

    rows: str
    shares: dict[tuple[str, ...], int] = field(default_factory=dict)


def claimed_bill(
    connection: Connection, plan: MonthPlan, projects: Sequence[ProjectPlan], bill: LandedBill
) -> ClaimedBill:
    """Return the normalized rows of these projects.

    Raises:
        RegistryError: claims of two projects, of equal priority, take the same charge.
    """
    conversion = CONVERSIONS[bill.format]
    claims = list_claims(plan.tenant, bill.source, plan.month)
    if not has_conditions(claims):
        rows = owned_rows(plan, list(projects), bill)
        return ClaimedBill(conversion.select_rows(bill, rows, plan.month))
    rules = rules_of(plan.tenant, bill.source, plan.month, claims)
    everything = assigned_rows(connection, landed_columns(bill, claims), rules)
    names = ", ".join(text(project.name) for project in projects)
    rows = f"(select * from {everything} where x_Project in ({names}))"
    select = conversion.select_rows(bill, rows, plan.month)
    if conversion.statements is not LINE_ITEM_STATEMENTS:
        return ClaimedBill(select)
    line_items = conversion.select_rows(bill, everything, plan.month)
    table = store_negation_shares(connection, bill.source, line_items)
    shares = f"select * from {table} where x_project in ({names})"
    return ClaimedBill(f"({select}) union all by name ({shares})", count_shares(connection, table))
