"""Conform landing to FOCUS charges: one partition is one project and month.

Put here: which rows belong to a project, the fingerprint that makes a re-run a no-op, staging a
partition and its truth check. Keep out: rules of single rows (sql/), reading columns
(normalise.py), comparing with the bill (reconcile.py).

Reads: landing, ledger   Writes: costs, ledger
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib import resources
from typing import Any

from finops_pipeline import clock
from finops_pipeline.contracts import cur
from finops_pipeline.contracts.bills import FORMS
from finops_pipeline.contracts.focus import CHARGE
from finops_pipeline.contracts.services import REGIONS, SERVICES
from finops_pipeline.errors import NotTrue
from finops_pipeline.focus.normalise import focus_rows, line_items, usage_day
from finops_pipeline.lake import ledger
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
from finops_pipeline.lake.ledger import DeliveryRecord, PartitionRecord
from finops_pipeline.lake.publish import Publication, Writer
from finops_pipeline.money import exact_sum
from finops_pipeline.tenants.model import UNASSIGNED, AccountClaim, Project, SourceFormat, Tenant
from finops_pipeline.tenants.months import end_day, first_day

CLAIMS = "(claims)"
"""Beside the deliveries, what a partition's record says it was built under."""

_SQL = resources.files("finops_pipeline.focus") / "sql"


@dataclass(frozen=True)
class Conformed:
    """What conforming did with a partition: `built`, `unchanged` or `empty`."""

    outcome: str
    record: PartitionRecord


def conform(
    writer: Writer, tenant: Tenant, projects: list[Project], months: list[str], limits: Limits
) -> list[Conformed]:
    """Build the costs partitions of these projects and months that are out of date.

    With them go the partitions of other projects (`unassigned` above all) that were built under
    other account claims: a charge must not stand in two projects, nor in none. All partitions of
    one month become visible together.

    Args:
        writer: the tenant's writer.
        tenant: as the registry has it now.

    Raises:
        NotTrue: a partition does not add up to its part of the bill; nothing of that month is
            published.
    """
    known = writer.ledger.partitions(COSTS)
    deliveries = writer.ledger.deliveries()
    done: list[Conformed] = []
    for month in months:
        of_month = [d for d in deliveries if d.billing_period == month]
        due: list[tuple[Project, str]] = []
        names = {project.name for project in projects}
        for project in tenant.all_projects:
            other = known.get((project.name, month))
            if project.name not in names and (other is None or not reclaimed(tenant, other)):
                continue
            mark = fingerprint(tenant, project, month, of_month)
            before = known.get((project.name, month))
            if before is not None and before.fingerprint == mark and _is_there(writer, before):
                done.append(Conformed("unchanged", before))
            elif before is not None or any(
                d.source in tenant.sources_of(project) for d in of_month
            ):
                due.append((project, mark))
        if due:
            done += _build_month(writer, tenant, due, month, of_month, limits)
    return done


def _is_there(writer: Writer, record: PartitionRecord) -> bool:
    path = writer.folder.partition(COSTS, record.key, record.billing_period)
    return path.exists() or record.rows == 0


def _build_month(
    writer: Writer,
    tenant: Tenant,
    due: list[tuple[Project, str]],
    month: str,
    deliveries: list[DeliveryRecord],
    limits: Limits,
) -> list[Conformed]:
    built = []
    with writer.publication() as publication:
        with scratch_connection(publication.spill, limits) as connection:
            prepare(connection)
            for project, mark in due:
                work = _Partition(writer, publication, tenant, project, month)
                record = work.stage(connection, mark, deliveries)
                built.append(Conformed("built" if record.rows else "empty", record))
        publication.commit()
    return built


def fingerprint(
    tenant: Tenant, project: Project, month: str, deliveries: list[DeliveryRecord]
) -> str:
    """What a partition depends on: the conversion, the deliveries, the claims of its days."""
    reads = tenant.sources_of(project)
    return _mark(
        {
            "conversion": _conversion_mark(),
            "deliveries": sorted(d.delivery_id for d in deliveries if d.source in reads),
            "claims": _claims_mark(tenant, project, month),
        }
    )


def reclaimed(tenant: Tenant, record: PartitionRecord) -> bool:
    """Whether a partition was built under other account claims than hold now."""
    project = next((p for p in tenant.all_projects if p.name == record.key), None)
    if project is None:
        return False
    return record.inputs.get(CLAIMS) != _claims_mark(tenant, project, record.billing_period)


def _claims_mark(tenant: Tenant, project: Project, month: str) -> str:
    claims = {
        source: sorted(f"{c.id} {c.days}" for c in claims_for(tenant, project, source, month))
        for source in tenant.sources_of(project)
    }
    return _mark({"claims": claims, "takes_the_rest": project.name == UNASSIGNED})


