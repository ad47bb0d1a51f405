"""The tables of resources and their usage in the file being built, and which months have changed.

Put here: filling these tables from the files of the lake. Keep out: making these files (landing,
focus), the mart of resources (sql/resources.sql).

A tenant without inventories pays for four empty tables, once.

Reads: resources, inventory_coverage, resource_metrics, cloudwatch_coverage
Writes: <tenant>.duckdb (the tables of the same names, inventory, metric_coverage)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date
from pathlib import Path

from finops_pipeline.contracts.column import Table
from finops_pipeline.contracts.resource_inventory import INVENTORY, INVENTORY_COVERAGE
from finops_pipeline.contracts.resource_usage import METRIC_COVERAGE, RESOURCE_METRICS
from finops_pipeline.errors import DamagedFile, ForeignFile
from finops_pipeline.lake import layout
from finops_pipeline.lake.duck import Connection, text, texts
from finops_pipeline.lake.publish import Publication
from finops_pipeline.lake.warehouse import WAREHOUSE
from finops_pipeline.ledger.ledger import fingerprint_of
from finops_pipeline.ledger.stored_files import StoredFile
from finops_pipeline.marts.slice_conditions import among_months
from finops_pipeline.tenants.months import month_of


def inventory_fingerprints(publication: Publication, charged: Collection[str]) -> dict[str, str]:
    """Return the fingerprint of the newest resources, under the newest month that has charges.

    The mart of resources joins them with the costs of that month. A file does not contain its
    project, so a resource that moves to another project leaves the bytes as they were.
    """
    files = _newest_resources(publication)
    if not files:
        return {}
    day = date.fromisoformat(files[0].place.billing_period)
    sums = [f"{file.place} {file.sha256}" for file in (*files, *_newest_coverage(publication))]
    key = max(charged, default=month_of(day))
    return {key: fingerprint_of([*sums, repr((INVENTORY, INVENTORY_COVERAGE))])}


def usage_fingerprints(publication: Publication) -> dict[str, str]:
    """Return a fingerprint of the statistics of each month that has some, or was asked."""
    sums: dict[str, list[str]] = {}
    for table in (layout.RESOURCE_METRICS, layout.CLOUDWATCH_COVERAGE):
        for file in publication.current_files(table):
            sums.setdefault(file.place.billing_period, []).append(f"{file.place} {file.sha256}")
    described = repr((RESOURCE_METRICS, METRIC_COVERAGE))
    return {month: fingerprint_of([described, *sorted(of)]) for month, of in sums.items()}


def _newest_resources(publication: Publication) -> list[StoredFile]:
    files = publication.current_files(layout.RESOURCES)
    newest = max((file.place.billing_period for file in files), default="")
    return [file for file in files if file.place.billing_period == newest]


def _newest_coverage(publication: Publication) -> list[StoredFile]:
    newest: dict[str, StoredFile] = {}
    for file in publication.current_files(layout.INVENTORY_COVERAGE):
        newest[file.place.key] = file  # in order of key and day
    return list(newest.values())


def _paths(publication: Publication, files: Iterable[StoredFile]) -> list[Path] | None:
    """Return the paths of files; None if one of them is lost or was changed."""
    places = [(f.place.table_name, f.place.key, f.place.billing_period) for f in files]
    try:
        paths = [publication.checked(*place) for place in places]
    except (DamagedFile, ForeignFile):
        return None
    return [path for path in paths if path is not None]


def fill_inventory(connection: Connection, publication: Publication, is_changed: bool) -> None:
    """Replace the resources and the coverage; while a file of them is lost, both stay."""
    if not is_changed:
        return
    resources = _paths(publication, _newest_resources(publication))
    coverage = _paths(publication, _newest_coverage(publication))
    if resources is None or coverage is None:
        return
    _replace(connection, INVENTORY, resources, "project")
    _replace(connection, INVENTORY_COVERAGE, coverage, "source")


def _replace(connection: Connection, table: Table, paths: list[Path], key: str) -> None:
    target = f"{WAREHOUSE}.{table.name}"
    names = ", ".join(column.name for column in table.columns)
    connection.execute(f"delete from {target}")
    if paths:
        connection.execute(
            f"insert into {target} ({names}) select {names}"
            f" from {_read(paths, key, 'snapshot_date')}"
            f" order by {', '.join(table.grain)}"
        )


def _read(paths: list[Path], key: str, period: str = "billing_period") -> str:
    return (
        f"read_parquet({texts([str(path) for path in paths])}, hive_partitioning = true,"
        f" hive_types = {{'{key}': varchar, '{period}': varchar}})"
    )


def fill_usage(connection: Connection, publication: Publication, months: Collection[str]) -> None:
    """Replace some months of the statistics; a month of which a file is lost stays as it was."""
    if not months:
        return
    target = f"{WAREHOUSE}.{RESOURCE_METRICS.name}"
    names = ", ".join(column.name for column in RESOURCE_METRICS.columns)
    files = publication.current_files(layout.RESOURCE_METRICS)
    for month in sorted(months):
        paths = _paths(publication, (f for f in files if f.place.billing_period == month))
        if paths is None:
            continue
        connection.execute(f"delete from {target} where {among_months([month])}")
        if paths:
            connection.execute(
                f"insert into {target} ({names}) select {names} from {_read(paths, 'project')}"
                " order by project, resource_type, resource_id, metric_name, day"
            )
    _fill_coverage(connection, publication)


def _fill_coverage(connection: Connection, publication: Publication) -> None:
    """Sum up which statistics are there, and how the newest request for each series ended."""
    asked = _paths(publication, publication.current_files(layout.CLOUDWATCH_COVERAGE))
    if asked is None:
        return
    target = f"{WAREHOUSE}.{METRIC_COVERAGE.name}"
    connection.execute(f"delete from {target}")
    if not asked:
        return
    series = "source, account_id, region_id, resource_type, resource_id, metric_name"
    names = ", ".join(column.name for column in METRIC_COVERAGE.columns)
    connection.execute(
        f"insert into {target} ({names}) with known as (select {series}, min(day) as first_day,"
        f" max(day) as last_day, count(distinct day) as days"
        f" from {WAREHOUSE}.{RESOURCE_METRICS.name} group by all),"
        f" asked as (select {series}, arg_max(struct_pack(state, permission, reason),"
        f" (billing_period, asked_on)) as newest from {_read(asked, 'source')} group by all)"
        f" select {series}, first_day, last_day, coalesce(days, 0) as days,"
        f" case when newest.state = {text('no data')} and days > 0 then {text('collected')}"
        " else newest.state end as state, newest.permission, newest.reason"
        f" from asked left join known using ({series}) order by {series}"
    )
