"""Whose costs Cost Explorer's days are: each row goes to one project, by account and day.

Put here: the split of a month's landed answers over all projects, and its truth check. Keep out:
charges (conform.py); comparing the two.

Reads: landing, ledger   Writes: cost_explorer_daily, ledger
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from finops_pipeline import clock
from finops_pipeline.contracts.tables import COST_EXPLORER_DAILY
from finops_pipeline.errors import IntegrityCheckFailed
from finops_pipeline.lake.duck import (
    PARQUET,
    Connection,
    Limits,
    ident,
    scratch_connection,
    text,
)
from finops_pipeline.lake.layout import EXPLORER, LANDING
from finops_pipeline.lake.publish import Publication
from finops_pipeline.ledger.ledger import DeliveryRecord, PartitionRecord, mark
from finops_pipeline.money import exact_sum
from finops_pipeline.tenants.model import UNASSIGNED, Project, SourceFormat, Tenant
from finops_pipeline.tenants.months import end_day, first_day

_HIVE = {"project", "billing_period"}


@dataclass(frozen=True)
class Split:
    """What splitting did with a month: `built`, `unchanged` or `empty`, and rows of all projects.

    `outcome` is empty when no Cost Explorer source has anything of the month.
    """

    outcome: str
    rows: int = 0


def split(publication: Publication, tenant: Tenant, month: str, limits: Limits) -> Split:
    """Put a month's `cost_explorer_daily` of all projects on a publication, when out of date.

    Raises:
        IntegrityCheckFailed: the projects do not add up to what landed, or its landing is gone.
    """
    known = {name: record for (name, _), record in publication.partitions(EXPLORER, month).items()}
    deliveries = explorer_deliveries(publication.ledger.deliveries(month=month), month)
    if not deliveries and not known:
        return Split("")
    wanted = split_mark(tenant, deliveries, month)
    # A project that is declared no more would go on to hold costs that others have now.
    names = sorted({project.name for project in tenant.all_projects} | known.keys())
    if all(_stands(publication, known.get(name), wanted) for name in names):
        return Split("unchanged", sum(record.rows for record in known.values()))
    rows = _build(publication, tenant, names, deliveries, month, wanted, limits)
    return Split("built" if rows else "empty", rows)


def explorer_deliveries(deliveries: list[DeliveryRecord], month: str) -> list[DeliveryRecord]:
    """Those of a month that are Cost Explorer's answers."""
    kind = SourceFormat.COST_EXPLORER.value
    return [d for d in deliveries if d.billing_period == month and d.format == kind]


def split_mark(tenant: Tenant, deliveries: list[DeliveryRecord], month: str) -> str:
    """What the split depends on: the answers, the claims of the month, the columns."""
    said = {d.source: [d.delivery_id, _project_of(tenant, d.source, month)] for d in deliveries}
    names = [project.name for project in tenant.all_projects]
    return mark([said, names, repr(COST_EXPLORER_DAILY)])


def _stands(publication: Publication, record: PartitionRecord | None, wanted: str) -> bool:
    if record is None or record.fingerprint != wanted:
        return False
    path = publication.folder.partition(EXPLORER, record.key, record.billing_period)
    return record.rows == 0 or publication.current(path) is not None


def _project_of(tenant: Tenant, source: str, month: str) -> str:
    """SQL: the one project of a row of a source.

    Claims of projects that read the source come first. Where two others claim an account for
    different bills, Cost Explorer does not say whose day it is: the first by name has it.
    """
    first, end = first_day(month), end_day(month)
    cases = []
    for project in sorted(tenant.projects, key=lambda p: (not _reads(tenant, p, source), p.name)):
        for claim in project.accounts:
            if claim.touches(first, end):
                condition = f"sub_account_id = {text(claim.id)}"
                if claim.from_day:
                    condition += f" and charge_date >= date {text(claim.from_day.isoformat())}"
                if claim.to_day:
                    condition += f" and charge_date < date {text(claim.to_day.isoformat())}"
                cases.append(f"when {condition} then {text(project.name)}")
    return f"case {' '.join(cases)} else {text(UNASSIGNED)} end" if cases else text(UNASSIGNED)


def _reads(tenant: Tenant, project: Project, source: str) -> bool:
    return source in tenant.named_by(project)