def _mark(said: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def claims_for(tenant: Tenant, project: Project, source: str, month: str) -> list[AccountClaim]:
    """Claims that decide a project's rows of one source in a month.

    A project's own; for `unassigned`, those of every project that reads the source.
    """
    first, end = first_day(month), end_day(month)
    others = [project] if project.name != UNASSIGNED else list(tenant.projects)
    return [
        claim
        for other in others
        if source in tenant.sources_of(other)
        for claim in other.accounts
        if claim.touches(first, end)
    ]


def _conversion_mark() -> str:
    parts = [sql_text(name) for name in ("macros", "cur_charges", "focus_charges")]
    parts += [repr(CHARGE), repr(SERVICES), repr(REGIONS), repr(cur.COLUMNS)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


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
        self,
        writer: Writer,
        publication: Publication,
        tenant: Tenant,
        project: Project,
        month: str,
    ) -> None:
        self._folder = writer.folder
        self._publication = publication
        self._tenant = tenant
        self._project = project
        self._month = month
        self._final = writer.folder.partition(COSTS, project.name, month)

    def stage(
        self, connection: Connection, mark: str, deliveries: list[DeliveryRecord]
    ) -> PartitionRecord:
        """Write the partition's file beside, check it, and put it on the publication."""
        reads = self._tenant.sources_of(self._project)
        inputs = {d.source: d.delivery_id for d in deliveries if d.source in reads}
        charges, expected = [], {}
        for source in sorted(inputs):
            path = self._folder.partition(LANDING, source, self._month)
            if path.exists():
                select, billed = self._charges_of(connection, source, str(path))
                charges.append(select)
                expected[source] = billed
        totals: tuple[dict[str, Any], ...] = ()
        size = 0
        if charges:
            staged = self._publication.scratch(f"costs-{self._project.name}.parquet")
            names = ", ".join(
                f"cast({ident(c.name)} as {c.type}) as {ident(c.name)}" for c in CHARGE
            )
            everything = "\nunion all by name\n".join(f"({select})" for select in charges)
            connection.execute(
                f"copy (select {names} from ({everything}) order by SubAccountId, ServiceName,"
                f" ChargePeriodStart) to {text(str(staged))} ({PARQUET})"
            )
            totals = partition_totals(connection, f"read_parquet({text(str(staged))})")
            self._check(totals, expected)
            size = staged.stat().st_size
        rows = sum(total["rows"] for total in totals)
        if rows:
            staged.rename(self._publication.stage(self._final))
        else:
            self._publication.drop(self._final)
        record = PartitionRecord(
            table_name=COSTS,
            key=self._project.name,
            billing_period=self._month,
            fingerprint=mark,
            rows=rows,
            size_bytes=size if rows else 0,
            built_at=clock.now().isoformat(),
            inputs={**inputs, CLAIMS: _claims_mark(self._tenant, self._project, self._month)},
            totals=totals,
        )
        self._publication.record(ledger.built(record))
        return record

    def _charges_of(
        self, connection: Connection, source: str, path: str
    ) -> tuple[str, list[tuple[str, int, int, Any]]]:
        """SQL of one source's charges of this project, and what its rows bill per currency."""
        relation = f"read_parquet({text(path)}, hive_partitioning = false)"
        columns = columns_of(connection, relation)
        kind = self._tenant.source(source).format
        is_focus = kind is SourceFormat.FOCUS
        where = self._belongs(connection, source, columns, kind)
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

    def _belongs(
        self, connection: Connection, source: str, columns: dict[str, str], kind: SourceFormat
    ) -> str:
        """SQL condition for the landing rows of this project."""
        form = FORMS[kind]
        found = form.find(columns)
        claims = claims_for(self._tenant, self._project, source, self._month)
        takes_the_rest = self._project.name == UNASSIGNED
        account = found.get(form.account)
        if account is None or not claims:
            return str(takes_the_rest).lower()
        name = ident(account)
        day = usage_day(
            found["ChargePeriodStart" if form.account == "SubAccountId" else cur.USAGE_START],
            columns,
        )
        conditions = []
        for claim in claims:
            condition = f"trim({name}) = {text(claim.id)}"
            if claim.from_day and claim.from_day > first_day(self._month):
                condition += f" and {day} >= date {text(claim.from_day.isoformat())}"
            if claim.to_day and claim.to_day < end_day(self._month):
                condition += f" and {day} < date {text(claim.to_day.isoformat())}"
            conditions.append(f"({condition})")
        either = " or ".join(conditions)
        return f"not coalesce({either}, false)" if takes_the_rest else f"({either})"

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
