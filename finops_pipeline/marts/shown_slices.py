"""What a mart or check sees while the next file is built: views of some of the slices.

Put here: the views of charges and tables in the build connection's own schema. Keep out: which
slices are due (due_slices.py), running marts (mart_runner.py).

The views have the names of the finished file, so that the same SQL runs in both.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import cache
from pathlib import Path

from finops_pipeline.contracts.column import Table
from finops_pipeline.contracts.focus import COSTS
from finops_pipeline.contracts.tables import MARTS, TABLES
from finops_pipeline.errors import DamagedFile, ForeignFile, IntegrityCheckFailed
from finops_pipeline.lake.duck import Connection, ident
from finops_pipeline.lake.warehouse import WAREHOUSE, files_relation
from finops_pipeline.marts.day_parts import EVERY_DAY, Days
from finops_pipeline.marts.due_slices import Change, Slice, Slices, months_of
from finops_pipeline.marts.library import Mart, SliceKind
from finops_pipeline.marts.slice_conditions import among_months, among_slices

_DAY = "charge_date"
_BYTES_IN_MEMORY = 4_000_000
"""Charges in files of at most this size are read once into memory, about 20 times as much.

Every mart and check that reads the files opens their footers of 110 columns again; for a small
month that takes as long as the rest of the statement.
"""


class ShownSlices:
    """The views of a build connection that has the next file attached.

    Args:
        marts: every mart of the file.
        find_file: returns the checked file of a slice's charges.
    """

    def __init__(
        self,
        connection: Connection,
        marts: Iterable[Mart],
        change: Change,
        find_file: Callable[[Slice], Path],
    ) -> None:
        self._connection = connection
        self._kinds = {mart.name: mart.slices for mart in marts}
        self._change = change
        self._file = cache(find_file)
        self._in_memory: Slices | None = None

    def has_lost_charges(self, slices: Slices) -> bool:
        """Return whether a file of unchanged charges is lost or was replaced."""
        try:
            for key in sorted((slices & self._change.after) - self._change.changed):
                self._file(key)
        except (DamagedFile, ForeignFile, IntegrityCheckFailed):
            return True
        return False

    def show_slices(self, slices: Slices, mart: Mart, days: Days = EVERY_DAY) -> None:
        """Show the slices that a mart reads of each table, or only some days of them."""
        for name in mart.reads:
            if name == COSTS.name:
                read = slices
                if mart.slices is SliceKind.MONTH:
                    read = self._of_months(months_of(slices))
                self._show_charges(read, days)
            else:
                condition = self._condition(name, slices, mart)
                if days != EVERY_DAY and _DAY in _columns(name):
                    condition += f" and {days.among(_DAY)}"
                self._show_table(name, condition)

    def show_months(self, names: Iterable[str], months: Collection[str]) -> None:
        """Show some months of tables, of all projects."""
        for name in names:
            if name == COSTS.name:
                self._show_charges(self._of_months(months))
            else:
                has_months = "billing_period" in _columns(name)
                self._show_table(name, among_months(months) if has_months else "true")

    def has_rows(self, tables: Collection[str]) -> bool:
        """Return whether one of these tables, as it is shown, has a row; no tables: yes.

        Args:
            tables: each with a condition (`costs where …`) or without.
        """
        tests = " or ".join(f"exists (select 1 from {table})" for table in tables)
        return not tests or self._connection.execute(f"select {tests}").fetchall() == [(True,)]

    def _of_months(self, months: Collection[str]) -> Slices:
        return frozenset(key for key in self._change.after if key[1] in months)

    def _condition(self, name: str, slices: Slices, mart: Mart) -> str:
        columns = _columns(name)
        if "billing_period" not in columns:
            return "true"
        condition = among_months(months_of(slices))
        is_by_project = mart.slices is SliceKind.PROJECT_MONTH and "project" in columns
        is_by_project &= self._kinds.get(name, mart.slices) is SliceKind.PROJECT_MONTH
        if is_by_project and not self._change.is_everything:
            condition += f" and {among_slices(slices)}"
        return condition

    def _show_table(self, name: str, condition: str) -> None:
        self._connection.execute(
            f"create or replace view {name} as from {WAREHOUSE}.{name} where {condition}"
        )

    def _show_charges(self, slices: Slices, days: Days = EVERY_DAY) -> None:
        """Make `costs` a view of these slices' charges; an empty one if there are none."""
        present = slices & self._change.after
        if present == self._in_memory and days == EVERY_DAY:
            return
        self._in_memory = None
        paths = [self._file(key) for key in sorted(present)]
        if paths:
            body = files_relation(paths, COSTS.columns)
            if days != EVERY_DAY:
                body = f"from ({body}) where {days.among('ChargePeriodStart')}"
            elif sum(path.stat().st_size for path in paths) <= _BYTES_IN_MEMORY:
                self._connection.execute(f"create or replace table x_charges as {body}")
                body, self._in_memory = "from x_charges", present
        else:
            types = ", ".join(f"null::{c.type} as {ident(c.name)}" for c in COSTS.columns)
            body = f"select {types} where false"
        self._connection.execute(f"create or replace view costs as {body}")


def _columns(name: str) -> set[str]:
    return {column.name for column in _table(name).columns}


def _table(name: str) -> Table:
    return MARTS.get(name) or next(table for table in TABLES if table.name == name)
