"""What a file that is limited to some projects has of each table and view of the tenant's file.

Put here: the rule of every table, and filling the limited file. Keep out: opening and writing the
file (lake/scoped_file.py), the SQL of tables with a query of their own (marts/scoped).

A table without a rule is left out, and a test lists the rules: a new table has to get one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from pathlib import Path

from finops_pipeline.contracts.file_tables import ABOUT, FILE_IDENTITY, PARTITION_FILES
from finops_pipeline.contracts.focus import COSTS
from finops_pipeline.contracts.focus_versions import focus_views
from finops_pipeline.contracts.tables import COST_EXPLORER_DAILY
from finops_pipeline.lake.comments import read_comments, write_comments
from finops_pipeline.lake.duck import Connection, ident, text
from finops_pipeline.lake.scoped_file import LIMITED, WHOLE
from finops_pipeline.lake.warehouse import files_relation
from finops_pipeline.marts.views import empty_relation
from finops_pipeline.tenants.project_identity import ProjectIdentity


class ScopeRule(StrEnum):
    """What the limited file has of a table."""

    OWN_ROWS = "own rows"
    """The rows of the projects, each of which is about its own project only."""
    QUERY = "query"
    """The answer of marts/scoped/<table>.sql."""
    OWN_FILES = "own files"
    """A view over the projects' own files of charges, or days of Cost Explorer."""
    VIEW = "view"
    """The same view as in the tenant's file, over the tables of the limited file."""
    WRITTEN = "written"
    """Facts about the limited file itself."""
    ABSENT = "absent"
    """Nothing: its rows are about all projects together, or about the tenant."""


_OWN_ROWS = """
unused_commitment_days daily_costs monthly_costs resource_daily_costs hourly_costs charge_groups
price_waterfall required_tag_coverage commitment_coverage_hourly commitment_coverage
commitment_eligible_spend data_transfer storage_costs split_costs allocation_days allocations
dimension_costs unit_costs business_metrics costs_to_share projects accounts claims
inventory resources resource_metrics savings_realised budgets budget_status
statement_terms statement_preview statement_differences delivery_history partitions conformance
"""
_QUERIES = """
account_names commitments compute_hours data_status dimensions inventory_coverage metric_coverage
required_tag_keys shared_costs statements tag_costs tag_coverage waste_findings
"""
_ABSENT = """
monthly_bill commitment_utilization_hourly commitment_utilization allocation_rules
allocation_conditions key_spellings value_mappings shared_cost_rules shared_cost_shares
reconciliation bill_totals check_results api_requests quarantine warehouse_slices prices
project_identities recent_usage inventory_gaps listed_resources recent_metrics
"""
_CLOSED_EARLIER = (
    "(billing_period, project) in"
    " (select billing_period, project from statements where closed_at < reused_at)"
)
_EARLIER = {
    "delivery_history": "landed_at < reused_at and not is_current",
    "statements": "closed_at < reused_at",
    "statement_preview": _CLOSED_EARLIER,
    "statement_differences": _CLOSED_EARLIER,
    "business_metrics": "strftime(day, '%Y-%m-%d') < reused_at",
    "savings_realised": "strftime(done_on, '%Y-%m-%d') < reused_at",
    "waste_findings": "status_changed_at < reused_at",
    "unit_costs": "strftime(charge_date, '%Y-%m-%d') < reused_at",
}
"""Rows that an earlier project of the same name may have left, whose charges are gone."""


_OWN = "list_contains($projects::varchar[], project)"


@cache
def scope_rules() -> Mapping[str, ScopeRule]:
    """Return the rule of every table and view, except `landing_…`, which are absent."""
    files = (COSTS.name, COST_EXPLORER_DAILY.name)
    views = ("allocated_costs", *(view.name for view in focus_views()))
    written = (ABOUT.name, FILE_IDENTITY.name, PARTITION_FILES.name)
    return {
        **dict.fromkeys(_OWN_ROWS.split(), ScopeRule.OWN_ROWS),
        **dict.fromkeys(_QUERIES.split(), ScopeRule.QUERY),
        **dict.fromkeys(files, ScopeRule.OWN_FILES),
        **dict.fromkeys(views, ScopeRule.VIEW),
        **dict.fromkeys(written, ScopeRule.WRITTEN),
        **dict.fromkeys(_ABSENT.split(), ScopeRule.ABSENT),
    }


