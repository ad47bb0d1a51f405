"""Common parts of reservations and savings plans: terms, holders, net columns.

Put here: rules that hold for every kind of commitment.
Keep out: the commitments themselves (`reservations`, `savings_plans`).
"""

from __future__ import annotations

from decimal import Decimal

from finops_pipeline.synthetic.rows import Detail, Period, shift_month
from finops_pipeline.synthetic.usage import Scene

# One year, the only term in the estate.
TERM_HOURS = 8760


def is_held(scene: Scene, name: str, role: str, began: int) -> bool:
    """Check whether the source has this commitment in the scene's month."""
    listed = name in scene.source.commitments and holder_role(scene, role) in scene.source.accounts
    return listed and scene.period.age <= began


def holder_role(scene: Scene, role: str) -> str:
    """Return the role, or `payer` if the source has no account of that role."""
    return role if role in scene.source.accounts else "payer"


def term_of(period: Period, began: int) -> dict[str, str]:
    """Return start and end of a one-year term that began `began` months before the open month."""
    first = shift_month(period.month, period.age - began)
    return {
        "start": f"{first}-01T00:00:00.000Z",
        "end": f"{shift_month(first, 12)}-01T00:00:00.000Z",
    }


def net_counterparts(
    scene: Scene, details: dict[str, Detail], columns: tuple[str, ...]
) -> dict[str, Detail]:
    """Make the net counterpart of each of `columns`: `reservation_net_x` of `reservation_x`."""
    counterparts: dict[str, Detail] = {}
    for column in columns:
        value = details.get(column)
        if isinstance(value, Decimal):
            group = "savings_plan_" if column.startswith("savings_plan_") else "reservation_"
            net = scene.net(value)
            counterparts[f"{group}net_{column.removeprefix(group)}"] = (
                net if net is not None else value
            )
    return counterparts
