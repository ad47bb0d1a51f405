"""Missing months of each source, from its first month to the current one, with the reason.

Put here: reading the ledger and, for missing and older months, the source's location. Keep out:
landing what was delivered (landing.py), how gaps are shown (cli).
"""

from __future__ import annotations

from dataclasses import dataclass

from finops_pipeline import clock
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.refusals import as_expected
from finops_pipeline.application.reopened_months import find_reopened
from finops_pipeline.errors import FileProblem, ManifestProblem
from finops_pipeline.lake.tenant_ledger import open_ledger
from finops_pipeline.reconciliation.states import ReconciliationState, Status
from finops_pipeline.sources.data_exports import billing_periods, read_delivery
from finops_pipeline.sources.location import Location
from finops_pipeline.sources.location_kinds import open_location
from finops_pipeline.tenants.model import Source, Tenant
from finops_pipeline.tenants.months import months_between


@dataclass(frozen=True)
class Gap:
    """A month whose charges are missing or incomplete.

    `why` is one of: never delivered, not ingested, no manifest, still arriving, refused, empty,
    not built, not imported, unreachable, nothing yet, delivered again; `detail` explains it; `cure`
    is what to do.
    """

    tenant: str
    source: str
    billing_period: str
    why: str
    detail: str
    cure: str


def list_gaps(installation: Installation, tenant: Tenant) -> list[Gap]:
    """Return all gaps of a tenant, by source and month.

    A published month is a gap only if AWS has delivered it again long after it was closed.
    """
    status = installation.status(tenant.name)
    gaps: list[Gap] = []
    for source in tenant.sources:
        if source.is_bill and source.is_active:
            of_source = [row for row in status if row.source == source.name]
            gaps += _SourceGaps(installation, tenant, source, of_source).list_gaps()
    return gaps


class _SourceGaps:
    """The months of one source, from the ledger and, where it has none, the source's location."""

    def __init__(
        self, installation: Installation, tenant: Tenant, source: Source, status: list[Status]
    ) -> None:
        self._tenant = tenant
        self._source = source
        self._status = {row.billing_period: row for row in status}
        self._ingest = f"finops ingest {tenant.name}"
        self._ledger = open_ledger(installation.folder(tenant.name))
        self._location: Location | None = None
        self._delivered_months: list[str] = []
        self._location_problem: tuple[str, str, str] | None = None
        if source.location:
            try:
                installation.check_location(tenant, source)
                self._location = open_location(tenant, source)
                self._delivered_months = billing_periods(source, self._location)
            except ManifestProblem as error:
                self._location_problem = ("never delivered", error.found, error.cure)
            except Exception as error:
                self._location_problem = self._unreachable(error)

    def list_gaps(self) -> list[Gap]:
        """Return the gaps of this source, by month."""
        months = sorted({*self._status, *self._delivered_months})
        if not months:
            return [self._nothing()]
        # A fee paid in advance may be delivered for a future month; that is not a gap.
        span = months_between(months[0], max(clock.this_month(), months[-1]))
        gaps = [gap for month in span if (gap := self._gap_of(month)) is not None]
        return sorted([*gaps, *self._reopened(gaps)], key=lambda gap: gap.billing_period)

    def _reopened(self, gaps: list[Gap]) -> list[Gap]:
        if self._location is None:
            return []
        months = sorted({*self._delivered_months} - {gap.billing_period for gap in gaps})
        try:
            return [
                self._gap(
                    month.billing_period, "delivered again", month.detail, f"Run {self._ingest}"
                )
                for month in find_reopened(self._ledger, self._source, self._location, months)
            ]
        except Exception as error:
            return [self._gap("", *self._unreachable(error))]

    def _gap_of(self, month: str) -> Gap | None:
        if not self._source.covers(month):
            return None
        row = self._status.get(month)
        if row is None:
            return self._missing(month)
        if row.state in (ReconciliationState.REFUSED, ReconciliationState.OUTDATED):
            cure = f"Follow the advice in the reason, then run {self._ingest}"
            return self._gap(month, "refused", row.reason or "", cure)
        if row.state == ReconciliationState.INCOMPLETE:
            return self._gap(month, "not built", row.reason or "", f"Run {self._ingest}")
        if row.state == ReconciliationState.EMPTY:
            cure = "On the first day of a month, wait; on any other day, check the export"
            return self._gap(month, "empty", row.reason or "", cure)
        return None

    def _missing(self, month: str) -> Gap | None:
        name = f"{self._tenant.name}/{self._source.name}"
        if not self._source.location:
            cure = f"Ingest the month's files: finops ingest-file {name} FILE…"
            detail = "the source has no location, so its files must be imported"
            return self._gap(month, "not imported", detail, cure)
        if self._location_problem:
            return self._gap(month, *self._location_problem)
        if month in self._delivered_months:
            return self._delivered(month)
        if month > clock.this_month():
            return None
        if month == clock.this_month():
            detail = "this is the current month, and its first delivery has not arrived yet"
            return self._gap(month, "never delivered", detail, "Wait: AWS delivers within a day")
        detail = f"{self._source.location} has no folder for this month"
        cure = "Check that the export covers it; AWS Support can backfill it on request"
        return self._gap(month, "never delivered", detail, cure)

    def _delivered(self, month: str) -> Gap:
        """Explain why a month that has a folder is not in the ledger."""
        assert self._location is not None
        try:
            read_delivery(self._source, self._location, month)
        except ManifestProblem as error:
            return self._gap(month, "no manifest", error.found, error.cure)
        except FileProblem as error:
            return self._gap(month, "still arriving", error.found, error.cure)
        except Exception as error:
            return self._gap(month, *self._unreachable(error))
        detail = "a complete delivery is there, but it has not been ingested yet"
        return self._gap(month, "not ingested", detail, f"Run {self._ingest}")

    def _nothing(self) -> Gap:
        if self._location_problem:
            return self._gap("", *self._location_problem)
        name = f"{self._tenant.name}/{self._source.name}"
        cure = f"Ingest files: finops ingest-file {name} FILE…"
        return self._gap("", "nothing yet", "no month of this source has landed", cure)

    def _unreachable(self, error: Exception) -> tuple[str, str, str]:
        expected = as_expected(error)
        if expected is None:
            raise error
        cure = f"Make the location readable, then run {self._ingest}"
        return "unreachable", expected.found, expected.cure or cure

    def _gap(self, month: str, why: str, detail: str, cure: str) -> Gap:
        return Gap(self._tenant.name, self._source.name, month, why, detail, cure)
