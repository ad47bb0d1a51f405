"""Marts beside a second computation of the same numbers: reading both, naming what differs.

Put here: reading charges and marts, sums and percentages by Python's decimals, the comparison. Keep
out: the second computations (second_opinion_commitments.py and others).
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import polars as pl

from finops_pipeline.contracts.tables import MARTS
from finops_pipeline.lake.duck import fetch_dicts
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.warehouse import reading
from finops_pipeline.money import exact_sum

Row = dict[str, Any]
CENT = Decimal("0.01")


def read_charges(folder: TenantFolder, columns: Iterable[str]) -> pl.DataFrame:
    """Read columns of all charges of a tenant, amounts as exact decimals."""
    names = ", ".join(f'"{name}"' for name in columns)
    with reading(folder) as connection:
        table = connection.sql(f"select {names} from costs").to_arrow_table()
        return pl.DataFrame(table)


def read_mart(folder: TenantFolder, name: str) -> list[Row]:
    """Read all rows of a mart."""
    with reading(folder) as connection:
        return fetch_dicts(connection.execute(f"from {name}"))


def total(rows: Iterable[Row], column: str) -> Decimal | None:
    """Add up a column; None where no row states it."""
    values = [row[column] for row in rows if row[column] is not None]
    return exact_sum(values) if values else None


def percent(part: Decimal | None, whole: Decimal | None) -> Decimal | None:
    """Return a percentage with two decimals; None without a whole."""
    if part is None or not whole:
        return None
    return (100 * part / whole).quantize(CENT, ROUND_HALF_UP)


def differences(name: str, served: list[Row], expected: list[Row]) -> list[str]:
    """Name the rows in which a mart differs from what is expected of it, in expected columns.

    Percentages may differ by a hundredth, because the marts round quotients of floats.
    """
    grain = [key for key in MARTS[name].grain if not expected or key in expected[0]]
    found, right = (
        {tuple(row[key] for key in grain): row for row in rows} for rows in (served, expected)
    )
    assert len(found) == len(served) and len(right) == len(expected), f"{name}: grain not unique"
    result = [f"{name} lacks {key}" for key in right.keys() - found.keys()]
    result += [f"{name} has {key}" for key in found.keys() - right.keys()]
    for key in found.keys() & right.keys():
        for column, value in right[key].items():
            served_value = found[key][column]
            if column.endswith("_percent") and None not in (value, served_value):
                if abs(value - served_value) > CENT:
                    result.append(f"{name} {key}: {column} is {served_value}, expected {value}")
            elif served_value != value:
                result.append(f"{name} {key}: {column} is {served_value}, expected {value}")
    return result
