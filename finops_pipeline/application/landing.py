"""Landing the months of a source, with a record of each refusal and crash.

Put here: which months of a source are landed, and recording and reporting failures. Keep out: the
work of landing (landing/), what is built from it (ingest.py).
"""

from __future__ import annotations

from collections.abc import Callable, Container
from contextlib import suppress
from dataclasses import replace
from functools import partial

from finops_pipeline import clock
from finops_pipeline.application.installation import TenantSession
from finops_pipeline.application.progress import Months, OnStep, Stage, Step, StepOutcome, silent
from finops_pipeline.application.refusals import failed_step
from finops_pipeline.errors import FinopsError, counted
from finops_pipeline.landing.landers import LANDERS
from finops_pipeline.landing.landing_task import Landed, LandingOutcome, LandingTask
from finops_pipeline.ledger import ledger
from finops_pipeline.ledger.ledger import LedgerError, Refusal
from finops_pipeline.ledger.records import RefusalKind
from finops_pipeline.sources.cost_explorer_api import Budget
from finops_pipeline.tenants.lifecycle import require_active
from finops_pipeline.tenants.model import Source


def landing_task(session: TenantSession, source: Source) -> LandingTask:
    """Return the inputs for landing a source of a tenant."""
    return LandingTask(session.writer, session.tenant, source, session.limits)


class SourceLanding:
    """Lands sources of a tenant, and records refusals in the ledger.

    Args:
        budget: paid requests for all sources of a run; None: the budget of the settings.
    """

    def __init__(
        self, session: TenantSession, on_step: OnStep = silent, budget: Budget | None = None
    ) -> None:
        self._session = session
        self._writer = session.writer
        self._on_step = on_step
        self._budget = budget or Budget(session.installation.settings.cost_explorer_requests)

    def land(self, source: Source, months: Container[str]) -> list[Landed]:
        """Land what a source has delivered of these months; a failure of one stops no other."""
        session = self._session
        try:
            require_active("source", self._name(source), source)
            session.installation.check_location(session.tenant, source)
            lander = LANDERS[source.kind](landing_task(session, source), self._budget)
            due = lander.list_months(None if months == Months() else months)
        except Exception as error:
            self._on_step(failed_step(error, Stage.LANDING, self._name(source)))
            return []
        landed = []
        for month in due:
            landed += self._land_month(source, month, partial(lander.land_month, month))
        if lander.requests_report:
            report = lander.requests_report
            self._on_step(
                Step(
                    Stage.LANDING, self._name(source), "", StepOutcome.REQUESTS_SENT, reason=report
                )
            )
        return landed

    def _name(self, source: Source) -> str:
        return f"{self._session.tenant.name}/{source.name}"

    def _land_month(self, source: Source, month: str, take: Callable[[], Landed]) -> list[Landed]:
        """Land one month; after an error, record and report it and return nothing.

        An error after the commit is reported, but it is no refusal: the delivery has landed.
        """
        start = clock.stopwatch()
        before = self._landed_at(source, month)
        try:
            landed = take()
            self._record_outcome(landed)
        except Exception as error:
            step = failed_step(error, Stage.LANDING, self._name(source), month)
            if self._landed_at(source, month) == before:
                self._record_failure(source, step)
            else:
                outcome = "The delivery has landed; the next command finishes what is left to do."
                step = replace(step, reason=f"{step.reason} {outcome}")
            self._on_step(step)
            return []
        self._on_step(landing_step(self._name(source), landed, clock.stopwatch() - start))
        return [landed]

    def _landed_at(self, source: Source, month: str) -> tuple[str, str] | None:
        """Return which delivery of a month has landed, and when; None if that cannot be read."""
        with suppress(LedgerError, FinopsError):
            delivery = self._writer.ledger.delivery(source.name, month)
            return (delivery.delivery_id, delivery.landed_at) if delivery else ("", "")
        return None

    def _record_failure(self, source: Source, step: Step) -> None:
        with suppress(LedgerError):  # if the disk is full, report that and not this write
            at = clock.now().isoformat()
            kind = (
                RefusalKind.CRASHED if step.outcome is StepOutcome.CRASHED else RefusalKind.REFUSED
            )
            refusal = Refusal(source.name, step.month, step.reason, at, kind)
            self._writer.ledger.write(ledger.record_refusal(refusal))

    def _record_outcome(self, landed: Landed) -> None:
        """Record that an older delivery was not landed; otherwise clear an earlier refusal."""
        source, month = landed.record.source, landed.record.billing_period
        recorded = self._writer.ledger.refusals().get((source, month))
        if landed.outcome is not LandingOutcome.OLDER:
            if recorded:
                self._writer.ledger.write(ledger.clear_refusal(source, month))
        elif recorded is None or recorded.reason != landed.note:
            at = clock.now().isoformat()
            refusal = Refusal(source, month, landed.note, at, RefusalKind.OLDER)
            self._writer.ledger.write(ledger.record_refusal(refusal))


def landing_step(name: str, landed: Landed, seconds: float) -> Step:
    """Return the step that reports the landing of a delivery of a source."""
    record = landed.record
    quarantined = (
        f"{counted(record.rows_quarantined, 'row')} quarantined" if record.rows_quarantined else ""
    )
    unreadable = sum(record.values_unreadable.values())
    emptied = f"{counted(unreadable, 'unreadable value')} left empty" if unreadable else ""
    restored = record.account_ids_restored
    zeros = f"account ids of {counted(restored, 'row')} restored to 12 digits" if restored else ""
    return Step(
        Stage.LANDING,
        name,
        record.billing_period,
        StepOutcome(landed.outcome),
        rows=record.rows_kept,
        seconds=seconds,
        reason="; ".join(filter(None, [quarantined, emptied, zeros, landed.note])),
    )
