"""The assets: landing (source x month), costs (project x month), warehouse (tenant x month).

Put here: one call to application/ per asset, and the metadata of the run. Keep out: the work.

One run may cover many partitions (`single_run` backfills, ranges), because a run costs seconds and
a partition in it milliseconds. Metadata is added per partition; returned metadata would be copied
to all of them.
"""

# No `from __future__ import annotations`: Dagster reads the annotation of `context` itself.
import warnings
from pathlib import Path
from typing import Any

import dagster as dg

from finops_pipeline.application.ingest import build_costs, refresh_warehouse
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.landing import SourceLanding
from finops_pipeline.application.progress import Step
from finops_pipeline.contracts.column import Table
from finops_pipeline.contracts.focus import COSTS
from finops_pipeline.contracts.tables import MARTS
from finops_pipeline.lake.duck import parquet_columns
from finops_pipeline.lake.layout import LANDING
from finops_pipeline.ledger.ledger import DeliveryRecord, PartitionRecord
from finops_pipeline.ledger.stored_files import Place, read_stored_files
from finops_pipeline.marts.build import Refreshed
from finops_pipeline.money import exact_sum, plain
from finops_pipeline.orchestration.asset_checks import check_results, check_specs
from finops_pipeline.orchestration.automation import follow
from finops_pipeline.orchestration.collected_assets import collected_assets
from finops_pipeline.orchestration.partitions import (
    Partitions,
    TenantRequest,
    requests_by_tenant,
)
from finops_pipeline.orchestration.resources import InstallationResource
from finops_pipeline.orchestration.tenant_parts import (
    GROUP,
    Events,
    FailedSteps,
    Finish,
    do_tenant_by_tenant,
    raise_failures,
    retry_policy,
)
from finops_pipeline.tenants.lifecycle import require_active

COST_BASES = ("billed_cost", "effective_cost", "list_cost", "contracted_cost")


def build_assets(parts: Partitions) -> list[dg.AssetsDefinition]:
    """Return the assets over these partitions."""
    with warnings.catch_warnings():
        # Beta in Dagster 1.13, and the only way to run many months at once.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return [_landing(parts), _costs(parts), _warehouse(parts), *collected_assets(parts)]


def _landing(parts: Partitions) -> dg.AssetsDefinition:
    @dg.asset(
        partitions_def=parts.landing,
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=retry_policy(),
        group_name=GROUP,
        kinds={"parquet", "aws"},
        description="A source's delivery for a month as Parquet, in the source's own columns.",
    )
    def landing(context: dg.AssetExecutionContext, finops: InstallationResource) -> Events:
        yield from do_tenant_by_tenant(context, finops, land_part)
        yield dg.MaterializeResult()

    return landing


def land_part(finish: Finish, installation: Installation, request: TenantRequest) -> None:
    """Land a tenant's part of a run.

    Raises:
        FailedSteps: a month was refused, or has no delivery.
        RegistryError: the tenant has been disabled or removed since the run was requested.
    """
    steps: list[Step] = []
    records: dict[tuple[str, str], DeliveryRecord] = {}
    with installation.writing(request.tenant) as session:
        require_active("tenant", request.tenant, session.tenant)
        landing = SourceLanding(session, steps.append)
        for name in request.names:
            months = frozenset(p.month for p in request.partitions if p.name == name)
            for landed in landing.land(session.tenant.source(name), months):
                records[name, landed.record.billing_period] = landed.record
        seconds = {(step.subject.split("/")[1], step.month): step.seconds for step in steps}
        # Cost Explorer feeds no charges, so no other asset would give its days to projects.
        cost_explorer_sources = session.tenant.cost_explorer_sources
        days = sorted({month for name, month in records if name in cost_explorer_sources})
        if days:
            build_costs(session, [], days, steps.append)
        files = read_stored_files(session.writer.ledger)
        paths = {place: session.writer.folder.stored(file) for place, file in files.items()}
    for partition in request.partitions:
        key = (partition.name, partition.month)
        if key in records:
            path = paths.get(Place(LANDING, *key))
            metadata = _landing_metadata(records[key], path, seconds.get(key, 0.0))
            finish(partition.key, metadata)
    raise_failures(request, steps, set(records), "the source has no delivery for this month")


def _landing_metadata(record: DeliveryRecord, path: Path | None, seconds: float) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "dagster/row_count": record.rows_kept,
        "rows_quarantined": record.rows_quarantined,
        "size_bytes": path.stat().st_size if path else 0,
        "duration_seconds": seconds,
        "delivery_id": record.delivery_id,
    }
    for currency, billed in record.billed_by_currency().items():
        metadata[f"billed_cost_{currency}"] = plain(billed)
    if path:
        metadata["dagster/column_schema"] = _schema(parquet_columns(path))
    return metadata


