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
from finops_pipeline.errors import IntegrityCheckFailed
from finops_pipeline.lake.duck import Connection, DuckDBError, Limits, ident
from finops_pipeline.lake.layout import COSTS as COSTS_TABLE
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.publish import Publication
from finops_pipeline.lake.warehouse import WAREHOUSE, building, files_relation, reading
from finops_pipeline.ledger.cost_explorer_days import read_requests
from finops_pipeline.marts.delivery_history_rows import fill_history
from finops_pipeline.marts.filling import append, create, fill
from finops_pipeline.marts.library import Mart, checks, marts
from finops_pipeline.marts.results import (
    FAILED,
    conformance_rows,
    keep_results,
    partition_rows,
    refuse,
    run_checks,
)
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


def refresh(
    publication: Publication,
    tenant: Tenant,
    status: Sequence[Any],
    limits: Limits,
    comparisons: Sequence[Any] = (),
) -> Refreshed:
    """Put the tenant's file, brought up to date, on a publication.

    It is built from the costs partitions as the publication will leave them, so that charges
    and tables become visible together.

    Args:
        status: dataclass rows of `data_status`.
        comparisons: those of `reconciliation`.

    Raises:
        IntegrityCheckFailed: a check that refuses found rows.
    """
    wanted = _wanted(publication, tenant, [*status, *comparisons])
    present = _present(publication.folder)
    due = sorted(k for k in wanted.keys() | present.keys() if wanted.get(k) != present.get(k))
    if not due:
        size = publication.folder.warehouse.stat().st_size
        with reading(publication.folder) as connection:
            return Refreshed("unchanged", totals=_totals(connection, ""), size_bytes=size)
    changed = [key for key in due if key != _WHOLE]
    with building(publication, limits, fresh=not present) as connection:
        work = _Build(connection, publication, tenant, wanted)
        work.dimensions(status)
        fill(connection, RECONCILIATION, [tuple(asdict(row).values()) for row in comparisons])
        work.marts(changed)
        warnings = work.check(changed)
        work.views()
        work.note()
        totals = _totals(connection, f"{WAREHOUSE}.")
    staged = publication.current(publication.folder.warehouse)
    size = staged.stat().st_size if staged else 0
    return Refreshed("built", tuple(changed), tuple(warnings), totals, size)


def _wanted(publication: Publication, tenant: Tenant, status: Sequence[Any]) -> Slices:
    """What the file should be built from, for each slice and as a whole."""
    projects = {project.name: project for project in tenant.all_projects}
    code = "\n".join(mart.sql for mart in marts()) + repr(list(MARTS.values()))
    code += repr((BILL_TOTALS, CHECK_RESULTS, [check.sql for check in checks()]))
    wanted = {}
    for (name, month), record in publication.partitions(COSTS_TABLE).items():
        if record.rows:
            project = projects.get(name)
            said = [record.fingerprint, code]
            said += [project.environment, project.business_unit] if project else []
            wanted[name, month] = _mark(said)
    landed = [
        f"{d.source} {d.billing_period} {d.delivery_id}" for d in publication.ledger.deliveries()
    ]
    whole = [tenant.model_dump_json(), _plain(status), *landed, *view_names(), repr(COSTS)]
    whole.append(
        repr((DELIVERY_HISTORY, PARTITIONS, CONFORMANCE, COST_EXPLORER_DAILY, API_REQUESTS))
    )
    whole.append(repr(RECONCILIATION))
    whole.append(repr(read_requests(publication.ledger)))
    whole.append(repr(focus_views()))
    wanted[_WHOLE] = _mark(whole)
    return wanted


def _mark(said: list[str]) -> str:
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


def _plain(status: Sequence[Any]) -> str:
    return json.dumps([asdict(row) for row in status], default=str)


