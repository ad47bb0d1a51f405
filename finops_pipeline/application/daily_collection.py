"""Collecting resources or metrics of a tenant by themselves, as Dagster does every day.

Put here: collecting one of both and bringing the tenant's file up to date. Keep out: what is asked
(resource_collection.py, usage_collection.py), a run that lands bills, too (ingest.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from finops_pipeline.application.ingest import refresh_warehouse
from finops_pipeline.application.installation import Installation, TenantSession
from finops_pipeline.application.progress import OnStep
from finops_pipeline.application.resource_collection import collect_inventories
from finops_pipeline.application.usage_collection import collect_usage
from finops_pipeline.lake.layout import RESOURCE_METRICS, RESOURCES
from finops_pipeline.tenants.lifecycle import require_active

CollectedRows = Mapping[tuple[str, str], int]
"""Project and month -> rows of its partition; of resources, those of the newest snapshot."""


def collect_resources(installation: Installation, tenant: str, on_step: OnStep) -> CollectedRows:
    """Ask for the inventories of a tenant that are due; see collect_inventories.

    Raises:
        Unknown, RegistryError: there is no such tenant, or it is disabled.
        TenantBusy: another process is writing this tenant.
    """
    return _collect(installation, tenant, on_step, (collect_inventories, RESOURCES))


def collect_metrics(installation: Installation, tenant: str, on_step: OnStep) -> CollectedRows:
    """Ask CloudWatch for the metrics of a tenant that are due; see collect_usage.

    Raises:
        Unknown, RegistryError: there is no such tenant, or it is disabled.
        TenantBusy: another process is writing this tenant.
    """
    return _collect(installation, tenant, on_step, (collect_usage, RESOURCE_METRICS))


def _collect(
    installation: Installation,
    tenant: str,
    on_step: OnStep,
    work: tuple[Callable[[TenantSession, OnStep], None], str],
) -> CollectedRows:
    ask, table = work
    with installation.writing(tenant) as session:
        require_active("tenant", tenant, session.tenant)
        ask(session, on_step)
        with session.writer.publication() as publication:
            refresh_warehouse(session, publication, on_step)
        with session.writer.publication() as publication:
            records = sorted(publication.partitions(table).items(), key=lambda item: item[0][1])
    return {(name, period[:7]): record.rows for (name, period), record in records}
