"""Which partitions there are, and which of them make which.

Put here: partition definitions from the registry, mappings, taking keys apart. Keep out: work.

Keys are static, sorted and come from the registry, so that a range of them never crosses a
tenant by accident of insertion order, and project -> tenant is an exact, built-in mapping. A
change of the registry is seen when the code location reloads.

Two dimensions each, ordered by name: `2026-10|acme/prod`. Never rename a dimension: the keys
would change.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import dagster as dg

from finops_pipeline.tenants.model import Tenant
from finops_pipeline.tenants.months import check_month

MONTH, SOURCE, PROJECT, TENANT = "month", "source", "project", "tenant"


@dataclass(frozen=True)
class Partitions:
    """The partitions of landing, costs and warehouse, and how they feed each other."""

    landing: dg.MultiPartitionsDefinition
    costs: dg.MultiPartitionsDefinition
    warehouse: dg.MultiPartitionsDefinition
    landing_to_costs: dg.PartitionMapping
    costs_to_warehouse: dg.PartitionMapping


def partitions(tenants: list[Tenant], first_month: str) -> Partitions:
    """Partitions for these tenants, from a first month to the running one (UTC).

    Args:
        tenants: as the registry has them.
        first_month: `YYYY-MM`.
    """
    months = dg.MonthlyPartitionsDefinition(
        start_date=first_month, fmt="%Y-%m", timezone="UTC", end_offset=1
    )
    feeds = {
        f"{tenant.name}/{source.name}": {
            f"{tenant.name}/{project.name}"
            for project in tenant.all_projects
            if source.name in tenant.sources_of(project)
        }
        for tenant in tenants
        for source in tenant.sources
    }
    belongs = {
        f"{tenant.name}/{project.name}": tenant.name
        for tenant in tenants
        for project in tenant.all_projects
    }
    sources = dg.StaticPartitionsDefinition(sorted(feeds))
    projects = dg.StaticPartitionsDefinition(sorted(belongs))
    names = dg.StaticPartitionsDefinition(sorted(tenant.name for tenant in tenants))
    return Partitions(
        landing=dg.MultiPartitionsDefinition({MONTH: months, SOURCE: sources}),
        costs=dg.MultiPartitionsDefinition({MONTH: months, PROJECT: projects}),
        warehouse=dg.MultiPartitionsDefinition({MONTH: months, TENANT: names}),
        landing_to_costs=_mapping(SOURCE, PROJECT, dg.StaticPartitionMapping(feeds)),
        costs_to_warehouse=_mapping(PROJECT, TENANT, dg.StaticPartitionMapping(belongs)),
    )


def _mapping(
    upstream: str, downstream: str, keys: dg.StaticPartitionMapping
) -> dg.MultiPartitionMapping:
    with warnings.catch_warnings():
        # Beta in Dagster 1.13, and the one exact mapping between two dimensions that there is.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return dg.MultiPartitionMapping(
            {
                MONTH: dg.DimensionPartitionMapping(MONTH, dg.IdentityPartitionMapping()),
                upstream: dg.DimensionPartitionMapping(downstream, keys),
            }
        )


@dataclass(frozen=True)
class Asked:
    """What a run was asked for, of one tenant: names (sources or projects) and months."""

    tenant: str
    names: tuple[str, ...]
    months: tuple[str, ...]
    keys: tuple[tuple[str, str, str], ...]
    """(partition key, name, month)"""


def asked(partition_keys: Iterable[str]) -> list[Asked]:
    """Partition keys such as `2026-10|acme/prod` taken apart, tenant by tenant."""
    by_tenant: dict[str, list[tuple[str, str, str]]] = {}
    for key in sorted(partition_keys):
        month, _, name = key.partition("|")
        tenant, _, name = name.partition("/")
        by_tenant.setdefault(tenant, []).append((key, name, month))
    return [
        Asked(
            tenant,
            tuple(sorted({name for _, name, _ in keys})),
            tuple(sorted({month for _, _, month in keys})),
            tuple(keys),
        )
        for tenant, keys in sorted(by_tenant.items())
    ]


def range_tags(first: str, last: str, tenant: str, project: str = "") -> dict[str, str]:
    """Run tags for one run over the rectangle of partitions between two keys."""
    tags = {
        "dagster/asset_partition_range_start": first,
        "dagster/asset_partition_range_end": last,
        "finops/tenant": tenant,
    }
    return tags | ({"finops/project": project} if project else {})


def key(month: str, name: str) -> str:
    """The partition key of a month and a source, project or tenant."""
    return f"{check_month(month)}|{name}"
