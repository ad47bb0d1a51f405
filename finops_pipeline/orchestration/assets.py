"""The assets: landing (source x month), costs (project x month), warehouse (tenant x month).

Put here: one call to the pipeline each, and what the run shows of it. Keep out: work.

One run may hold many partitions (`single_run` backfills, ranges): a run costs seconds, a
partition in it milliseconds. Metadata is added per partition; a returned one would be copied
to all of them.
"""

# No `from __future__ import annotations`: Dagster reads the annotation of `context` itself.
import warnings
from collections.abc import Callable
from typing import Any

import dagster as dg

from finops_pipeline.application.ingest import build_costs, refresh_warehouse
from finops_pipeline.application.landing import land_source
from finops_pipeline.application.progress import Step
from finops_pipeline.application.refusals import SURPRISES, reason_of
from finops_pipeline.contracts.column import Table
from finops_pipeline.contracts.focus import COSTS
from finops_pipeline.contracts.tables import MARTS
from finops_pipeline.lake.duck import parquet_columns
from finops_pipeline.lake.layout import LANDING
from finops_pipeline.ledger.ledger import DeliveryRecord, PartitionRecord
from finops_pipeline.money import exact_sum, plain
from finops_pipeline.orchestration.asset_checks import check_results, check_specs
from finops_pipeline.orchestration.automation import follow
from finops_pipeline.orchestration.partitions import Asked, Partitions, asked
from finops_pipeline.orchestration.resources import InstallationResource

COST_BASES = ("billed_cost", "effective_cost", "list_cost", "contracted_cost")
_GROUP = "finops"


def build_assets(parts: Partitions) -> list[dg.AssetsDefinition]:
    """The three assets over these partitions."""
    with warnings.catch_warnings():
        # Beta in Dagster 1.13, and the only way to many months in one run.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return [_landing(parts), _costs(parts), _warehouse(parts)]


Work = Callable[[dg.AssetExecutionContext, InstallationResource, Asked], None]
"""What an asset does for one tenant's part of a run."""


def _tenant_by_tenant(
    context: dg.AssetExecutionContext, finops: InstallationResource, work: Work
) -> None:
    """Do every tenant's part; one tenant's trouble stops no other and fails the run at the end."""
    reasons: list[str] = []
    for part in asked(context.partition_keys):
        try:
            work(context, finops, part)
        except dg.Failure as error:
            reasons.append(str(error.description))
        except SURPRISES as error:
            reasons.append(f"{part.tenant}: {reason_of(error)}")
    _fail_on(reasons)


def _landing(parts: Partitions) -> dg.AssetsDefinition:
    @dg.asset(
        partitions_def=parts.landing,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=_GROUP,
        kinds={"parquet", "aws"},
        description="A source's delivery of a month as Parquet, in the source's own columns.",
    )
    def landing(context: dg.AssetExecutionContext, finops: InstallationResource) -> None:
        _tenant_by_tenant(context, finops, land_part)

    return landing


def land_part(context: dg.AssetExecutionContext, finops: InstallationResource, part: Asked) -> None:
    """Land a tenant's part of a run.

    Raises:
        dagster.Failure: a month was refused, or has no delivery.
    """
    installation = finops.open()
    tenant = installation.registry.tenant(part.tenant)
    steps: list[Step] = []
    landed: dict[tuple[str, str], DeliveryRecord] = {}
    seconds: dict[tuple[str, str], float] = {}
    built: list[Step] = []
    with installation.writer(part.tenant) as writer:
        tenant = installation.registry.tenant(part.tenant)  # as declared now: the wait may be long
        for name in part.names:
            months = frozenset(month for _, other, month in part.keys if other == name)
            source = tenant.source(name)
            for one in land_source(installation, writer, tenant, source, months, steps.append):
                landed[name, one.record.billing_period] = one.record
        # Cost Explorer feeds no charges, so no other asset would give its days to projects.
        asked = sorted({month for name, month in landed if name in tenant.cost_explorer_sources})
        if asked:
            build_costs(installation, writer, tenant, [], asked, built.append)
    for step in steps:
        seconds[step.what.split("/")[1], step.month] = step.seconds
    for key, name, month in part.keys:
        record = landed.get((name, month))
        if record is None:
            continue
        path = installation.folder(part.tenant).partition(LANDING, name, month)
        metadata: dict[str, Any] = {
            "dagster/row_count": record.rows_kept,
            "rows_quarantined": record.rows_quarantined,
            "size_bytes": path.stat().st_size if path.exists() else 0,
            "duration_seconds": seconds.get((name, month), 0.0),
            "delivery_id": record.delivery_id,
        }
        for currency, billed in record.billed_by_currency().items():
            metadata[f"billed_cost_{currency}"] = plain(billed)
        if path.exists():
            metadata["dagster/column_schema"] = _schema(parquet_columns(path))
        context.add_asset_metadata(metadata, partition_key=key)
    _fail_on(_refusals(part, [*steps, *built], set(landed), "no delivery of this month"))


