"""The conversion of each bill format to charges: its row query and the statements that read it.

Put here: the table of conversions by format. Keep out: the statements (conversion.py), how columns
are normalized (normalise.py), running a conversion (month_pass.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from finops_pipeline.focus.conversion import FOCUS_ROW_STATEMENTS, LINE_ITEM_STATEMENTS, Statements
from finops_pipeline.focus.landed_bill import LandedBill
from finops_pipeline.focus.normalise import LandedColumns, Origin, focus_rows, line_items
from finops_pipeline.tenants.model import SourceFormat


@dataclass(frozen=True)
class BillConversion:
    """A conversion of a bill's landed rows to charges.

    `select_rows` returns SQL for the normalized rows of a bill, given the bill, SQL for its rows
    with their projects, and the billing period.
    """

    statements: Statements
    select_rows: Callable[[LandedBill, str, str], str]


def _select_line_items(bill: LandedBill, rows: str, month: str) -> str:
    origin = Origin(bill.source, month, bill.in_units, bill.use_known_until)
    return line_items(_columns(bill), rows, origin)


def _select_focus_rows(bill: LandedBill, rows: str, month: str) -> str:
    return focus_rows(_columns(bill), rows, bill.source)


def _columns(bill: LandedBill) -> LandedColumns:
    return LandedColumns(bill.columns, bill.empty, bill.keys, bill.unreadable, bill.tag_spellings)


_CUR = BillConversion(LINE_ITEM_STATEMENTS, _select_line_items)

CONVERSIONS = {
    SourceFormat.LEGACY_CUR: _CUR,
    SourceFormat.CUR_2: _CUR,
    SourceFormat.FOCUS: BillConversion(FOCUS_ROW_STATEMENTS, _select_focus_rows),
}
"""The conversion of each format of bill."""