@cache
def scoped_sql(name: str) -> str:
    """Read the SQL of a table that has a query of its own."""
    folder = resources.files("finops_pipeline.marts") / "scoped"
    return (folder / f"{name}.sql").read_text(encoding="utf-8")


@dataclass(frozen=True)
class _Present:
    """The tables and views of the tenant's file; of a view its SQL."""

    tables: frozenset[str]
    views: Mapping[str, str]


def fill_tables(connection: Connection, projects: Sequence[ProjectIdentity]) -> None:
    """Copy what the rules allow from the tenant's file to the limited one.

    Args:
        connection: a connection with both files.
        projects: the projects; none: every table is empty.
    """
    present, names = _read_present(connection), [project.name for project in projects]
    connection.execute(f"use {WHOLE}")
    for name in sorted(present.tables | present.views.keys()):
        match scope_rules().get(name, ScopeRule.ABSENT):
            case ScopeRule.OWN_ROWS:
                sql = f"select * from {ident(name)} where {_OWN}"
                _fill(connection, name, _without_earlier(name, sql, projects), names)
            case ScopeRule.QUERY:
                _fill(connection, name, _without_earlier(name, scoped_sql(name), projects), names)
    connection.execute("use memory")


def create_views(connection: Connection, paths: Mapping[str, Sequence[Path] | None]) -> None:
    """Create the views over the projects' own files, and those over them.

    Args:
        paths: the files by view; None: one of them is damaged, so the view is left out.
    """
    views = _read_present(connection).views
    for table in (COSTS, COST_EXPLORER_DAILY):
        files = paths.get(table.name)
        if table.name in views and files is not None:
            body = files_relation(files, table.columns) if files else empty_relation(table)
            connection.execute(f"create view {LIMITED}.main.{ident(table.name)} as {body}")
    if COSTS.name in views and paths.get(COSTS.name) is not None:
        connection.execute(f"use {LIMITED}")
        for name, sql in views.items():
            if scope_rules().get(name) is ScopeRule.VIEW:
                connection.execute(sql)
        connection.execute("use memory")


def copy_comments(connection: Connection) -> None:
    """Comment on the tables, views and columns of the limited file as in the tenant's file."""
    write_comments(connection, LIMITED, read_comments(connection, WHOLE))


def _without_earlier(name: str, sql: str, projects: Sequence[ProjectIdentity]) -> str:
    """Return the SQL of a table without rows that an earlier project of a name may have left."""
    reused = [project for project in projects if project.reused_at]
    if not reused or name not in _EARLIER:
        return sql
    cases = [f"when {text(p.name)} then {text(p.reused_at)}" for p in reused]
    reused_at = f"(case project {' '.join(cases)} else '' end)"
    return (
        f"select * from ({sql}) as own"
        f" where ({_EARLIER[name].replace('reused_at', reused_at)}) is not true"
    )


def _fill(connection: Connection, name: str, sql: str, projects: Sequence[str]) -> None:
    target = f"{LIMITED}.main.{ident(name)}"
    connection.execute(f"create table {target} as select * from {ident(name)} where false")
    connection.execute(f"insert into {target} {sql}", {"projects": list(projects)})


def _read_present(connection: Connection) -> _Present:
    tables = connection.execute(
        "select table_name from duckdb_tables() where database_name = ?", [WHOLE]
    ).fetchall()
    views = connection.execute(
        "select view_name, sql from duckdb_views() where database_name = ? and not internal"
        " order by view_oid",
        [WHOLE],
    ).fetchall()
    return _Present(frozenset(name for (name,) in tables), dict(views))
