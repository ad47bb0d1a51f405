"""Refresh a tenant's DuckDB file: rebuild the slices that changed, check them, swap the file.

Put here: which slices are due, running the marts and checks in sql/ and checks/. Keep out: copying
and swapping the file (lake/warehouse.py), tables that are not marts (status_tables.py).

Reads: costs, ledger   Writes: <tenant>.duckdb
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from finops_pipeline.contracts.focus import COSTS
from finops_pipeline.contracts.focus_versions import focus_views
from finops_pipeline.contracts.proofs import (
    BILL_TOTALS,
    CHECK_RESULTS,
    CONFORMANCE,
    PARTITIONS,
    RECONCILIATION,
)
from finops_pipeline.contracts.tables import (
    ACCOUNTS,
    API_REQUESTS,
    COST_EXPLORER_DAILY,
    DATA_STATUS,
    DELIVERY_HISTORY,
    MARTS,
    PROJECTS,
    SLICES,
)
from finops_pipeline.errors import DamagedFile, IntegrityCheckFailed
from finops_pipeline.lake.duck import Connection, DuckDBError, Limits, fetch_dicts, ident
from finops_pipeline.lake.layout import COSTS as COSTS_TABLE
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.publish import Publication
from finops_pipeline.lake.warehouse import WAREHOUSE, building, files_relation, reading
from finops_pipeline.ledger.cost_explorer_days import read_requests
from finops_pipeline.ledger.ledger import fingerprint_of
from finops_pipeline.marts.library import Mart, checks, marts
from finops_pipeline.marts.results import (
    CheckState,
    refuse_failed_checks,
    run_checks,
    store_results,
)
from finops_pipeline.marts.rule_tables import fill_rules
from finops_pipeline.marts.status_tables import (
    append_rows,
    create_table,
    fill_dimensions,
    fill_partition_tables,
    fill_table,
)
from finops_pipeline.marts.views import create_views, find_damage, view_names
from finops_pipeline.tenants.model import Tenant

Slice = tuple[str, str]
"""Project and billing period."""

Slices = dict[Slice, str]
"""Slice -> fingerprint of what it is built from."""

_WHOLE_FILE = ("", "")
"""The key, among slices, of everything that does not belong to one project and month."""


@dataclass(frozen=True)
class StatusRows:
    """Dataclass rows of the tables `data_status` and `reconciliation`."""

    data_status: Sequence[Any]
    reconciliation: Sequence[Any] = ()


@dataclass(frozen=True)
class Refreshed:
    """The result of a refresh: `built` or `unchanged`, the rebuilt slices, warnings of checks.

    `left_out`: a sentence for each damaged file, whose view is left out.
    `totals`: rows of billing_period, billing_currency, rows (of monthly_costs), billed_cost,
    effective_cost, list_cost, contracted_cost (Decimal), by month.
    """

    outcome: str
    slices: tuple[Slice, ...] = ()
    warnings: tuple[str, ...] = ()
    totals: tuple[dict[str, Any], ...] = ()
    size_bytes: int = 0
    left_out: tuple[str, ...] = ()


def refresh(
    publication: Publication, tenant: Tenant, status: StatusRows, limits: Limits
) -> Refreshed:
    """Put the tenant's file, brought up to date, on a publication.

    It is built from the costs partitions as they will be after the publication, so that charges and
    tables become visible together.

    Raises:
        IntegrityCheckFailed: a check that refuses found rows.
        DamagedFile, ForeignFile: a file of a month that has to be built is not what was published.
    """
    damage = find_damage(publication, tenant)
    left_out = tuple(f"{name} is left out: {e}" for name, found in damage.items() for e in found)
    target = _target_slices(publication, tenant, status)
    if left_out:
        target[_WHOLE_FILE] = fingerprint_of([target[_WHOLE_FILE], *damage])
    present = {} if publication.is_fresh else _present_slices(publication.folder)
    due = sorted(k for k in target.keys() | present.keys() if target.get(k) != present.get(k))
    if not due:
        size = publication.folder.warehouse.stat().st_size
        with reading(publication.folder) as connection:
            totals = _totals(connection, "")
        return Refreshed("unchanged", totals=totals, size_bytes=size, left_out=left_out)
    changed = [key for key in due if key != _WHOLE_FILE]
    with building(publication, limits, fresh=not present) as connection:
        work = _Build(connection, publication, tenant, target)
        work.fill_status_tables(status)
        work.rebuild_marts(changed)
        warnings = work.run_checks(changed)
        create_views(connection, publication, tenant, damage)
        work.record_slices()
        totals = _totals(connection, f"{WAREHOUSE}.")
    size = publication.warehouse_bytes
    return Refreshed("built", tuple(changed), tuple(warnings), totals, size, left_out)


def _target_slices(publication: Publication, tenant: Tenant, status: StatusRows) -> Slices:
    """Fingerprint the inputs of the file to build, for each slice and for the rest of it."""
    projects = {project.name: project for project in tenant.all_projects}
    code = "\n".join(mart.sql for mart in marts()) + repr(list(MARTS.values()))
    code += repr((BILL_TOTALS, CHECK_RESULTS, [check.sql for check in checks()]))
    slices = {}
    for (name, month), record in publication.partitions(COSTS_TABLE).items():
        if record.rows:
            project = projects.get(name)
            labels = [project.environment, project.business_unit] if project else []
            rules = tenant.dimensions.of_month(month)
            slices[name, month] = fingerprint_of([record.fingerprint, code, rules, *labels])
    deliveries = publication.ledger.deliveries()
    slices[_WHOLE_FILE] = fingerprint_of(
        [
            tenant.model_dump_json(),
            json.dumps(asdict(status), default=str),
            *(f"{d.source} {d.billing_period} {d.delivery_id}" for d in deliveries),
            *view_names(),
            repr((COSTS, DELIVERY_HISTORY, PARTITIONS, CONFORMANCE, RECONCILIATION)),
            repr((COST_EXPLORER_DAILY, API_REQUESTS, focus_views())),
            repr(read_requests(publication.ledger)),
            str(publication.folder.root),
            *(f"{f.place} {f.sha256}" for f in publication.current_files()),
        ]
    )
    return slices


def _present_slices(folder: TenantFolder) -> Slices:
    """Read the slices and fingerprints of the current file; empty where no file can be read."""
    if not folder.warehouse.exists():
        return {}
    try:
        with reading(folder) as connection:
            rows = connection.execute(
                f"select project, billing_period, fingerprint from {SLICES.name}"
            ).fetchall()
    except (DuckDBError, DamagedFile):
        return {}
    return {(project, month): fingerprint for project, month, fingerprint in rows}


class _Build:
    """One refresh, on a connection with the next file attached.

    In the connection's own schema, `costs` is a view of the changed slices' charges, and each mart
    a view of its changed part, so that the SQL uses the same names here as in the finished file.
    """

    def __init__(
        self, connection: Connection, publication: Publication, tenant: Tenant, target: Slices
    ) -> None:
        self._connection = connection
        self._publication = publication
        self._tenant = tenant
        self._target = target
        self._files: dict[Slice, Path] = {}

    def _file(self, project: str, month: str) -> Path:
        path = self._publication.checked(COSTS_TABLE, project, month)
        if path is None:
            raise IntegrityCheckFailed(
                f"the charges of {self._tenant.name}/{project} {month} are missing",
                "a file of charges of that month",
                f"Build it again: finops rebuild {self._tenant.name} --month {month}",
            )
        return path

    def fill_status_tables(self, status: StatusRows) -> None:
        """Rewrite every table that is not a mart; these tables are small."""
        connection = self._connection
        fill_dimensions(connection, self._tenant)
        fill_rules(connection, self._tenant.dimensions)
        fill_partition_tables(connection, self._publication)
        for table, rows in (
            (DATA_STATUS, status.data_status),
            (RECONCILIATION, status.reconciliation),
            (API_REQUESTS, read_requests(self._publication.ledger)),
        ):
            fill_table(connection, table, [tuple(asdict(row).values()) for row in rows])
        for table in (PROJECTS, ACCOUNTS):
            connection.execute(
                f"create or replace view {table.name} as from {WAREHOUSE}.{table.name}"
            )

    def rebuild_marts(self, changed: list[Slice]) -> None:
        """Replace the changed slices of every mart, each in one transaction.

        A mart is rebuilt after the marts that it reads, and sees exactly the slices of them that it
        replaces itself. Afterwards `costs` and the marts show all of each changed month, as the
        checks require.
        """
        self._connection.execute("create table x_changed (project varchar, billing_period varchar)")
        if changed:
            self._connection.executemany("insert into x_changed values (?, ?)", changed)
        self._replace_bill_totals(changed)
        months = {month for _, month in changed}
        of_months = [k for k in sorted(self._target) if k != _WHOLE_FILE and k[1] in months]
        self._files = {key: self._file(*key) for key in of_months}
        for mart in marts():
            self._show_charges(of_months if mart.by_month else self._files.keys() & set(changed))
            for name in mart.reads & MARTS.keys():
                self._show_changed(name, _slice_key(mart))
            self._replace_slices(mart)
        self._show_charges(of_months)
        for table in (*MARTS.values(), DATA_STATUS, PARTITIONS, BILL_TOTALS):
            self._show_changed(table.name, "billing_period")

    def _show_changed(self, name: str, key: str) -> None:
        """Make a table's name a view of its rows in the changed slices or months."""
        self._connection.execute(
            f"create or replace view {name} as from {WAREHOUSE}.{name}"
            f" where ({key}) in (select ({key}) from x_changed)"
        )

    def _replace_bill_totals(self, changed: list[Slice]) -> None:
        """Replace the changed slices of the totals of landed rows."""
        create_table(self._connection, BILL_TOTALS)
        self._connection.execute(
            f"delete from {WAREHOUSE}.{BILL_TOTALS.name} where (project, billing_period) in"
            " (select (project, billing_period) from x_changed)"
        )
        totals = self._publication.bill_totals(changed)
        names = [column.name for column in BILL_TOTALS.columns]
        rows = [tuple(getattr(total, name) for name in names) for total in totals]
        append_rows(self._connection, BILL_TOTALS, sorted(rows, key=str))

    def _replace_slices(self, mart: Mart) -> None:
        table = MARTS[mart.name]
        target = f"{WAREHOUSE}.{table.name}"
        create_table(self._connection, table)
        key = _slice_key(mart)
        names = ", ".join(column.name for column in table.columns)
        self._connection.execute("begin")
        self._connection.execute(
            f"delete from {target} where ({key}) in (select ({key}) from x_changed)"
        )
        self._connection.execute(
            f"insert into {target} ({names}) select {names} from ({mart.sql})"
            f" order by {', '.join(table.grain)}"
        )
        self._connection.execute("commit")

    def _show_charges(self, slices: Collection[Slice]) -> None:
        """Make `costs` a view of these slices' charges; without slices, an empty one."""
        paths = [self._files[key] for key in sorted(slices)]
        if paths:
            body = files_relation(paths, COSTS.columns)
        else:
            types = ", ".join(f"null::{c.type} as {ident(c.name)}" for c in COSTS.columns)
            body = f"select {types} where false"
        self._connection.execute(f"create or replace view costs as {body}")

    def run_checks(self, changed: list[Slice]) -> list[str]:
        """Run every check on the changed months, and store the results in the file.

        Returns:
            one line per check and month that failed.

        Raises:
            IntegrityCheckFailed: a check that refuses found rows.
        """
        results = run_checks(self._connection, sorted({month for _, month in changed}))
        refuse_failed_checks(self._tenant.name, results)
        store_results(self._connection, results)
        return [result.describe() for result in results if result.state is CheckState.FAILED]

    def record_slices(self) -> None:
        """Store the fingerprint of each slice in the file."""
        rows = [(*key, fingerprint) for key, fingerprint in sorted(self._target.items())]
        fill_table(self._connection, SLICES, rows)


def _slice_key(mart: Mart) -> str:
    """Return the columns, comma separated, that identify a slice of a mart."""
    return "billing_period" if mart.by_month else "project, billing_period"


def _totals(connection: Connection, schema: str) -> tuple[dict[str, Any], ...]:
    """Sum monthly_costs per month and currency."""
    query = connection.execute(
        "select billing_period, billing_currency, count(*) as rows,"
        " sum(billed_cost) as billed_cost, sum(effective_cost) as effective_cost,"
        " sum(list_cost) as list_cost, sum(contracted_cost) as contracted_cost"
        f" from {schema}monthly_costs group by all order by all"
    )
    return tuple(fetch_dicts(query))
