"""Every mart computed again from the published charges, and compared with the stored table.

Put here: the comparison, month by month. Keep out: building marts (build.py), checks (results.py).

Reads: costs, marts   Writes: nothing
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from finops_pipeline.contracts.tables import MARTS
from finops_pipeline.lake.duck import Connection, Limits, ident
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.warehouse import reading
from finops_pipeline.marts.due_slices import Window
from finops_pipeline.marts.library import Mart, SliceKind, in_reading_order, marts
from finops_pipeline.marts.results import list_months, restrict_to_months
from finops_pipeline.marts.slice_conditions import among_months


@dataclass(frozen=True)
class MartComparison:
    """A mart in one month: its rows, and how many differ from those computed again.

    `extra`: stored rows that the charges do not give; `missing`: rows that they give and that are
    not stored.
    """

    mart: str
    billing_period: str
    rows: int
    extra: int
    missing: int

    @property
    def is_equal(self) -> bool:
        """Whether the stored table has exactly the rows that the charges give."""
        return not self.extra and not self.missing


def recompute_marts(folder: TenantFolder, limits: Limits) -> Iterator[MartComparison]:
    """Compute every mart again, a month at a time, and yield its comparison.

    A mart that reads another one reads the stored one, which is compared itself. One whose rows
    have no month is compared as a whole, with the newest month.

    Raises:
        Unknown: nothing has been built for this tenant yet.
        ForeignFile, DamagedFile: the tenant's file is not the one that was published.
        DuckDBError: charges cannot be read.
    """
    with reading(folder) as connection:
        limits.apply(connection)
        present = list_months(connection)
        ordered = in_reading_order(marts())
        months = _months(connection)
        for month in months:
            restrict_to_months(connection, {month})
            for mart in ordered:
                if not _has_months(mart.name) and month != months[-1]:
                    continue
                window = Window(mart.lookback, mart.slices is SliceKind.NEWEST)
                if window.is_none:
                    yield _compare(connection, mart, month)
                    continue
                seen = window.months([month], present)
                restrict_to_months(connection, seen)
                yield _compare(connection, mart, month)
                restrict_to_months(connection, {month})


def _months(connection: Connection) -> list[str]:
    tables = ("partitions", "costs", *filter(_has_months, MARTS))
    every = " union ".join(f"select billing_period from w.main.{ident(t)}" for t in tables)
    return [row[0] for row in connection.execute(f"{every} order by 1").fetchall()]


def _has_months(mart: str) -> bool:
    return any(column.name == "billing_period" for column in MARTS[mart].columns)


def _compare(connection: Connection, mart: Mart, month: str) -> MartComparison:
    names = ", ".join(column.name for column in MARTS[mart.name].columns)
    only = f"where {among_months([month])}" if _has_months(mart.name) else ""
    connection.execute(
        f"create or replace temp table x_again as select {names} from ({mart.sql}) {only}"
    )
    stored, again = f"select {names} from {mart.name} {only}", f"select {names} from x_again"
    counts = connection.execute(
        f"select (select count(*) from ({stored})),"
        f" (select count(*) from ({stored} except all {again})),"
        f" (select count(*) from ({again} except all {stored}))"
    ).fetchall()
    return MartComparison(mart.name, month, *counts[0])