def _build(
    publication: Publication,
    tenant: Tenant,
    names: list[str],
    deliveries: list[DeliveryRecord],
    month: str,
    wanted: str,
    limits: Limits,
) -> int:
    staged: list[tuple[PartitionRecord, Path]] = []
    with scratch_connection(publication.spill, limits) as connection:
        _assigned(connection, publication, tenant, deliveries, month)
        for name in names:
            path = publication.scratch(f"explorer-{name}-{month}.parquet")
            totals = _write(connection, name, path)
            record = PartitionRecord(
                table_name=EXPLORER,
                key=name,
                billing_period=month,
                fingerprint=wanted,
                rows=sum(total["rows"] for total in totals),
                size_bytes=path.stat().st_size if totals else 0,
                built_at=clock.now().isoformat(),
                inputs={d.source: d.delivery_id for d in deliveries},
                totals=totals,
            )
            staged.append((record, path))
    _check(tenant, deliveries, month, [record for record, _ in staged])
    for record, path in staged:
        final = publication.folder.partition(EXPLORER, record.key, month)
        if record.rows:
            path.rename(publication.stage(final))
        else:
            publication.drop(final)
        publication.build(record)
    return sum(record.rows for record, _ in staged)


def _assigned(
    connection: Connection,
    publication: Publication,
    tenant: Tenant,
    deliveries: list[DeliveryRecord],
    month: str,
) -> None:
    """Let `assigned` be all rows of the month in the table's words, each with its project."""
    names = {"unblended_cost": "billed_cost", "amortized_cost": "effective_cost"}
    names["estimated"] = "is_estimated"
    types = ", ".join(f"{ident(c.name)} {c.type}" for c in COST_EXPLORER_DAILY.columns)
    connection.execute(f"create temp table assigned ({types})")
    renamed = ", ".join(f"{old} as {new}" for old, new in names.items())
    for delivery in deliveries:
        path = publication.folder.partition(LANDING, delivery.source, month)
        if not delivery.rows_kept:
            continue
        if not path.exists():
            raise IntegrityCheckFailed(
                f"the landing of {tenant.name}/{delivery.source} {month} is gone",
                f"{delivery.rows_kept} rows in {path.name}",
                "Bring it in again; what was published of the month stays",
            )
        connection.execute(
            "insert into assigned by name"
            f" select {text(month)} as billing_period, charge_date,"
            f" {_project_of(tenant, delivery.source, month)} as project,"
            f" {text(delivery.source)} as source, sub_account_id, service_name,"
            f" billing_currency, {renamed}"
            f" from read_parquet({text(str(path))}, hive_partitioning = false)"
        )


def _write(connection: Connection, project: str, path: Path) -> tuple[dict[str, Any], ...]:
    """Write a project's part beside; its totals per source and currency, none when it has none."""
    mine = f"from assigned where project = {text(project)}"
    query = connection.execute(
        "select source, billing_currency, count(*) as rows,"
        " coalesce(sum(billed_cost), 0) as billed_cost,"
        f" coalesce(sum(effective_cost), 0) as effective_cost {mine} group by all order by all"
    )
    names = [column[0] for column in query.description or []]
    totals = tuple(dict(zip(names, row, strict=True)) for row in query.fetchall())
    if totals:
        columns = [ident(c.name) for c in COST_EXPLORER_DAILY.columns if c.name not in _HIVE]
        connection.execute(
            f"copy (select {', '.join(columns)} {mine} order by charge_date, source,"
            f" sub_account_id, service_name, billing_currency) to {text(str(path))} ({PARQUET})"
        )
    return totals


def _check(
    tenant: Tenant, deliveries: list[DeliveryRecord], month: str, records: list[PartitionRecord]
) -> None:
    """All rows that landed are in one project each, and cost the same, exactly."""
    for delivery in deliveries:
        for currency, landed in delivery.billed_by_currency().items():
            split_up = explorer_cost(records, delivery.source, currency)
            rows = sum(
                total["rows"]
                for record in records
                for total in record.totals
                if total["source"] == delivery.source
            )
            if split_up != landed or rows != delivery.rows_kept:
                raise IntegrityCheckFailed(
                    f"{tenant.name}/{delivery.source} {month} landed {delivery.rows_kept} rows of"
                    f" {landed:f} {currency}, its projects have {rows} of {split_up:f}",
                    "the same, to the last decimal",
                    "Nothing was published; please report this",
                )


def explorer_cost(
    records: list[PartitionRecord], source: str, currency: str, basis: str = "billed_cost"
) -> Decimal:
    """What partitions of `cost_explorer_daily` have of a source and currency together."""
    return exact_sum(
        total[basis]
        for record in records
        for total in record.totals
        if total["source"] == source and total["billing_currency"] == currency
    )
