"""The resources of each project: snapshots of inventories, divided by the claims.

Put here: assigning the newest snapshot of every source, and its files per project. Keep out:
landing snapshots (landing/inventory_snapshot.py), matching claims (claim_matching.py), metrics
(resource_metric_partitions.py).

The same claims decide as for charges (assigned_rows.py). Earlier snapshots stay as they were built.

Reads: inventory   Writes: resources, ledger
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from finops_pipeline import clock
from finops_pipeline.contracts.resource_inventory import INVENTORY as TABLE
from finops_pipeline.contracts.resource_inventory import LANDED
from finops_pipeline.focus.assigned_rows import AssignmentRules, assigned_rows
from finops_pipeline.focus.claim_columns import ClaimedColumns
from finops_pipeline.lake.duck import (
    PARQUET,
    Connection,
    Limits,
    ident,
    scratch_connection,
    text,
)
from finops_pipeline.lake.file_owners import owner_option
from finops_pipeline.lake.layout import INVENTORY, RESOURCES
from finops_pipeline.lake.publish import Publication
from finops_pipeline.ledger.claims import (
    OwnedClaim,
    list_resource_claims,
    project_input,
    resource_claims_fingerprint,
)
from finops_pipeline.ledger.ledger import PartitionRecord, fingerprint_of
from finops_pipeline.ledger.stored_files import Place, StoredFile
from finops_pipeline.tenants.model import UNASSIGNED, Tenant
from finops_pipeline.tenants.months import month_of
from finops_pipeline.tenants.project_identity import project_id_of


@dataclass(frozen=True)
class BuiltPartitions:
    """What was built of a table: its period, and the rows of each project; none: unchanged."""

    period: str
    rows: Mapping[str, int]


def newest_inventories(publication: Publication) -> list[StoredFile]:
    """List the newest snapshot of each source, by source."""
    newest: dict[str, StoredFile] = {}
    for file in publication.current_files(INVENTORY):
        newest[file.place.key] = file  # in order of key and day
    return list(newest.values())


def build_resources(
    publication: Publication, tenant: Tenant, limits: Limits
) -> BuiltPartitions | None:
    """Put the resources of every project on a publication, if they are out of date.

    Returns:
        what was built; None if there is no inventory, or nothing has changed.

    Raises:
        RegistryError: claims of two projects, of equal priority, take the same resource.
        DamagedFile: a snapshot is lost or was changed.
    """
    files = newest_inventories(publication)
    if not files:
        return None
    day = max(file.place.billing_period for file in files)
    month = month_of(date.fromisoformat(day))
    claims = {f.place.key: list_resource_claims(tenant, f.place.key, month) for f in files}
    names = [project.name for project in tenant.all_projects]
    fingerprint = fingerprint_of(
        [
            *(f"{f.place} {f.sha256}" for f in files),
            *(resource_claims_fingerprint(tenant, own, month) for own in claims.values()),
            *(f"{project.name} {project_id_of(project)}" for project in tenant.all_projects),
            repr(TABLE),
        ]
    )
    if _is_current(publication, day, fingerprint):
        return None
    with scratch_connection(publication.spill, limits) as connection:
        connection.execute("set threads = 1")  # the same resources give the same bytes
        _assign(connection, publication, tenant, {f: claims[f.place.key] for f in files})
        rows = {name: _put(connection, publication, (name, day)) for name in names}
    earlier = {f.place.key for f in publication.current_files(RESOURCES)
               if f.place.billing_period == day}  # fmt: skip
    for name in earlier - set(names):
        publication.drop(Place(RESOURCES, name, day))
    for record in partition_records(tenant, Place(RESOURCES, "", day), fingerprint, rows):
        publication.build(record)
    for name in earlier - set(names):
        publication.build(empty_record(Place(RESOURCES, name, day), fingerprint))
    return BuiltPartitions(day, rows)


def _is_current(publication: Publication, day: str, fingerprint: str) -> bool:
    records = publication.partitions(RESOURCES, day)
    return bool(records) and all(
        record.fingerprint == fingerprint
        and (not record.rows or _is_there(publication, Place(RESOURCES, key, day)))
        for (key, _), record in records.items()
    )


def _is_there(publication: Publication, place: Place) -> bool:
    path = publication.current(place.table_name, place.key, place.billing_period)
    return path is not None and path.exists()


def partition_records(
    tenant: Tenant, place: Place, fingerprint: str, rows: Mapping[str, int]
) -> Iterator[PartitionRecord]:
    """Yield the records of a period's partitions, which say for which project each was built."""
    for project in tenant.all_projects:
        own = replace(place, key=project.name)
        yield replace(
            empty_record(own, fingerprint), rows=rows[project.name], inputs=project_input(project)
        )


