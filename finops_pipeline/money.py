"""Exact sums of money in Python: decimals, never floats, never rounded by a context.

Put here: parsing, adding, rounding and formatting amounts. Keep out: what an amount means.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal, localcontext

_AMOUNT = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_SMALLEST, _END = Decimal("1e-18"), Decimal("1e20")
_CENT = Decimal("0.01")
_WITHOUT_CENTS = frozenset((
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND",
    "VUV", "XAF", "XOF", "XPF",
))  # fmt: skip
_THREE_DIGITS = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))
_DIGITS = 100
"""By default Python rounds sums to 28 digits; sums of DECIMAL(38,18) need more."""


def read_amount(text: str) -> tuple[Decimal, bool] | None:
    """Parse an amount as DECIMAL(38,18), and return whether it was rounded; None if it is invalid.

    `1,234.5`, `NaN`, `1_000` and amounts of more than 20 digits before the point are invalid.
    """
    if not _AMOUNT.fullmatch(text):
        return None
    with localcontext() as context:
        context.prec = 1200  # the text may have an exponent of three digits
        amount = Decimal(text)
        if abs(amount) >= _END:
            return None
        rounded = amount.quantize(_SMALLEST, ROUND_HALF_UP)
        return rounded, rounded != amount


def exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    """Add amounts exactly; 0 for none."""
    with localcontext() as context:
        context.prec = _DIGITS
        return sum(amounts, Decimal(0))


def difference(minuend: Decimal, subtrahend: Decimal) -> Decimal:
    """Subtract `subtrahend` from `minuend` exactly."""
    with localcontext() as context:
        context.prec = _DIGITS
        return minuend - subtrahend


def digits_of(currency: str) -> int:
    """Return the decimal places in which amounts of a currency are paid (ISO 4217)."""
    if currency in _WITHOUT_CENTS:
        return 0
    return 3 if currency in _THREE_DIGITS else 2


def plain(amount: Decimal) -> str:
    """Format an amount without exponent and trailing zeros: `1.5`, `0.0000001`, `0`."""
    spelled = format(amount, "f")
    if "." in spelled:
        spelled = spelled.rstrip("0").rstrip(".")
    return "0" if spelled in ("-0", "") else spelled


def round_to_total(amounts: Sequence[Decimal], digits: int) -> list[Decimal]:
    """Round amounts so that they add up to their rounded total, half a unit away from zero.

    The amounts whose digits are cut off by the most are the ones that are rounded up; an amount is
    off by less than one unit.
    """
    unit = Decimal(1).scaleb(-digits)
    with localcontext() as context:
        context.prec = _DIGITS
        total = exact_sum(amounts).quantize(unit, ROUND_HALF_UP)
        rounded = [amount.quantize(unit, ROUND_FLOOR) for amount in amounts]
        missing = int((total - sum(rounded, Decimal(0))) / unit)
        by_rest = sorted(range(len(amounts)), key=lambda i: rounded[i] - amounts[i])
        for position in by_rest[:missing]:
            rounded[position] += unit
    return [amount or abs(amount) for amount in rounded]


def in_cents(amount: Decimal) -> str:
    """Round an amount to cents for people, half a cent away from zero; `<0.01` rather than 0.00.

    Only for showing: sums are computed from exact amounts, and rounded when they are shown.
    """
    with localcontext() as context:
        context.prec = _DIGITS
        rounded = amount.quantize(_CENT, ROUND_HALF_UP)
    if rounded or not amount:
        return format(rounded or abs(rounded), "f")
    return "<0.01" if amount > 0 else ">-0.01"
