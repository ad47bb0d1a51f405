"""The table `about` and the comments of a tenant's file, which let it explain itself.

Put here: the rows of `about`, and which comment belongs to which table, view and column. Keep out:
what a table means (contracts), writing comments (lake/comments.py).

Reads: the file being built   Writes: about, comments
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from finops_pipeline import __version__, clock
from finops_pipeline.contracts.column import Table
from finops_pipeline.contracts.file_tables import ABOUT
from finops_pipeline.contracts.focus import COSTS
from finops_pipeline.contracts.focus_versions import focus_views
from finops_pipeline.contracts.landed_columns import TAG_MEANING, column_meaning, landing_meaning
from finops_pipeline.contracts.tables import COST_EXPLORER_DAILY, DELIVERY_HISTORY, MARTS, TABLES
from finops_pipeline.lake.comments import Comments, write_comments
from finops_pipeline.lake.duck import Connection, ident
from finops_pipeline.lake.warehouse import WAREHOUSE
from finops_pipeline.marts.blank_file import contract_comments
from finops_pipeline.marts.status_tables import fill_table
from finops_pipeline.marts.views import landing_view
from finops_pipeline.tenants.model import Tenant

_SETTLED = ("reconciled", "landed")
"""States of `data_status` that need no remark."""

_NAMED_MONTHS = 5


@dataclass(frozen=True)
class FileFacts:
    """Facts about a file: its tenant, its generation, and which marts were computed for it.

    `built`: the marts that this refresh has computed; the others keep an earlier time.
    """

    tenant: Tenant
    generation: int
    built: Collection[str]


def explain_file(connection: Connection, facts: FileFacts) -> None:
    """Fill `about`, and comment on every table, view and column of the file being built."""
    present = _present(connection)
    built_before = _built_before(connection) if ABOUT.name in present else {}
    fill_table(connection, ABOUT, [])
    names = _columns_of_landings(connection, facts.tenant)
    about = _About(connection, facts, built_before)
    described = [_described(table) for table in TABLES]
    described += [(v.name, "view", v.meaning, COSTS.grain) for v in focus_views()]
    for source in facts.tenant.sources:
        name = landing_view(source.name)
        described.append((name, "view", landing_meaning(source.name), ()))
    listed = {*present, ABOUT.name, *_WRITTEN_LAST}
    rows = [about.row(*item) for item in described if item[0] in listed]
    fill_table(connection, ABOUT, [*about.file_rows(), *rows])
    write_comments(
        connection, WAREHOUSE, {**contract_comments(), **_landing_comments(facts, names)}
    )


MOST_COMMENTED_COLUMNS = 400
"""Columns of a landing up to which all are commented on; AWS's own are about 250."""

_WRITTEN_LAST = ("file_identity", "partition_files")
"""Tables that are written when the file is complete."""

_Item = tuple[str, str, str, tuple[str, ...]]
"""Name, kind, meaning and grain."""


def _described(table: Table) -> _Item:
    return table.name, table.kind, table.meaning, table.grain


def _landing_comments(facts: FileFacts, names: Mapping[str, list[str]]) -> dict[str, Comments]:
    return {
        landing_view(source.name): landing_comments(
            source.name, names.get(landing_view(source.name), ())
        )
        for source in facts.tenant.sources
    }


def landing_comments(source: str, columns: Collection[str]) -> Comments:
    """Return the comments of the view of a source's landing, by its columns.

    Every comment on a column copies the comments on all others: with 2,400 columns, they took 10
    seconds and 2 GB. Where there are too many, the tags share the comment on the view.
    """
    meanings = {name: column_meaning(name) for name in columns}
    own = landing_meaning(source)
    if len(meanings) > MOST_COMMENTED_COLUMNS:
        meanings = {name: text for name, text in meanings.items() if text != TAG_MEANING}
        own += " Columns without a comment are tags and cost categories of the customer."
    return Comments(own, meanings)


def _columns_of_landings(connection: Connection, tenant: Tenant) -> dict[str, list[str]]:
    views = [landing_view(source.name) for source in tenant.sources]
    rows = connection.execute(
        "select table_name, list(column_name) from duckdb_columns() where database_name = ?"
        " and table_name in (select unnest(?::varchar[])) group by all",
        [WAREHOUSE, views],
    ).fetchall()
    return dict(rows)


