"""Conform landing to FOCUS charges: one partition is one project and month.

Put here: which rows belong to a project, the fingerprint that makes a re-run a no-op, staging a
partition and its truth check. Keep out: rules of single rows (sql/), reading columns
(normalise.py), comparing with the bill (reconcile.py).

Reads: landing, ledger   Writes: costs, ledger
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import Any

from finops_pipeline import clock
from finops_pipeline.contracts import cur
from finops_pipeline.contracts.bills import FORMS
from finops_pipeline.contracts.focus import CHARGE
from finops_pipeline.contracts.services import REGIONS, SERVICES
from finops_pipeline.errors import NotTrue
from finops_pipeline.focus.claims import CLAIMS, belongs, claims_mark, reclaimed
from finops_pipeline.focus.normalise import focus_rows, line_items
from finops_pipeline.lake.duck import (
    PARQUET,
    Connection,
    Limits,
    columns_of,
    ident,
    scratch_connection,
    text,
)
from finops_pipeline.lake.layout import COSTS, LANDING
from finops_pipeline.lake.ledger import DeliveryRecord, PartitionRecord, mark
from finops_pipeline.lake.publish import Publication
from finops_pipeline.money import exact_sum
from finops_pipeline.tenants.model import Project, SourceFormat, Tenant

_SQL = resources.files("finops_pipeline.focus") / "sql"


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
    known = publication.partitions(COSTS)
    deliveries = [d for d in publication.ledger.deliveries() if d.billing_period == month]
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


def _build_month(
    publication: Publication,
    tenant: Tenant,
    due: list[tuple[Project, str]],
    month: str,
    deliveries: list[DeliveryRecord],
    limits: Limits,
) -> list[Conformed]:
    staged = []
    with scratch_connection(publication.spill, limits) as connection:
        prepare(connection)
        for project, wanted in due:
            work = _Partition(publication, tenant, project, month)
            staged.append((work, work.stage(connection, wanted, deliveries)))
    for work, record in staged:
        work.put(record)
    return [Conformed("built" if record.rows else "empty", record) for _, record in staged]


def fingerprint(
    tenant: Tenant, project: Project, month: str, deliveries: list[DeliveryRecord]
) -> str:
    """What a partition depends on: the conversion, the deliveries, the claims of its days."""
    reads = tenant.sources_of(project)
    return mark(
        {
            "conversion": _conversion_mark(),
            "deliveries": sorted(d.delivery_id for d in deliveries if d.source in reads),
            "claims": claims_mark(tenant, project, month),
        }
    )


def _conversion_mark() -> str:
    parts = [sql_text(name) for name in ("macros", "cur_charges", "focus_charges")]
    parts += [repr(CHARGE), repr(SERVICES), repr(REGIONS), repr(cur.COLUMNS)]
    return mark(parts)


def sql_text(name: str) -> str:
    """The text of one of the conversions in sql/."""
    return (_SQL / f"{name}.sql").read_text(encoding="utf-8")


def prepare(connection: Connection) -> None:
    """Give a connection what the conversions read beside a bill: macros, services, regions."""
    connection.execute(sql_text("macros"))
    connection.execute(
        "create or replace table services (service_code varchar, service_name varchar,"
        " service_category varchar, service_subcategory varchar)"
    )
    connection.executemany("insert into services values (?, ?, ?, ?)", [list(s) for s in SERVICES])
    connection.execute("create or replace table regions (region_id varchar, region_name varchar)")
    connection.executemany("insert into regions values (?, ?)", [list(r) for r in REGIONS])


class _Partition:
    """The staging of one project's month."""

    def __init__(
        self, publication: Publication, tenant: Tenant, project: Project, month: str
    ) -> None:
        self._publication = publication
        self._tenant = tenant
        self._project = project
        self._month = month
        self._staged = publication.scratch(f"costs-{project.name}-{month}.parquet")

    def stage(
        self, connection: Connection, wanted: str, deliveries: list[DeliveryRecord]
    ) -> PartitionRecord:
        """Write the partition's file beside and check it."""
        reads = self._tenant.sources_of(self._project)
        inputs = {d.source: d.delivery_id for d in deliveries if d.source in reads}
        charges, expected = [], {}
        for delivery in sorted(deliveries, key=lambda d: d.source):
            if delivery.source in reads and delivery.rows_kept:
                select, billed = self._charges_of(connection, delivery)
                charges.append(select)
                expected[delivery.source] = billed
        totals: tuple[dict[str, Any], ...] = ()
        size = 0
        if charges:
            names = ", ".join(
                f"cast({ident(c.name)} as {c.type}) as {ident(c.name)}" for c in CHARGE
            )
            everything = "\nunion all by name\n".join(f"({select})" for select in charges)
            connection.execute(
                f"copy (select {names} from ({everything}) order by SubAccountId, ServiceName,"
                f" ChargePeriodStart) to {text(str(self._staged))} ({PARQUET})"
            )
            totals = partition_totals(connection, f"read_parquet({text(str(self._staged))})")
            self._check(totals, expected)
            size = self._staged.stat().st_size
        rows = sum(total["rows"] for total in totals)
        return PartitionRecord(
            table_name=COSTS,
            key=self._project.name,
            billing_period=self._month,
            fingerprint=wanted,
            rows=rows,
            size_bytes=size if rows else 0,
            built_at=clock.now().isoformat(),
            inputs={**inputs, CLAIMS: claims_mark(self._tenant, self._project, self._month)},
            totals=totals,
        )

    def put(self, record: PartitionRecord) -> None:
        """Put the staged partition on the publication."""
        final = self._publication.folder.partition(COSTS, record.key, record.billing_period)
        if record.rows:
            self._staged.rename(self._publication.stage(final))
        else:
            self._publication.drop(final)
        self._publication.build(record)

    def _charges_of(
        self, connection: Connection, delivery: DeliveryRecord
    ) -> tuple[str, list[tuple[str, int, int, Any]]]:
        """SQL of one source's charges of this project, and what its rows bill per currency."""
        source = delivery.source
        path = self._publication.folder.partition(LANDING, source, self._month)
        if not path.exists():
            raise NotTrue(
                f"the landing of {self._tenant.name}/{source} {self._month} is gone",
                f"{delivery.rows_kept} rows in {path.name}",
                "Bring the delivery in again; what was published of the month stays",
            )
        relation = f"read_parquet({text(str(path))}, hive_partitioning = false)"
        columns = columns_of(connection, relation)
        # The form as it landed: the registry may say another by now.
        kind = SourceFormat(delivery.format)
        is_focus = kind is SourceFormat.FOCUS
        where = belongs(self._tenant, self._project, source, self._month, columns, FORMS[kind])
        view = ident(f"rows of {source}")
        build = focus_rows if is_focus else line_items
        select = build(columns, relation, source, self._month, where)
        connection.execute(f"create or replace temp view {view} as {select}")
        reads = "focus_rows" if is_focus else "line_items"
        conversion = sql_text("focus_charges" if is_focus else "cur_charges")
        money, currency, negation = (
            ("BilledCost", "BillingCurrency", "false")
            if is_focus
            else (cur.TOTAL, cur.CURRENCY, f"{cur.LINE_TYPE} = 'SavingsPlanNegation'")
        )
        billed = connection.execute(
            f"select {currency}, count(*), count(*) filter ({negation}), sum({money})"
            f" from {view} group by all order by all"
        ).fetchall()
        return f"with {reads} as (from {view}) select * from ({conversion})", billed

    def _check(
        self,
        totals: tuple[dict[str, Any], ...],
        expected: dict[str, list[tuple[str, int, int, Any]]],
    ) -> None:
        """Every row has become one charge (negations none), and they bill the same, exactly."""
        for source, rows in expected.items():
            for currency, lines, negations, billed in rows:
                mine = [
                    t for t in totals if t["source"] == source and t["billing_currency"] == currency
                ]
                kept = sum(t["rows"] for t in mine if t["row_kind"] == "line")
                bills = exact_sum(t["billed_cost"] for t in mine)
                if kept != lines - negations or bills != billed:
                    raise NotTrue(
                        f"{self._tenant.name}/{self._project.name} {self._month}: {source} has"
                        f" {lines - negations} lines and bills {billed:f} {currency}, its charges"
                        f" are {kept} and bill {bills:f}",
                        "the same, to the last decimal",
                        "Nothing was published; please report this with the month's line items",
                    )


def partition_totals(connection: Connection, relation: str) -> tuple[dict[str, Any], ...]:
    """Totals of charges per source, currency and row kind.

    Returns:
        rows with source, billing_currency, row_kind, rows, billed_cost, effective_cost,
        list_cost, contracted_cost (Decimal), unknown_line_items.
    """
    known = ", ".join(text(kind) for kind in cur.KNOWN_LINE_TYPES)
    query = connection.execute(
        "select x_Source as source, BillingCurrency as billing_currency, x_RowKind as row_kind,"
        " count(*) as rows, sum(BilledCost) as billed_cost, sum(EffectiveCost) as effective_cost,"
        " sum(ListCost) as list_cost, sum(ContractedCost) as contracted_cost,"
        f" count(*) filter (x_LineItemType not in ({known})) as unknown_line_items"
        f" from {relation} group by all order by all"
    )
    names = [column[0] for column in query.description or []]
    return tuple(dict(zip(names, row, strict=True)) for row in query.fetchall())
