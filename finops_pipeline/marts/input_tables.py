"""Tables of the file being built that are not made of charges, and which of their months changed.

Put here: the keys under which their months stand among the slices of charges, and filling them.
Keep out: which marts read them (heads of marts/sql), the rows of one table (metric_tables.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from finops_pipeline.contracts.metric_marts import BUSINESS_METRICS
from finops_pipeline.contracts.resource_inventory import INVENTORY
from finops_pipeline.contracts.resource_usage import RESOURCE_METRICS
from finops_pipeline.contracts.shared_cost_marts import SHARED_COST_RULES
from finops_pipeline.lake.duck import Connection
from finops_pipeline.lake.publish import Publication
from finops_pipeline.marts.due_slices import Change, Slice, months_of
from finops_pipeline.marts.metric_tables import fill_metrics, metric_fingerprints
from finops_pipeline.marts.resource_tables import (
    fill_inventory,
    fill_usage,
    inventory_fingerprints,
    usage_fingerprints,
)
from finops_pipeline.marts.shared_cost_tables import fill_shared_costs, shared_cost_fingerprints
from finops_pipeline.tenants.model import Tenant

INPUT_TABLES = (
    *(BUSINESS_METRICS.name, SHARED_COST_RULES.name),
    *(INVENTORY.name, RESOURCE_METRICS.name),
)


def input_fingerprints(
    publication: Publication, tenant: Tenant, charged: Iterable[Slice]
) -> dict[Slice, str]:
    """Return a fingerprint of each month of these tables that has rows.

    Args:
        charged: the slices that have charges.
    """
    months = months_of(charged)
    by_table: Mapping[str, Mapping[str, str]] = {
        BUSINESS_METRICS.name: metric_fingerprints(publication),
        SHARED_COST_RULES.name: shared_cost_fingerprints(tenant, months),
        INVENTORY.name: inventory_fingerprints(publication, months),
        RESOURCE_METRICS.name: usage_fingerprints(publication),
    }
    return {
        (_key(name), month): fingerprint
        for name, months in by_table.items()
        for month, fingerprint in months.items()
    }


def _key(table: str) -> str:
    """Return what stands for a table among projects, whose names have no parentheses."""
    return f"({table})"


def is_of_charges(key: Slice) -> bool:
    """Return whether a key among slices is that of a project's month, and not of such a table."""
    return key[0] not in map(_key, INPUT_TABLES)


def plan_change(
    changed: Collection[Slice], before: Iterable[Slice], after: Iterable[Slice]
) -> Change:
    """Make a change of the keys that differ, and those that the file has before and after."""
    every = {*before, *after}
    return Change(
        frozenset(filter(is_of_charges, changed)),
        frozenset(filter(is_of_charges, before)),
        frozenset(filter(is_of_charges, after)),
        {
            name: frozenset(month for key, month in changed if key == _key(name))
            for name in INPUT_TABLES
        },
        frozenset(name for name in INPUT_TABLES if all(key != _key(name) for key, _ in every)),
    )


def fill_inputs(
    connection: Connection, publication: Publication, tenant: Tenant, change: Change
) -> None:
    """Replace the changed months of these tables, and what has no months."""
    fill_metrics(connection, publication, change.tables[BUSINESS_METRICS.name])
    fill_inventory(connection, publication, bool(change.tables[INVENTORY.name]))
    fill_usage(connection, publication, change.tables[RESOURCE_METRICS.name])
    fill_shared_costs(connection, tenant)
