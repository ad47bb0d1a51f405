"""Which months are missing, and why: between the first that is known of a source and now.

Put here: looking at the ledger and, for missing months only, at the source's location. Keep out:
landing what is found there (pipeline.py), how it is shown (cli).
"""

from __future__ import annotations

from dataclasses import dataclass

from finops_pipeline import clock
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.refusals import SURPRISES
from finops_pipeline.errors import FileProblem, FinopsError, ManifestProblem
from finops_pipeline.reconciliation.states import ReconciliationState, Status
from finops_pipeline.sources.data_exports import billing_periods, read_delivery
from finops_pipeline.sources.location import Location
from finops_pipeline.tenants.model import Source, Tenant
from finops_pipeline.tenants.months import months_between


@dataclass(frozen=True)
class Gap:
    """A month whose charges are not there as they should be.

    `why` is one of: never delivered, not ingested, no manifest, still arriving, refused, empty,
    not built, by hand, unreachable, nothing yet; `detail` says more, `cure` what to do.
    """

    tenant: str
    source: str
    billing_period: str
    why: str
    detail: str
    cure: str


def gaps(installation: Installation, tenant: Tenant) -> list[Gap]:
    """All gaps of a tenant, by source and month; months that are published are none."""
    status = installation.status(tenant.name)
    found: list[Gap] = []
    for source in tenant.sources:
        if source.is_bill:
            mine = [row for row in status if row.source == source.name]
            found += _Look(installation, tenant, source, mine).gaps()
    return found


class _Look:
    """One source's months: what the ledger says of them and, where it is silent, the location."""

    def __init__(
        self, installation: Installation, tenant: Tenant, source: Source, status: list[Status]
    ) -> None:
        self._tenant = tenant
        self._source = source
        self._status = {row.billing_period: row for row in status}
        self._ingest = f"finops ingest {tenant.name}"
        self._location: Location | None = None
        self._there: list[str] = []
        self._trouble: tuple[str, str, str] | None = None
        if source.location:
            try:
                self._location = installation.location(tenant, source)
                self._there = billing_periods(source, self._location)
            except ManifestProblem as error:
                self._trouble = ("never delivered", error.found, error.cure)
            except SURPRISES as error:
                self._trouble = self._unreachable(error)

    def gaps(self) -> list[Gap]:
        known = sorted({*self._status, *self._there})
        if not known:
            return [self._nothing()]
        # A month of the future may have been delivered (a fee in advance); it opens no gap.
        months = months_between(known[0], max(clock.this_month(), known[-1]))
        return [gap for month in months if (gap := self._gap(month)) is not None]

    def _gap(self, month: str) -> Gap | None:
        row = self._status.get(month)
        if row is None:
            return self._missing(month)
        if row.state == ReconciliationState.REFUSED:
            cure = f"Do what the reason says, then {self._ingest}"
            return self._said(month, "refused", row.reason or "", cure)
        if row.state == ReconciliationState.INCOMPLETE:
            return self._said(month, "not built", row.reason or "", f"Run {self._ingest}")
        if row.state == ReconciliationState.EMPTY:
            cure = "Nothing, on the first day of a month; else look into the export"
            return self._said(month, "empty", row.reason or "", cure)
        return None

    def _missing(self, month: str) -> Gap | None:
        name = f"{self._tenant.name}/{self._source.name}"
        if not self._source.location:
            cure = f"Bring the month's files: finops ingest-file {name} FILE…"
            return self._said(month, "by hand", "the source has no location", cure)
        if self._trouble:
            return self._said(month, *self._trouble)
        if month in self._there:
            return self._delivered(month)
        if month > clock.this_month():
            return None
        if month == clock.this_month():
            detail = "the running month; its first delivery is not there yet"
            return self._said(month, "never delivered", detail, "Wait: AWS delivers within a day")
        detail = f"{self._source.location} has no folder of it"
        cure = "See that the export covers it; AWS backfills on request to its support"
        return self._said(month, "never delivered", detail, cure)

    def _delivered(self, month: str) -> Gap:
        """A month that has a folder and is not in the ledger."""
        assert self._location is not None
        try:
            read_delivery(self._source, self._location, month)
        except ManifestProblem as error:
            return self._said(month, "no manifest", error.found, error.cure)
        except FileProblem as error:
            return self._said(month, "still arriving", error.found, error.cure)
        except SURPRISES as error:
            return self._said(month, *self._unreachable(error))
        detail = "a whole delivery is there and was not taken in yet"
        return self._said(month, "not ingested", detail, f"Run {self._ingest}")

    def _nothing(self) -> Gap:
        if self._trouble:
            return self._said("", *self._trouble)
        name = f"{self._tenant.name}/{self._source.name}"
        cure = f"Bring files: finops ingest-file {name} FILE…"
        return self._said("", "nothing yet", "no month of it has landed", cure)

    def _unreachable(self, error: BaseException) -> tuple[str, str, str]:
        cure = f"Make the location readable, then {self._ingest}"
        if isinstance(error, FinopsError):
            return "unreachable", error.found, error.cure or cure
        first = (str(error).splitlines() or [""])[0]
        return "unreachable", f"{type(error).__name__}: {first}", cure

    def _said(self, month: str, why: str, detail: str, cure: str) -> Gap:
        return Gap(self._tenant.name, self._source.name, month, why, detail, cure)
