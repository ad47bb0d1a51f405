"""Refresh a tenant's DuckDB file: rebuild the slices that changed, check them, swap the file.

Put here: what changed since the file was built, and the order of a refresh. Keep out: which slices
of a mart are due (due_slices.py), running marts and checks (mart_runner.py), copying and
swapping the file (lake/warehouse.py), tables that are not marts (status_tables.py).

Reads: costs, ledger   Writes: <tenant>.duckdb
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from finops_pipeline.contracts.file_tables import ABOUT
from finops_pipeline.contracts.focus import COSTS
from finops_pipeline.contracts.focus_versions import focus_views
from finops_pipeline.contracts.proofs import (
    BILL_TOTALS,
    CHECK_RESULTS,
    CONFORMANCE,
    PARTITIONS,
    RECONCILIATION,
)
from finops_pipeline.contracts.statement_tables import STATEMENT_TERMS, STATEMENTS
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
from finops_pipeline.contracts.tag_marts import REQUIRED_TAG_KEYS
from finops_pipeline.errors import DamagedFile, IntegrityCheckFailed
from finops_pipeline.lake.duck import Connection, DuckDBError, Limits, fetch_dicts
from finops_pipeline.lake.layout import COSTS as COSTS_TABLE
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.publish import Publication
from finops_pipeline.lake.warehouse import WAREHOUSE, building, reading
from finops_pipeline.ledger.cost_explorer_days import read_requests
from finops_pipeline.ledger.failed_checks import (
    FAILED_CHECKS,
    FailedByMonth,
    record_failed_checks,
)
from finops_pipeline.ledger.ledger import fingerprint_of
from finops_pipeline.ledger.waste_decisions import read_decisions
from finops_pipeline.marts.about import FileFacts, explain_file
from finops_pipeline.marts.blank_file import blank_file
from finops_pipeline.marts.budget_rows import budget_code, fill_budgets
from finops_pipeline.marts.due_slices import Change, Slice, plan_marts
from finops_pipeline.marts.evidence import read_failed_checks
from finops_pipeline.marts.input_tables import fill_inputs, input_fingerprints, plan_change
from finops_pipeline.marts.library import checks, in_reading_order, marts
from finops_pipeline.marts.mart_runner import Refresh, replace_slices, run_checks
from finops_pipeline.marts.price_list import Price, shipped_prices
from finops_pipeline.marts.project_identities import fill_project_identities
from finops_pipeline.marts.required_tag_rows import required_tag_rows
from finops_pipeline.marts.results import CheckState, refuse_failed_checks, store_results
from finops_pipeline.marts.rule_tables import fill_rules
from finops_pipeline.marts.shown_slices import ShownSlices
from finops_pipeline.marts.slice_conditions import among_slices
from finops_pipeline.marts.statement_views import VIEWS, fill_statements, statement_sql
from finops_pipeline.marts.status_tables import (
    append_rows,
    fill_dimensions,
    fill_partition_tables,
    fill_table,
    name_accounts,
    prepare_tables,
)
from finops_pipeline.marts.views import create_views, find_damage, view_names
from finops_pipeline.marts.waste_findings import fill_waste, waste_code
from finops_pipeline.tenants.model import Tenant

Fingerprints = dict[Slice, str]
"""Slice -> fingerprint of what it is built from."""

_STALE = "was not rebuilt, because it also needs charges of a month that has lost a file"

_WHOLE_FILE = ("", "")
"""The key, among slices, of everything that does not belong to one project and month."""


@dataclass(frozen=True)
class StatusRows:
    """Rows of the tables `data_status` and `reconciliation`, as data classes.

    `note_checks` adds the failed checks to the rows of `data_status`. `prices` are those that
    rules of waste may compare with.
    """

    data_status: Sequence[Any]
    reconciliation: Sequence[Any]
    note_checks: Callable[[Sequence[Any], FailedByMonth], Sequence[Any]]
    prices: Sequence[Price] = field(default_factory=shipped_prices)


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
    due = [key for key in due if key != _WHOLE_FILE]
    change = plan_change(due, _keys_of(present), _keys_of(target))
    changed = tuple(sorted(change.changed))
    with building(publication, limits, None if present else blank_file()) as connection:
        prepare_tables(connection)
        work = _Build(connection, publication, tenant)
        work.fill_status_tables(status)
        work.replace_bill_totals(change)
        fill_inputs(connection, publication, tenant, change)
        built, warnings = work.rebuild_marts(change)
        fill_budgets(connection, tenant)
        fill_waste(connection, read_decisions(publication.ledger), status.prices)
        left_out += tuple(f"{name} {_STALE}" for name in sorted(work.stale))
        work.note_failed_checks(status)
        name_accounts(connection)
        create_views(connection, publication, tenant, damage)
        # Slices from which a mart could not be built differ from every target: they stay due.
        again = {key: f"{target[key]} {_STALE}" for key in due if key in target and work.stale}
        work.record_slices(target | again)
        explain_file(connection, FileFacts(tenant, publication.number, built))
        totals = _totals(connection, f"{WAREHOUSE}.")
    size = publication.warehouse_bytes
    return Refreshed("built", changed, tuple(warnings), totals, size, left_out)


def _keys_of(fingerprints: Fingerprints) -> frozenset[Slice]:
    return frozenset(fingerprints.keys() - {_WHOLE_FILE})


def _target_slices(publication: Publication, tenant: Tenant, status: StatusRows) -> Fingerprints:
    """Fingerprint the inputs of the file to build, for each slice and for the rest of it."""
    projects = {project.name: project for project in tenant.all_projects}
    code = "\n".join(mart.sql for mart in marts()) + repr(list(MARTS.values()))
    code += repr((BILL_TOTALS, CHECK_RESULTS, [check.sql for check in checks()]))
    slices = {}
    required_tags = [repr(row) for row in required_tag_rows(tenant)]
    for (name, month), record in publication.partitions(COSTS_TABLE).items():
        if record.rows:
            project = projects.get(name)
            labels = [project.environment, project.business_unit] if project else []
            rules = tenant.dimensions.of_month(month)
            slices[name, month] = fingerprint_of(
                [record.fingerprint, code, rules, *labels, *required_tags]
            )
    slices |= input_fingerprints(publication, tenant, slices)
    deliveries = publication.ledger.deliveries()
    slices[_WHOLE_FILE] = fingerprint_of(
        [
            # channels and rules of alerts change nothing in the file
            tenant.model_dump_json(exclude={"alerts"}),
            json.dumps(
                [asdict(row) for row in (*status.data_status, *status.reconciliation)], default=str
            ),
            *(f"{d.source} {d.billing_period} {d.delivery_id}" for d in deliveries),
            *view_names(),
            repr((COSTS, DELIVERY_HISTORY, PARTITIONS, CONFORMANCE, RECONCILIATION)),
            repr([statement_sql(view.name) for view in VIEWS]),
            repr((STATEMENT_TERMS, STATEMENTS)),
            repr((COST_EXPLORER_DAILY, API_REQUESTS, focus_views(), ABOUT, PROJECTS, ACCOUNTS)),
            repr(read_requests(publication.ledger)),
            budget_code(),
            *(waste_code(), repr(read_decisions(publication.ledger)), repr(status.prices)),
            str(publication.folder.root),
            *(f"{f.place} {f.sha256}" for f in publication.current_files()),
        ]
    )
    return slices


def _present_slices(folder: TenantFolder) -> Fingerprints:
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
    """One refresh, on a connection with the next file attached."""

    def __init__(self, connection: Connection, publication: Publication, tenant: Tenant) -> None:
        self._connection = connection
        self._publication = publication
        self._tenant = tenant
        self.stale: frozenset[str] = frozenset()

    def fill_status_tables(self, status: StatusRows) -> None:
        """Rewrite every table that is not a mart; these tables are small."""
        connection = self._connection
        fill_dimensions(connection, self._tenant)
        fill_rules(connection, self._tenant.dimensions)
        fill_table(connection, REQUIRED_TAG_KEYS, required_tag_rows(self._tenant))
        fill_statements(connection, self._publication, self._tenant)
        fill_partition_tables(connection, self._publication)
        fill_project_identities(connection, self._publication, self._tenant)
        for table, rows in (
            (DATA_STATUS, status.data_status),
            (RECONCILIATION, status.reconciliation),
            (API_REQUESTS, read_requests(self._publication.ledger)),
        ):
            fill_table(connection, table, [tuple(asdict(row).values()) for row in rows])

    def replace_bill_totals(self, change: Change) -> None:
        """Replace the changed slices of the totals of landed rows."""
        self._connection.execute(
            f"delete from {WAREHOUSE}.{BILL_TOTALS.name} where {among_slices(change.changed)}"
        )
        totals = self._publication.bill_totals(sorted(change.changed))
        names = [column.name for column in BILL_TOTALS.columns]
        rows = [tuple(getattr(total, name) for name in names) for total in totals]
        append_rows(self._connection, BILL_TOTALS, sorted(rows, key=str))

    def rebuild_marts(self, change: Change) -> tuple[list[str], list[str]]:
        """Replace the slices of every mart that depend on the change, and run the checks on them.

        Returns:
            the names of these marts, and one line per check and month that failed.

        Raises:
            IntegrityCheckFailed: a check that refuses found rows.
        """
        ordered = in_reading_order(marts())
        shown = ShownSlices(self._connection, ordered, change, self._file)
        records = self._publication.partitions(COSTS_TABLE)
        charges = {key: records[key].rows for key in change.after}
        due = Refresh(change, ordered, plan_marts(ordered, change), charges)
        self.stale = replace_slices(self._connection, shown, due)
        results = run_checks(self._connection, shown, due, self.stale)
        refuse_failed_checks(self._tenant.name, results)
        store_results(self._connection, results)
        failed = [result.describe() for result in results if result.state is CheckState.FAILED]
        return [part.mart.name for part in due.plan], failed

    def note_failed_checks(self, status: StatusRows) -> None:
        """Write the failed checks of all months to the ledger, and into `data_status`."""
        failed = read_failed_checks(self._connection)
        stored = self._publication.partitions(FAILED_CHECKS)
        for month in sorted({*failed, *(month for _, month in stored)}):
            record = record_failed_checks(month, failed.get(month, ()))
            before = stored.get((record.key, month))
            if before is None or before.fingerprint != record.fingerprint:
                self._publication.build(record)
        if failed:
            rows = status.note_checks(status.data_status, failed)
            values = [tuple(asdict(row).values()) for row in rows]
            fill_table(self._connection, DATA_STATUS, values)

    def _file(self, key: Slice) -> Path:
        project, month = key
        path = self._publication.checked(COSTS_TABLE, project, month)
        if path is None:
            raise IntegrityCheckFailed(
                f"the charges of {self._tenant.name}/{project} {month} are missing",
                "a file of charges of that month",
                f"Build it again: finops rebuild {self._tenant.name} --month {month}",
            )
        return path

    def record_slices(self, target: Fingerprints) -> None:
        """Store the fingerprint of each slice in the file."""
        rows = [(*key, fingerprint) for key, fingerprint in sorted(target.items())]
        fill_table(self._connection, SLICES, rows)


def _totals(connection: Connection, schema: str) -> tuple[dict[str, Any], ...]:
    """Sum monthly_costs per month and currency."""
    query = connection.execute(
        "select billing_period, billing_currency, count(*) as rows,"
        " sum(billed_cost) as billed_cost, sum(effective_cost) as effective_cost,"
        " sum(list_cost) as list_cost, sum(contracted_cost) as contracted_cost"
        f" from {schema}monthly_costs group by all order by all"
    )
    return tuple(fetch_dicts(query))
