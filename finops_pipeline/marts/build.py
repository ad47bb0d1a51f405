"""Refresh a tenant's DuckDB file: rebuild the slices that changed, check them, swap the file.

Put here: which slices are due, running the marts and checks in sql/ and checks/. Keep out: how
the file is copied and swapped (lake/warehouse.py), what the SQL says.

Reads: costs, ledger   Writes: <tenant>.duckdb
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from finops_pipeline.contracts.columns import Table
from finops_pipeline.contracts.focus import COSTS
from finops_pipeline.contracts.tables import ACCOUNTS, DATA_STATUS, MARTS, PROJECTS, SLICES
from finops_pipeline.errors import NotTrue
from finops_pipeline.lake.duck import Connection, DuckDBError, Limits, ident, text
from finops_pipeline.lake.layout import COSTS as COSTS_TABLE
from finops_pipeline.lake.publish import Writer
from finops_pipeline.lake.warehouse import WAREHOUSE, building, files_relation, reading
from finops_pipeline.marts.library import Check, Mart, checks, marts
from finops_pipeline.marts.views import create_views, view_names
from finops_pipeline.tenants.model import Tenant

Slices = dict[tuple[str, str], str]
"""(project, billing period) -> fingerprint of what the slice is built from."""

_WHOLE = ("", "")


@dataclass(frozen=True)
class Refreshed:
    """What a refresh did: `built` or `unchanged`, the slices rebuilt, rows that checks found.

    `totals`: rows of billing_period, billing_currency, rows (of monthly_costs), billed_cost,
    effective_cost, list_cost, contracted_cost (Decimal), by month.
    """

    outcome: str
    slices: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()
    totals: tuple[dict[str, Any], ...] = ()
    size_bytes: int = 0


def refresh(writer: Writer, tenant: Tenant, status: Sequence[Any], limits: Limits) -> Refreshed:
    """Bring the tenant's file up to date with its costs partitions and the registry.

    Args:
        writer: the tenant's writer.
        status: dataclass rows of `data_status`.

    Raises:
        NotTrue: a check that refuses found rows; the file stays as it was.
    """
    wanted = _wanted(writer, tenant, status)
    present = _present(writer)
    due = sorted(
        key for key in wanted.keys() | present.keys() if wanted.get(key) != present.get(key)
    )
    if not due:
        size = writer.folder.warehouse.stat().st_size
        with reading(writer.folder) as connection:
            return Refreshed("unchanged", totals=_totals(connection, ""), size_bytes=size)
    changed = [key for key in due if key != _WHOLE]
    with writer.publication() as publication:
        with building(publication, writer.folder, limits, fresh=not present) as connection:
            work = _Build(connection, writer, tenant)
            work.dimensions(status)
            work.marts(changed, wanted)
            warnings = work.check()
            work.views()
            work.note(wanted)
            totals = _totals(connection, f"{WAREHOUSE}.")
        publication.commit()
    size = writer.folder.warehouse.stat().st_size
    return Refreshed("built", tuple(changed), tuple(warnings), totals, size)


def _wanted(writer: Writer, tenant: Tenant, status: Sequence[Any]) -> Slices:
    """What the file should be built from, for each slice and as a whole."""
    projects = {project.name: project for project in tenant.all_projects}
    code = "\n".join(mart.sql for mart in marts()) + repr(list(MARTS.values()))
    wanted = {}
    for (name, month), record in writer.ledger.partitions(COSTS_TABLE).items():
        if record.rows:
            project = projects.get(name)
            said = [record.fingerprint, code]
            said += [project.environment, project.business_unit] if project else []
            wanted[name, month] = _mark(said)
    landed = [f"{d.source} {d.billing_period} {d.delivery_id}" for d in writer.ledger.deliveries()]
    whole = [tenant.model_dump_json(), _plain(status), *landed, *view_names(), repr(COSTS)]
    wanted[_WHOLE] = _mark(whole)
    return wanted


def _mark(said: list[str]) -> str:
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


def _plain(status: Sequence[Any]) -> str:
    return json.dumps([asdict(row) for row in status], default=str)


def _present(writer: Writer) -> Slices:
    """What the current file was built from; nothing when there is none that can be read."""
    if not writer.folder.warehouse.exists():
        return {}
    try:
        with reading(writer.folder) as connection:
            rows = connection.execute(
                f"select project, billing_period, fingerprint from {SLICES.name}"
            ).fetchall()
    except DuckDBError:
        return {}
    return {(project, month): mark for project, month, mark in rows}


class _Build:
    """One refresh, on a connection with the next file attached.

    In the connection's own schema, `costs` are the charges of the changed slices, and a mart is
    its changed part: so marts and checks read the same words here as in the finished file.
    """

    def __init__(self, connection: Connection, writer: Writer, tenant: Tenant) -> None:
        self._connection = connection
        self._writer = writer
        self._tenant = tenant

    def dimensions(self, status: Sequence[Any]) -> None:
        """Write projects, accounts and data_status anew (they are small)."""
        tenant = self._tenant
        self._fill(
            PROJECTS,
            [
                (
                    project.name,
                    project.display_name or None,
                    project.environment or None,
                    project.business_unit or None,
                    ", ".join(tenant.sources_of(project)),
                )
                for project in tenant.all_projects
            ],
        )
        self._fill(
            ACCOUNTS,
            [
                (claim.id, project.name, claim.from_day, claim.to_day)
                for project in tenant.projects
                for claim in project.accounts
            ],
        )
        self._fill(DATA_STATUS, [tuple(asdict(row).values()) for row in status])
        for table in (PROJECTS, ACCOUNTS, DATA_STATUS):
            self._connection.execute(
                f"create or replace view {table.name} as from {WAREHOUSE}.{table.name}"
            )

    def marts(self, changed: list[tuple[str, str]], wanted: Slices) -> None:
        """Replace the changed slices of every mart, in one transaction."""
        self._connection.execute("create table x_changed (project varchar, billing_period varchar)")
        if changed:
            self._connection.executemany("insert into x_changed values (?, ?)", changed)
        months = {month for _, month in changed}
        files = {
            key: self._writer.folder.partition(COSTS_TABLE, *key) for key in wanted if key != _WHOLE
        }
        columns = [column.name for column in COSTS.columns]
        for mart in marts():
            keys = [k for k in files if (k[1] in months if mart.by_month else k in changed)]
            self._empty_or("costs", [files[key] for key in sorted(keys)], columns)
            self._replace_slices(mart)
        keys = [key for key in files if key[1] in months]
        self._empty_or("costs", [files[key] for key in sorted(keys)], columns)

    def _replace_slices(self, mart: Mart) -> None:
        table = MARTS[mart.name]
        whole = f"{WAREHOUSE}.{table.name}"
        _create(self._connection, table)
        slice_keys = "billing_period" if mart.by_month else "project, billing_period"
        names = ", ".join(column.name for column in table.columns)
        self._connection.execute("begin")
        self._connection.execute(
            f"delete from {whole} where ({slice_keys}) in (select ({slice_keys}) from x_changed)"
        )
        self._connection.execute(
            f"insert into {whole} ({names}) select {names} from ({mart.sql})"
            f" order by {', '.join(table.grain)}"
        )
        self._connection.execute("commit")
        self._connection.execute(
            f"create or replace view {table.name} as from {whole}"
            " where billing_period in (select billing_period from x_changed)"
        )

    def _empty_or(self, name: str, paths: list[Any], columns: list[str]) -> None:
        """A view over these files, or with the contract's columns and no rows."""
        if paths:
            body = files_relation(paths, columns)
        else:
            types = ", ".join(f"null::{c.type} as {ident(c.name)}" for c in COSTS.columns)
            body = f"select {types} where false"
        self._connection.execute(f"create or replace view {name} as {body}")

    def check(self) -> list[str]:
        """Run every check on what changed.

        Returns:
            one line per check that warns.

        Raises:
            NotTrue: a check that refuses found rows.
        """
        warnings = []
        for check in checks():
            found = self._connection.execute(f"select count(*) from ({check.sql})").fetchone()
            rows = found[0] if found else 0
            if not rows:
                continue
            example = self._example(check)
            if check.refuses:
                raise NotTrue(
                    f"check {check.name} of tenant {self._tenant.name} found {rows} rows, for"
                    f" example {example}",
                    f"none: {check.meaning}",
                    "The tenant's file stays as it was",
                )
            warnings.append(f"{check.name}: {rows} rows, for example {example}")
        return warnings

    def _example(self, check: Check) -> str:
        query = self._connection.execute(f"select * from ({check.sql}) limit 1")
        names = [column[0] for column in query.description or []]
        row = query.fetchone() or ()
        return ", ".join(f"{name}={value}" for name, value in zip(names, row, strict=True))

    def views(self) -> None:
        """Create the file's views over the folders."""
        create_views(self._connection, self._writer.folder, self._tenant)

    def note(self, wanted: Slices) -> None:
        """Write into the file what it is built from."""
        self._fill(SLICES, [(*key, mark) for key, mark in sorted(wanted.items())])

    def _fill(self, table: Table, rows: list[tuple[Any, ...]]) -> None:
        whole = f"{WAREHOUSE}.{table.name}"
        _create(self._connection, table)
        self._connection.execute(f"delete from {whole}")
        if rows:
            marks = ", ".join("?" for _ in table.columns)
            self._connection.executemany(f"insert into {whole} values ({marks})", rows)


