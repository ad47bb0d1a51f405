"""Sums of decimal columns in Polars, against Python's own exact sums.

Put here: the properties of Polars on which exact sums rely, and that readers do not import it.
Keep out: comparing months (test_reconciliation.py).
"""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_pipeline.errors import FinopsError
from finops_pipeline.money import exact_sum
from finops_pipeline.reconciliation.cost_explorer_breakdown import COST_TYPE, sum_costs

SCHEMA = {
    "account": pl.String,
    "service": pl.String,
    "value_count": pl.Int64,
    "cost": COST_TYPE,
}
Row = tuple[str, str, int, Decimal]
LARGEST = "99999999999999999999.999999999999999999"
"""The largest number that DECIMAL(38,18) can hold."""


def money(units: int) -> Decimal:
    """An amount in units of 1e-18; made from text, as operations of Decimal round to 28 digits."""
    return Decimal(f"{units}e-18")


amounts = st.integers(-(10**36), 10**36).map(money)
rows_of_costs = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.integers(0, 1000), amounts),
    max_size=90,
)


def frame(rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def exact(
    rows: list[Row], positions: tuple[int, ...]
) -> dict[tuple[str, ...], tuple[int, Decimal]]:
    """Key -> count and cost, by Python's integers and decimals."""
    groups: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(str(row[position]) for position in positions)].append(row)
    return {
        key: (sum(row[2] for row in group), exact_sum(row[3] for row in group))
        for key, group in groups.items()
    }


@settings(max_examples=150, deadline=None)
@given(rows_of_costs)
def test_sums_equal_those_of_python(rows: list[Row]) -> None:
    for keys, positions in ((["account"], (0,)), (["account", "service"], (0, 1))):
        sums = sum_costs(frame(rows), keys)
        assert sums.schema["cost"] == COST_TYPE
        sums_by_key = {tuple(row[:-2]): row[-2:] for row in sums.iter_rows()}
        assert sums_by_key == exact(rows, positions)
    (total,) = sum_costs(frame(rows), []).iter_rows()
    assert total == exact(rows, ()).get((), (0, Decimal(0)))


def test_many_rows_of_both_signs_keep_their_last_decimal() -> None:
    """A float would lose that decimal: 300,000 amounts of up to 19 digits before the point."""
    rows = [
        ("a", "x" if number % 2 else "y", 1,
         money((-1) ** (number // 2) * (number + 1) * 10**27 + number))
        for number in range(300_000)
    ]  # fmt: skip
    sums_by_key = {row[0]: row[1:] for row in sum_costs(frame(rows), ["service"]).iter_rows()}
    assert sums_by_key == {key[0]: sums for key, sums in exact(rows, (1,)).items()}


@pytest.mark.parametrize("sign", [1, -1])
def test_sums_that_do_not_fit_are_refused(sign: int) -> None:
    """A grouped sum of Polars wraps around at 128 bits; such a result must never be returned."""
    largest = Decimal(LARGEST if sign > 0 else f"-{LARGEST}")
    (total,) = sum_costs(frame([("a", "x", 1, largest)]), []).iter_rows()
    assert total == (1, largest)
    rows = [("a", "x", 1, largest)] * 4
    for keys in ([], ["account"], ["account", "service"]):
        with pytest.raises(FinopsError, match="too large to be added exactly"):
            sum_costs(frame(rows), keys)


def test_readers_do_not_import_polars() -> None:
    """Commands that read statuses need only the ledger."""
    modules = (
        "finops_pipeline.reconciliation.statuses, finops_pipeline.reconciliation.verdict,"
        " finops_pipeline.reconciliation.delivery_history, finops_pipeline.serve.caveats"
    )
    code = f"import sys, {modules}; print('polars' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.stdout, result.stderr) == ("False\n", "")
