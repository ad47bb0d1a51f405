"""Assignment of Cost Explorer's daily costs to projects, by account and day.

Put here: the split of a month's landed answers among all projects, and its check. Keep out: charges
(focus/costs_partitions.py); comparing the two (cost_explorer_comparison.py).

Reads: landing, ledger   Writes: cost_explorer_daily, ledger
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from finops_pipeline import clock
from finops_pipeline.contracts.tables import COST_EXPLORER_DAILY
from finops_pipeline.errors import IntegrityCheckFailed, counted
from finops_pipeline.lake.duck import (
    PARQUET,
    Connection,
    Limits,
    fetch_dicts,
    ident,
    scratch_connection,
    text,
)
from finops_pipeline.lake.layout import COST_EXPLORER_DAYS, LANDING
from finops_pipeline.lake.partition_builder import (
    PartitionBuilder,
    PartitionOutcome,
    StagedPartition,
)
from finops_pipeline.lake.publish import Publication
from finops_pipeline.ledger.claims import project_input
from finops_pipeline.ledger.ledger import DeliveryRecord, PartitionRecord, fingerprint_of
from finops_pipeline.ledger.month_plan import MonthPlan
from finops_pipeline.money import exact_sum
from finops_pipeline.tenants.model import UNASSIGNED, SourceFormat
from finops_pipeline.tenants.months import end_day, first_day

_HIVE = {"project", "billing_period"}


def build_cost_explorer_days(
    publication: Publication, plan: MonthPlan, limits: Limits
) -> list[PartitionOutcome]:
    """Put a month's `cost_explorer_daily` of all projects on a publication, when out of date.

    Returns:
        the outcome per project; empty when no Cost Explorer source has data for the month.

    Raises:
        IntegrityCheckFailed: the projects do not add up to what landed, or a landed file is
            missing.
    """
    return PartitionBuilder(publication).update(_DaysOfMonth(publication, plan, limits))


def list_cost_explorer_deliveries(
    deliveries: list[DeliveryRecord], month: str
) -> list[DeliveryRecord]:
    """List the deliveries of a month that are Cost Explorer's answers."""
    kind = SourceFormat.COST_EXPLORER.value
    return [d for d in deliveries if d.billing_period == month and d.format == kind]


def days_fingerprint(plan: MonthPlan) -> str:
    """Fingerprint what the split depends on: the answers, the month's claims, the columns."""
    answers = {
        d.source: [d.delivery_id, _project_of(plan, d.source)]
        for d in list_cost_explorer_deliveries(list(plan.deliveries), plan.month)
    }
    ids = [project_input(project.project) for project in plan.projects.values()]
    own = [ids] if any(ids) else []
    return fingerprint_of([answers, list(plan.projects), repr(COST_EXPLORER_DAILY), *own])


def _project_of(plan: MonthPlan, source: str) -> str:
    """Return SQL for the project of a row of a source.

    Claims of projects that read the source take precedence. Where two other projects claim an
    account for different bills, Cost Explorer cannot distinguish them: the first by name gets it.
    Its rows have no tags and no regions. So if a claim also requires other conditions than an
    account, the days that it might take partly are in `unassigned`.
    """
    first, end = first_day(plan.month), end_day(plan.month)
    owned = [
        (source not in project.all_sources, claim.priority, project.name, claim)
        for project in plan.projects.values()
        for _, claim in (*project.project.own_claims, *project.project.account_claims)
        if claim.touches(first, end)
    ]
    cases = []
    for *_, name, claim in sorted(owned, key=lambda each: each[:3]):
        conditions = []
        if claim.accounts:
            ids = [text(account) for account in claim.accounts]
            among = f"in ({', '.join(ids)})" if len(ids) > 1 else f"= {ids[0]}"
            conditions.append(f"sub_account_id {among}")
        if claim.from_day:
            conditions.append(f"charge_date >= date {text(claim.from_day.isoformat())}")
        if claim.to_day:
            conditions.append(f"charge_date < date {text(claim.to_day.isoformat())}")
        project = name if claim.has_only_accounts else UNASSIGNED
        cases.append(f"when {' and '.join(conditions) or 'true'} then {text(project)}")
    return f"case {' '.join(cases)} else {text(UNASSIGNED)} end" if cases else text(UNASSIGNED)


