"""Amounts, rule by rule: read exactly, added exactly, spelled exactly.

Put here: properties of money.py. Keep out: amounts in bills (test_csv_property.py).
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_pipeline.money import difference, digits_of, exact_sum, plain, read_amount

AMOUNTS = st.decimals(
    min_value=Decimal("-1e20") + 1, max_value=Decimal("1e20") - 1,
    places=18, allow_nan=False, allow_infinity=False,
)  # fmt: skip


@given(AMOUNTS)
def test_an_amount_with_18_decimals_is_read_as_it_is_written(amount: Decimal) -> None:
    assert read_amount(f"{amount:f}") == (amount, False)
    assert read_amount(plain(amount)) == (amount, False)


@given(st.integers(-(10**30), 10**30), st.integers(19, 30))
def test_more_decimals_are_rounded_half_up_and_reported(digits: int, places: int) -> None:
    exact = Fraction(digits, 10**places)
    read = read_amount(f"{digits}e-{places}")
    assert read is not None
    amount, is_rounded = read
    assert is_rounded is (Fraction(amount) != exact)
    assert abs(Fraction(amount) - exact) <= Fraction(1, 2 * 10**18)
    if abs(Fraction(amount) - exact) == Fraction(1, 2 * 10**18):
        assert abs(Fraction(amount)) > abs(exact)


@pytest.mark.parametrize("text", [
    "", " ", "1,234.5", "NaN", "Infinity", "1_000", "--1", "1e", "1e1000", "0x1", "٣",
    "100000000000000000000", "-1e20", "1 ", ".",
])  # fmt: skip
def test_text_that_is_not_an_amount_is_refused(text: str) -> None:
    assert read_amount(text) is None


@given(st.lists(AMOUNTS, max_size=20))
def test_a_sum_is_exact_whatever_the_context(amounts: list[Decimal]) -> None:
    with localcontext() as context:
        context.prec = 5
        total = exact_sum(amounts)
        assert difference(total, exact_sum(amounts[1:])) == (amounts[0] if amounts else 0)
    assert Fraction(total) == sum(map(Fraction, amounts))


@given(AMOUNTS)
def test_plain_text_is_the_same_number_without_exponent_or_trailing_zeros(amount: Decimal) -> None:
    text = plain(amount)
    assert Decimal(text) == amount
    assert "e" not in text.lower() and text != "-0"
    assert "." not in text or not text.endswith(("0", "."))


@pytest.mark.parametrize(("digits", "currencies"), [
    (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
    (2, "USD EUR GBP INR CNY BRL"),
    (3, "BHD KWD"),
])  # fmt: skip
def test_currencies_are_paid_in_the_digits_of_iso_4217(digits: int, currencies: str) -> None:
    assert {digits_of(currency) for currency in currencies.split()} == {digits}