def _costs(parts: Partitions) -> dg.AssetsDefinition:
    @dg.asset(
        partitions_def=parts.costs,
        deps=[dg.AssetDep("landing", partition_mapping=parts.landing_to_costs)],
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=retry_policy(),
        group_name=GROUP,
        kinds={"parquet", "duckdb"},
        automation_condition=follow(),
        description="A project's charges for a month as FOCUS 1.2 rows.",
    )
    def costs(context: dg.AssetExecutionContext, finops: InstallationResource) -> Events:
        yield from do_tenant_by_tenant(context, finops, build_part)
        yield dg.MaterializeResult()

    return costs


def build_part(finish: Finish, installation: Installation, request: TenantRequest) -> None:
    """Build a tenant's part of a run.

    Raises:
        FailedSteps: a month does not add up, or nothing has landed of it.
    """
    steps: list[Step] = []
    with installation.writing(request.tenant) as session:
        outcomes = build_costs(session, request.names, request.months, steps.append)
    records = {(o.record.key, o.record.billing_period): o.record for o in outcomes}
    seconds = {(step.subject, step.month): step.seconds for step in steps}
    for partition in request.partitions:
        record = records.get((partition.name, partition.month))
        if record is not None:
            name = f"{request.tenant}/{partition.name}"
            metadata = _costs_metadata(record, seconds.get((name, partition.month), 0.0))
            finish(partition.key, metadata)
    missing = "nothing has landed for this month; materialize landing first"
    raise_failures(request, steps, set(records), missing)


def _costs_metadata(record: PartitionRecord, seconds: float) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "dagster/row_count": record.rows,
        "size_bytes": record.size_bytes,
        "duration_seconds": seconds,
        "dagster/column_schema": _schema({c.name: c.type for c in COSTS.columns}, COSTS),
    }
    for currency in sorted({total["billing_currency"] for total in record.totals}):
        for basis in COST_BASES:
            amounts = (t[basis] for t in record.totals if t["billing_currency"] == currency)
            metadata[f"{basis}_{currency}"] = plain(exact_sum(amounts))
    return metadata


def _warehouse(parts: Partitions) -> dg.AssetsDefinition:
    @dg.asset(
        partitions_def=parts.warehouse,
        deps=[dg.AssetDep("costs", partition_mapping=parts.costs_to_warehouse)],
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=retry_policy(),
        group_name=GROUP,
        kinds={"duckdb", "sql"},
        automation_condition=follow(),
        check_specs=check_specs(),
        description="The tenant's DuckDB file: views over its folders and aggregated tables.",
    )
    def warehouse(context: dg.AssetExecutionContext, finops: InstallationResource) -> Events:
        yield from do_tenant_by_tenant(context, finops, refresh_part)
        requests = requests_by_tenant(context.partition_keys)
        yield dg.MaterializeResult(check_results=check_results(finops.open(), requests))

    return warehouse


def refresh_part(finish: Finish, installation: Installation, request: TenantRequest) -> None:
    """Refresh a tenant's file once, however many months a run covers.

    Raises:
        FailedSteps: a check refused the new file.
    """
    steps: list[Step] = []
    with (
        installation.writing(request.tenant) as session,
        session.writer.publication() as publication,
    ):
        refreshed = refresh_warehouse(session, publication, steps.append)
    if refreshed is None:
        raise FailedSteps(steps)
    common = _refresh_metadata(refreshed, steps[-1].seconds)
    status = installation.status(request.tenant)
    for partition in request.partitions:
        states = {f"{s.source} {s.state}" for s in status if s.billing_period == partition.month}
        metadata = {**common, "data_status": ", ".join(sorted(states)) or "nothing landed"}
        metadata |= _month_metadata(refreshed, partition.month)
        finish(partition.key, metadata)


def _refresh_metadata(refreshed: Refreshed, seconds: float) -> dict[str, Any]:
    monthly = MARTS["monthly_costs"]
    return {
        "outcome": refreshed.outcome,
        "slices_rebuilt": len(refreshed.slices),
        "size_bytes": refreshed.size_bytes,
        "duration_seconds": seconds,
        "warnings": "\n".join(refreshed.warnings) or "none",
        "dagster/column_schema": _schema({c.name: c.type for c in monthly.columns}, monthly),
    }


def _month_metadata(refreshed: Refreshed, month: str) -> dict[str, Any]:
    totals = [total for total in refreshed.totals if total["billing_period"] == month]
    metadata: dict[str, Any] = {"dagster/row_count": sum(total["rows"] for total in totals)}
    for total in totals:
        for basis in COST_BASES:
            metadata[f"{basis}_{total['billing_currency']}"] = plain(total[basis])
    return metadata


def _schema(columns: dict[str, str], table: Table | None = None) -> dg.TableSchema:
    meanings = {column.name: column.meaning for column in table.columns} if table else {}
    return dg.TableSchema(
        columns=[dg.TableColumn(n, t, description=meanings.get(n)) for n, t in columns.items()]
    )
