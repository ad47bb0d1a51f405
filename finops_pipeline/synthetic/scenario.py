"""One source-month of the estate as a list of lines, in the order of the bill.

Put here: combining the parts, and the changes of a restatement.
Keep out: the parts themselves, formats, files.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from finops_pipeline.synthetic.fees import fee_lines, late_credit
from finops_pipeline.synthetic.reservations import reservation_lines
from finops_pipeline.synthetic.rows import Line
from finops_pipeline.synthetic.savings_plans import savings_plan_lines
from finops_pipeline.synthetic.usage import Scene, usage_lines


def source_month(scene: Scene, restatement: int = 0) -> list[Line]:
    """Make all lines of one source-month.

    `restatement` 0 is the first delivery. With n > 0, about one in thirty plain usage lines has
    (1 + n) times its amount, and a late credit is added; taxes and discounts do not change.
    """
    usage = list(usage_lines(scene))
    commitments = [*reservation_lines(scene), *savings_plan_lines(scene)]
    lines = [*usage, *commitments, *fee_lines(scene, usage)]
    if restatement:
        lines = [*_restated(scene, lines, restatement), late_credit(scene, restatement)]
    return lines


def _restated(scene: Scene, lines: list[Line], restatement: int) -> list[Line]:
    rng = scene.rng(f"restatement/{restatement}")
    factor = Decimal(1 + restatement)
    changed = []
    for line in lines:
        # Drawn for every line, so that the choice does not depend on earlier ones.
        chosen = rng.randrange(30) == 0
        changed.append(_scaled(line, factor) if chosen and line.kind == "Usage" else line)
    return changed


def _scaled(line: Line, factor: Decimal) -> Line:
    details = dict(line.details)
    normalized = details.get("line_item_normalized_usage_amount")
    if isinstance(normalized, Decimal):
        details["line_item_normalized_usage_amount"] = normalized * factor
    return replace(
        line,
        amount=line.amount * factor,
        cost=line.cost * factor,
        net_cost=None if line.net_cost is None else line.net_cost * factor,
        details=details,
    )