def _present(folder: TenantFolder) -> Slices:
    """What the current file was built from; nothing when there is none that can be read."""
    if not folder.warehouse.exists():
        return {}
    try:
        with reading(folder) as connection:
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

    def __init__(
        self, connection: Connection, publication: Publication, tenant: Tenant, wanted: Slices
    ) -> None:
        self._connection = connection
        self._publication = publication
        self._tenant = tenant
        self._wanted = wanted
        self._files = {key: self._file(*key) for key in sorted(wanted) if key != _WHOLE}

    def _file(self, project: str, month: str) -> Path:
        path = self._publication.folder.partition(COSTS_TABLE, project, month)
        current = self._publication.current(path)
        if current is None:
            raise IntegrityCheckFailed(
                f"the charges of {self._tenant.name}/{project} {month} are gone",
                f"the file {path.name} of that month",
                f"Build it again: finops ingest {self._tenant.name}",
            )
        return current

    def dimensions(self, status: Sequence[Any]) -> None:
        """Write projects, accounts and data_status anew (they are small)."""
        tenant = self._tenant
        fill(
            self._connection,
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
        fill(
            self._connection,
            ACCOUNTS,
            [
                (claim.id, project.name, claim.from_day, claim.to_day)
                for project in tenant.projects
                for claim in project.accounts
            ],
        )
        fill(self._connection, DATA_STATUS, [tuple(asdict(row).values()) for row in status])
        requests = read_requests(self._publication.ledger)
        fill(
            self._connection,
            API_REQUESTS,
            [tuple(asdict(request).values()) for request in requests],
        )
        create(self._connection, DELIVERY_HISTORY)
        fill_history(self._connection, self._publication)
        fill(self._connection, PARTITIONS, partition_rows(self._publication))
        fill(self._connection, CONFORMANCE, conformance_rows(self._publication))
        for table in (PROJECTS, ACCOUNTS):
            self._connection.execute(
                f"create or replace view {table.name} as from {WAREHOUSE}.{table.name}"
            )

    def marts(self, changed: list[tuple[str, str]]) -> None:
        """Replace the changed slices of every mart, each in one transaction."""
        self._connection.execute("create table x_changed (project varchar, billing_period varchar)")
        if changed:
            self._connection.executemany("insert into x_changed values (?, ?)", changed)
        self._bill_totals(changed)
        months = {month for _, month in changed}
        for mart in marts():
            slices = [k for k in self._files if (k[1] in months if mart.by_month else k in changed)]
            self._charges(slices)
            self._replace_slices(mart)
        self._charges([key for key in self._files if key[1] in months])

    def _bill_totals(self, changed: list[tuple[str, str]]) -> None:
        """Replace the changed slices of what the landed rows come to."""
        create(self._connection, BILL_TOTALS)
        self._connection.execute(
            f"delete from {WAREHOUSE}.{BILL_TOTALS.name} where (project, billing_period) in"
            " (select (project, billing_period) from x_changed)"
        )
        totals = self._publication.bill_totals(changed)
        names = [column.name for column in BILL_TOTALS.columns]
        rows = [tuple(getattr(total, name) for name in names) for total in totals]
        append(self._connection, BILL_TOTALS, sorted(rows, key=str))

    def _replace_slices(self, mart: Mart) -> None:
        table = MARTS[mart.name]
        whole = f"{WAREHOUSE}.{table.name}"
        create(self._connection, table)
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

    def _charges(self, slices: list[tuple[str, str]]) -> None:
        """Let `costs` be the charges of these slices; the contract without rows when none."""
        paths = [self._files[key] for key in slices]
        if paths:
            body = files_relation(paths, COSTS.columns)
        else:
            types = ", ".join(f"null::{c.type} as {ident(c.name)}" for c in COSTS.columns)
            body = f"select {types} where false"
        self._connection.execute(f"create or replace view costs as {body}")

    def check(self, changed: list[tuple[str, str]]) -> list[str]:
        """Run every check on what changed, and write what they found beside the numbers.

        Returns:
            one line per check and month that warns.

        Raises:
            IntegrityCheckFailed: a check that refuses found rows.
        """
        for table in (DATA_STATUS, PARTITIONS, BILL_TOTALS):
            self._connection.execute(
                f"create or replace view {table.name} as from {WAREHOUSE}.{table.name}"
                " where billing_period in (select billing_period from x_changed)"
            )
        found = run_checks(self._connection, sorted({month for _, month in changed}))
        refuse(self._tenant.name, found)
        keep_results(self._connection, found)
        return [result.words() for result in found if result.state == FAILED]

    def views(self) -> None:
        """Create the file's views over the folders."""
        key = next(iter(self._files), None)
        some = self._publication.folder.partition(COSTS_TABLE, *key) if key else None
        create_views(self._connection, self._publication, self._tenant, some)

    def note(self) -> None:
        """Write into the file what it is built from."""
        fill(self._connection, SLICES, [(*key, mark) for key, mark in sorted(self._wanted.items())])


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
