"""The table of a tenant's shared costs, which the mart reads, and which months they concern.

Put here: a declaration as rows of the table. Keep out: the declaration (tenants/shared_cost.py),
the SQL that splits (sql/shared_costs.sql).

Writes: <tenant>.duckdb (shared_cost_rules)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from finops_pipeline.contracts.shared_cost_marts import SHARED_COST_RULES
from finops_pipeline.lake.duck import Connection
from finops_pipeline.lake.warehouse import WAREHOUSE
from finops_pipeline.ledger.ledger import fingerprint_of
from finops_pipeline.marts.status_tables import fill_table
from finops_pipeline.money import plain
from finops_pipeline.tenants.model import Tenant
from finops_pipeline.tenants.shared_costs import split_order


def shared_cost_fingerprints(tenant: Tenant, months: Iterable[str]) -> dict[str, str]:
    """Return a fingerprint of the shared costs of each of these months that has some.

    It has the labels of projects, too, because projects without charges may receive a part.
    """
    if not tenant.shared_costs:
        return {}
    entries, steps = tenant.shared_costs, split_order(tenant.shared_costs)
    labels = [(p.name, p.environment, p.business_unit) for p in tenant.all_projects]
    fingerprints = {}
    for month in sorted(set(months)):
        valid = [
            (steps[entry.name], entry.model_copy(update={"from_month": "", "to_month": ""}))
            for entry in entries
            if entry.is_valid_in(month)
        ]
        if valid:
            parts = [repr(SHARED_COST_RULES), repr(labels), *map(repr, valid)]
            fingerprints[month] = fingerprint_of(parts)
    return fingerprints


def fill_shared_costs(connection: Connection, tenant: Tenant) -> None:
    """Replace the rows of the table, and let SQL read it by its name."""
    fill_table(connection, SHARED_COST_RULES, list(_rows(tenant)))
    name = SHARED_COST_RULES.name
    connection.execute(f"create or replace view {name} as from {WAREHOUSE}.{name}")


def _rows(tenant: Tenant) -> Iterator[tuple[object, ...]]:
    entries = tenant.shared_costs
    steps = split_order(entries)
    for position, entry in enumerate(entries, 1):
        receivers = entry.listed_receivers
        shares = [plain(share) for share in entry.shares.values()]
        yield (
            *(entry.name, position, steps[entry.name]),
            *(_joined(entry.kinds), _joined(entry.projects), entry.method.value),
            *(entry.metric or None, _joined(receivers), _joined(shares)),
            *(_joined(entry.after), entry.otherwise.value),
            *(entry.from_month or None, entry.to_month or None),
        )


def _joined(values: Iterable[str]) -> str | None:
    return ", ".join(values) or None
