"""Conform landing to FOCUS charges: one partition is one project and month.

Put here: which partitions are due (the fingerprint that makes a re-run a no-op) and their records.
Keep out: writing them (month.py), rules of single rows (sql/), comparing with the bill
(reconcile.py).

Reads: landing, ledger   Writes: costs, ledger
"""

from __future__ import annotations

from dataclasses import dataclass

from finops_pipeline import clock
from finops_pipeline.errors import NotTrue
from finops_pipeline.focus.conversion import conversion_fingerprint, prepare
from finops_pipeline.focus.month_pass import MonthPass
from finops_pipeline.lake.duck import Limits, scratch_connection
from finops_pipeline.lake.layout import COSTS
from finops_pipeline.lake.publish import Publication
from finops_pipeline.ledger.claims import CLAIMS, claims_mark, reclaimed
from finops_pipeline.ledger.ledger import DeliveryRecord, PartitionRecord, mark
from finops_pipeline.tenants.model import Project, Tenant


@dataclass(frozen=True)
class Conformed:
    """What conforming did with a partition: `built`, `unchanged` or `empty`."""

    outcome: str
    record: PartitionRecord


def conform(
    publication: Publication,
    tenant: Tenant,
    projects: list[Project],
    month: str,
    limits: Limits,
) -> list[Conformed]:
    """Put the costs partitions of a month that are out of date on a publication.

    With those of the projects asked for go the partitions of others (`unassigned` above all) that
    were built under other account claims: a charge must not stand in two projects, nor in none.

    Args:
        publication: what becomes visible together; nothing of the month is put on it unless all
            of it is right.
        tenant: as the registry has it now.

    Raises:
        NotTrue: a partition does not add up to its part of the bill, or its landing is gone.
    """
    known = publication.partitions(COSTS, month)
    deliveries = publication.ledger.deliveries(month=month)
    done: list[Conformed] = []
    due: list[tuple[Project, str]] = []
    names = {project.name for project in projects}
    for project in tenant.all_projects:
        before = known.get((project.name, month))
        if project.name not in names and (before is None or not reclaimed(tenant, before)):
            continue
        wanted = fingerprint(tenant, project, month, deliveries)
        if before and before.fingerprint == wanted and _is_there(publication, before):
            done.append(Conformed("unchanged", before))
        elif before or any(d.source in tenant.sources_of(project) for d in deliveries):
            due.append((project, wanted))
    if due:
        done += _build_month(publication, tenant, due, month, deliveries, limits)
    return done


def _is_there(publication: Publication, record: PartitionRecord) -> bool:
    path = publication.folder.partition(COSTS, record.key, record.billing_period)
    return record.rows == 0 or publication.current(path) is not None


PROJECTS_TOGETHER = 16
"""Projects whose charges are written in one scan of the bill: each keeps rows in memory."""


def _build_month(
    publication: Publication,
    tenant: Tenant,
    due: list[tuple[Project, str]],
    month: str,
    deliveries: list[DeliveryRecord],
    limits: Limits,
) -> list[Conformed]:
    passes: list[tuple[MonthPass, list[tuple[Project, str]]]] = []
    with scratch_connection(publication.spill, limits) as connection:
        prepare(connection)
        for begin in range(0, len(due), PROJECTS_TOGETHER):
            part = due[begin : begin + PROJECTS_TOGETHER]
            work = MonthPass(publication, tenant, [p for p, _ in part], month, deliveries)
            work.write(connection)
            passes.append((work, part))
    _check_whole(tenant, due, deliveries, [work for work, _ in passes])
    # Nothing of the month is put on the publication unless all of it is right.
    with publication.all_or_nothing():
        return [
            _put(publication, tenant, project, month, wanted, work, deliveries)
            for work, part in passes
            for project, wanted in part
        ]


def _check_whole(
    tenant: Tenant,
    due: list[tuple[Project, str]],
    deliveries: list[DeliveryRecord],
    passes: list[MonthPass],
) -> None:
    """Where all readers of a source are built: each of its rows is one project's, and only one's.

    Raises:
        NotTrue: a row was given to no project, or to two.
    """
    names = {project.name for project, _ in due}
    for delivery in deliveries:
        readers = {p.name for p in tenant.all_projects if delivery.source in tenant.sources_of(p)}
        given = sum(work.rows.get(delivery.source, 0) for work in passes)
        if readers and readers <= names and given != delivery.rows_kept:
            raise NotTrue(
                f"{tenant.name}/{delivery.source} {delivery.billing_period} landed"
                f" {delivery.rows_kept} rows, its projects were given {given}",
                "every row in exactly one project",
                "Nothing was published; please report this with the month's line items",
            )


def _put(
    publication: Publication,
    tenant: Tenant,
    project: Project,
    month: str,
    wanted: str,
    work: MonthPass,
    deliveries: list[DeliveryRecord],
) -> Conformed:
    """Put one project's month, as a pass has written it, on the publication."""
    reads = tenant.sources_of(project)
    inputs = {d.source: d.delivery_id for d in deliveries if d.source in reads}
    totals, file = work.totals.get(project.name, ()), work.file(project.name)
    record = PartitionRecord(
        table_name=COSTS,
        key=project.name,
        billing_period=month,
        fingerprint=wanted,
        rows=sum(total["rows"] for total in totals),
        size_bytes=file.stat().st_size if file else 0,
        built_at=clock.now().isoformat(),
        inputs={**inputs, CLAIMS: claims_mark(tenant, project, month)},
        totals=totals,
        findings=tuple(work.findings.get(project.name, ())),
    )
    final = publication.folder.partition(COSTS, project.name, month)
    if file:
        file.rename(publication.stage(final))
    else:
        publication.drop(final)
    publication.build(record)
    publication.bill(project.name, month, tuple(work.bills.get(project.name, ())))
    services = work.services.get(project.name, [])
    for delivery in deliveries:
        mine = tuple(total for total in services if total.delivery_id == delivery.delivery_id)
        publication.total(delivery.delivery_id, project.name, mine)
    return Conformed("built" if record.rows else "empty", record)


def fingerprint(
    tenant: Tenant, project: Project, month: str, deliveries: list[DeliveryRecord]
) -> str:
    """What a partition depends on: the conversion, the deliveries, the claims of its days."""
    reads = tenant.sources_of(project)
    return mark(
        {
            "conversion": conversion_fingerprint(),
            "deliveries": sorted(d.delivery_id for d in deliveries if d.source in reads),
            "claims": claims_mark(tenant, project, month),
        }
    )
