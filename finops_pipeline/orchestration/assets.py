"""The assets: landing (source x month), costs (project x month), warehouse (tenant x month).

Put here: their definitions. Keep out: the work of a run (run_work.py, collected_assets.py).

One run may cover many partitions (`single_run` backfills, ranges), because a run costs seconds and
a partition in it milliseconds. An asset records each partition itself as soon as it is finished,
so its output is not required: Dagster would record all partitions at the end, or none.
"""

# No `from __future__ import annotations`: Dagster reads the annotation of `context` itself.
import warnings
from typing import Any

import dagster as dg

from finops_pipeline.contracts.column import Table
from finops_pipeline.contracts.focus import COSTS
from finops_pipeline.contracts.tables import MARTS
from finops_pipeline.orchestration.collected_assets import collected_assets
from finops_pipeline.orchestration.column_lineage import read_lineage
from finops_pipeline.orchestration.month_checks import check_outputs, check_specs
from finops_pipeline.orchestration.partitions import Partitions
from finops_pipeline.orchestration.resources import InstallationResource
from finops_pipeline.orchestration.run_work import build_part, land_part, refresh_part
from finops_pipeline.orchestration.tenant_parts import (
    EXPORTS_POOL,
    GROUP,
    OWNERS,
    Events,
    do_tenant_by_tenant,
    freshness_policy,
    retry_policy,
)


def build_assets(parts: Partitions) -> list[dg.AssetsDefinition]:
    """Return the assets over these partitions."""
    with warnings.catch_warnings():
        # Beta in Dagster 1.13, and the only way to run many months at once.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return [_landing(parts), _costs(parts), _warehouse(parts), *collected_assets(parts)]


def _landing(parts: Partitions) -> dg.AssetsDefinition:
    @dg.asset(
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=retry_policy(),
        freshness_policy=freshness_policy(),
        group_name=GROUP,
        owners=OWNERS,
        output_required=False,
        key_prefix=parts.prefix,
        partitions_def=parts.landing,
        pool=EXPORTS_POOL,
        kinds={"parquet", "aws"},
        description=(
            "A source's delivery for a month as Parquet, in the source's own columns.\n\n"
            "`rows_quarantined` rows could not be read and are in the table `quarantine`."
        ),
    )
    def landing(context: dg.AssetExecutionContext, finops: InstallationResource) -> Events:
        yield from do_tenant_by_tenant(context, finops, land_part)

    return landing


def _costs(parts: Partitions) -> dg.AssetsDefinition:
    @dg.asset(
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=retry_policy(),
        freshness_policy=freshness_policy(),
        group_name=GROUP,
        owners=OWNERS,
        output_required=False,
        key_prefix=parts.prefix,
        partitions_def=parts.costs,
        deps=[
            dg.AssetDep([*parts.shard.prefix, "landing"], partition_mapping=parts.landing_to_costs)
        ],
        kinds={"parquet", "duckdb"},
        metadata={"dagster/column_schema": _schema(COSTS)},
        description=(
            "A project's charges for a month as FOCUS 1.2 rows.\n\n"
            "Each charge of a bill is in exactly one project; the rest is in `unassigned`."
        ),
    )
    def costs(context: dg.AssetExecutionContext, finops: InstallationResource) -> Events:
        yield from do_tenant_by_tenant(context, finops, build_part)

    return costs


def _warehouse(parts: Partitions) -> dg.AssetsDefinition:
    monthly = MARTS["monthly_costs"]

    @dg.asset(
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=retry_policy(),
        freshness_policy=freshness_policy(),
        group_name=GROUP,
        owners=OWNERS,
        output_required=False,
        key_prefix=parts.prefix,
        partitions_def=parts.warehouse,
        deps=[
            dg.AssetDep([*parts.shard.prefix, "costs"], partition_mapping=parts.costs_to_warehouse)
        ],
        kinds={"duckdb", "sql"},
        check_specs=check_specs(parts.shard, parts.warehouse),
        metadata={
            "dagster/column_schema": _schema(monthly),
            "dagster/column_lineage": read_lineage(dg.AssetKey([*parts.shard.prefix, "costs"])),
        },
        description=(
            "The tenant's DuckDB file: views over its folders, and the aggregated tables.\n\n"
            "The columns shown are those of `monthly_costs`; docs/data_dictionary.md has all."
        ),
    )
    def warehouse(context: dg.AssetExecutionContext, finops: InstallationResource) -> Events:
        yield from do_tenant_by_tenant(context, finops, refresh_part)
        yield from check_outputs(parts.shard.prefix)

    return warehouse


def _schema(table: Table) -> Any:
    return dg.TableSchema(
        columns=[
            dg.TableColumn(column.name, column.type, description=column.meaning)
            for column in table.columns
        ]
    )
