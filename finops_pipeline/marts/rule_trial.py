"""Trying out rules that are not declared yet: which published charges would get other values.

Put here: running the SQL of allocations with other rules on a tenant's file. Keep out: reading the
declaration (application/rule_use.py), rules as rows (rule_tables.py).

Reads: <tenant>.duckdb   Writes: nothing
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from finops_pipeline.contracts.tables import PROJECTS
from finops_pipeline.errors import Unknown
from finops_pipeline.lake.duck import Connection, Limits, fetch_dicts, text
from finops_pipeline.lake.layout import TenantFolder
from finops_pipeline.lake.warehouse import reading
from finops_pipeline.marts.library import allocation_sql, find_mart
from finops_pipeline.marts.rule_tables import show_rules
from finops_pipeline.tenants.model import Tenant

_RECOMPUTED = ("allocation_days", "allocations")


@dataclass(frozen=True)
class ValueChange:
    """Charges of a month with their present value in a dimension and the value they would get.

    A value is None if the charges are unallocated, a rule is None if none matches.
    """

    billing_period: str
    dimension: str
    value_before: str | None
    value_after: str | None
    rule_before: str | None
    rule_after: str | None
    billing_currency: str
    charges: int
    billed_cost: Decimal
    effective_cost: Decimal

    @property
    def is_change(self) -> bool:
        """Whether the value or the rule would change."""
        return (self.value_before, self.rule_before) != (self.value_after, self.rule_after)


def try_rules(folder: TenantFolder, tenant: Tenant, limits: Limits) -> list[ValueChange]:
    """Apply a tenant's rules to its published charges, and compare with the published values.

    Args:
        tenant: the tenant with the rules to try out; it is not stored.

    Raises:
        Unknown: nothing has been built for this tenant yet, or by an older version.
    """
    with reading(folder) as connection, limits.holding_for(connection):
        require_allocations(connection, tenant.name)
        show_rules(connection, tenant.dimensions)
        _show_labels(connection, tenant)
        for name in _RECOMPUTED:
            connection.execute(f"create temp view published_{name} as from w.main.{name}")
            connection.execute(f"create temp table {name} as {find_mart(name).sql}")
        query = connection.execute(allocation_sql("allocation_changes"))
        return [ValueChange(**row) for row in fetch_dicts(query)]


def require_allocations(connection: Connection, tenant: str) -> None:
    """Check that a published file has values of dimensions.

    Raises:
        Unknown: an older version built it.
    """
    names = connection.execute(
        "select count(*) from duckdb_tables() where database_name = 'w'"
        f" and table_name in ({', '.join(map(text, _RECOMPUTED))})"
    ).fetchall()
    if names != [(len(_RECOMPUTED),)]:
        raise Unknown(
            f"the file of tenant {tenant} was built by an older version and has no dimensions",
            cure=f"Build it again: finops rebuild {tenant}",
        )


def _show_labels(connection: Connection, tenant: Tenant) -> None:
    """Let the SQL read the labels that projects would have."""
    projects = tenant.all_projects
    columns = [
        [project.name for project in projects],
        [project.environment or None for project in projects],
        [project.business_unit or None for project in projects],
    ]
    connection.execute(
        f"create or replace temp table {PROJECTS.name} as select"
        " unnest(?::varchar[]) as project, unnest(?::varchar[]) as environment,"
        " unnest(?::varchar[]) as business_unit",
        columns,
    )
