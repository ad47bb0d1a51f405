"""The metrics of each project's resources: months of CloudWatch, divided by the claims.

Put here: assigning a month of statistics to projects, and its files. Keep out: landing them
(landing/usage_month.py), resources (resource_partitions.py), matching claims (claim_matching.py).

A day of a resource belongs to the project that claims the resource on that day. Tags and services
are those of the newest inventory, because CloudWatch tells neither.

Reads: cloudwatch, inventory   Writes: resource_metrics, ledger
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from finops_pipeline.contracts.resource_inventory import TAGS
from finops_pipeline.contracts.resource_usage import LANDED_DAYS, RESOURCE_METRICS
from finops_pipeline.focus.assigned_rows import assigned_rows
from finops_pipeline.focus.resource_partitions import (
    BuiltPartitions,
    empty_record,
    newest_inventories,
    partition_records,
    resource_columns,
    rules_of_resources,
)
from finops_pipeline.lake import layout
from finops_pipeline.lake.duck import (
    PARQUET,
    Connection,
    Limits,
    ident,
    scratch_connection,
    text,
)
from finops_pipeline.lake.file_owners import owner_option
from finops_pipeline.lake.publish import Publication
from finops_pipeline.ledger.claims import (
    OwnedClaim,
    has_conditions,
    list_resource_claims,
    resource_claims_fingerprint,
)
from finops_pipeline.ledger.ledger import PartitionRecord, fingerprint_of
from finops_pipeline.ledger.stored_files import Place, StoredFile
from finops_pipeline.tenants.model import Tenant
from finops_pipeline.tenants.project_identity import project_id_of

_RESOURCE = "account_id, region_id, resource_type, resource_id"


def build_resource_metrics(
    publication: Publication, tenant: Tenant, limits: Limits
) -> list[BuiltPartitions]:
    """Put the metrics of every project on a publication, for the months that are out of date.

    Raises:
        RegistryError: claims of two projects, of equal priority, take the same resource.
        DamagedFile: a landed month is lost or was changed.
    """
    by_month: dict[str, list[StoredFile]] = {}
    for file in publication.current_files(layout.CLOUDWATCH):
        by_month.setdefault(file.place.billing_period, []).append(file)
    built = [
        _build_month(publication, tenant, limits, files) for _, files in sorted(by_month.items())
    ]
    return [month for month in built if month]


def _build_month(
    publication: Publication, tenant: Tenant, limits: Limits, files: Sequence[StoredFile]
) -> BuiltPartitions | None:
    month = files[0].place.billing_period
    claims = {f: list_resource_claims(tenant, f.place.key, month) for f in files}
    names = [project.name for project in tenant.all_projects]
    facts = [
        *(f"{f.place} {f.sha256}" for f in files),
        *(resource_claims_fingerprint(tenant, own, month) for own in claims.values()),
        *(f"{project.name} {project_id_of(project)}" for project in tenant.all_projects),
        repr(RESOURCE_METRICS),
    ]
    if any(has_conditions(own) for own in claims.values()):
        facts += [file.sha256 for file in newest_inventories(publication)]
    fingerprint = fingerprint_of(facts)
    records = publication.partitions(layout.RESOURCE_METRICS, month)
    if records and all(_is_current(publication, r, fingerprint) for r in records.values()):
        return None
    with scratch_connection(publication.spill, limits) as connection:
        connection.execute("set threads = 1")  # the same statistics give the same bytes
        _assign(connection, publication, tenant, claims)
        rows = {name: _put(connection, publication, (name, month)) for name in names}
    place = Place(layout.RESOURCE_METRICS, "", month)
    for record in partition_records(tenant, place, fingerprint, rows):
        publication.build(record)
    for name in {key for key, _ in records} - set(names):
        publication.drop(replace(place, key=name))
        publication.build(empty_record(replace(place, key=name), fingerprint))
    return BuiltPartitions(month, rows)


def _is_current(publication: Publication, record: PartitionRecord, fingerprint: str) -> bool:
    path = publication.current(record.table_name, record.key, record.billing_period)
    is_there = path is not None and path.exists()
    return record.fingerprint == fingerprint and (not record.rows or is_there)


def _assign(
    connection: Connection,
    publication: Publication,
    tenant: Tenant,
    files: Mapping[StoredFile, Sequence[OwnedClaim]],
) -> None:
    """Create the table `assigned`: every statistic of the month, with its project."""
    columns = ", ".join(f"{ident(c.name)} {c.type}" for c in RESOURCE_METRICS.columns)
    connection.execute(f"create temp table assigned ({columns})")
    connection.execute(f"create temp table described as {_described(publication)}")
    names = ", ".join(column.name for column in LANDED_DAYS)
    for file, claims in files.items():
        source, month = file.place.key, file.place.billing_period
        path = publication.checked(layout.CLOUDWATCH, source, month)
        relation = "(select m.*, m.day as x_day, d.tags, d.service_code"
        relation += f" from read_parquet({text(str(path))}, hive_partitioning = false) as m"
        relation += f" left join described as d using ({_RESOURCE}))"
        rules = rules_of_resources(tenant, source, month, claims)
        assigned = assigned_rows(connection, resource_columns(relation, source, claims), rules)
        connection.execute(
            f"insert into assigned by name select {names}, x_Project as project,"
            f" {text(source)} as source, {text(month)} as billing_period from {assigned}"
        )


def _described(publication: Publication) -> str:
    """Return SQL of the tags and services of the resources in the newest inventories."""
    parts = []
    for file in newest_inventories(publication):
        path = publication.checked(layout.INVENTORY, file.place.key, file.place.billing_period)
        parts.append(
            f"select {_RESOURCE}, tags, service_code, last_seen"
            f" from read_parquet({text(str(path))}, hive_partitioning = false)"
        )
    if not parts:
        empty = ", ".join(f"null::varchar as {name}" for name in _RESOURCE.split(", "))
        return f"select {empty}, null::{TAGS} as tags, null::varchar as service_code where false"
    newest = "arg_max(struct_pack(tags, service_code), last_seen) as newest"
    return (
        f"select {_RESOURCE}, newest.tags, newest.service_code from"
        f" (select {_RESOURCE}, {newest} from ({' union all '.join(parts)}) group by all)"
    )


def _put(connection: Connection, publication: Publication, key: tuple[str, str]) -> int:
    place = Place(layout.RESOURCE_METRICS, *key)
    of_project = f"from assigned where project = {text(key[0])}"
    ((rows,),) = connection.execute(f"select count(*) {of_project}").fetchall()
    if not rows:
        publication.drop(place)
        return 0
    hive = {"project", "billing_period"}
    columns = ", ".join(c.name for c in RESOURCE_METRICS.columns if c.name not in hive)
    staged = publication.scratch(f"metrics-{key[0]}-{key[1]}.parquet")
    connection.execute(
        f"copy (select {columns} {of_project} order by source, {_RESOURCE}, metric_name, day)"
        f" to {text(str(staged))} ({PARQUET}, {owner_option(publication.folder.identity)})"
    )
    publication.put(place, staged)
    return int(rows)
