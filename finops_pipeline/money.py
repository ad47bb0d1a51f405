"""Exact sums of money in Python: decimals, never floats, never rounded by a context.

Put here: adding and spelling amounts. Keep out: what an amount means.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, localcontext

_DIGITS = 100
"""Python rounds sums to 28 digits unless told otherwise; DECIMAL(38,18) sums need more."""


def exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    """The sum, to the last decimal; 0 for nothing."""
    with localcontext() as context:
        context.prec = _DIGITS
        return sum(amounts, Decimal(0))


def difference(one: Decimal, other: Decimal) -> Decimal:
    """one - other, to the last decimal."""
    with localcontext() as context:
        context.prec = _DIGITS
        return one - other


def plain(amount: Decimal) -> str:
    """An amount without exponent and trailing zeros: `1.5`, `0.0000001`, `0`."""
    spelled = format(amount, "f")
    if "." in spelled:
        spelled = spelled.rstrip("0").rstrip(".")
    return "0" if spelled in ("-0", "") else spelled