def empty_record(place: Place, fingerprint: str) -> PartitionRecord:
    """Return the record of a partition without rows."""
    at, of = clock.now().isoformat(), (place.table_name, place.key, place.billing_period)
    return PartitionRecord(*of, fingerprint, 0, 0, at, inputs={}, totals=())


def _assign(
    connection: Connection,
    publication: Publication,
    tenant: Tenant,
    files: Mapping[StoredFile, Sequence[OwnedClaim]],
) -> None:
    """Create the table `assigned`: every resource of the newest snapshots, with its project."""
    columns = ", ".join(f"{ident(c.name)} {c.type}" for c in TABLE.columns)
    connection.execute(f"create temp table assigned ({columns})")
    names = ", ".join(ident(column.name) for column in LANDED)
    for file, claims in files.items():
        source, day = file.place.key, file.place.billing_period
        path = publication.checked(INVENTORY, source, day)
        relation = f"(select {names}, date {text(day)} as x_day from"
        relation += f" read_parquet({text(str(path))}, hive_partitioning = false))"
        rules = rules_of_resources(tenant, source, month_of(date.fromisoformat(day)), claims)
        assigned = assigned_rows(connection, resource_columns(relation, source, claims), rules)
        connection.execute(
            f"insert into assigned by name select {names}, x_Project as project,"
            f" {text(source)} as source from {assigned}"
        )


def rules_of_resources(
    tenant: Tenant, source: str, month: str, claims: Sequence[OwnedClaim]
) -> AssignmentRules:
    """Return the rules for what an inventory or CloudWatch tells.

    A resource has no other resource to follow: without a claimed value it is `unassigned`, unless
    a project is named for such charges.
    """
    named = {project.name for project in tenant.active_projects}
    fallback = tenant.without_value if tenant.without_value in named else UNASSIGNED
    return AssignmentRules(f"{tenant.name}/{source} {month}", month, claims, fallback)


def resource_columns(relation: str, name: str, claims: Iterable[OwnedClaim]) -> ClaimedColumns:
    """Return the values that claims compare, for resources; they have no cost categories.

    Args:
        relation: SQL with the columns of a landed snapshot, and with `x_day`.
        name: distinguishes the rows from others on the same connection.
    """
    conditions = list(claims)
    tags = {key for each in conditions for key, _ in each.claim.tags}
    categories = {key for each in conditions for key, _ in each.claim.cost_categories}
    return ClaimedColumns(
        name=name,
        relation=relation,
        account="account_id",
        day="x_day",
        region="nullif(region_id, 'global')",
        service="null::varchar",
        service_code="service_code",
        tags={key: f"tags[{text(key)}]" for key in sorted(tags)},
        cost_categories={key: "null::varchar" for key in sorted(categories)},
        resource="resource_id",
        commitment="null::varchar",
        is_evidence="true",
    )


def _put(connection: Connection, publication: Publication, key: tuple[str, str]) -> int:
    name, day = key
    place = Place(RESOURCES, name, day)
    of_project = f"from assigned where project = {text(name)}"
    ((rows,),) = connection.execute(f"select count(*) {of_project}").fetchall()
    if not rows:
        publication.drop(place)
        return 0
    staged = publication.scratch(f"resources-{name}.parquet")
    columns = ", ".join(ident(c.name) for c in TABLE.columns if c.name != "project")
    connection.execute(
        f"copy (select {columns} {of_project} order by source, account_id, region_id,"
        f" resource_type, resource_id) to {text(str(staged))}"
        f" ({PARQUET}, {owner_option(publication.folder.identity)})"
    )
    publication.put(place, staged)
    return int(rows)