def _costs(parts: Partitions) -> dg.AssetsDefinition:
    @dg.asset(
        partitions_def=parts.costs,
        deps=[dg.AssetDep("landing", partition_mapping=parts.landing_to_costs)],
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=_GROUP,
        kinds={"parquet", "duckdb"},
        automation_condition=follow(),
        description="A project's charges of a month as FOCUS 1.2 rows.",
    )
    def costs(context: dg.AssetExecutionContext, finops: InstallationResource) -> None:
        _tenant_by_tenant(context, finops, build_part)

    return costs


def build_part(
    context: dg.AssetExecutionContext, finops: InstallationResource, part: Asked
) -> None:
    """Build a tenant's part of a run.

    Raises:
        dagster.Failure: a month does not add up, or nothing has landed of it.
    """
    installation = finops.open()
    tenant = installation.registry.tenant(part.tenant)
    steps: list[Step] = []
    with installation.writer(part.tenant) as writer:
        tenant = installation.registry.tenant(part.tenant)  # see land_part
        names, months = list(part.names), list(part.months)
        done = build_costs(installation, writer, tenant, names, months, steps.append)
    records = {(one.record.key, one.record.billing_period): one.record for one in done}
    seconds = {(step.what, step.month): step.seconds for step in steps}
    for key, name, month in part.keys:
        record = records.get((name, month))
        if record is not None:
            took = seconds.get((f"{part.tenant}/{name}", month), 0.0)
            context.add_asset_metadata(_costs_metadata(record, took), partition_key=key)
    words = "nothing has landed; materialize landing first"
    _fail_on(_refusals(part, steps, set(records), words))


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
        group_name=_GROUP,
        kinds={"duckdb", "sql"},
        automation_condition=follow(),
        check_specs=check_specs(),
        description="The tenant's DuckDB file: views over its folders and aggregated tables.",
    )
    def warehouse(
        context: dg.AssetExecutionContext, finops: InstallationResource
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]
        _tenant_by_tenant(context, finops, refresh_part)
        found = check_results(finops.open(), asked(context.partition_keys))
        return dg.MaterializeResult(check_results=found)

    return warehouse


def refresh_part(
    context: dg.AssetExecutionContext, finops: InstallationResource, part: Asked
) -> None:
    """Refresh a tenant's file once, however many months a run was asked for.

    Raises:
        dagster.Failure: a check refused the new file.
    """
    installation = finops.open()
    tenant = installation.registry.tenant(part.tenant)
    steps: list[Step] = []
    with installation.writer(part.tenant) as writer, writer.publication() as publication:
        tenant = installation.registry.tenant(part.tenant)  # see land_part
        done = refresh_warehouse(installation, publication, tenant, steps.append)
    _fail_on(_refusals(part, steps, {(name, month) for _, name, month in part.keys}, ""))
    if done is None:
        return
    monthly = MARTS["monthly_costs"]
    common: dict[str, Any] = {
        "outcome": done.outcome,
        "slices_rebuilt": len(done.slices),
        "size_bytes": done.size_bytes,
        "duration_seconds": steps[-1].seconds,
        "warnings": "\n".join(done.warnings) or "none",
        "dagster/column_schema": _schema({c.name: c.type for c in monthly.columns}, monthly),
    }
    status = installation.status(part.tenant)
    for key, _, month in part.keys:
        totals = [total for total in done.totals if total["billing_period"] == month]
        metadata = {**common, "dagster/row_count": sum(total["rows"] for total in totals)}
        states = {f"{told.source} {told.state}" for told in status if told.billing_period == month}
        metadata["data_status"] = ", ".join(sorted(states)) or "nothing landed"
        for total in totals:
            for basis in COST_BASES:
                metadata[f"{basis}_{total['billing_currency']}"] = plain(total[basis])
        context.add_asset_metadata(metadata, partition_key=key)


def _schema(columns: dict[str, str], table: Table | None = None) -> dg.TableSchema:
    meanings = {column.name: column.meaning for column in table.columns} if table else {}
    return dg.TableSchema(
        columns=[dg.TableColumn(n, t, description=meanings.get(n)) for n, t in columns.items()]
    )


def _refusals(part: Asked, steps: list[Step], done: set[tuple[str, str]], words: str) -> list[str]:
    """Why a run fails: refused steps, and what was asked for and is neither done nor refused."""
    refused = [step for step in steps if step.outcome == "refused"]
    known = {step.month for step in refused}
    missing = [
        f"{part.tenant}/{name} {month}: {words}"
        for _, name, month in part.keys
        if (name, month) not in done and not known & {month, ""}
    ]
    return [f"{step.what} {step.month}: {step.reason}" for step in refused] + missing


def _fail_on(reasons: list[str]) -> None:
    if reasons:
        raise dg.Failure("\n".join(reasons), allow_retries=False)
