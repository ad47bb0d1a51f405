"""Partitions of FOCUS charges, one per project and month: which are due, and their records.

Put here: choosing due partitions by fingerprint (a re-run changes nothing), and their records.
Keep out: writing them (month_pass.py), rules of single rows (sql/), comparing with the bill
(reconciliation/).

Reads: landing, ledger   Writes: costs, ledger
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from finops_pipeline import clock
from finops_pipeline.errors import IntegrityCheckFailed, counted
from finops_pipeline.focus.conversion import conversion_fingerprint, prepare
from finops_pipeline.focus.month_pass import MonthPass
from finops_pipeline.focus.tag_columns import has_snake_tags
from finops_pipeline.lake.duck import Limits, scratch_connection
from finops_pipeline.lake.layout import COSTS
from finops_pipeline.lake.partition_builder import (
    PartitionBuilder,
    PartitionOutcome,
    StagedPartition,
)
from finops_pipeline.lake.publish import Publication
from finops_pipeline.ledger.claims import CLAIMS, project_input
from finops_pipeline.ledger.ledger import PartitionRecord, fingerprint_of
from finops_pipeline.ledger.month_plan import MonthPlan, ProjectPlan

PROJECTS_PER_SCAN = 16
"""Projects written in one scan of a bill; the writer holds rows in memory for each."""

GONE = "no longer in use"
"""The fingerprint of the partition of a project that is disabled, removed or renamed."""


def build_costs_partitions(
    publication: Publication, plan: MonthPlan, projects: Collection[str], limits: Limits
) -> list[PartitionOutcome]:
    """Add the costs partitions of a month that are out of date to a publication.

    If what was published of the month changes, or was built under different account claims, then
    all partitions that are out of date are built, not only the requested ones, so that what is
    published adds up to the bill. Charges of a project that is no longer in use are dropped.

    Args:
        publication: receives the partitions, and only if the entire month is right.
        projects: names of the requested projects.

    Raises:
        IntegrityCheckFailed: a partition does not equal its part of the bill, or a landed file is
            missing.
    """
    month = _CostsOfMonth(publication, plan, projects, limits)
    return PartitionBuilder(publication).update(month)


class _CostsOfMonth:
    """A month of costs partitions; see lake/partition_builder.py."""

    table = COSTS

    def __init__(
        self, publication: Publication, plan: MonthPlan, projects: Collection[str], limits: Limits
    ) -> None:
        self.month = plan.month
        self.is_forced = plan.is_forced
        self._publication = publication
        self._plan = plan
        self._projects = projects
        self._limits = limits
        self._passes: dict[str, MonthPass] = {}

    def list_fingerprints(self) -> dict[str, str]:
        """Return fingerprints of the requested partitions, and of others that are to be built."""
        stored = {key: r for (key, _), r in self._publication.partitions(COSTS, self.month).items()}
        projects = self._plan.projects
        gone = {name: GONE for name in stored if name not in projects}
        current = {
            name: costs_fingerprint(project, self._plan.tag_spellings)
            for name, project in projects.items()
            if name in stored or project.deliveries
        }
        stale = {n for n in current if n not in stored or stored[n].fingerprint != current[n]}
        changing = {
            name
            for name in stale & stored.keys()
            if name in self._projects or not projects[name].has_same_claims(stored[name])
        }
        others = stale if gone or changing else set[str]()
        due = {n: mark for n, mark in current.items() if n in self._projects or n in others}
        return due | gone

    def choose_due(self, stale: Sequence[str]) -> Sequence[str]:
        """Return the partitions to build: only those that are out of date."""
        return stale

    def build(self, fingerprints: dict[str, str]) -> list[StagedPartition]:
        """Write these projects' charges, several projects per scan of the bill.

        Raises:
            IntegrityCheckFailed: see `build_costs_partitions`.
        """
        names = [name for name in fingerprints if name in self._plan.projects]
        with scratch_connection(self._publication.spill, self._limits) as connection:
            prepare(connection)
            for begin in range(0, len(names), PROJECTS_PER_SCAN):
                chunk = names[begin : begin + PROJECTS_PER_SCAN]
                together = [self._plan.projects[name] for name in chunk]
                month_pass = MonthPass(self._publication, self._plan, together)
                month_pass.write(connection)
                self._passes |= {project.name: month_pass for project in together}
        self._check_every_row_is_assigned(set(names))
        return [self._staged(name, fingerprint) for name, fingerprint in fingerprints.items()]

    def _check_every_row_is_assigned(self, names: set[str]) -> None:
        """Check that each row is in exactly one project, if all readers of a source are built."""
        passes = {id(month_pass): month_pass for month_pass in self._passes.values()}.values()
        for delivery in self._plan.deliveries:
            readers = {project.name for project in self._plan.readers(delivery.source)}
            assigned = sum(month_pass.rows.get(delivery.source, 0) for month_pass in passes)
            if readers and readers <= names and assigned != delivery.rows_kept:
                raise IntegrityCheckFailed(
                    f"{self._plan.tenant.name}/{delivery.source} {delivery.billing_period} landed"
                    f" {counted(delivery.rows_kept, 'row')}, but its projects have {assigned}",
                    "every row in exactly one project",
                    "Nothing was published; please report this with the month's line items",
                )

    def _staged(self, name: str, fingerprint: str) -> StagedPartition:
        if name not in self._plan.projects:
            return StagedPartition(self._empty_record(name), None)
        project, month_pass = self._plan.projects[name], self._passes[name]
        totals, file = month_pass.totals.get(name, ()), month_pass.file(name)
        inputs = {delivery.source: delivery.delivery_id for delivery in project.deliveries}
        record = PartitionRecord(
            table_name=COSTS,
            key=name,
            billing_period=self.month,
            fingerprint=fingerprint,
            rows=sum(total["rows"] for total in totals),
            size_bytes=file.stat().st_size if file else 0,
            built_at=clock.now().isoformat(),
            inputs={
                **inputs,
                CLAIMS: project.claims_fingerprint,
                **project_input(project.project),
            },
            totals=totals,
            findings=tuple(month_pass.findings.get(name, ())),
        )
        return StagedPartition(record, file)

    def _empty_record(self, name: str) -> PartitionRecord:
        """Return the record of a project whose charges other projects have now."""
        return PartitionRecord(COSTS, name, self.month, GONE, 0, 0, clock.now().isoformat())

    def record_totals(self, partition: StagedPartition) -> None:
        """Put the totals of a project's landed rows and charges on the publication."""
        name = partition.record.key
        month_pass = self._passes.get(name)
        bills = tuple(month_pass.bills.get(name, ())) if month_pass else ()
        self._publication.set_bill_totals(name, self.month, bills)
        services = month_pass.services.get(name, []) if month_pass else []
        for delivery in self._plan.deliveries:
            totals = tuple(t for t in services if t.delivery_id == delivery.delivery_id)
            self._publication.set_delivery_totals(delivery.delivery_id, name, totals)


def costs_fingerprint(project: ProjectPlan, tag_spellings: Mapping[str, str]) -> str:
    """Fingerprint what a partition depends on: the conversion, its deliveries and its claims.

    If one of its bills has tags in snake case, it also depends on how legacy reports spell them.
    """
    facts: dict[str, object] = {
        "conversion": conversion_fingerprint(),
        "deliveries": sorted(delivery.delivery_id for delivery in project.deliveries),
        "claims": project.claims_fingerprint,
    }
    if any(has_snake_tags(delivery.columns) for delivery in project.deliveries):
        facts["tag_spellings"] = dict(tag_spellings)
    return fingerprint_of(facts)