class _DaysOfMonth:
    """A month of `cost_explorer_daily` partitions; see lake/partition_builder.py."""

    table = COST_EXPLORER_DAYS

    def __init__(self, publication: Publication, plan: MonthPlan, limits: Limits) -> None:
        self.month = plan.month
        self.is_forced = plan.is_forced
        self._publication = publication
        self._plan = plan
        self._limits = limits
        self._deliveries = list_cost_explorer_deliveries(list(plan.deliveries), plan.month)

    def list_fingerprints(self) -> dict[str, str]:
        """Return the fingerprint of the partitions, which is the same for every project."""
        stored = {key for key, _ in self._publication.partitions(COST_EXPLORER_DAYS, self.month)}
        if not self._deliveries and not stored:
            return {}
        # Otherwise a project that is no longer declared would keep costs that others have now.
        return dict.fromkeys(
            sorted(self._plan.projects.keys() | stored), days_fingerprint(self._plan)
        )

    def choose_due(self, stale: Sequence[str]) -> Sequence[str]:
        """Return all projects when one is out of date, because they split one answer."""
        return list(self.list_fingerprints()) if stale else []

    def build(self, fingerprints: dict[str, str]) -> list[StagedPartition]:
        """Write every project's days to scratch space, and check that they add up to what landed.

        Raises:
            IntegrityCheckFailed: they do not, or a landed file is missing.
        """
        with scratch_connection(self._publication.spill, self._limits) as connection:
            self._assign(connection)
            staged = [self._staged(connection, *item) for item in fingerprints.items()]
        _check(self._plan, self._deliveries, [partition.record for partition in staged])
        return staged

    def _staged(self, connection: Connection, name: str, fingerprint: str) -> StagedPartition:
        path = self._publication.scratch(f"cost-explorer-{name}-{self.month}.parquet")
        totals = _write(connection, name, path)
        record = PartitionRecord(
            table_name=COST_EXPLORER_DAYS,
            key=name,
            billing_period=self.month,
            fingerprint=fingerprint,
            rows=sum(total["rows"] for total in totals),
            size_bytes=path.stat().st_size if totals else 0,
            built_at=clock.now().isoformat(),
            inputs={d.source: d.delivery_id for d in self._deliveries} | self._project(name),
            totals=totals,
        )
        return StagedPartition(record, path if record.rows else None)

    def _project(self, name: str) -> dict[str, str]:
        project = self._plan.projects.get(name)
        return project_input(project.project) if project else {}

    def record_totals(self, partition: StagedPartition) -> None:
        """Do nothing: the record already has all totals."""

    def _assign(self, connection: Connection) -> None:
        """Create the table `assigned`: all rows of the month, each with its project."""
        names = {"unblended_cost": "billed_cost", "amortized_cost": "effective_cost"}
        names["estimated"] = "is_estimated"
        types = ", ".join(f"{ident(c.name)} {c.type}" for c in COST_EXPLORER_DAILY.columns)
        connection.execute(f"create temp table assigned ({types})")
        renamed = ", ".join(f"{old} as {new}" for old, new in names.items())
        for delivery in self._deliveries:
            if delivery.rows_kept:
                connection.execute(
                    "insert into assigned by name"
                    f" select {text(self.month)} as billing_period, charge_date,"
                    f" {_project_of(self._plan, delivery.source)} as project,"
                    f" {text(delivery.source)} as source, sub_account_id, service_name,"
                    f" billing_currency, {renamed}"
                    f" from read_parquet({text(self._landing(delivery))},"
                    " hive_partitioning = false)"
                )

    def _landing(self, delivery: DeliveryRecord) -> str:
        path = self._publication.checked(LANDING, delivery.source, self.month)
        if path is None:
            raise IntegrityCheckFailed(
                f"the landing of {self._plan.tenant.name}/{delivery.source} {self.month}"
                " is missing",
                f"{counted(delivery.rows_kept, 'row')}, as landed",
                f"Ingest it again: finops ingest {self._plan.tenant.name}; what was published"
                " stays",
            )
        return str(path)


def _write(connection: Connection, project: str, path: Path) -> tuple[dict[str, Any], ...]:
    """Write a project's rows to a file; return its totals per source and currency."""
    assigned = f"from assigned where project = {text(project)}"
    query = connection.execute(
        "select source, billing_currency, count(*) as rows,"
        " coalesce(sum(billed_cost), 0) as billed_cost,"
        f" coalesce(sum(effective_cost), 0) as effective_cost {assigned} group by all order by all"
    )
    totals = tuple(fetch_dicts(query))
    if totals:
        columns = [ident(c.name) for c in COST_EXPLORER_DAILY.columns if c.name not in _HIVE]
        connection.execute(
            f"copy (select {', '.join(columns)} {assigned} order by charge_date, source,"
            f" sub_account_id, service_name, billing_currency) to {text(str(path))} ({PARQUET})"
        )
    return totals


def _check(
    plan: MonthPlan, deliveries: list[DeliveryRecord], records: list[PartitionRecord]
) -> None:
    """Check that each landed row is in one project, and that costs are equal exactly."""
    for delivery in deliveries:
        for currency, landed in delivery.billed_by_currency().items():
            split_up = sum_cost_explorer_days(records, delivery.source, currency)
            rows = sum(
                total["rows"]
                for record in records
                for total in record.totals
                if total["source"] == delivery.source
            )
            if split_up != landed or rows != delivery.rows_kept:
                raise IntegrityCheckFailed(
                    f"{plan.tenant.name}/{delivery.source} {plan.month} landed"
                    f" {counted(delivery.rows_kept, 'row')} that cost {landed:f} {currency}, but"
                    f" its projects have {rows} that cost {split_up:f}",
                    "every row in one project, and sums that are equal to the last decimal",
                    "Nothing was published; please report this",
                )


def sum_cost_explorer_days(
    records: list[PartitionRecord], source: str, currency: str, basis: str = "billed_cost"
) -> Decimal:
    """Sum the costs of a source and currency over partitions of `cost_explorer_daily`."""
    return exact_sum(
        total[basis]
        for record in records
        for total in record.totals
        if total["source"] == source and total["billing_currency"] == currency
    )
