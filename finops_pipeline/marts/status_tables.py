"""Tables of the file being built that are not marts, created from their contracts and filled.

Put here: creating a table, inserting rows, the rows of the tables that describe the tenant and its
partitions. Keep out: marts (build.py), results of checks (results.py).

Reads: ledger   Writes: <tenant>.duckdb
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from finops_pipeline.contracts.account_marts import ACCOUNT_NAMES
from finops_pipeline.contracts.column import Table
from finops_pipeline.contracts.file_tables import FILE_IDENTITY, PARTITION_FILES
from finops_pipeline.contracts.focus_rules import describe_rule
from finops_pipeline.contracts.proofs import CONFORMANCE, PARTITIONS
from finops_pipeline.contracts.statement_tables import STATEMENTS
from finops_pipeline.contracts.tables import (
    ACCOUNTS,
    CLAIMS,
    DELIVERY_HISTORY,
    MARTS,
    PROJECTS,
    TABLES,
)
from finops_pipeline.lake.duck import Connection, ident, text
from finops_pipeline.lake.layout import COSTS
from finops_pipeline.lake.publish import Publication
from finops_pipeline.lake.warehouse import WAREHOUSE
from finops_pipeline.tenants.model import Tenant

_CREATED_LATER = (FILE_IDENTITY, PARTITION_FILES, STATEMENTS)
"""Tables whose presence says something: that the file is complete, that statements are intact."""

Rows = Sequence[tuple[Any, ...]]
"""Rows in the order of a contract's columns."""


def prepare_tables(connection: Connection) -> None:
    """Create the tables of the contracts in the file; recreate those whose columns have changed."""
    present: dict[str, list[tuple[str, str, bool]]] = {}
    for name, *column in connection.execute(
        "select table_name, column_name, data_type, is_nullable from duckdb_columns()"
        f" where database_name = {text(WAREHOUSE)} order by table_name, column_index"
    ).fetchall():
        present.setdefault(name, []).append(tuple(column))
    for table in {table.name: table for table in (*TABLES, *MARTS.values())}.values():
        columns = [(column.name, column.type, column.nullable) for column in table.columns]
        is_prepared = table.kind != "view" and table not in _CREATED_LATER
        if is_prepared and present.get(table.name) != columns:
            create_table(connection, table)


def create_table(connection: Connection, table: Table) -> None:
    """Create a contract's table in the file, without rows."""
    columns = ", ".join(
        f"{ident(c.name)} {c.type}{'' if c.nullable else ' not null'}" for c in table.columns
    )
    connection.execute(f"create or replace table {WAREHOUSE}.{ident(table.name)} ({columns})")


def fill_table(connection: Connection, table: Table, rows: Rows) -> None:
    """Replace all rows of a small table."""
    connection.execute(f"delete from {WAREHOUSE}.{table.name}")
    append_rows(connection, table, rows)


def append_rows(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert rows into an existing table by column; row by row each costs a millisecond."""
    if rows:
        texts = [[_as_text(value) for value in column] for column in zip(*rows, strict=True)]
        casts = ", ".join(f"unnest(?::varchar[])::{c.type}" for c in table.columns)
        connection.execute(f"insert into {WAREHOUSE}.{table.name} select {casts}", texts)


def _as_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def fill_dimensions(connection: Connection, tenant: Tenant) -> None:
    """Fill the tables of projects and accounts from the tenant's declaration."""
    projects = [
        (
            project.name,
            project.display_name or None,
            project.environment or None,
            project.business_unit or None,
            ", ".join(tenant.sources_of(project)),
        )
        for project in tenant.all_projects
    ]
    accounts = [
        (claim.id, project.name, claim.from_day, claim.to_day, None)
        for project in tenant.active_projects
        for claim in project.accounts
    ]
    fill_table(connection, PROJECTS, projects)
    fill_table(connection, ACCOUNTS, accounts)
    fill_table(connection, CLAIMS, list(_claim_rows(tenant)))


def _claim_rows(tenant: Tenant) -> Iterator[tuple[object, ...]]:
    for project in tenant.active_projects:
        entries = [(f"account {a.id} {a.days}", a.as_claim) for a in project.accounts]
        for name, claim in (*project.own_claims, *entries):
            lists = (claim.accounts, claim.regions, claim.services)
            maps = (claim.tags, claim.cost_categories)
            yield (
                project.name,
                name,
                claim.priority,
                *(", ".join(values) or None for values in lists),
                *(json.dumps(dict(pairs)) if pairs else None for pairs in maps),
                claim.from_day,
                claim.to_day,
            )


def name_accounts(connection: Connection) -> None:
    """Copy the newest names of accounts from the mart account_names to the table accounts."""
    accounts, names = (f"{WAREHOUSE}.{t.name}" for t in (ACCOUNTS, ACCOUNT_NAMES))
    connection.execute(
        f"update {accounts} set sub_account_name = newest.name from (select sub_account_id,"
        " max_by(sub_account_name, billing_period) as name"
        f" from {names} where sub_account_name is not null group by 1) as newest"
        f" where newest.sub_account_id = {ACCOUNTS.name}.sub_account_id"
    )


def fill_partition_tables(connection: Connection, publication: Publication) -> None:
    """Fill the tables of delivery history, partition totals and broken rules.

    Their rows describe the ledger as it will be after the publication.
    """
    history = sorted(_history_rows(publication), key=lambda row: [str(value) for value in row])
    fill_table(connection, DELIVERY_HISTORY, history)
    fill_table(connection, PARTITIONS, _partition_rows(publication))
    fill_table(connection, CONFORMANCE, _conformance_rows(publication))


def _history_rows(publication: Publication) -> Iterator[tuple[object, ...]]:
    deliveries = {
        delivery.delivery_id: delivery for delivery in publication.ledger.delivery_summaries()
    }
    for total in publication.delivery_totals():
        delivery = deliveries.get(total.delivery_id)
        if delivery is not None:
            yield (
                delivery.source,
                delivery.billing_period,
                delivery.landed_at,
                delivery.delivery_id,
                delivery.execution_id or None,
                delivery.current,
                total.project,
                total.service_name,
                total.billing_currency,
                total.charges,
                total.billed_cost,
                total.effective_cost,
            )


_PARTITION_TOTALS = (
    *("source", "billing_currency", "row_kind", "rows"),
    *("billed_cost", "effective_cost", "list_cost", "contracted_cost"),
)


def _partition_rows(publication: Publication) -> Rows:
    return [
        (month, project, *(total[name] for name in _PARTITION_TOTALS))
        for (project, month), record in sorted(publication.partitions(COSTS).items())
        for total in record.totals
    ]


def _conformance_rows(publication: Publication) -> Rows:
    return [
        (month, project, f.source, f.rule, describe_rule(f.rule), f.is_known_gap, f.rows, f.example)
        for (project, month), record in sorted(publication.partitions(COSTS).items())
        for f in record.findings
    ]
