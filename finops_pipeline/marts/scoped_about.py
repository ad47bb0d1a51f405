"""The table `about` of a file that is limited to some projects.

Put here: its rows, made from those of the tenant's file. Keep out: the other tables
(scoped_tables.py), the rows of a tenant's file (about.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from finops_pipeline.contracts.file_tables import ABOUT
from finops_pipeline.lake.duck import Connection, ident
from finops_pipeline.lake.scoped_file import LIMITED, WHOLE
from finops_pipeline.marts.about import is_of_costs, read_periods, read_trust

_FILE = "file"


def fill_scoped_about(connection: Connection, projects: Sequence[str]) -> None:
    """Write `about` into the limited file, after all other tables and views are in it."""
    columns = [column.name for column in ABOUT.columns]
    names = ", ".join(map(ident, columns))
    stated = connection.execute(f"select {names} from {WHOLE}.{ABOUT.name}").fetchall()
    rows = _Rows(connection, projects).of([dict(zip(columns, row, strict=True)) for row in stated])
    values = [[row[name] for row in rows] for name in columns]
    listed = ", ".join(f"unnest(?::{column.type}[])" for column in ABOUT.columns)
    connection.execute(
        f"create table {LIMITED}.{ABOUT.name} as from {WHOLE}.{ABOUT.name} where false"
    )
    connection.execute(f"insert into {LIMITED}.{ABOUT.name} select {listed}", values)


class _Rows:
    """The rows of a limited file, from those of the tenant's file."""

    def __init__(self, connection: Connection, projects: Sequence[str]) -> None:
        self._projects = projects
        self._present = _read_present(connection)
        self._periods = read_periods(connection, LIMITED)
        self._of_charges = self._periods.get("partitions", (None, None))
        self._trust = read_trust(connection, LIMITED)
        self._currencies = connection.execute(
            f"select distinct billing_currency from {LIMITED}.partitions order by 1"
        ).fetchall()

    def of(self, stated: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the rows that the limited file has."""
        facts = [row for row in stated if row["kind"] == _FILE]
        tables = [row for row in stated if row["kind"] != _FILE and row["name"] in self._present]
        return [*map(self._fact, facts), *self._scope(facts), *map(self._table, tables)]

    def _fact(self, row: dict[str, Any]) -> dict[str, Any]:
        first, last = self._of_charges
        own = {
            "period": f"{first} to {last}" if first else "no charges yet",
            "currency": ", ".join(name for (name,) in self._currencies) or "none yet",
            "trust": self._trust,
        }
        what = own.get(row["name"], row["what"])
        return {**row, "what": what, "first_period": first, "last_period": last}

    def _scope(self, facts: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        listed = ", ".join(self._projects) or "no project"
        for row in facts[:1]:
            yield {**self._fact(row), "name": "scope", "what": f"limited to {listed}"}

    def _table(self, row: dict[str, Any]) -> dict[str, Any]:
        of_costs = is_of_costs(row["name"])
        first, last = self._periods.get(row["name"], self._of_charges if of_costs else (None, None))
        state = self._trust if row["state"] is not None else None
        return {**row, "first_period": first, "last_period": last, "state": state}


def _read_present(connection: Connection) -> set[str]:
    rows = connection.execute(
        "select table_name from duckdb_tables() where database_name = ?"
        " union all select view_name from duckdb_views() where database_name = ? and not internal",
        [LIMITED, LIMITED],
    ).fetchall()
    # these two are written when the file is complete
    return {name for (name,) in rows} | {ABOUT.name, "file_identity", "partition_files"}
