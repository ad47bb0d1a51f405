"""The cost of a month by day as a small picture, which Dagster shows in the metadata of the month.

Put here: drawing it. Keep out: reading the sums (marts/day_totals.py).
"""

from __future__ import annotations

from base64 import b64encode
from decimal import Decimal

import dagster as dg

from finops_pipeline.marts.day_totals import DayTotals
from finops_pipeline.money import in_cents

_WIDTH, _HEIGHT, _BAR, _LABEL = 480, 120, 12, 14


def plot_days(days: DayTotals, currency: str) -> dg.MetadataValue:
    """Draw a bar for each day; credits that outweigh a day's charges hang below the line."""
    highest = max((*days.values(), Decimal(0)))
    lowest = min((*days.values(), Decimal(0)))
    span = highest - lowest or Decimal(1)
    zero = int(_HEIGHT * highest / span)
    bars = [_bar(day.day, cost, zero, span) for day, cost in days.items()]
    title = f"{currency} per day, {in_cents(lowest)} to {in_cents(highest)}"
    picture = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT + 2 * _LABEL}">'
        f'<text x="0" y="{_LABEL - 3}" font-size="11" font-family="sans-serif">{title}</text>'
        f'{"".join(bars)}<line x1="0" x2="{_WIDTH}" y1="{zero + _LABEL}" y2="{zero + _LABEL}"'
        ' stroke="#888"/></svg>'
    )
    return dg.MetadataValue.md(
        f"![{title}](data:image/svg+xml;base64,{b64encode(picture.encode()).decode()})"
    )


def _bar(day: int, cost: Decimal, zero: int, span: Decimal) -> str:
    height = int(_HEIGHT * abs(cost) / span)
    top = zero - height if cost >= 0 else zero
    return (
        f'<rect x="{(day - 1) * 15}" y="{top + _LABEL}" width="{_BAR}" height="{height}"'
        f' fill="#3d6fb6"><title>{day}: {in_cents(cost)}</title></rect>'
    )