def _present(connection: Connection) -> set[str]:
    rows = connection.execute(
        "select table_name from duckdb_tables() where database_name = ?"
        " union all select view_name from duckdb_views() where database_name = ? and not internal",
        [WAREHOUSE, WAREHOUSE],
    ).fetchall()
    return {name for (name,) in rows}


def _built_before(connection: Connection) -> dict[str, str]:
    rows = connection.execute(f"select name, built_at from {WAREHOUSE}.{ABOUT.name}").fetchall()
    return dict(rows)


class _About:
    """The rows of `about`."""

    def __init__(
        self, connection: Connection, facts: FileFacts, built_before: Mapping[str, str]
    ) -> None:
        self._facts = facts
        self._built_before = built_before
        self._now = clock.now().isoformat(timespec="seconds")
        self._periods = read_periods(connection, WAREHOUSE)
        self._of_charges = self._periods.get("partitions", (None, None))
        self._state = read_trust(connection, WAREHOUSE)
        currencies = connection.execute(
            f"select distinct billing_currency from {WAREHOUSE}.partitions order by 1"
        ).fetchall()
        self._currencies = [currency for (currency,) in currencies]

    def file_rows(self) -> Iterator[tuple[str | None, ...]]:
        """Yield the facts about the file itself."""
        tenant = self._facts.tenant
        name = tenant.name
        first, last = self._of_charges
        facts = {
            "tenant": f"{tenant.display_name} ({name})" if tenant.display_name else name,
            "generation": str(self._facts.generation),
            "built_by": f"finops_pipeline {__version__}",
            "period": f"{first} to {last}" if first else "no charges yet",
            "currency": ", ".join(self._currencies) or "none yet",
            "trust": self._state,
        }
        for fact, what in facts.items():
            yield (fact, "file", what, None, first, last, self._now, None, self._cite("file"))

    def row(
        self, name: str, kind: str, meaning: str, grain: tuple[str, ...]
    ) -> tuple[str | None, ...]:
        """Return the row of a table or view."""
        is_older = name in MARTS and name not in self._facts.built
        built_at = self._built_before.get(name, self._now) if is_older else self._now
        of_costs = is_of_costs(name)
        periods = self._periods.get(name, self._of_charges if of_costs else (None, None))
        return (
            *(name, kind, meaning, ", ".join(grain) or None),
            *periods,
            built_at,
            self._state if of_costs else None,
            self._cite(name),
        )

    def _cite(self, name: str) -> str:
        facts = self._facts
        day = self._now[:10]
        return f"{facts.tenant.name}: {name}, generation {facts.generation} of {day}"


def is_of_costs(name: str) -> bool:
    """Return whether a table or view has amounts of money whose months may be doubtful."""
    views = {view.name for view in focus_views()}
    others = {COSTS.name, COST_EXPLORER_DAILY.name, DELIVERY_HISTORY.name}
    return name in MARTS or name in views | others or name.startswith("landing_")


def read_periods(connection: Connection, catalog: str) -> dict[str, tuple[str | None, str | None]]:
    """Return the first and last billing period of each table that has one."""
    tables = connection.execute(
        "select table_name from duckdb_columns() join duckdb_tables() using"
        " (database_name, table_name) where database_name = ? and column_name = 'billing_period'",
        [catalog],
    ).fetchall()
    queries = [
        f"select '{name}', min(billing_period), max(billing_period) from {catalog}.{ident(name)}"
        for (name,) in tables
    ]
    rows = connection.execute(" union all ".join(queries)).fetchall() if queries else []
    return {name: (first, last) for name, first, last in rows if first is not None}


def read_trust(connection: Connection, catalog: str) -> str:
    """Say that every month is reconciled, or which are not."""
    rows = connection.execute(
        "select billing_period, string_agg(distinct state, ' and ' order by state)"
        f" from {catalog}.data_status where state not in (?, ?) group by 1 order by 1",
        list(_SETTLED),
    ).fetchall()
    if rows:
        rest = len(rows) - _NAMED_MONTHS
        more = f" and {rest} more" if rest > 0 else ""
        names = ", ".join(f"{month} {state}" for month, state in rows[:_NAMED_MONTHS])
        return f"not reconciled: {names}{more}"
    any_month = connection.execute(f"select 1 from {catalog}.data_status").fetchone()
    return "every month is reconciled" if any_month else "nothing has landed yet"
