"""Bring in what a source has: deliveries of its location, files by hand, Cost Explorer's answers.

Put here: which way a source's months come in, noting and telling what goes wrong with one. Keep
out: the work of landing (landing), what is built from it (pipeline.py).
"""

from __future__ import annotations

from collections.abc import Callable, Container
from contextlib import suppress
from functools import partial

from finops_pipeline import clock
from finops_pipeline.application.installation import Installation
from finops_pipeline.application.progress import Months, OnStep, Step, silent
from finops_pipeline.application.refusals import SURPRISES, reason_of
from finops_pipeline.lake.publish import Writer
from finops_pipeline.landing.landers import LANDERS
from finops_pipeline.landing.landing_task import Landed, LandingTask
from finops_pipeline.ledger import ledger
from finops_pipeline.ledger.ledger import LedgerError, Refusal
from finops_pipeline.reconciliation.states import OLDER
from finops_pipeline.sources.cost_explorer_api import Budget
from finops_pipeline.tenants.model import Source, Tenant


def land_source(
    installation: Installation,
    writer: Writer,
    tenant: Tenant,
    source: Source,
    months: Container[str],
    on_step: OnStep = silent,
    budget: Budget | None = None,
) -> list[Landed]:
    """Land what a source has delivered of these months; refusals are noted in the ledger.

    Args:
        budget: of paid requests, for all sources of a run; None: one of its own.
    """
    what = f"{tenant.name}/{source.name}"
    try:
        installation.check_location(tenant, source)
        task = LandingTask(writer, tenant, source, installation.limits)
        budget = budget or Budget(installation.settings.cost_explorer_requests)
        lander = LANDERS[source.kind](task, budget)
        selected = lander.list_months(None if months == Months() else months)
    except SURPRISES as error:
        on_step(Step("landing", what, "", "refused", reason=reason_of(error)))
        return []
    landed = []
    for month in selected:
        take = partial(lander.land_month, month)
        landed += _land_month(writer, tenant, source, month, take, on_step)
    if lander.requests_report:
        on_step(Step("landing", what, "", "asked", reason=lander.requests_report))
    return landed


def _land_month(
    writer: Writer,
    tenant: Tenant,
    source: Source,
    month: str,
    take: Callable[[], Landed],
    on_step: OnStep,
) -> list[Landed]:
    """Land one month; what goes wrong is noted and told, and then nothing has landed."""
    start = clock.stopwatch()
    try:
        one = take()
        _note(writer, one)
    except SURPRISES as error:
        reason = reason_of(error)
        with suppress(LedgerError):  # a full disk must not hide its own cause
            at = clock.now().isoformat()
            writer.ledger.write(ledger.record_refusal(Refusal(source.name, month, reason, at)))
        what = f"{tenant.name}/{source.name}"
        on_step(Step("landing", what, month, "refused", reason=reason))
        return []
    on_step(landing_step(tenant, source, one, clock.stopwatch() - start))
    return [one]


def _note(writer: Writer, one: Landed) -> None:
    """Note in the ledger that an older delivery was not taken; forget a refusal otherwise."""
    source, month = one.record.source, one.record.billing_period
    noted = writer.ledger.refusals().get((source, month))
    if one.outcome != OLDER:
        if noted:
            writer.ledger.write(ledger.clear_refusal(source, month))
    elif noted is None or noted.reason != one.note:
        at = clock.now().isoformat()
        writer.ledger.write(ledger.record_refusal(Refusal(source, month, one.note, at, OLDER)))


def landing_step(tenant: Tenant, source: Source, one: Landed, seconds: float) -> Step:
    """What landing did with a delivery, for reports."""
    record = one.record
    what = f"{tenant.name}/{source.name}"
    set_aside = f"{record.rows_quarantined} rows quarantined" if record.rows_quarantined else ""
    reason = "; ".join(filter(None, [set_aside, one.note]))
    return Step(
        "landing", what, record.billing_period, one.outcome, record.rows_kept, seconds, reason
    )
