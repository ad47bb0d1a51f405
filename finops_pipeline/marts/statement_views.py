"""The tables and views of statements in the file being built, and their lines for closing a month.

Put here: filling the terms and the closed statements, creating the views, reading lines of them.
Keep out: the SQL (marts/statements), closing a month (application/statements.py).

Reads: files of statements   Writes: <tenant>.duckdb (statement_terms, statements and views)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from functools import cache
from importlib import resources

from finops_pipeline.contracts.statement_tables import (
    STATEMENT_DIFFERENCES,
    STATEMENT_PREVIEW,
    STATEMENT_TERMS,
    STATEMENTS,
)
from finops_pipeline.errors import Unknown
from finops_pipeline.lake import layout
from finops_pipeline.lake.duck import Connection, ident
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.publish import Publication
from finops_pipeline.lake.statement_files import lines_query
from finops_pipeline.lake.warehouse import WAREHOUSE, reading
from finops_pipeline.marts.status_tables import Rows, create_table, fill_table
from finops_pipeline.tenants.model import UNASSIGNED, Tenant

VIEWS = (STATEMENT_PREVIEW, STATEMENT_DIFFERENCES)
"""The views, each after those that it reads."""


@dataclass(frozen=True)
class StatementLine:
    """One line of a statement as it would be now, with the columns of `statement_preview`."""

    billing_period: str
    project: str
    display_name: str | None
    environment: str | None
    business_unit: str | None
    billing_currency: str
    line_kind: str
    line: str
    charge_group: str | None
    cost_basis: str
    markup_percent: Decimal
    fixed_fee: Decimal | None
    fixed_fee_currency: str | None
    amount: Decimal


@cache
def statement_sql(name: str) -> str:
    """Read the SQL of a view of statements."""
    folder = resources.files("finops_pipeline.marts") / "statements"
    return (folder / f"{name}.sql").read_text(encoding="utf-8")


def fill_statements(connection: Connection, publication: Publication, tenant: Tenant) -> None:
    """Fill the terms of a tenant, and its closed statements from their files."""
    fill_table(connection, STATEMENT_TERMS, term_rows(tenant))
    create_table(connection, STATEMENTS)
    files = publication.current_files(layout.STATEMENTS)
    if not files or publication.find_damage(layout.STATEMENTS):
        return
    table = f"{WAREHOUSE}.{STATEMENTS.name}"
    connection.execute(f"delete from {table}")
    connection.execute(f"insert into {table} {lines_query(map(publication.folder.stored, files))}")


def term_rows(tenant: Tenant) -> Rows:
    """Return the terms of every project; `unassigned` has no fee unless it declares its own."""
    rows = []
    for project in tenant.all_projects:
        own, common = project.statements, tenant.statements
        markup = common.markup_percent if own.markup_percent is None else own.markup_percent
        fee = own.fixed_fee or (common.fixed_fee if project.name != UNASSIGNED else None)
        rows.append(
            (
                project.name,
                project.display_name or None,
                project.environment or None,
                project.business_unit or None,
                common.basis.value,
                markup or Decimal(0),
                fee.amount if fee else None,
                fee.currency if fee else None,
            )
        )
    return rows


def list_months(folder: TenantFolder) -> list[str]:
    """List the months that have a bill.

    Raises:
        Unknown: nothing has been built for this tenant yet, or by an older version.
    """
    with reading(folder) as connection:
        _require_views(connection, folder.tenant)
        rows = connection.execute("select distinct billing_period from charge_groups order by 1")
        return [month for (month,) in rows.fetchall()]


def preview_lines(folder: TenantFolder, tenant: Tenant, month: str) -> list[StatementLine]:
    """Compute the lines of a month with the terms that are declared now, built in or not.

    Raises:
        Unknown: nothing has been built for this tenant yet, or by an older version.
    """
    with reading(folder) as connection:
        _require_views(connection, tenant.name)
        _show_terms(connection, tenant)
        return _read_lines(connection, statement_sql(STATEMENT_PREVIEW.name), month)


def closed_projects(folder: TenantFolder, month: str) -> set[str]:
    """Return the projects that have a closed statement of a month.

    Raises:
        Unknown: nothing has been built for this tenant yet, or by an older version.
    """
    with reading(folder) as connection:
        _require_views(connection, folder.tenant)
        query = f"select distinct project from {STATEMENTS.name} where billing_period = ?"
        return {project for (project,) in connection.execute(query, [month]).fetchall()}


def difference_lines(folder: TenantFolder, month: str) -> list[StatementLine]:
    """Compute the lines of an adjustment of a closed month.

    Raises:
        Unknown: nothing has been built for this tenant yet, or by an older version.
    """
    with reading(folder) as connection:
        _require_views(connection, folder.tenant)
        return _read_lines(connection, f"from {STATEMENT_DIFFERENCES.name}", month)


def months_to_adjust(folder: TenantFolder) -> list[str]:
    """List the closed months of which an adjustment would state something.

    Raises:
        Unknown: nothing has been built for this tenant yet, or by an older version.
    """
    with reading(folder) as connection:
        _require_views(connection, folder.tenant)
        query = f"select distinct billing_period from {STATEMENT_DIFFERENCES.name} order by 1"
        return [month for (month,) in connection.execute(query).fetchall()]


def _read_lines(connection: Connection, sql: str, month: str) -> list[StatementLine]:
    order = ", ".join(STATEMENT_PREVIEW.grain)
    names = ", ".join(field.name for field in fields(StatementLine))
    query = f"select {names} from ({sql}) where billing_period = ? order by {order}"
    return [StatementLine(*row) for row in connection.execute(query, [month]).fetchall()]


def _require_views(connection: Connection, tenant: str) -> None:
    names = connection.execute(
        "select view_name from duckdb_views() where database_name = 'w'"
    ).fetchall()
    if (STATEMENT_DIFFERENCES.name,) not in names:
        raise Unknown(
            f"the file of tenant {tenant} has no statements: an older version built it, or a closed"
            " statement is damaged",
            cure=f"Bring it up to date: finops ingest {tenant}. To look for damage: finops verify"
            f" {tenant}",
        )


def _show_terms(connection: Connection, tenant: Tenant) -> None:
    """Let the SQL of one connection read the declared terms instead of the published ones."""
    rows: Sequence[tuple[object, ...]] = term_rows(tenant)
    texts = [[None if v is None else str(v) for v in column] for column in zip(*rows, strict=True)]
    casts = ", ".join(
        f"unnest(?::varchar[])::{column.type} as {ident(column.name)}"
        for column in STATEMENT_TERMS.columns
    )
    connection.execute(f"create temp table {STATEMENT_TERMS.name} as select {casts}", texts)
