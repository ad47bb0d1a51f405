"""What reservations and savings plans have in common: terms, holders, net twins of amounts.

Put here: rules that hold for every kind of commitment.
Keep out: the commitments themselves (`reservations`, `savings_plans`).
"""

from __future__ import annotations

from decimal import Decimal

from finops_pipeline.synthetic.rows import Detail, Period, shift_month
from finops_pipeline.synthetic.usage import Scene

# One year, the only length in the estate.
TERM_HOURS = 8760


def is_held(scene: Scene, name: str, role: str, began: int) -> bool:
    """Whether the source has this commitment in the scene's month."""
    listed = name in scene.source.commitments and holder_role(scene, role) in scene.source.accounts
    return listed and scene.period.age <= began


def holder_role(scene: Scene, role: str) -> str:
    """The role itself, or `payer` where the source has no such account."""
    return role if role in scene.source.accounts else "payer"


def term_of(period: Period, began: int) -> dict[str, str]:
    """Start and end of a one-year term that began `began` months before the open month."""
    first = shift_month(period.month, period.age - began)
    return {
        "start": f"{first}-01T00:00:00.000Z",
        "end": f"{shift_month(first, 12)}-01T00:00:00.000Z",
    }


def net_twins(
    scene: Scene, details: dict[str, Detail], columns: tuple[str, ...]
) -> dict[str, Detail]:
    """The net twin of each of `columns`: `reservation_x` gives `reservation_net_x`."""
    twins: dict[str, Detail] = {}
    for column in columns:
        value = details.get(column)
        if isinstance(value, Decimal):
            group = "savings_plan_" if column.startswith("savings_plan_") else "reservation_"
            net = scene.net(value)
            twins[f"{group}net_{column.removeprefix(group)}"] = net if net is not None else value
    return twins
