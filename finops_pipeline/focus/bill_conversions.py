"""How each format of bill is converted to charges: its rows and the statements that read them.

Put here: the table of conversions by format. Keep out: the statements (sql/), how columns are
normalised (normalise.py), running a conversion (month_pass.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from finops_pipeline.focus.landed_bill import LandedBill
from finops_pipeline.focus.normalise import focus_rows, line_items
from finops_pipeline.tenants.model import SourceFormat


@dataclass(frozen=True)
class Conversion:
    """From the landed rows of a bill to charges.

    `select_rows` gives SQL of a landed bill's normalised rows, from the bill, SQL of its rows
    with their projects, and the billing period. `rows` is the name under which the statements
    `charges` and `totals` (files of sql/) read them.
    """

    rows: str
    charges: str
    totals: str
    select_rows: Callable[[LandedBill, str, str], str]


def _select_line_items(bill: LandedBill, rows: str, month: str) -> str:
    common = (bill.columns, rows, bill.source, month, bill.empty)
    return line_items(*common, bill.keys, bill.in_units)


def _select_focus_rows(bill: LandedBill, rows: str, month: str) -> str:
    return focus_rows(bill.columns, rows, bill.source, month, bill.empty)


_CUR = Conversion("line_items", "cur_charges", "cur_totals", _select_line_items)
_FOCUS = Conversion("focus_rows", "focus_charges", "focus_totals", _select_focus_rows)

CONVERSIONS = {
    SourceFormat.LEGACY_CUR: _CUR,
    SourceFormat.CUR_2: _CUR,
    SourceFormat.FOCUS: _FOCUS,
}
"""The conversion of each format of bill."""
