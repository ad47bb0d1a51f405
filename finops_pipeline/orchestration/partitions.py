"""The partitions of each asset, and the mappings between them.

Put here: partition definitions from the registry, mappings, parsing keys. Keep out: the work.

Keys are static, sorted and come from the registry, so that a range of them never crosses a
tenant by accident of insertion order, and project -> tenant is an exact, built-in mapping. A
change of the registry is seen when the code location reloads.

Two dimensions each, ordered by name: `2026-10|acme/prod`. Never rename a dimension: the keys
would change.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import dagster as dg

from finops_pipeline.ledger.ledger import fingerprint_of
from finops_pipeline.orchestration.shards import Shard
from finops_pipeline.tenants.model import Tenant
from finops_pipeline.tenants.months import check_month
from finops_pipeline.tenants.source import COLLECTED_KINDS

MONTH, SOURCE, PROJECT, TENANT = "month", "source", "project", "tenant"

TENANT_TAG = "finops/tenant"
"""The tag by which a tenant has one run at a time."""


@dataclass(frozen=True)
class Partitions:
    """The partitions of landing, costs and warehouse, and how they feed each other."""

    months: dg.MonthlyPartitionsDefinition
    sources: dg.StaticPartitionsDefinition
    projects: dg.StaticPartitionsDefinition
    tenants: dg.StaticPartitionsDefinition
    landing: dg.MultiPartitionsDefinition
    costs: dg.MultiPartitionsDefinition
    warehouse: dg.MultiPartitionsDefinition
    landing_to_costs: dg.PartitionMapping
    costs_to_warehouse: dg.PartitionMapping
    shard: Shard

    @property
    def prefix(self) -> list[str] | None:
        """The beginning of the keys of the assets; None for none."""
        return self.shard.prefix or None

    @property
    def mark(self) -> str:
        """A mark of all partitions, which changes when a change of the registry concerns them."""
        names = [definition.get_partition_keys() for definition in self._names()]
        return fingerprint_of([names, self.first_month])

    @property
    def first_month(self) -> str:
        """The first month of all partitions."""
        return str(self.months.get_first_partition_key())

    def has(self, asset: str, month: str, name: str) -> bool:
        """Return whether an asset has a partition."""
        landing, costs, tenants = self._names()
        names = {"landing": landing, "costs": costs, "warehouse": tenants}[asset]
        return self.first_month <= month and name in names.get_partition_keys()

    def _names(self) -> tuple[dg.PartitionsDefinition[str], ...]:
        return (self.sources, self.projects, self.tenants)


def partitions(
    tenants: Sequence[Tenant], first_month: str, shard: Shard | None = None
) -> Partitions:
    """Define partitions for these tenants, from a first month to the running one (UTC).

    Args:
        tenants: those in use, and their sources, have partitions.
        first_month: `YYYY-MM`.
        shard: the share of all tenants that they are; None: they are all.
    """
    months = dg.MonthlyPartitionsDefinition(
        start_date=first_month, fmt="%Y-%m", timezone="UTC", end_offset=1
    )
    active = [tenant for tenant in tenants if tenant.is_active]
    feeds = {
        f"{tenant.name}/{source.name}": {
            f"{tenant.name}/{project.name}"
            for project in tenant.all_projects
            if source.name in tenant.sources_of(project)
        }
        for tenant in active
        for source in tenant.sources
        if source.is_active and source.kind not in COLLECTED_KINDS
    }
    belongs = {
        f"{tenant.name}/{project.name}": tenant.name
        for tenant in active
        for project in tenant.all_projects
    }
    sources = dg.StaticPartitionsDefinition(sorted(feeds))
    projects = dg.StaticPartitionsDefinition(sorted(belongs))
    names = dg.StaticPartitionsDefinition(sorted(tenant.name for tenant in active))
    return Partitions(
        months=months,
        sources=sources,
        projects=projects,
        tenants=names,
        shard=shard or Shard(),
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
        # Beta in Dagster 1.13, and the only exact mapping between two dimensions.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return dg.MultiPartitionMapping(
            {
                MONTH: dg.DimensionPartitionMapping(MONTH, dg.IdentityPartitionMapping()),
                upstream: dg.DimensionPartitionMapping(downstream, keys),
            }
        )


@dataclass(frozen=True)
class PartitionRequest:
    """One partition of a run: its key, and the source, project or tenant and month it names."""

    key: str
    name: str
    month: str


@dataclass(frozen=True)
class TenantRequest:
    """The partitions of one tenant that a run is to materialize."""

    tenant: str
    partitions: tuple[PartitionRequest, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The sources or projects, by name."""
        return tuple(sorted({partition.name for partition in self.partitions}))

    @property
    def months(self) -> tuple[str, ...]:
        """The billing periods, in order."""
        return tuple(sorted({partition.month for partition in self.partitions}))


def requests_by_tenant(partition_keys: Iterable[str]) -> list[TenantRequest]:
    """Parse partition keys such as `2026-10|acme/prod`, and group them by tenant."""
    by_tenant: dict[str, list[PartitionRequest]] = {}
    for key in sorted(partition_keys):
        month, _, full_name = key.partition("|")
        tenant, _, name = full_name.partition("/")
        by_tenant.setdefault(tenant, []).append(PartitionRequest(key, name, month))
    return [TenantRequest(tenant, tuple(of)) for tenant, of in sorted(by_tenant.items())]


def range_tags(first: str, last: str, tenant: str, project: str = "") -> dict[str, str]:
    """Return run tags for one run over the rectangle of partitions between two keys."""
    tags = {
        "dagster/asset_partition_range_start": first,
        "dagster/asset_partition_range_end": last,
        TENANT_TAG: tenant,
    }
    return tags | ({"finops/project": project} if project else {})


def partition_key(dimension: str, month: str, name: str) -> dg.MultiPartitionKey:
    """Return the same key with its dimensions, by which Dagster can search."""
    return dg.MultiPartitionKey({MONTH: check_month(month), dimension: name})


def key(month: str, name: str) -> str:
    """Return the partition key of a month and a source, project or tenant."""
    return f"{check_month(month)}|{name}"