def _totals(connection: Connection, schema: str) -> tuple[dict[str, Any], ...]:
    """Totals of monthly_costs per month and currency."""
    query = connection.execute(
        "select billing_period, billing_currency, count(*) as rows,"
        " sum(billed_cost) as billed_cost, sum(effective_cost) as effective_cost,"
        " sum(list_cost) as list_cost, sum(contracted_cost) as contracted_cost"
        f" from {schema}monthly_costs group by all order by all"
    )
    names = [column[0] for column in query.description or []]
    return tuple(dict(zip(names, row, strict=True)) for row in query.fetchall())


def _create(connection: Connection, table: Table) -> None:
    """Create a contract's table in the file, or anew when its columns have changed."""
    there = connection.execute(
        "select column_name, data_type from duckdb_columns() where database_name ="
        f" {text(WAREHOUSE)} and table_name = {text(table.name)} order by column_index"
    ).fetchall()
    if there != [(column.name, column.type) for column in table.columns]:
        connection.execute(f"drop table if exists {WAREHOUSE}.{table.name}")
        columns = ", ".join(
            f"{ident(c.name)} {c.type}{'' if c.nullable else ' not null'}" for c in table.columns
        )
        connection.execute(f"create table {WAREHOUSE}.{table.name} ({columns})")
